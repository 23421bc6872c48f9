"""The temperature of a set, chosen by what its photographs are worth in training."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow import files, machine, seeds
from augflow.classes import ClassTable
from augflow.errors import DataError
from augflow.metrics import confusion_matrix, scores
from augflow.params import ChoiceParams
from augflow.scenes import Scene, SceneFolder
from augflow.segmenters import MmsegSegmenter
from augflow.stages.retrain import joined, require_fitting, trained
from augflow.synthetic import SyntheticSet, read_set

log = logging.getLogger("augflow")


@dataclass(frozen=True)
class Slices:
    """Training scenes in two: those that are learned from, and those held out; row numbers."""

    fit: tuple[int, ...]
    held_out: tuple[int, ...]


def choose(
    name: str, params: ChoiceParams, source: Path, prepared: Path, out: Path, *, one_in: int = 1,
    threads: int | None = None,
) -> float:  # fmt: skip
    """Writes which temperature of a set helps most on held-out training scenes; returns it.

    For every temperature and seed a network of `params.segmenter` learns from the scenes that are
    not held out and the set's photographs of their layouts, evenly. Its class IoU is that of the
    pooled confusion matrix of the held-out scenes. The set's generator may have seen those scenes;
    it is one for all temperatures. Of equally good temperatures the lowest is chosen.

    Args:
        name: the choice's name.
        params: its section.
        source: the folder of the set.
        prepared: the prepared folder; its validation scenes are not looked at.
        out: the JSON file.
        one_in: only every so many-th training scene is used.
        threads: threads of torch.

    Raises:
        DataError: the set is damaged, or has no photograph of the scenes that are learned from.
        ModelError: a network cannot be built or trained.
    """
    seeds.deterministic(0, threads)
    machine.keep_pages()
    folder, made = SceneFolder(prepared, "train", one_in), read_set(source)
    require_fitting(made, source, folder.table, folder.size)
    slices = sliced(folder.drives, params.hold_out, name)
    found: dict[float, list[float]] = {}
    for degree in made.facts.temperatures:
        rows = _rows(made, degree, {folder.names[n] for n in slices.fit})
        if not rows:
            raise DataError(
                f"{source}: no photograph at temperature {degree:g} of the scenes that are learned "
                f"from ({len(slices.fit)}); make the set for all training layouts"
            )
        found[degree] = [_worth(folder, slices, made, rows, params, n) for n in params.seeds]
        log.info("%s: temperature %g: class IoU %.2f %%", name, degree,
                 100 * np.mean(found[degree]))  # fmt: skip
    best = max(sorted(found), key=lambda degree: np.mean(found[degree]))
    content = {
        "kind": "choice", "choice": name, "set": made.facts.name, "temperature": best,
        "held_out": [folder.names[n] for n in slices.held_out],
        "seeds": list(params.seeds), "steps": params.segmenter.steps,
        "rows": [{"temperature": degree, "class_iou": values} for degree, values in found.items()],
    }  # fmt: skip
    files.write_records(out, content)
    return best


def sliced(drives: Sequence[str], share: float, name: str) -> Slices:
    """Scenes in two, so that no drive is in both where there are several.

    Drives are taken in an order drawn from `name` until their scenes are about `share` of all; one
    drive at least is left to learn from. The scenes of a single drive are parted into a first and a
    last stretch.
    """
    kinds = sorted(set(drives))
    count = len(drives)
    wanted = min(max(1, round(share * count)), count - 1)
    if len(kinds) == 1:
        return Slices(tuple(range(count - wanted)), tuple(range(count - wanted, count)))
    held: set[str] = set()
    for drive in sorted(kinds, key=lambda drive: seeds.derive(0, "hold out", name, drive)):
        have = sum(drives[n] in held for n in range(count))
        more = have + sum(one == drive for one in drives)
        # a drive is taken if that comes nearer to the share, and the first one in any case
        nearer = abs(more - wanted) < abs(have - wanted)
        if len(held) < len(kinds) - 1 and (not held or nearer):
            held.add(drive)
    rows = [[n for n in range(count) if (drives[n] in held) is side] for side in (False, True)]
    return Slices(tuple(rows[0]), tuple(rows[1]))


def _rows(made: SyntheticSet, degree: float, layouts: set[str]) -> list[int]:
    return [n for n, row in enumerate(made.rows)
            if row.temperature == degree and row.layout in layouts]  # fmt: skip


def _worth(
    folder: SceneFolder, slices: Slices, made: SyntheticSet, rows: Sequence[int],
    params: ChoiceParams, seed: int,
) -> float:  # fmt: skip
    """Class IoU on the held-out scenes of a network that learned from the others and `rows`."""
    scenes = joined([folder.scenes(slices.fit), made.scenes(rows)])
    names = [folder.names[n] for n in slices.fit] + [made.rows[n].name for n in rows]
    segmenter, _ = trained(names, scenes, folder.table, params.segmenter, seed)
    return _class_iou(segmenter, folder.scenes(slices.held_out), folder.table)


def _class_iou(segmenter: MmsegSegmenter, scenes: Scene, table: ClassTable) -> float:
    total = np.zeros((table.count, table.count), np.int64)
    for image, classes in zip(scenes.image, scenes.layout.classes, strict=True):
        predicted = segmenter.predict(image[None].float() / 255)[0]
        total += confusion_matrix(classes.numpy(), predicted.cpu().numpy(), table.count)
    return scores(total).class_iou
