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
    Shape,
)
from augflow.editing.objects import (
    ObjectMap,
    bounding_box,
    connected_components,
    find_objects,
    guess_objects,
    nearest_places,
    paint_object,
    scale_mask,
)

REACH = 2
"""Pixels around a change in which a boundary map is drawn anew: greys reach that far."""


def apply_edits(
    layout: Layout,
    table: ClassTable,
    edits: Sequence[Edit],
    others: Mapping[Origin, ObjectMap] | None = None,
) -> list[Layout]:
    """The layout after each edit, one upon the other.

    Objects are connected components of things. The boundary map is drawn anew where something
    changed, see `redraw_boundary`, and kept elsewhere, with edges that only instance ids show.

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
    picture = guess_objects(layout.classes[0].cpu().numpy(), table)
    boundary = layout.boundary[0].cpu().numpy()
    made = []
    for number, edit in enumerate(edits, start=1):
        try:
            after = apply_edit(picture, edit, others)
        except DataError as fault:
            raise DataError(f"edit {number}: {fault}") from fault
        boundary, picture = redraw_boundary(boundary, picture, after), after
        maps = torch.from_numpy(picture.classes)[None], torch.from_numpy(boundary)[None]
        made.append(Layout(*maps))
    return made


def apply_edit(
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
        after = _fill_hole(picture, find_objects(picture, action.object), action.fill)
    else:
        after = _recolour(picture, action)
    if not _changed_pixels(picture, after).any():
        raise DataError("changes nothing; take it out of the list, or change what it says")
    return after


def redraw_boundary(boundary: np.ndarray, before: ObjectMap, after: ObjectMap) -> np.ndarray:
    """A boundary map after an edit: drawn anew within two pixels of a change, else as it was.

    New edges are as strong as the median edge of the map, which is below 1 where it was made
    smaller.

    Shapes:
        boundary: (H, W) float32 in [0, 1].
        returns: the same.
    """
    drawn_as = strength(boundary, before.ids)
    square = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    touched = cv2.dilate(_changed_pixels(before, after).astype(np.uint8), square) > 0
    fresh = boundary_map(after.ids).astype(np.float32) * drawn_as
    return np.where(touched, fresh, boundary).astype(np.float32)


def rasterise(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres are inside a shape, (H, W) bool.

    Raises:
        DataError: there is none.
    """
    rows = (np.arange(size[0]) + 0.5)[:, None] / size[0]
    columns = (np.arange(size[1]) + 0.5)[None] / size[1]
    if shape.polygon is not None:
        mask, corners = _polygon(shape.polygon, rows, columns), np.array(shape.polygon)
    else:
        box = shape.ellipse or shape.rectangle
        assert box is not None
        # distances from the centre in half heights and half widths
        down = np.abs(rows - box.centre[0]) / (box.size[0] / 2)
        right = np.abs(columns - box.centre[1]) / (box.size[1] / 2)
        mask = down**2 + right**2 <= 1 if shape.ellipse else np.maximum(down, right) <= 1
        half = np.array(box.size) / 2
        corners = np.array([np.array(box.centre) - half, np.array(box.centre) + half])
    if not mask.any():
        outside = (corners.max(0) <= 0).any() or (corners.min(0) >= 1).any()
        what = "is outside of the picture" if outside else "is empty: no pixel's centre is inside"
        raise DataError(f"the shape {what}; places are [row, column] from 0 to 1")
    return mask


def _polygon(corners: Sequence[Place], rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Even-odd rule: inside when a ray to the right crosses the outline an odd number of times."""
    inside = np.zeros((rows.size, columns.size), bool)
    for (y0, x0), (y1, x1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if y0 != y1:
            crosses = (rows < y0) != (rows < y1)
            inside ^= crosses & (columns < x0 + (rows - y0) / (y1 - y0) * (x1 - x0))
    return inside


def _add(picture: ObjectMap, action: Add) -> ObjectMap:
    mask = rasterise(action.shape, picture.size)
    return paint_object(picture, mask, picture.table.names.index(action.class_name))


def _paste(picture: ObjectMap, action: Paste, source: ObjectMap) -> ObjectMap:
    mask = find_objects(source, action.object)
    index = int(source.classes[mask][0])
    if action.class_name is not None:
        index = picture.table.names.index(action.class_name)
    numbers = np.zeros(mask.shape, np.int32)
    for number, piece in enumerate(connected_components(source, mask), start=1):
        numbers[piece] = number
    rows, columns = bounding_box(mask)
    centre = action.at or (
        (rows.start + rows.stop) / 2 / source.size[0],
        (columns.start + columns.stop) / 2 / source.size[1],
    )
    cut = scale_mask(numbers[rows, columns], action.scale * picture.size[0] / source.size[0])
    placed = _place_cutout(cut, centre, picture.size)
    for number in np.unique(placed[placed > 0]):
        picture = paint_object(picture, placed == number, index)
    return picture


def _move(picture: ObjectMap, action: Move) -> ObjectMap:
    mask = find_objects(picture, action.object)
    height, width = picture.size
    old, new = _shift(mask, round(action.by[0] * height), round(action.by[1] * width), picture.size)
    if not len(new[0]):
        raise DataError("the object would be outside of the picture; move it less, or remove it")
    after = _fill_hole(picture, mask, action.fill)
    after.classes[new], after.ids[new] = picture.classes[old], picture.ids[old]
    return after


def _recolour(picture: ObjectMap, action: Recolour) -> ObjectMap:
    index = picture.table.names.index(action.to)
    for piece in list(connected_components(picture, find_objects(picture, action.object))):
        picture = paint_object(picture, piece, index)
    return picture


def _fill_hole(picture: ObjectMap, hole: np.ndarray, fill: str) -> ObjectMap:
    """The picture without what is in a hole.

    By default each pixel becomes what the nearest pixel of no object (stuff) is, so that neighbours
    do not grow into the hole; of any known class where there is no stuff.
    """
    if fill != NEAREST:
        return paint_object(picture, hole, picture.table.names.index(fill))
    around = ~hole & (picture.classes != IGNORE)
    stuff = around & ~np.isin(picture.classes, picture.table.things)
    donors = stuff if stuff.any() else around
    if not donors.any():
        raise DataError("nothing around the object to fill its hole with; name a class with fill")
    nearest = nearest_places(donors, hole)
    classes, ids = picture.classes.copy(), picture.ids.copy()
    classes[hole], ids[hole] = picture.classes.flat[nearest], picture.ids.flat[nearest]
    return ObjectMap(classes, ids, picture.table, picture.factor)


def _changed_pixels(before: ObjectMap, after: ObjectMap) -> np.ndarray:
    """Pixels of another class or other edges; ids alone do not count."""
    edges = boundary_map(before.ids) != boundary_map(after.ids)
    return edges | (before.classes != after.classes)


def _place_cutout(cut: np.ndarray, centre: Place, size: tuple[int, int]) -> np.ndarray:
    """A cut-out around a centre on an empty picture, (H, W) int32; what is outside is lost."""
    down, right = (
        round(place * whole - part / 2)
        for place, whole, part in zip(centre, size, cut.shape, strict=True)
    )
    old, new = _shift(cut, down, right, size)
    if not len(new[0]):
        raise DataError("the object would be outside of the picture; places are from 0 to 1")
    placed = np.zeros(size, np.int32)
    placed[new] = cut[old]
    return placed


def _shift(
    mask: np.ndarray, down: int, right: int, size: tuple[int, int]
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Where pixels of a mask are, and come to be in a picture; without what comes to be outside."""
    rows, columns = np.nonzero(mask)
    inside = (rows + down >= 0) & (rows + down < size[0])
    inside &= (columns + right >= 0) & (columns + right < size[1])
    rows, columns = rows[inside], columns[inside]
    return (rows, columns), (rows + down, columns + right)
