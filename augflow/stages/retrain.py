"""A segmentation network is trained on real photographs, synthetic sets, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from augflow.core import hardware, io, seeding
from augflow.core.distributed import device
from augflow.core.errors import DataError, ParamsError, suggest
from augflow.core.hardware import DiskUsage, check_disk_space
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout, Scene, SceneFolder, table_facts
from augflow.data.synthetic import SyntheticSet, read_set, read_weights
from augflow.editing.cutouts import ObjectPool
from augflow.segmentation.learner import STEP_COLUMNS, SupervisedLearner
from augflow.segmentation.mmseg_config import balance_classes, read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter, load_mmseg_checkpoint
from augflow.segmentation.params import SegmenterParams
from augflow.study import disk_usage
from augflow.study.params import ArmParams, Augment
from augflow.training import loop
from augflow.training.batches import Rows
from augflow.training.sampler import SceneRange, mixture

REAL = "real"
"""The name under which an arm asks for the prepared training photographs."""


def retrain(
    prepared: Path,
    sets: Mapping[str, Path],
    arm: ArmParams,
    params: SegmenterParams,
    seed: int,
    out: Path,
    run: Path,
    threads: int | None = None,
    later: Sequence[Path] = (),
) -> None:
    """Trains a segmenter on an arm; `out` gets its weights, its config and `history.csv`.

    Every arm takes `params.steps` updates, whatever it trains on. The parts of an arm are laid end
    to end, and a step's batch is drawn from that one list. By default a photograph is seen equally
    often whichever part it comes from, so a part counts by its number of photographs; the arm's
    ratio and schedule and a selection's weights change that (`mixture.mixture`). Initial weights
    and the noise of training depend on `seed` alone (`params.seed` is not looked at) and are equal
    for all arms of a seed. `copy_paste` takes its objects from the real scenes of the arm. States
    to resume are kept in `run`, those of networks like this one that are trained next in `later`;
    there has to be room for all.

    Raises:
        ParamsError: an arm that cannot be trained: lists why.
    """
    _require_known(sets, arm)
    seeding.deterministic(seed, threads)
    hardware.keep_pages()
    folder = SceneFolder(prepared, "train", arm.one_in)
    names, scenes, parts = _union(folder, sets, arm)
    pool = _pool(folder) if arm.augment == "copy_paste" else None
    segmenter, history = train_segmenter(
        names,
        scenes,
        folder.table,
        params,
        seed,
        run,
        augment=arm.augment,
        pool=pool,
        strength=arm.strength,
        later=later,
        rows_of=mixture(
            parts,
            ratio=arm.ratio,
            first_share=arm.first_share if arm.schedule == "synthetic_first" else None,
            steps=params.steps,
            batch_size=params.batch_size,
            seed=seed,
        ),
    )
    with io.fresh_folder(out) as fresh:
        save(fresh, segmenter, history, arm, len(scenes), params, seed)


def train_segmenter(
    names: Sequence[str],
    scenes: Scene,
    table: ClassTable,
    params: SegmenterParams,
    seed: int,
    run: Path | None = None,
    *,
    augment: Augment = "none",
    pool: ObjectPool | None = None,
    strength: float = 1.0,
    rows_of: Rows | None = None,
    later: Sequence[Path] = (),
) -> tuple[MmsegSegmenter, list[loop.HistoryRow]]:
    """A segmenter trained on labelled images, and the history of its training.

    Steps draw evenly from all scenes, or by `rows_of`; `names` are for messages. For `seed`, `run`
    and `later` see `retrain`; `pool` holds what `copy_paste` pastes.
    """
    config = read_config(params.config, table.count, params.trust_config)
    if params.balance_classes:
        config = balance_classes(config, _pixels(scenes, table.count))
    segmenter = MmsegSegmenter(config, table.names, seeding.derive(seed, "segmenter"))
    if params.checkpoint is not None:
        load_mmseg_checkpoint(segmenter, params.checkpoint, new_classes=params.steps > 0)
    segmenter.to(device())
    learner = SupervisedLearner(segmenter, params, augment, pool, strength)
    if run is not None:
        check_disk_space(run, needs(learner, run, later), "training a segmenter")
    history = loop.fit(
        learner,
        scenes,
        steps=params.steps,
        batch_size=params.batch_size,
        seed=seed,
        columns=STEP_COLUMNS,
        names=names,
        run=run,
        rows_of=rows_of,
    )
    return segmenter, history


def needs(learner: SupervisedLearner, run: Path, later: Sequence[Path] = ()) -> DiskUsage:
    """What trainings of networks like this one write: states to resume them, and the networks."""
    network = learner.segmenter.network
    state = disk_usage.state_file(learner.state(), network.parameters(), run)
    weights = disk_usage.weights_file(network.state_dict(), run)
    return disk_usage.resume_states(state, run, *later) + weights.times(1 + len(later))


def save(
    folder: Path,
    segmenter: MmsegSegmenter,
    history: Sequence[loop.HistoryRow],
    arm: ArmParams,
    photographs: int,
    params: SegmenterParams,
    seed: int,
) -> None:
    """Writes a trained segmenter, what it was trained on, and the history into a folder."""
    given = {"photographs": photographs, "seed": seed}
    given |= {"steps": params.steps, "batch_size": params.batch_size}
    segmenter.training = {**facts_of(arm), **given}
    segmenter.save(folder)
    io.write_csv(folder / "history.csv", history, ("step", *STEP_COLUMNS))


def facts_of(arm: ArmParams) -> dict[str, Any]:
    """What an arm trains on and how, as it stands in a segmenter's folder; defaults left out."""
    given = arm.model_dump(mode="json", exclude_defaults=True, exclude={"reads"})
    return {"train_on": list(arm.train_on), "augment": arm.augment, **given}


def _require_known(sets: Mapping[str, Path], arm: ArmParams) -> None:
    known = [REAL, *sorted(sets)]
    faults = [
        f"train_on: no {name!r}; {suggest(name, known)}"
        for name in arm.train_on
        if name not in known
    ]
    if faults:
        raise ParamsError("; ".join(faults))


def _pool(folder: SceneFolder) -> ObjectPool:
    return ObjectPool(folder.scenes(), folder.table.things)


def _union(
    folder: SceneFolder, sets: Mapping[str, Path], arm: ArmParams
) -> tuple[list[str], Scene, list[SceneRange]]:
    """The names and scenes of all parts of an arm, in the order in which it names them."""
    names: list[str] = []
    scenes: list[Scene] = []
    parts: list[SceneRange] = []
    for part in arm.train_on:
        start = len(names)
        if part == REAL:
            names += folder.names
            scenes.append(folder.scenes())
            weights = (1.0,) * len(folder)
        else:
            synthetic = read_set(sets[part])
            require_fitting(synthetic, sets[part], folder.table, folder.size)
            names += [f"{part}/{row.name}" for row in synthetic.rows]
            scenes.append(synthetic.scenes())
            weights = read_weights(sets[part], synthetic)
        parts.append(SceneRange(part, start, weights))
    return names, join_scenes(scenes), parts


def require_fitting(
    synthetic: SyntheticSet, where: Path, table: ClassTable, size: tuple[int, int]
) -> None:
    """Lets a set pass that has the classes and size of the prepared data.

    Raises:
        DataError: it has others; lists both.
    """
    facts, faults = synthetic.facts, []
    if table_facts(facts.table) != table_facts(table):
        faults.append(f"classes are those of table {facts.table.name!r}, expected {table.name!r}")
    if facts.size != size:
        faults.append(
            f"photographs are {facts.size[0]}x{facts.size[1]}, expected {size[0]}x{size[1]}"
        )
    if faults:
        raise DataError(f"{where}: {'; '.join(faults)}; run synthesize again")


def _pixels(scenes: Scene, count: int) -> list[int]:
    """How many labelled pixels each class has."""
    ids = scenes.layout.classes.flatten().numpy()
    return [int(n) for n in np.bincount(ids, minlength=count)[:count]]


def join_scenes(parts: Sequence[Scene]) -> Scene:
    """Scenes end to end."""
    return Scene(
        torch.cat([part.image for part in parts]),
        Layout(
            torch.cat([part.layout.classes for part in parts]),
            torch.cat([part.layout.boundary for part in parts]),
        ),
    )
