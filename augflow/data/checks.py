"""All faults of a data set: every file is decoded strictly, every id looked up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError, on_one_line
from augflow.data import diagnosis
from augflow.data.classes import IGNORE, ClassTable
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

    `left_out` are the faults of scenes that are not used for them; `counts` and `pixels` are of the
    scenes that are used.

    Shapes:
        pixels: by split, (256,) int64 pixels by train id.
    """

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    counts: dict[str, int]
    pixels: dict[str, np.ndarray]
    left_out: tuple[Fault, ...]

    def left_out_facts(self) -> list[dict[str, object]]:
        """What `dataset.json` says of the scenes that are left out, by name."""
        rows: dict[str, list[str]] = defaultdict(list)
        for fault in self.left_out:
            rows[fault.scene or fault.where].append(f"{fault.where}: {fault.what}")
        return [{"scene": name, "faults": rows[name]} for name in sorted(rows)]


def check(source: SourceSet, each: Callable[[Iterable], Iterable] = iter) -> Report:
    """Examines every scene.

    Args:
        source: the data set, as its reader found it.
        each: wraps the iteration over scenes; for progress bars.
    """
    return check_report(source, [examine(source, scene).tally for scene in each(source.scenes)])


def check_report(source: SourceSet, tallies: Sequence[Tally]) -> Report:
    """The faults of pairing, of every scene and of the set as a whole, in this order."""
    listed = [*source.faults, *(fault for tally in tallies for fault in tally.faults)]
    left_out = [fault for fault in listed if _is_skipped(source, fault)]
    listed = [fault for fault in listed if not _is_skipped(source, fault)]
    used = [tally for tally in tallies if not (source.skip_faulty and tally.faults)]
    counts = {split: sum(tally.scene.split == split for tally in used) for split in SPLITS}
    pixels = {split: np.zeros(256, np.int64) for split in SPLITS}
    for tally in used:
        pixels[tally.scene.split] += tally.classes
    if used:
        ids = np.sum([tally.ids for tally in used], axis=0)
        listed += diagnosis.of_the_set(ids, source.table, source.labels)
    if left_out:
        listed += _emptied(counts)
    if not any(fault.fatal for fault in listed):
        listed += _count_faults(counts, source.expected_counts)
    listed += _absent(source, pixels)
    return Report(
        faults=tuple(fault for fault in listed if fault.fatal),
        warnings=tuple(fault for fault in listed if not fault.fatal),
        counts=counts,
        pixels=pixels,
        left_out=tuple(left_out),
    )


def used_scenes(source: SourceSet, tallies: Sequence[Tally]) -> SourceSet:
    """The data set without the scenes that are left out for what was found in them."""
    faulty = {tally.scene for tally in tallies if source.skip_faulty and tally.faults}
    return replace(source, scenes=tuple(one for one in source.scenes if one not in faulty))


def recorded_faulty(source: SourceSet, facts: Mapping[str, Any]) -> list[SourceScene]:
    """The scenes of a data set that `dataset.json` lists as left out."""
    names = {row["scene"] for row in facts.get("left_out", ())}
    return [scene for scene in source.scenes if source.skip_faulty and scene.name in names]


def count_text(counts: Mapping[str, int]) -> str:
    """How many scenes each split has, in words."""
    return " and ".join(f"{counts[split]} {split}" for split in SPLITS)


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
    ids = _labels(source, scene, faults)
    given = None
    if scene.instances is not None:
        given = _read(source.root, scene.instances, io.read_ids, faults)
    faults += _size_faults(scene, photo, ids, given)
    classes = _classes(source, scene, ids, faults)
    instances = _instances(source, scene, classes, given, faults)
    named = tuple(replace(fault, scene=scene.name) for fault in faults)
    tally = Tally(scene, _count_ids(ids), _count_ids(classes), named)
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


def _labels(source: SourceSet, scene: SourceScene, faults: list[Fault]) -> np.ndarray | None:
    """What the labels of a scene hold: (H, W) ids, or (H, W, 3) colours."""
    if not scene.masks:
        ids = _read(source.root, scene.labels, io.read_ids, faults)
        return None if ids is None else diagnosis.without_copies(ids, source.table.rows)
    layers: list[tuple[str, np.ndarray]] = []
    before = len(faults)
    for label, path in scene.masks:
        mask = _read(source.root, path, io.read_ids, faults)
        first = layers[0][1] if layers else None
        fault = diagnosis.of_mask(path, mask, label, first, source.table)
        faults += [fault] if fault else []
        if mask is not None and not fault:
            layers.append((label, mask > mask.max(initial=0) // 2))
    return None if len(faults) > before else join_masks(layers, source.table)


def join_masks(layers: Sequence[tuple[str, np.ndarray]], table: ClassTable) -> np.ndarray:
    """The label map of masks of single objects, the smaller over the larger.

    What no mask covers is of class `background`, if there is one, else of none.

    Shapes:
        layers: for each the name of its class and (H, W) bool.
        returns: (H, W) uint8, published ids.
    """
    id_of = {row.name: row.id for row in reversed(table.rows)}
    none = int(table.raw_ids[IGNORE])
    ids = np.full(layers[0][1].shape, id_of.get("background", none), np.uint8)
    for label, mask in sorted(layers, key=lambda layer: -int(layer[1].sum())):
        ids[mask] = id_of[label]
    return ids


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
    if ids.ndim == 3:
        classes = table.from_colours(ids)
    else:
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
    if given.ndim == 3 and source.instance_factor is None:
        codes = given.astype(np.int64) @ np.array([65536, 256, 1])
        given = np.unique(codes, return_inverse=True)[1].reshape(codes.shape)
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


def _is_skipped(source: SourceSet, fault: Fault) -> bool:
    """Whether a fault costs its scene alone, not the data set."""
    return source.skip_faulty and fault.fatal and bool(fault.where)


def _emptied(counts: Mapping[str, int]) -> list[Fault]:
    what, remedy = "every scene of {} has faults", "restore some; `augflow check-data` lists them"
    return [Fault("", what.format(split), remedy) for split in SPLITS if not counts[split]]


def _count_faults(counts: dict[str, int], expected: Mapping[str, int] | None) -> list[Fault]:
    if expected is None or counts == expected:
        return []
    what = f"{count_text(counts)} scenes are used, expected {count_text(expected)}"
    remedy = "restore what is missing, or correct data.counts if this is what is meant"
    return [Fault("", what, remedy)]


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
