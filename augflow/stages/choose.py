"""The temperature of a set, chosen by what its photographs are worth in training."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from augflow.core import hardware, seeding
from augflow.core.errors import DataError
from augflow.core.hardware import DiskUsage, check_disk_space
from augflow.data.folds import Fold, folds
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import SyntheticSet, read_set
from augflow.metrics import scores
from augflow.segmentation.evaluate import confusions
from augflow.stages.retrain import join_scenes, require_fitting, train_segmenter
from augflow.study import disk_usage
from augflow.study.params import ChoiceParams
from augflow.study.results import Choice, ChoiceLevel

log = logging.getLogger("augflow")


def choose(
    name: str,
    params: ChoiceParams,
    source: Path,
    prepared: Path,
    out: Path,
    *,
    one_in: int = 1,
    threads: int | None = None,
) -> float:
    """Writes which temperature of a set helps most on held-out training scenes; returns it.

    Every training scene is held out once, in folds of whole drives. For every temperature, seed
    and fold a network of `params.segmenter` learns from the scenes that are not held out and the
    set's photographs of their layouts, evenly, and reads those that are; a temperature's class IoU
    under a seed is that of the pooled confusion matrix of all scenes. The set's generator has seen
    these scenes; it is one for all temperatures. Of equally good temperatures the lowest is chosen.

    Raises:
        DataError: the set is damaged, or has no photograph of the scenes that are learned from; or
            the disk has no room for the file.
    """
    seeding.deterministic(0, threads)
    hardware.keep_pages()
    folder, made = SceneFolder(prepared, "train", one_in), read_set(source)
    require_fitting(made, source, folder.table, folder.size)
    check_disk_space(out.parent, choice_sizes(folder.names, out.parent), f"choice {name}")
    parts = folds(folder.drives, params.folds, f"choices.{name}")
    found: dict[float, list[float]] = {}
    for degree in made.facts.temperatures:
        rows = [_rows(made, degree, {folder.names[n] for n in part.fit}) for part in parts]
        if not all(rows):
            raise DataError(
                f"{source}: no photograph at temperature {degree:g} of the scenes that are learned "
                "from in one of the folds; make the set for all training layouts"
            )
        found[degree] = [_worth(folder, parts, made, rows, params, n) for n in params.seeds]
        log.info(
            "%s: temperature %g: class IoU %.2f %%", name, degree, 100 * np.mean(found[degree])
        )
    best = max(sorted(found), key=lambda degree: np.mean(found[degree]))
    Choice(
        choice=name,
        set=made.facts.name,
        temperature=best,
        folds=[[folder.names[n] for n in part.held_out] for part in parts],
        seeds=list(params.seeds),
        steps=params.segmenter.steps,
        rows=[ChoiceLevel(temperature=t, class_iou=values) for t, values in found.items()],
    ).write(out)
    return best


def choice_sizes(names: Sequence[str], where: Path) -> DiskUsage:
    """What the file of a choice takes, most of which are the names of the scenes."""
    return disk_usage.one_file(sum(len(name) + 3 for name in names), where)


def _rows(made: SyntheticSet, degree: float, layouts: set[str]) -> list[int]:
    return [
        n for n, row in enumerate(made.rows) if row.temperature == degree and row.layout in layouts
    ]


def _worth(
    folder: SceneFolder,
    parts: Sequence[Fold],
    made: SyntheticSet,
    rows: Sequence[Sequence[int]],
    params: ChoiceParams,
    seed: int,
) -> float:
    """Class IoU on all scenes, each read by the network that has not learned from it.

    A fold's network learns from the fold's scenes and the photographs in its `rows`.
    """
    count = folder.table.count
    total = np.zeros((count, count), np.int64)
    for part, own in zip(parts, rows, strict=True):
        scenes = join_scenes([folder.scenes(part.fit), made.scenes(own)])
        names = [folder.names[n] for n in part.fit] + [made.rows[n].name for n in own]
        segmenter, _ = train_segmenter(names, scenes, folder.table, params.segmenter, seed)
        held = folder.scenes(part.held_out)
        total += sum(confusions(segmenter, held.image, held.layout.classes))
    return scores(total).class_iou
