"""Objects of a label map: which pixels belong to one, and ids for new ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np

from augflow.core.errors import DataError
from augflow.data.boundaries import guessed_instances
from augflow.data.classes import IGNORE, ClassTable
from augflow.editing.edit_schema import Point, Target

CITYSCAPES, KITTI = 1000, 256
"""Ids of instances are the published class id times this factor, plus a number."""

HIGHEST = 65535
"""The largest id of a 16-bit file."""


@dataclass(frozen=True)
class ObjectMap:
    """A label map with its instance ids; what has no instances carries an id of its class.

    Shapes:
        classes: (H, W) uint8 train ids, 255 where no class is known.
        ids: (H, W) int32 in 0..65535.
    """

    classes: np.ndarray
    ids: np.ndarray
    table: ClassTable
    factor: int = CITYSCAPES

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.classes.shape[0], self.classes.shape[1]

    def plain_id(self, index: int) -> int:
        """The published id of pixels of a class that belong to no instance."""
        raw = int(self.table.raw_ids[index])
        return raw * KITTI if self.factor == KITTI else raw


def with_ids(classes: np.ndarray, ids: np.ndarray, table: ClassTable) -> ObjectMap:
    """A label map with published instance ids, coded as Cityscapes or as KITTI does."""
    things = np.isin(classes, table.things)
    raw, given = table.raw_ids[classes[things]], ids[things]
    votes = [np.count_nonzero(given // factor == raw) for factor in (CITYSCAPES, KITTI)]
    factor = KITTI if votes[1] > votes[0] else CITYSCAPES
    return ObjectMap(classes, ids.astype(np.int32), table, factor)


def guess_objects(classes: np.ndarray, table: ClassTable) -> ObjectMap:
    """A label map without instance ids: connected components of things are its objects."""
    guess = guessed_instances(classes, table.things)
    values, places = np.unique(guess, return_inverse=True)
    stuff = values[values <= IGNORE]
    own = free_ids((values[len(stuff) :] // 10**6 - 1).tolist(), table)
    codes = np.concatenate([table.raw_ids[stuff].astype(np.int32), own])
    return ObjectMap(classes, codes[places].reshape(classes.shape), table)


def find_objects(picture: ObjectMap, target: Target) -> np.ndarray:
    """The pixels of the objects that a target names, all of one class, (H, W) bool.

    Raises:
        DataError: there is no such object.
    """
    if target.at is not None:
        return _at(picture, target.at)
    names = picture.table.names
    mask = picture.classes == names.index(str(target.class_name))
    if not mask.any():
        present = [names[n] for n in np.unique(picture.classes) if n != IGNORE]
        raise DataError(f"there is no {target.class_name}; the layout holds {', '.join(present)}")
    return (
        max(connected_components(picture, mask), key=np.count_nonzero) if target.largest else mask
    )


def connected_components(picture: ObjectMap, mask: np.ndarray) -> Iterator[np.ndarray]:
    """The single objects among pixels of one class: instances, or segments of what has none."""
    index = int(picture.classes[mask][0])
    for value in np.unique(picture.ids[mask]):
        part = mask & (picture.ids == value)
        if index in picture.table.things and value != picture.plain_id(index):
            yield part
        else:
            count, segments = cv2.connectedComponents(part.astype(np.uint8), connectivity=8)
            yield from (segments == n for n in range(1, count))


def paint_object(picture: ObjectMap, mask: np.ndarray, index: int) -> ObjectMap:
    """The picture with one new object of a class; stuff joins the stuff of its class."""
    classes, ids = picture.classes.copy(), picture.ids.copy()
    classes[mask] = index
    ids[mask] = _new_id(picture, index)
    return ObjectMap(classes, ids, picture.table, picture.factor)


def scale_mask(cut: np.ndarray, scale: float) -> np.ndarray:
    """A cut-out at another scale, by pixel centres; never less than a pixel a side."""
    height, width = (max(1, round(length * scale)) for length in cut.shape)
    rows = ((np.arange(height) + 0.5) * cut.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * cut.shape[1] / width).astype(int)
    return cut[np.ix_(rows, columns)]


def bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns between the first and the last pixel of a mask that is not empty."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def nearest_places(donors: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """For each pixel of a hole the place of the nearest donor, as an index into the flat picture.

    Shapes:
        donors, hole: (H, W) bool; there is a donor, and none is in the hole.
        returns: (number of pixels of the hole,) int64.
    """
    _, labels = cv2.distanceTransformWithLabels(
        (~donors).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = np.zeros(labels.max() + 1, np.int64)
    place[labels[donors]] = np.flatnonzero(donors)
    return place[labels[hole]]


def free_ids(classes: Sequence[int], table: ClassTable) -> np.ndarray:
    """Published ids for objects of these classes, each another and none of the classes' own.

    Raises:
        DataError: 16 bits are used up.
    """
    used = set(table.raw_ids.tolist())
    ids = np.zeros(len(classes), np.int32)
    for n, index in enumerate(classes):
        ids[n] = free_id(used, int(table.raw_ids[index]) * CITYSCAPES)
        used.add(int(ids[n]))
    return ids


def free_id(used: set[int], start: int, count: int = CITYSCAPES) -> int:
    """The first of `count` ids from `start` on that no object has, else the highest free one.

    Raises:
        DataError: 16 bits are used up.
    """
    for value in chain(range(start, min(start + count, HIGHEST + 1)), range(HIGHEST, 0, -1)):
        if value not in used:
            return value
    raise DataError(f"the layout has {len(used)} objects; 16-bit instance ids hold no more")


def _at(picture: ObjectMap, at: Point) -> np.ndarray:
    row, column = (
        min(int(part * length), length - 1) for part, length in zip(at, picture.size, strict=True)
    )
    index = picture.classes[row, column]
    if index == IGNORE:
        raise DataError(
            f"nothing at [{at[0]:g}, {at[1]:g}]: the pixel in row {row}, column {column} is "
            "ignored (255); name a point on an object"
        )
    same = (picture.classes == index) & (picture.ids == picture.ids[row, column])
    return next(piece for piece in connected_components(picture, same) if piece[row, column])


def _new_id(picture: ObjectMap, index: int) -> int:
    if index not in picture.table.things:
        there, counts = np.unique(picture.ids[picture.classes == index], return_counts=True)
        if len(there):
            return int(there[np.argmax(counts)])
    plain = picture.plain_id(index)
    used = set(np.unique(picture.ids).tolist())
    if index not in picture.table.things:
        return free_id(used, plain)
    reserved = {picture.plain_id(n) for n in (*range(picture.table.count), IGNORE)}
    start = int(picture.table.raw_ids[index]) * picture.factor
    return free_id(used | reserved, start, picture.factor)
