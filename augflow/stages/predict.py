"""A flow learns to predict class maps from photographs, and is scored on held-out ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from augflow import generators
from augflow.core import hardware, io, seeding
from augflow.core.distributed import ALONE, Ranks
from augflow.core.errors import ModelError
from augflow.core.hardware import check_disk_spaces
from augflow.core.tensors import device_of
from augflow.data import visualize
from augflow.data.scenes import SceneFolder, evenly
from augflow.generators.c_glow_predictor import NAME, CGlowPredictor, config_of, load
from augflow.metrics import confusion_matrix
from augflow.stages.train import (
    CURVE_SCENES,
    SAMPLED_LAYOUTS,
    copy_pages,
    free_for,
    keep_page,
    needs,
)
from augflow.study.params import PredictorParams
from augflow.study.results import Item, PredictorScores, Sampled
from augflow.training import loop
from augflow.training.memory import Budget
from augflow.training.prediction import PredictionLearner, pixels


def train_predictor(
    name: str,
    params: PredictorParams,
    prepared: Path,
    out: Path,
    *,
    run: Path,
    threads: int,
    ranks: Ranks = ALONE,
) -> None:
    """Trains a predictor, or goes on with a run that was killed, and writes it when it is done.

    `out` gets `weights.safetensors` (averaged where `training.ema` is set), `config.json`,
    `history.csv` and pages of predictions made on the way; nothing before the last step.

    Raises:
        ParamsError: a batch has fewer rows than there are ranks.
    """
    hardware.keep_pages()
    schedule = params.training
    seeding.deterministic(schedule.seed, threads)
    with ranks.raise_together():
        scenes, held_out = SceneFolder(prepared, "train"), SceneFolder(prepared, "val")
        predictor = CGlowPredictor(
            config_of(
                params.preset, {"size": scenes.size, "samples": params.samples, **params.overrides}
            ),
            scenes.table,
            schedule.seed,
        )
        budget = Budget(free_for(ranks))
        learner = PredictionLearner(predictor.to(ranks.device), schedule)
        learner.join(ranks)
        if ranks.is_main:
            check_disk_spaces(needs(learner, run, out), f"training predictor {name}")
        first = loop.batch_rows(
            schedule.seed + 1, 0, min(schedule.init_scenes, len(scenes)), len(scenes)
        )
        learner.initialise(scenes.scenes(first))
        history = loop.fit(
            learner,
            scenes,
            steps=schedule.steps,
            batch_size=schedule.batch_size,
            seed=schedule.seed,
            columns=learner.columns,
            names=scenes.names,
            run=run,
            save_every=schedule.save_every,
            log_every=schedule.log_every,
            watch=_watch(learner, held_out, run / "samples"),
            budget=budget,
        )
        if ranks.is_main:
            _write(out, name, params, learner, held_out, history, run / "samples")


def _write(
    out: Path,
    name: str,
    params: PredictorParams,
    learner: PredictionLearner,
    held_out: SceneFolder,
    history: list[loop.HistoryRow],
    samples: Path,
) -> None:
    with io.fresh_folder(out) as folder:
        facts = {
            "name": name,
            "preset": params.preset,
            "training": params.training.model_dump(mode="json"),
            "val_scenes": len(held_out),
            **learner.measure_held_out(held_out.scenes()),
        }
        with learner.ema_weights() as best:
            generators.save(folder, NAME, best, facts)
        io.write_csv(folder / "history.csv", history, ("step", *learner.columns))
        copy_pages(samples, folder / "samples")


def score_predictor(
    name: str, params: PredictorParams, prepared: Path, predictor: Path, out: Path, *, threads: int
) -> None:
    """Predicts the class maps of the held-out photographs from 1 sample and from `params.samples`.

    Raises:
        ModelError: the predictor is damaged or was trained on other classes.
    """
    seeding.deterministic(0, threads)
    val = SceneFolder(prepared, "val")
    model = load(predictor)
    if model.table.names != val.table.names:
        raise ModelError(
            f"{predictor}: trained on classes {', '.join(model.table.names)}; "
            f"expected {', '.join(val.table.names)}; train it again"
        )
    PredictorScores(
        predictor=name,
        weights=generators.weights_digest(model.state_dict()),
        classes=list(val.table.names),
        samples=[
            Sampled(samples=count, items=_items(model, val, count))
            for count in sorted({1, params.samples})
        ],
    ).write(out)


def _items(model: CGlowPredictor, val: SceneFolder, samples: int) -> list[Item]:
    items = []
    for row, name in enumerate(val.names):
        scene = val.scenes([row])
        predicted = model.predict(pixels(scene.image), samples)
        truth = scene.layout.classes.numpy()
        matrix = confusion_matrix(truth, predicted.numpy(), model.table.count)
        items.append(Item(name=name, confusion=matrix.tolist()))
    return items


def _watch(
    learner: PredictionLearner, held_out: SceneFolder, folder: Path
) -> Callable[[int], dict[str, float]]:
    """What is measured on held-out scenes, and pictures, every so many steps."""
    params = learner.params

    def observe(step: int) -> dict[str, float]:
        last = step == params.steps
        if step % params.sample_every == 0 or last:
            with learner.ema_weights() as predictor:
                keep_page(folder / f"step_{step:06d}.png", _page(predictor, held_out))
        if step % params.eval_every and not last:
            return {}
        return learner.measure_held_out(held_out.scenes(evenly(len(held_out), CURVE_SCENES)))

    return observe


@torch.no_grad()
def _page(predictor: CGlowPredictor, held_out: SceneFolder) -> np.ndarray:
    """A row per photograph: the photograph, its class map, predictions of 1 and of all samples."""
    scenes = held_out.scenes(evenly(len(held_out), SAMPLED_LAYOUTS))
    image = pixels(scenes.image).to(device_of(predictor))
    maps = [scenes.layout.classes, predictor.predict(image, 1), predictor.predict(image)]
    rows = []
    for n, photo in enumerate(scenes.image):
        tiles = [visualize.colour_classes(found[n].cpu().numpy(), held_out.table) for found in maps]
        rows.append([photo.permute(1, 2, 0).numpy(), *tiles])
    return visualize.sheet(rows, scale=2)
