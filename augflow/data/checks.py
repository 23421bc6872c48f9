"""All faults of a data set: every file is decoded strictly, every id looked up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError, on_one_line
from augflow.data import diagnosis
from augflow.data.classes import IGNORE
from augflow.data.readers.source import SPLITS, Fault, SourceScene, SourceSet


@dataclass(frozen=True)
class Tally:
    """What is kept of an examined scene: how often each published id and each class occurs.

    Shapes:
        ids: (256,) int64, pixels by published id; all 0 where labels could not be read.
        classes: (256,) int64, pixels by train id, `IGNORE` at 255; all 0 where ids are unknown.
    """

    scene: SourceScene
    ids: np.ndarray
    classes: np.ndarray
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Examined:
    """A decoded scene; what could not be decoded or mapped is None, and a fault says why.

    Shapes:
        photo: (H, W, 3) uint8, RGB.
        classes: (H, W) uint8 train ids.
        instances: (H, W) int64; neighbours of one number are one instance.
    """

    photo: np.ndarray | None
    classes: np.ndarray | None
    instances: np.ndarray | None
    tally: Tally


@dataclass(frozen=True)
class Report:
    """What is wrong with a data set, and what is in it.

    Shapes:
        pixels: by split, (256,) int64 pixels by train id.
    """

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    counts: dict[str, int]
    pixels: dict[str, np.ndarray]


def check(source: SourceSet, each: Callable[[Iterable], Iterable] = iter) -> Report:
    """Examines every scene.

    Args:
        source: the data set, as its reader found it.
        each: wraps the iteration over scenes; for progress bars.
    """
    return check_report(source, [examine(source, scene).tally for scene in each(source.scenes)])


def check_report(source: SourceSet, tallies: Sequence[Tally]) -> Report:
    """The faults of pairing, of every scene and of the set as a whole, in this order."""
    pixels = {split: np.zeros(256, np.int64) for split in SPLITS}
    for tally in tallies:
        pixels[tally.scene.split] += tally.classes
    listed = [*source.faults, *(fault for tally in tallies for fault in tally.faults)]
    if tallies:
        ids = np.sum([tally.ids for tally in tallies], axis=0)
        listed += diagnosis.of_the_set(ids, source.table, source.labels)
    listed += _absent(source, pixels)
    return Report(
        faults=tuple(fault for fault in listed if fault.fatal),
        warnings=tuple(fault for fault in listed if not fault.fatal),
        counts={split: len(source.of_split(split)) for split in SPLITS},
        pixels=pixels,
    )


def summarise(faults: Sequence[Fault], most: int = 20) -> list[Fault]:
    """The faults, with those of one remedy put into one row where they are more than `most`."""
    groups: dict[str, list[Fault]] = defaultdict(list)
    for fault in faults:
        groups[fault.remedy].append(fault)
    rows: list[Fault] = []
    for remedy, group in groups.items():
        if len(group) <= most:
            rows += group
        else:
            where = f"{group[0].where} and {len(group) - 1} more"
            rows.append(Fault(where, group[0].what, remedy, group[0].fatal))
    return rows


def require_sound(source: SourceSet, found: Report) -> None:
    """Lets a data set without faults pass.

    Raises:
        DataError: with all faults, one a line.
    """
    if found.faults:
        lines = [fault.line(source.root) for fault in summarise(found.faults)]
        raise DataError("\n".join(lines))


def examine(source: SourceSet, scene: SourceScene) -> Examined:
    """Decodes the files of a scene and checks them against the class table and each other."""
    faults: list[Fault] = []
    photo = _read(source.root, scene.photo, io.read_photo, faults)
    ids = _read(source.root, scene.labels, io.read_ids, faults)
    given = None
    if scene.instances is not None:
        given = _read(source.root, scene.instances, io.read_ids, faults)
    faults += _size_faults(scene, photo, ids, given)
    classes = _classes(source, scene, ids, faults)
    instances = _instances(source, scene, classes, given, faults)
    tally = Tally(scene, _count_ids(ids), _count_ids(classes), tuple(faults))
    return Examined(photo, classes, instances, tally)


def _read(
    root: Path, path: Path, reader: Callable[[Path], np.ndarray], faults: list[Fault]
) -> np.ndarray | None:
    try:
        return reader(root / path)
    except DataError as error:
        what, _, remedy = str(error).removeprefix(f"{on_one_line(root / path)}: ").partition("; ")
        what = diagnosis.content_of(root / path) or what
        faults.append(Fault(path.as_posix(), what, remedy or "restore the file"))
        return None


def _size_faults(
    scene: SourceScene, photo: np.ndarray | None, *maps: np.ndarray | None
) -> list[Fault]:
    if photo is None:
        return []
    faults = []
    for path, ids in zip((scene.labels, scene.instances), maps, strict=True):
        if path is not None and ids is not None and ids.shape[:2] != photo.shape[:2]:
            what = f"size {_text(ids)} is not that of the photo, {_text(photo)}"
            faults.append(Fault(path.as_posix(), what, "bring photo and ids of one size"))
    return faults


def _text(pixels: np.ndarray) -> str:
    return f"{pixels.shape[0]}x{pixels.shape[1]}"


def _classes(
    source: SourceSet, scene: SourceScene, ids: np.ndarray | None, faults: list[Fault]
) -> np.ndarray | None:
    if ids is None:
        return None
    table = source.table
    fault = diagnosis.of_labels(source.root, scene.labels, ids, table, source.labels)
    if fault:
        faults.append(fault)
        return None
    classes = table.from_raw(ids) if source.labels == "label_ids" else table.from_train(ids)
    if (classes == IGNORE).all():
        what, remedy = "no pixel belongs to a class", "remove the scene, or add rows to the table"
        faults.append(Fault(scene.labels.as_posix(), what, remedy))
    return classes


def _instances(
    source: SourceSet,
    scene: SourceScene,
    classes: np.ndarray | None,
    given: np.ndarray | None,
    faults: list[Fault],
) -> np.ndarray | None:
    if given is None or scene.instances is None:
        return None
    if given.ndim != 2 or given.max() > 65535:
        what, remedy = "instance ids are no 16-bit map", "save them as 8-bit or 16-bit grey PNG"
        faults.append(Fault(scene.instances.as_posix(), what, remedy))
        return None
    ids = given.astype(np.int64)
    if classes is None or ids.shape != classes.shape:
        return ids
    if source.instance_factor is None:
        # a number may stand for nothing, or for an object of each class: the class tells them apart
        return ids + 65536 * classes.astype(np.int64)
    fault = diagnosis.of_instances(
        scene.instances, ids, classes, source.table, source.instance_factor
    )
    if fault:
        faults.append(fault)
    return ids


def _count_ids(ids: np.ndarray | None) -> np.ndarray:
    if ids is None or ids.ndim != 2 or ids.dtype != np.uint8:
        return np.zeros(256, np.int64)
    return np.bincount(ids.ravel(), minlength=256).astype(np.int64)


def _absent(source: SourceSet, pixels: dict[str, np.ndarray]) -> list[Fault]:
    faults = []
    for split in SPLITS:
        if not pixels[split].any():
            continue
        names = [row.name for row in source.table.train_rows if pixels[split][row.train_id] == 0]
        if names:
            what = f"{split} has no pixel of {', '.join(names)}"
            remedy = "nothing to do; scores leave absent classes out"
            faults.append(Fault("", what, remedy, fatal=False))
    return faults
