"""Edits of a layout: objects added, pasted, moved, removed or recoloured, with their boundaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch

from augflow.core.errors import DataError
from augflow.data.boundaries import boundary_map, strength
from augflow.data.classes import IGNORE, ClassTable
from augflow.data.scenes import Layout
from augflow.editing.edit_schema import (
    NEAREST,
    Add,
    Edit,
    Move,
    Origin,
    Paste,
    Place,
    Recolour,
    Remove,
)
from augflow.editing.objects import ObjectMap, found, guessed, painted, pieces, scaled
from augflow.editing.shapes import drawn

REACH = 2
"""Pixels around a change in which a boundary map is drawn anew: greys reach that far."""


def edited(
    layout: Layout, table: ClassTable, edits: Sequence[Edit],
    others: Mapping[Origin, ObjectMap] | None = None,
) -> list[Layout]:  # fmt: skip
    """The layout after each edit, one upon the other.

    Objects are connected components of things. The boundary map is drawn anew where something
    changed, see `redrawn`, and kept elsewhere, with edges that only instance ids show.

    Shapes:
        layout: a batch of one.
        returns: a batch of one per edit.

    Raises:
        DataError: an edit finds no object, leaves the picture or changes nothing; says which.

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        section 4.4 and figure 7.
    """
    if len(layout) != 1:
        raise ValueError(f"expected a batch of one layout, got {len(layout)}")
    picture = guessed(layout.classes[0].cpu().numpy(), table)
    boundary = layout.boundary[0].cpu().numpy()
    made = []
    for number, edit in enumerate(edits, start=1):
        try:
            after = applied(picture, edit, others)
        except DataError as fault:
            raise DataError(f"edit {number}: {fault}") from fault
        boundary, picture = redrawn(boundary, picture, after), after
        maps = torch.from_numpy(picture.classes)[None], torch.from_numpy(boundary)[None]
        made.append(Layout(*maps))
    return made


def applied(
    picture: ObjectMap, edit: Edit, others: Mapping[Origin, ObjectMap] | None = None
) -> ObjectMap:
    """The picture after one edit; `others` are the layouts to paste from, by their `origin`.

    Raises:
        DataError: there is no such object, it would be outside, or nothing changes.
    """
    action = edit.action
    if isinstance(action, Add):
        after = _add(picture, action)
    elif isinstance(action, Paste):
        source = picture if action.origin is None else (others or {})[action.origin]
        after = _paste(picture, action, source)
    elif isinstance(action, Move):
        after = _move(picture, action)
    elif isinstance(action, Remove):
        after = _filled(picture, found(picture, action.object), action.fill)
    else:
        after = _recolour(picture, action)
    if not _changed(picture, after).any():
        raise DataError("changes nothing; take it out of the list, or change what it says")
    return after


def redrawn(boundary: np.ndarray, before: ObjectMap, after: ObjectMap) -> np.ndarray:
    """A boundary map after an edit: drawn anew within two pixels of a change, else as it was.

    New edges are as strong as the median edge of the map, which is below 1 where it was made
    smaller.

    Shapes:
        boundary: (H, W) float32 in [0, 1].
        returns: the same.
    """
    drawn_as = strength(boundary, before.ids)
    square = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    touched = cv2.dilate(_changed(before, after).astype(np.uint8), square) > 0
    fresh = boundary_map(after.ids).astype(np.float32) * drawn_as
    return np.where(touched, fresh, boundary).astype(np.float32)


def _add(picture: ObjectMap, action: Add) -> ObjectMap:
    mask = drawn(action.shape, picture.size)
    return painted(picture, mask, picture.table.names.index(action.class_name))


def _paste(picture: ObjectMap, action: Paste, source: ObjectMap) -> ObjectMap:
    mask = found(source, action.object)
    index = int(source.classes[mask][0])
    if action.class_name is not None:
        index = picture.table.names.index(action.class_name)
    numbers = np.zeros(mask.shape, np.int32)
    for number, piece in enumerate(pieces(source, mask), start=1):
        numbers[piece] = number
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    cut = numbers[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    centre = action.at or (
        (rows[0] + rows[-1] + 1) / 2 / source.size[0],
        (columns[0] + columns[-1] + 1) / 2 / source.size[1],
    )
    cut = scaled(cut, action.scale * picture.size[0] / source.size[0])
    placed = _placed(cut, centre, picture.size)
    for number in np.unique(placed[placed > 0]):
        picture = painted(picture, placed == number, index)
    return picture


def _move(picture: ObjectMap, action: Move) -> ObjectMap:
    mask = found(picture, action.object)
    rows, columns = np.nonzero(mask)
    down, right = (round(part * length) for part, length in
                   zip(action.by, picture.size, strict=True))  # fmt: skip
    height, width = picture.size
    inside = (rows + down >= 0) & (rows + down < height)
    inside &= (columns + right >= 0) & (columns + right < width)
    if not inside.any():
        raise DataError("the object would be outside of the picture; move it less, or remove it")
    after = _filled(picture, mask, action.fill)
    old = rows[inside], columns[inside]
    new = old[0] + down, old[1] + right
    after.classes[new], after.ids[new] = picture.classes[old], picture.ids[old]
    return after


def _recolour(picture: ObjectMap, action: Recolour) -> ObjectMap:
    index = picture.table.names.index(action.to)
    for piece in list(pieces(picture, found(picture, action.object))):
        picture = painted(picture, piece, index)
    return picture


def _filled(picture: ObjectMap, hole: np.ndarray, fill: str) -> ObjectMap:
    """The picture without what is in a hole.

    By default each pixel becomes what the nearest pixel of no object (stuff) is, so that neighbours
    do not grow into the hole; of any known class where there is no stuff.
    """
    if fill != NEAREST:
        return painted(picture, hole, picture.table.names.index(fill))
    around = ~hole & (picture.classes != IGNORE)
    stuff = around & ~np.isin(picture.classes, picture.table.things)
    donors = stuff if stuff.any() else around
    if not donors.any():
        raise DataError("nothing around the object to fill its hole with; name a class with fill")
    _, labels = cv2.distanceTransformWithLabels(
        (~donors).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = np.zeros(labels.max() + 1, np.int64)
    place[labels[donors]] = np.flatnonzero(donors)
    nearest = place[labels[hole]]
    classes, ids = picture.classes.copy(), picture.ids.copy()
    classes[hole], ids[hole] = picture.classes.flat[nearest], picture.ids.flat[nearest]
    return ObjectMap(classes, ids, picture.table, picture.factor)


def _changed(before: ObjectMap, after: ObjectMap) -> np.ndarray:
    """Pixels of another class or other edges; ids alone do not count."""
    edges = boundary_map(before.ids) != boundary_map(after.ids)
    return edges | (before.classes != after.classes)


def _placed(cut: np.ndarray, centre: Place, size: tuple[int, int]) -> np.ndarray:
    """A cut-out around a centre on an empty picture, (H, W) int32; what is outside is lost."""
    rows, columns = np.nonzero(cut)
    down = rows + round(centre[0] * size[0] - cut.shape[0] / 2)
    right = columns + round(centre[1] * size[1] - cut.shape[1] / 2)
    inside = (down >= 0) & (down < size[0]) & (right >= 0) & (right < size[1])
    if not inside.any():
        raise DataError("the object would be outside of the picture; places are from 0 to 1")
    placed = np.zeros(size, np.int32)
    placed[down[inside], right[inside]] = cut[rows[inside], columns[inside]]
    return placed
