"""Objects cut out of pictures, to be pasted into others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from augflow.core.errors import DataError, ParamsError
from augflow.data.boundaries import boundary_map, guessed_instances
from augflow.data.classes import IGNORE, ClassTable
from augflow.data.scenes import Scene
from augflow.editing.instances import (
    ObjectInstance,
    Picture,
    below_feet,
    group_riders,
    number_objects,
    object_instances,
)
from augflow.editing.objects import ObjectMap, bounding_box, nearest_places
from augflow.editing.perspective import Street, own_horizon, shows_its_height, street_of

SMALLEST, LARGEST = 6, 0.15
"""An object that is cut out of a street has so many pixels at least, and covers such a share at
most."""

FEET_WIDTH = 0.2
"""How wide the feet of a thing are at least, as a share of its width."""

SOLID = 0.5
"""What share of its convex hull a thing fills at least; one that others hide does not."""

USUAL = 0.4, 2.5
"""How an object's size compares to the median of its class at the same distance."""

AREA = 0.001, 0.2
"""Only objects that cover such a share of a photograph are copied: to be seen, not to fill it."""

_CLASS = 10**6
"""Ids are as `guessed_instances` gives them: so many for each class."""

_OTHER = _CLASS // 2
"""What is added to ids of objects that are seam all over, to tell them from those beside."""


@dataclass(frozen=True)
class Cutout:
    """An object as it was found, with what belongs to it.

    Attributes:
        source: the name of the layout, or the number of the scene.
        corner: the row and column at which its box begins.
        size: height and width of its layout in pixels.
        ground: the train id of what most of its feet stand on; None where that is not seen.
        horizon: of its layout, as a fraction of the height.

    Shapes:
        classes: (h, w) uint8 train ids.
        numbers: (h, w) int32; 0 where it is not, else 1 and on for each of its objects.
        photo: (h, w, 3) uint8; None where there is a layout alone.
    """

    source: str
    classes: np.ndarray
    numbers: np.ndarray
    corner: tuple[int, int]
    size: tuple[int, int]
    ground: int | None
    horizon: float = 0.0
    photo: np.ndarray | None = None

    @property
    def bottom(self) -> int:
        """The row below its lowest one, on which it stands."""
        return self.corner[0] + self.numbers.shape[0]

    @property
    def depth(self) -> float:
        """How far its foot is below the horizon, as a fraction of the height."""
        return self.bottom / self.size[0] - self.horizon

    @property
    def column(self) -> float:
        """Its middle, as a fraction of the width."""
        return (2 * self.corner[1] + self.numbers.shape[1]) / 2 / self.size[1]


@dataclass
class CutoutLibrary:
    """The cut-outs of some classes, by train id.

    Attributes:
        shares: of the known pixels of the pool by train id, (256,) float64.
        counts: how many objects each class of the pool has, whole or not.
        layouts: how many layouts the pool has.
    """

    street: Street
    layouts: int
    shares: np.ndarray
    cutouts: dict[int, list[Cutout]] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)


def collect_cutouts(
    pool: Mapping[str, ObjectMap], table: ClassTable, wanted: Sequence[int]
) -> CutoutLibrary:
    """The objects of some classes that stand whole in a pool, and what its streets look like.

    An object is left out if the picture's edge or another object hides a part of it, if it does not
    stand on ground, if it is a few pixels or a large part of the picture, if it is ragged, or far
    smaller or larger than others of its class.

    Raises:
        DataError: a class is no class of objects, or has none that can be cut out; says which
            classes have some.
    """
    street = street_of(pool, table)
    pixels = np.zeros(256, np.int64)
    stock = CutoutLibrary(street, len(pool), np.zeros(256))
    for name, layout in pool.items():
        picture = number_objects(layout, street.upright)
        pixels += np.bincount(picture.classes.ravel(), minlength=256)
        objects = object_instances(picture)
        horizon = own_horizon(objects, picture.size, street)
        for one in group_riders(objects, table.things):
            cutout = _cutout(name, picture, one, horizon, street.ground)
            shown = set(np.unique(cutout.classes[cutout.numbers > 0]).tolist())
            kinds = shown & {*table.things, *street.upright}
            stock.counts.update(kinds)
            if not _is_whole(picture, one, horizon, street):
                continue
            for index in kinds & set(wanted):
                if index in street.upright or _is_solid(cutout):
                    stock.cutouts.setdefault(index, []).append(cutout)
    stock.shares = pixels / max(1, pixels[: table.count].sum())
    stock.cutouts = {index: _usual(found) for index, found in stock.cutouts.items()}
    _require(stock, table, wanted)
    return stock


class ObjectPool:
    """Training scenes and the objects in them that can be pasted into others.

    An object is a connected part of a thing class, cut where the boundary map shows a seam between
    two instances, with what of other thing classes stands on it, such as riders. Left out is what
    the picture cuts off at its sides or top, and what another of its class hides the feet of.

    Attributes:
        things: the train ids of thing classes.
        objects: the objects of each scene that has some, by its number.

    Shapes:
        classes: (N, H, W) uint8 train ids of all scenes.
    """

    def __init__(self, scenes: Scene, things: Sequence[int]) -> None:
        """Finds the objects.

        Raises:
            ParamsError: there are no thing classes.
            DataError: the scenes have no object that can be pasted.
        """
        if not things:
            raise ParamsError(
                "augment: copy_paste pastes objects of thing classes, but the data's class table "
                "has none; mark some as things, or take augment: classic"
            )
        self.things = tuple(things)
        self.classes = scenes.layout.classes.cpu().numpy()
        photos = scenes.image.cpu().permute(0, 2, 3, 1).numpy()
        edges = scenes.layout.boundary.cpu().numpy()
        self.objects: dict[int, list[Cutout]] = {}
        for scene, parts in enumerate(zip(photos, self.classes, edges, strict=True)):
            found = list(_movable(str(scene), *parts, self.things))
            if found:
                self.objects[scene] = found
        if not self.objects:
            raise DataError(
                f"augment: copy_paste finds nothing to paste: none of {len(scenes)} training "
                f"scenes has an object of {AREA[0]:.1%} to {AREA[1]:.0%} of its pixels off its "
                "sides; take augment: classic"
            )


def split_instances(classes: np.ndarray, edges: np.ndarray, things: Sequence[int]) -> np.ndarray:
    """Ids of connected parts of thing classes, cut at the seams that only a boundary map shows.

    Shapes:
        classes: (H, W) train ids.
        edges: (H, W) boundary map, above 0 where two instances meet.
        returns: (H, W) int32, as `boundaries.guessed_instances` gives them.
    """
    whole = guessed_instances(classes, things)
    inside = np.isin(classes, things)
    seams = (edges > 0) & inside & ~_dilate(boundary_map(whole), 1)
    if not seams.any():
        return whole
    # a seam ends where the outline begins: made wider, it cuts through
    seams = _dilate(seams, 3) & inside
    ids = guessed_instances(np.where(seams, IGNORE, classes).astype(np.uint8), things)
    left = inside & ~seams
    if not left.any():
        return whole
    donors = nearest_places(left, seams)
    same = classes.flat[donors] == classes[seams]
    ids[seams] = np.where(same, ids.flat[donors], whole[seams] + _OTHER)
    return ids


def groups_of(ids: np.ndarray) -> list[list[int]]:
    """The objects of a scene by their ids, each with those of other classes that stand on it."""
    under: dict[int, int] = {}
    values = np.unique(ids[ids > IGNORE]).tolist()
    for value in values:
        mask = ids == value
        box = bounding_box(mask)
        found = _most(values_below(ids, mask[box], (box[0].start, box[1].start)))
        carried = found is not None and found > IGNORE and found // _CLASS != value // _CLASS
        under[value] = found if carried and found is not None else value
    joined: dict[int, list[int]] = {}
    for value in values:
        bearer = value
        for _ in values:  # not for ever: two may stand on each other
            bearer = under[bearer]
        joined.setdefault(bearer, []).append(value)
    return list(joined.values())


def values_below(values: np.ndarray, mask: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """The ids, or classes, just below where an object comes down to its lowest tenth."""
    return values[below_feet(mask, corner, len(values), 1 + len(mask) // 10)]


def _movable(
    source: str, photo: np.ndarray, classes: np.ndarray, edges: np.ndarray, things: Sequence[int]
) -> Iterator[Cutout]:
    """The objects of a scene that can be pasted into another."""
    ids = split_instances(classes, edges, things)
    for values in groups_of(ids):
        mask = np.isin(ids, values)
        box = bounding_box(mask)
        top, left = box[0].start, box[1].start
        if not AREA[0] <= mask.mean() <= AREA[1] or not top or not left or mask[:, -1].any():
            continue
        under = values_below(classes, mask[box], (top, left))
        ground = _most(under[under != IGNORE])
        if ground not in things:
            yield Cutout(
                source=source,
                classes=classes[box],
                numbers=_renumber(ids[box], values),
                corner=(top, left),
                size=classes.shape,
                ground=ground,
                photo=photo[box],
            )


def _cutout(
    name: str, picture: Picture, one: ObjectInstance, horizon: float, ground: Sequence[int]
) -> Cutout:
    """An object of a street, as it stands on one of some kinds of ground."""
    top, left, bottom, right = one.box
    box = np.s_[top:bottom, left:right]
    return Cutout(
        source=name,
        classes=picture.classes[box].copy(),
        numbers=_renumber(picture.objects[box], one.numbers),
        corner=(top, left),
        size=picture.size,
        ground=max(ground, key=lambda index: one.ground[index], default=None),
        horizon=horizon,
    )


def _renumber(ids: np.ndarray, values: Sequence[int]) -> np.ndarray:
    """Ids numbered from 1 on in the order of some values; 0 is what is none of them."""
    numbers = np.zeros(ids.shape, np.int32)
    for count, value in enumerate(values, start=1):
        numbers[ids == value] = count
    return numbers


def _most(values: np.ndarray) -> int | None:
    """The commonest value, the lowest of several."""
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()]) if len(found) else None


def _dilate(mask: np.ndarray, by: int) -> np.ndarray:
    side = 2 * by + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0


def _is_whole(picture: Picture, one: ObjectInstance, horizon: float, street: Street) -> bool:
    all_feet = int(one.ground.sum()) + sum(one.upon.values())
    on_ground = int(one.ground[list(street.ground)].sum())
    return (
        shows_its_height(one, picture.size)
        and one.height >= 3
        and SMALLEST <= one.area <= LARGEST * picture.classes.size
        and one.box[2] / picture.size[0] >= horizon + 0.02
        and on_ground >= 0.6 * max(all_feet, 1)
        and (one.index in street.upright or on_ground >= FEET_WIDTH * one.width)
    )


def _is_solid(cutout: Cutout) -> bool:
    """Whether it fills much of its convex hull."""
    rows, columns = np.nonzero(cutout.numbers)
    corners = np.stack([columns, rows], axis=1)
    ends = (corners[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])).reshape(-1, 2)
    hull = cv2.convexHull(ends.astype(np.int32))
    return len(rows) >= SOLID * cv2.contourArea(hull)


def _usual(cutouts: Sequence[Cutout]) -> list[Cutout]:
    """Those whose height suits their distance, as far as that of others of the class tells."""
    sizes = np.array([cut.numbers.shape[0] / cut.size[0] / cut.depth for cut in cutouts])
    low, high = (share * np.median(sizes) for share in USUAL)
    return [cut for cut, size in zip(cutouts, sizes, strict=True) if low <= size <= high]


def _require(stock: CutoutLibrary, table: ClassTable, wanted: Sequence[int]) -> None:
    """Lets a stock pass that has cut-outs of every wanted class."""
    shown = ", ".join(
        f"{table.names[index]} ({count})" for index, count in sorted(stock.counts.items())
    )
    having = f"classes with objects: {shown or 'none'}"
    faults = []
    for index in wanted:
        name = table.names[index]
        if index not in table.things and index not in stock.street.upright:
            faults.append(
                f"boost {name}: it is ground or a large area here, no class of objects that stand; "
                f"{having}"
            )
        elif not stock.counts[index]:
            faults.append(f"boost {name}: {stock.layouts} layouts hold no {name}; {having}")
        elif not stock.cutouts.get(index):
            faults.append(
                f"boost {name}: none of {stock.counts[index]} objects of {stock.layouts} layouts "
                f"stands whole and on the ground, so none can be pasted elsewhere; {having}"
            )
    if faults:
        raise DataError("\n".join(faults))
