"""Objects as they stand in a street: before others, on the ground, or upon one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from augflow.data.classes import ClassTable
from augflow.editing.objects import ObjectMap, connected_components, free_ids

FEET = 0.2
"""What of an object's height, from below, may touch the ground."""


@dataclass(frozen=True)
class Picture:
    """A label map in which what stands before the stuff is numbered.

    Shapes:
        classes: (H, W) uint8 train ids, 255 where no class is known.
        objects: (H, W) int32; 0 where nothing stands, else the number of an object, from 1 on.
    """

    classes: np.ndarray
    objects: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.classes.shape[0], self.classes.shape[1]

    def bottoms(self) -> np.ndarray:
        """The row below each object's lowest pixel, by number; (N + 1,) int64, 0 for number 0."""
        found = np.zeros(int(self.objects.max()) + 1, np.int64)
        rows, columns = np.nonzero(self.objects)
        np.maximum.at(found, self.objects[rows, columns], rows + 1)
        return found


@dataclass
class ObjectInstance:
    """One object of a picture, or several that belong together.

    Attributes:
        numbers: of the objects in the picture.
        index: the class that it shows most of.
        box: top, left, bottom and right; the last two are not part of it.
        area: in pixels.
        ground: how many columns of its feet stand on each class, (256,) int64.
        upon: how many stand on another object, by that object's number.
        hidden: the pixels around it that are of objects before it, by their numbers.
        around: how many pixels are around it.
    """

    numbers: list[int]
    index: int
    box: tuple[int, int, int, int]
    area: int
    ground: np.ndarray
    upon: Counter[int]
    hidden: Counter[int]
    around: int

    @property
    def height(self) -> int:
        """In pixels."""
        return self.box[2] - self.box[0]

    @property
    def width(self) -> int:
        """In pixels."""
        return self.box[3] - self.box[1]

    @property
    def hidden_share(self) -> float:
        """How much of its outline is towards objects before it that do not belong to it."""
        others = sum(n for number, n in self.hidden.items() if number not in self.numbers)
        return others / self.around

    def is_cut_off(self, size: tuple[int, int]) -> bool:
        """Whether it touches the sides or the lower edge of a picture of that size."""
        return self.box[1] == 0 or self.box[2] == size[0] or self.box[3] == size[1]


def number_objects(layout: ObjectMap, upright: Sequence[int] = ()) -> Picture:
    """A label map as a picture: its things, and what stands upright.

    Things without ids of their own are objects by segments. Stuff that stands upright (poles, their
    signs and lights) is an object by segments too, whatever it is made of: a sign goes with its
    pole.
    """
    classes, things = layout.classes, layout.table.things
    objects, count = np.zeros(classes.shape, np.int32), 0
    for index in things:
        mask = classes == index
        for piece in connected_components(layout, mask) if mask.any() else ():
            count += 1
            objects[piece] = count
    stands = np.isin(classes, [index for index in upright if index not in things])
    if stands.any():
        _, segments = cv2.connectedComponents(stands.astype(np.uint8), connectivity=8)
        objects[stands] = segments[stands] + count
    return Picture(classes, objects)


def with_own_ids(picture: Picture, table: ClassTable) -> ObjectMap:
    """The picture with published instance ids: one of its own for every thing, the class's else."""
    ids = table.raw_ids[picture.classes].astype(np.int32)
    things = np.isin(picture.classes, table.things) & (picture.objects > 0)
    codes = picture.objects.astype(np.int64) * 256 + picture.classes
    values, places = np.unique(codes[things], return_inverse=True)
    ids[things] = free_ids((values % 256).tolist(), table)[places]
    return ObjectMap(picture.classes, ids, table)


def object_instances(picture: Picture) -> list[ObjectInstance]:
    """Every object of a picture, by number."""
    bottoms = picture.bottoms()
    rows, columns = np.nonzero(picture.objects)
    numbers = picture.objects[rows, columns]
    top, left = (np.full(len(bottoms), length) for length in picture.size)
    right = np.zeros(len(bottoms), np.int64)
    np.minimum.at(top, numbers, rows)
    np.minimum.at(left, numbers, columns)
    np.maximum.at(right, numbers, columns + 1)
    boxes = zip(top.tolist(), left.tolist(), bottoms.tolist(), right.tolist(), strict=True)
    there = ((number, box) for number, box in enumerate(boxes) if bottoms[number])
    return [_one(picture, number, box, bottoms) for number, box in there]


def group_riders(objects: Sequence[ObjectInstance], things: Sequence[int]) -> list[ObjectInstance]:
    """The same with those put together that belong together: a rider and what is ridden.

    An object belongs to the one that its feet are on, unless that is far larger: a person seen
    behind a car stays a person.
    """
    by_number = {one.numbers[0]: one for one in objects}
    riders = [number for number, one in by_number.items() if one.index in things]
    leader = {number: number for number in by_number}
    for number in riders:
        below = _mount_of(by_number[number], by_number, things)
        if below is not None:
            old, new = leader[number], leader[below]
            leader = {n: new if first == old else first for n, first in leader.items()}
    groups: dict[int, list[ObjectInstance]] = {}
    for number, first in leader.items():
        groups.setdefault(first, []).append(by_number[number])
    return [_together(group) for group in groups.values()]


def feet(mask: np.ndarray, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the lowest pixels of an object, one per column that has it near the foot.

    `mask` is (h, w) bool, in the object's box, of which `count` rows from below are near the foot,
    by default `FEET` of them.
    """
    columns = np.flatnonzero(mask.any(axis=0))
    rows = mask.shape[0] - 1 - np.argmax(mask[::-1, columns], axis=0)
    low = rows >= mask.shape[0] - (count or max(1, round(FEET * mask.shape[0])))
    return rows[low], columns[low]


def below_feet(
    mask: np.ndarray, corner: Sequence[int], height: int, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels just below an object's feet, within its picture.

    `mask` is (h, w) bool, in the object's box, which begins at the row and column `corner` of a
    picture so many pixels high; for `count` see `feet`.
    """
    rows, columns = feet(mask, count)
    rows, columns = rows + corner[0] + 1, columns + corner[1]
    return rows[rows < height], columns[rows < height]


def _one(
    picture: Picture, number: int, box: tuple[int, int, int, int], bottoms: np.ndarray
) -> ObjectInstance:
    top, left, bottom, right = box
    mask = picture.objects[top:bottom, left:right] == number
    below = below_feet(mask, (top, left), picture.size[0])
    under = picture.objects[below]
    ground = np.bincount(picture.classes[below][under == 0], minlength=256)
    around = picture.objects[_ring(mask, box, picture.size)]
    before = around[(around > 0) & (bottoms[around] > bottom)]
    classes = np.bincount(picture.classes[top:bottom, left:right][mask])
    return ObjectInstance(
        numbers=[number],
        index=int(classes.argmax()),
        box=box,
        area=int(classes.sum()),
        ground=ground,
        upon=Counter(sorted(under[under > 0].tolist())),
        hidden=Counter(before.tolist()),
        around=max(1, around.size),
    )


def _ring(
    mask: np.ndarray, box: tuple[int, int, int, int], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The places of the pixels beside an object, 4-neighbours, within the picture."""
    wide = np.pad(mask, 1).astype(np.uint8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    rows, columns = np.nonzero(cv2.dilate(wide, cross) > wide)
    rows, columns = rows + box[0] - 1, columns + box[1] - 1
    inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    return rows[inside], columns[inside]


def _mount_of(
    one: ObjectInstance, objects: dict[int, ObjectInstance], things: Sequence[int]
) -> int | None:
    """The thing of another class, and not far larger, that most of an object's feet are on."""
    if not one.upon:
        return None
    number = max(one.upon, key=lambda other: one.upon[other])
    below, all_feet = objects[number], int(one.ground.sum()) + sum(one.upon.values())
    fits = below.index in things and below.index != one.index
    fits = fits and below.width <= 3 * one.width and one.area / 5 <= below.area <= 5 * one.area
    return number if fits and one.upon[number] >= 0.4 * all_feet else None


def _together(group: list[ObjectInstance]) -> ObjectInstance:
    if len(group) == 1:
        return group[0]
    boxes = np.array([one.box for one in group])
    box = (*boxes[:, :2].min(0).tolist(), *boxes[:, 2:].max(0).tolist())
    numbers = [one.numbers[0] for one in group]
    low = [one for one in group if one.box[2] > box[2] - FEET * (box[2] - box[0])]
    return ObjectInstance(
        numbers=numbers,
        index=max(group, key=lambda one: one.area).index,
        box=box,
        area=sum(one.area for one in group),
        ground=np.sum([one.ground for one in low], axis=0),
        upon=_sum_of_others((one.upon for one in low), numbers),
        hidden=_sum_of_others((one.hidden for one in group), numbers),
        around=sum(one.around for one in group),
    )


def _sum_of_others(counts: Iterable[Counter[int]], numbers: Sequence[int]) -> Counter[int]:
    total = sum(counts, Counter[int]())
    return Counter({number: n for number, n in total.items() if number not in numbers})
