"""A generator learns from the prepared training scenes."""

from __future__ import annotations

import logging
import math
import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from augflow import generators
from augflow.core import hardware, io, seeding
from augflow.core.distributed import ALONE, Ranks
from augflow.core.hardware import DiskUsage, check_disk_spaces
from augflow.core.tensors import device_of
from augflow.data import visualize
from augflow.data.scenes import SceneFolder, evenly
from augflow.flows.density import quantize
from augflow.generators.base import Generator
from augflow.study import disk_usage
from augflow.study.params import GeneratorParams
from augflow.training import loop
from augflow.training.learner import GeneratorLearner
from augflow.training.learners import learner_of
from augflow.training.memory import Budget
from augflow.training.params import TrainingParams
from augflow.training.profile import step_memory

log = logging.getLogger("augflow")

CURVE_SCENES, SAMPLED_LAYOUTS, SAMPLE_TEMPERATURES = 48, 6, (0.0, 0.5, 0.8, 1.0)


def train(
    name: str,
    params: GeneratorParams,
    prepared: Path,
    out: Path,
    *,
    run: Path,
    threads: int,
    ranks: Ranks = ALONE,
) -> None:
    """Trains a generator, or goes on with a run that was killed, and writes it when it is done.

    `out` gets `weights.safetensors` (averaged weights where `training.ema` is set), `config.json`,
    `history.csv` and the pictures that were sampled on the way; nothing before the last step.

    Args:
        name: the generator's name in `params.yaml`.
        params: its section.
        prepared: the prepared folder.
        out: the generator's folder.
        run: folder of the resume state.
        threads: intra-op threads; equal threads give equal bits on one machine.
        ranks: the processes that train it, of which the first one writes.

    Raises:
        BusyError: another process trains this generator.
        ParamsError: a batch has fewer rows than there are ranks, or cannot be parted as asked for.
        DataError: the disk has no room for the resume state or the generator.
        ModelError: the loss stopped being finite, or there was not enough memory.
    """
    hardware.keep_pages()
    seeding.deterministic(params.training.seed, threads)
    with ranks.raise_together():
        scenes = SceneFolder(prepared, "train", params.one_in)
        held_out = SceneFolder(prepared, "val")
        config = generators.config_of(params, scenes.size)
        generator = generators.build(params.system, config, scenes.table, params.training.seed)
        budget = Budget(free_for(ranks), cache(lambda rows: step_memory(generator, rows).total))
        generator.to(ranks.device)
        learner = learner_of(generator, params.training)
        learner.join(ranks)
        learner.micro_batch = learner.micro_batch or auto_micro_batch(learner, budget)
        if ranks.is_main:
            check_disk_spaces(needs(learner, run, out), f"training generator {name}")
        initialise(learner, scenes, params.training)
        history = loop.fit(
            learner,
            scenes,
            steps=params.training.steps,
            batch_size=params.training.batch_size,
            seed=params.training.seed,
            columns=learner.columns,
            names=scenes.names,
            run=run,
            save_every=params.training.save_every,
            log_every=params.training.log_every,
            watch=_Watch(learner, held_out, params.training, run / "samples"),
            budget=budget,
        )
        if ranks.is_main:
            _write(out, name, params, learner, held_out, history, run / "samples")


def needs(learner: GeneratorLearner, run: Path, out: Path) -> dict[Path, DiskUsage]:
    """What a training writes: the state to resume it, and in the end the generator."""
    state = disk_usage.state_file(learner.state(), learner.weights.values(), run)
    weights = disk_usage.weights_file(learner.generator.state_dict(), out)
    return {run: disk_usage.resume_states(state, run), out: weights}


def free_for(ranks: Ranks) -> int | None:
    """The memory that one of the ranks of this machine may fill, in bytes."""
    free = hardware.free_memory(ranks.device)
    shared = ranks.beside if ranks.device.type == "cpu" else 1
    return None if free is None else free // shared


def auto_micro_batch(learner: GeneratorLearner, budget: Budget) -> int | None:
    """How many rows of a batch fit at once, where `training.micro_batch` is `auto`.

    None are all rows: those that fit, that nobody knows anything of, or that have to stay together.
    """
    if learner.params.micro_batch != "auto":
        return None
    ranks, whole = learner.ranks, learner.whole_batches()
    rows = -(-learner.params.batch_size // ranks.count)
    known = [most for most in ranks.all_gather(budget.largest(rows)) if most is not None]
    chosen = rows if whole else max(min(known, default=rows), 1)
    if ranks.is_main:
        log.info(
            "training.micro_batch: auto takes %d of %d rows at once (%s)",
            chosen,
            rows,
            whole or budget.sizes(chosen),
        )
    return chosen if chosen < rows else None


def _write(
    out: Path,
    name: str,
    params: GeneratorParams,
    learner: GeneratorLearner,
    held_out: SceneFolder,
    history: list[loop.HistoryRow],
    samples: Path,
) -> None:
    generator = learner.generator
    with io.fresh_folder(out) as folder:
        facts = {
            "name": name,
            "preset": params.preset,
            "training": params.training.model_dump(mode="json"),
            **({"one_in": params.one_in} if params.one_in > 1 else {}),
            "likelihood": generator.likelihood,
            "bound": generator.is_upper_bound,
            "val_scenes": len(held_out),
            **learner.measure_held_out(held_out.scenes()),
        }
        facts = {key: None if _is_lost(value) else value for key, value in facts.items()}
        with learner.ema_weights() as best:
            generators.save(folder, params.system, best, facts)
        io.write_csv(folder / "history.csv", history, ("step", *learner.columns))
        if samples.exists():
            copy_pages(samples, folder / "samples")


def _is_lost(value: object) -> bool:
    """Whether a number is none: a flow that cannot be inverted has no round-trip error."""
    return isinstance(value, float) and not math.isfinite(value)


def initialise(learner: GeneratorLearner, scenes: SceneFolder, params: TrainingParams) -> None:
    """What a learner does before the first step: looks at all scenes, and begins with a few."""
    learner.on_fit_start(scenes)
    learner.initialise(scenes.scenes(loop.init_rows(params, len(scenes))))


@dataclass(frozen=True)
class _Watch:
    """What the learner measures on held-out scenes, and pictures, every so many steps."""

    learner: GeneratorLearner
    held_out: SceneFolder
    params: TrainingParams
    samples: Path

    def __call__(self, step: int) -> dict[str, float]:
        last = step == self.params.steps
        measures = {}
        if step % self.params.eval_every == 0 or last:
            measures = self._measure()
        if step % self.params.sample_every == 0 or last:
            with self.learner.ema_weights() as generator:
                page = sample_sheet(generator, self.held_out)
            keep_page(self.samples / f"step_{step:06d}.png", page)
        return measures

    def _measure(self) -> dict[str, float]:
        rows = evenly(len(self.held_out), CURVE_SCENES)
        return self.learner.measure_held_out(self.held_out.scenes(rows))


def keep_page(path: Path, page: np.ndarray) -> None:
    """Writes a page of samples that is on the disk before the resume state that follows it is."""
    io.write_png(path, page)
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def copy_pages(samples: Path, out: Path) -> None:
    """Copies the pages of a run, but nothing that it had begun to write when it was killed."""
    shutil.copytree(samples, out, ignore=shutil.ignore_patterns(".*"))


@torch.no_grad()
def sample_sheet(generator: Generator, held_out: SceneFolder) -> np.ndarray:
    """A page of samples: a row per layout (classes, photograph, one sample per temperature)."""
    rows = evenly(len(held_out), SAMPLED_LAYOUTS)
    scenes = held_out.scenes(rows)
    conditions = generator.condition(scenes.layout.to(device_of(generator)))
    columns = [
        [
            visualize.colour_classes(classes.numpy(), held_out.table)
            for classes in scenes.layout.classes
        ],
        [image.permute(1, 2, 0).numpy() for image in scenes.image],
    ]
    for temperature in SAMPLE_TEMPERATURES:
        noise = seeding.Noise([seeding.derive(0, "sheet", row) for row in rows])
        samples = generator.sample(conditions, noise, temperature)
        pixels = quantize(samples).cpu()
        columns.append([one.permute(1, 2, 0).numpy() for one in pixels])
    return visualize.sheet(list(zip(*columns, strict=True)), scale=2)
