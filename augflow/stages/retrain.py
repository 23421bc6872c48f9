"""A segmentation network is trained on real photographs, synthetic sets, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from augflow import files, machine, seeds, segmenters, training
from augflow.classes import ClassTable
from augflow.errors import DataError, ParamsError, nearest
from augflow.params import ArmParams, SegmenterParams
from augflow.scenes import Layout, Scene, SceneFolder, table_facts
from augflow.synthetic import SyntheticSet, read_set

REAL = "real"
"""The name under which an arm asks for the prepared training photographs."""


def retrain(
    prepared: Path, sets: Mapping[str, Path], arm: ArmParams, params: SegmenterParams,
    seed: int, out: Path, run: Path, threads: int | None = None,
) -> None:  # fmt: skip
    """Trains a segmenter on an arm; `out` gets its weights, its config and `history.csv`.

    Every arm takes `params.steps` updates, whatever it trains on. The parts of an arm are laid end
    to end, and a step's batch is drawn from that one list: a photograph is seen equally often
    whichever part it comes from, so a part counts by its number of photographs. Initial weights
    and the noise of training depend on `seed` alone and are equal for all arms of a seed.

    Args:
        prepared: the prepared folder.
        sets: the folders of synthetic sets by name, at least those that the arm names.
        arm: what to train on, and whether by classic augmentation.
        params: the network and its schedule; `params.seed` is not looked at.
        seed: of initial weights, batches and augmentation.
        out: the segmenter's folder; replaced as a whole.
        run: where the state of an interrupted training is kept.
        threads: threads of torch; weights differ between thread counts.

    Raises:
        ParamsError: an arm that cannot be trained: lists why.
        DataError: a set is damaged, or is not of the prepared data's classes and size.
        ModelError: the network cannot be built, the checkpoint does not fit, or the loss stopped
            being finite.
    """
    _check(sets, arm, params)
    seeds.deterministic(seed, threads)
    machine.keep_pages()
    folder = SceneFolder(prepared, "train")
    names, scenes = _union(folder, sets, arm)
    config = segmenters.read_config(params.config, folder.table.count)
    if params.balance_classes:
        config = segmenters.balanced(config, _pixels(scenes, folder.table.count))
    start = seeds.derive(seed, "segmenter")
    segmenter = segmenters.MmsegSegmenter(config, folder.table.names, start)
    if params.checkpoint is not None:
        segmenters.load_checkpoint(segmenter, params.checkpoint, new_classes=params.steps > 0)
    segmenter.to("cuda" if torch.cuda.is_available() else "cpu")
    history = training.fit(
        segmenters.SupervisedLearner(segmenter, params, arm.augment), scenes,
        steps=params.steps, batch_size=params.batch_size, seed=seed,
        columns=segmenters.COLUMNS, names=names, run=run,
    )  # fmt: skip
    segmenter.training = {
        "train_on": list(arm.train_on), "augment": arm.augment, "photographs": len(scenes),
        "seed": seed, "steps": params.steps, "batch_size": params.batch_size,
    }  # fmt: skip
    with files.fresh_folder(out) as fresh:
        segmenter.save(fresh)
        files.write_csv(fresh / "history.csv", history, ("step", *segmenters.COLUMNS))


def _check(sets: Mapping[str, Path], arm: ArmParams, params: SegmenterParams) -> None:
    faults = []
    known = [REAL, *sorted(sets)]
    faults += [f"train_on: no {name!r}; {nearest(name, known)}"
               for name in arm.train_on if name not in known]  # fmt: skip
    if params.batch_size < 2:
        faults.append("batch_size is 1, expected 2 or more: batch norm needs more than one scene")
    if params.steps == 0 and params.checkpoint is None:
        faults.append("steps is 0 and there is no checkpoint; give steps, a checkpoint, or both")
    if faults:
        raise ParamsError("segmenter: " + "; ".join(faults))


def _union(
    folder: SceneFolder, sets: Mapping[str, Path], arm: ArmParams
) -> tuple[list[str], Scene]:
    """The names and scenes of all parts of an arm, in the order in which it names them."""
    names: list[str] = []
    parts: list[Scene] = []
    for part in arm.train_on:
        if part == REAL:
            names += folder.names
            parts.append(folder.scenes())
        else:
            synthetic = read_set(sets[part])
            require_fitting(synthetic, sets[part], folder.table, folder.size)
            names += [f"{part}/{row.name}" for row in synthetic.rows]
            parts.append(synthetic.scenes())
    return names, _joined(parts)


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


def _joined(parts: Sequence[Scene]) -> Scene:
    return Scene(
        torch.cat([part.image for part in parts]),
        Layout(
            torch.cat([part.layout.classes for part in parts]),
            torch.cat([part.layout.boundary for part in parts]),
        ),
    )
