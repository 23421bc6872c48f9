"""What a wrong label file most likely is, and what its owner should do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from augflow.core.errors import DataError
from augflow.data.classes import IGNORE, ClassRow, ClassTable
from augflow.data.label_maps import names_other_classes, palette_of
from augflow.data.readers.source import Fault

DISAGREEMENT = 0.05
"""The share of pixels from which instance ids that name other classes than labels are a fault."""


def content_of(path: Path) -> str | None:
    """What a file that is no image is instead; None where nothing is to be said."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        head = stream.read(512)
    if not head:
        return "an empty file"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the image"
    is_text = all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
    return "text, not an image" if is_text else None


def of_labels(
    root: Path, path: Path, ids: np.ndarray, table: ClassTable, labels: str
) -> Fault | None:
    """The fault of one label file, or None.

    Shapes:
        ids: (H, W) or (H, W, 3), as decoded.
    """
    where = path.as_posix()
    if ids.ndim != 2:
        return _of_colours(where, ids, table)
    if ids.dtype != np.uint8:
        remedy = "these may be instance ids: name the files of class ids, as 8-bit grey"
        return Fault(where, f"16-bit labels (largest id {ids.max()})", remedy)
    used = set(np.unique(ids).tolist())
    known = _known_ids(table, labels)
    unknown = sorted(used - known)
    palette = palette_of(root / path)
    if unknown:
        shown = ", ".join(str(value) for value in unknown[:5])
        plural = "ids" if len(unknown) > 1 else "id"
        what = f"class {plural} {shown} neither in {_span(known)} nor {IGNORE}"
        return Fault(where, what, _likely(used, table, labels, palette is not None))
    if palette is not None and names_other_classes(palette, used, table, labels):
        what = "palette PNG: its colours are other classes than its indices"
        return Fault(where, what, "save class ids as 8-bit grey")
    return None


def of_instances(
    path: Path, ids: np.ndarray, classes: np.ndarray, table: ClassTable, factor: int
) -> Fault | None:
    """The fault of one file of instance ids that are coded with a factor, or None.

    Shapes:
        ids: (H, W) in 0..65535, `factor * class + n`.
        classes: (H, W) uint8 train ids.
    """
    where = path.as_posix()
    named = _train_ids(table, factor)[ids]
    if (named < 0).any():
        shown = ", ".join(str(value) for value in np.unique(ids[named < 0])[:5])
        what = f"instance ids {shown} match no class (coded {factor} * class + n)"
        return Fault(where, what, _recoding(ids, classes, table, factor))
    share = float((named != classes).mean())
    if share > DISAGREEMENT:
        what = f"instance ids say another class than the labels at {share:.0%} of the pixels"
        return Fault(where, what, _recoding(ids, classes, table, factor))
    return None


def of_the_set(pixels: np.ndarray, table: ClassTable, labels: str) -> list[Fault]:
    """Faults that only the ids of all label files together show.

    Shapes:
        pixels: (256,) counts by published id.
    """
    used = set(np.flatnonzero(pixels).tolist())
    learned = {row.id for row in table.rows if row.train_id != IGNORE}
    if used == {0, IGNORE} and table.count > 1 and IGNORE not in learned:
        remedy = f"{IGNORE} is ignored: code masks as 0, 1"
        return [Fault("", f"labels hold only 0 and {IGNORE}", remedy)]
    as_train = set(range(table.count)) | {IGNORE}
    if labels != "label_ids" or not used or not used <= as_train:
        return []
    ignored = {row.id for row in table.rows if row.train_id == IGNORE} | {IGNORE}
    lost = pixels[sorted(ignored)].sum() / pixels.sum()
    lost_as_train = pixels[IGNORE] / pixels.sum()
    if lost > 0.5 and lost_as_train < 0.5:
        what = f"{lost:.0%} of the pixels belong to no class; the ids look like train ids"
        return [Fault("", what, "set data.labels: train_ids")]
    return []


def _known_ids(table: ClassTable, labels: str) -> set[int]:
    if labels == "label_ids":
        return {row.id for row in table.rows} | {IGNORE}
    return set(range(table.count)) | {IGNORE}


def _span(known: set[int]) -> str:
    ids = sorted(known - {IGNORE})
    if ids == list(range(ids[0], ids[-1] + 1)):
        return f"{ids[0]}..{ids[-1]}"
    return "{" + ", ".join(str(value) for value in ids) + "}"


def _likely(used: set[int], table: ClassTable, labels: str, is_palette: bool) -> str:
    other = "train_ids" if labels == "label_ids" else "label_ids"
    known, as_other = _known_ids(table, labels), _known_ids(table, other)
    if used <= as_other and as_other != known:
        looks = "raw labelIds" if other == "label_ids" else "train ids"
        return f"it looks like {looks}: set data.labels: {other}"
    if is_palette:
        return "palette PNG, whose indices are read as ids: save class ids as 8-bit grey"
    learned = {row.id if labels == "label_ids" else row.train_id for row in table.train_rows}
    if learned == set(range(table.count)) and used - known == {max(known - {IGNORE}) + 1}:
        return f"perhaps off by one: if ids count from 1, subtract 1 (0 becomes {IGNORE})"
    return "correct the file, add the ids to the class table, or choose another data.reader"


def without_copies(pixels: np.ndarray, rows: Sequence[ClassRow]) -> np.ndarray:
    """One channel of a grey map that was saved as RGB; other maps as they are.

    A map whose greys are all colours of a table's rows is one of colours.
    """
    if pixels.ndim == 2 or (pixels != pixels[..., :1]).any():
        return pixels
    greys = set(np.unique(pixels[..., 0]).tolist())
    known = {row.colour[0] for row in rows if len(set(row.colour)) == 1}
    return pixels if greys <= known | {0} and greys != {0} else pixels[..., 0]


def _of_colours(where: str, pixels: np.ndarray, table: ClassTable) -> Fault | None:
    try:
        table.from_colours(pixels)
    except DataError as error:
        what, _, remedy = str(error).partition("; ")
    else:
        return None
    count = len(np.unique(pixels.reshape(-1, 3), axis=0))
    remedy = remedy or "add a row for it to the class table, or save class ids as 8-bit grey"
    return Fault(where, f"labels in {count} colours: {what}", remedy)


def of_mask(
    path: Path,
    mask: np.ndarray | None,
    label: str,
    first: np.ndarray | None,
    table: ClassTable,
) -> Fault | None:
    """The fault of the mask of one object, or None; `first` is the first mask of its scene."""
    where = path.as_posix()
    if label not in (row.name for row in table.rows):
        return Fault(where, f"label {label!r} is no class", "add a row for it to data.classes")
    if mask is None:
        return None
    if mask.ndim != 2:
        return Fault(where, "a mask in colours", "export the masks as PNG again")
    if first is not None and first.shape != mask.shape:
        what = f"size {mask.shape[0]}x{mask.shape[1]} is not that of the scene's other masks"
        return Fault(where, what, "export the masks of this task again")
    return None


def _train_ids(table: ClassTable, factor: int) -> np.ndarray:
    """The train id that each coded instance id names, -1 where no class matches; (65536,) int16."""
    ids = np.arange(65536)
    # Cityscapes codes stuff and groups as the class alone, KITTI as all else
    raw = np.where(ids >= 1000, ids // 1000, ids) if factor == 1000 else ids // factor
    by_class = np.full(65536, -1, np.int16)
    for row in table.rows:
        by_class[row.id] = row.train_id
    by_class[IGNORE] = IGNORE
    return by_class[raw]


def _recoding(ids: np.ndarray, classes: np.ndarray, table: ClassTable, factor: int) -> str:
    other = 256 if factor == 1000 else 1000
    if (_train_ids(table, other)[ids] != classes).mean() <= DISAGREEMENT:
        return f"they are coded {other} * class + n: recode them as {factor} * class + n"
    return "make them from the labels again, or remove the instance ids of all scenes"
