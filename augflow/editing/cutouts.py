"""The objects that can be cut out of a pool of street layouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from augflow.core.errors import DataError
from augflow.data.classes import ClassTable
from augflow.editing.instances import Picture, Standing, belonging, numbered, standing
from augflow.editing.objects import ObjectMap
from augflow.editing.perspective import Street, own_horizon, shows_its_height, street_of

SMALLEST, LARGEST = 6, 0.15
"""An object that is cut out has so many pixels at least, and covers such a share at most."""


FEET_WIDTH = 0.2
"""How wide the feet of a thing are at least, as a share of its width."""

SOLID = 0.5
"""What share of its convex hull a thing fills at least; one that others hide does not."""

USUAL = 0.4, 2.5
"""How an object's size compares to the median of its class at the same distance."""


@dataclass(frozen=True)
class Cutout:
    """An object as it was found, with what belongs to it.

    Attributes:
        source: the layout's name.
        depth: how far its foot is below the horizon of its layout, as a fraction of the height.
        column: its middle, as a fraction of the width.
        ground: the train id of what most of its feet stand on.
        rows: the height of its layout in pixels.

    Shapes:
        classes: (h, w) uint8 train ids.
        numbers: (h, w) int32; 0 where it is not, else 1 and on for each of its objects.
    """

    source: str
    classes: np.ndarray
    numbers: np.ndarray
    depth: float
    column: float
    ground: int
    rows: int


@dataclass
class Stock:
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


def stocked(pool: Mapping[str, ObjectMap], table: ClassTable, wanted: Sequence[int]) -> Stock:
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
    stock = Stock(street, len(pool), np.zeros(256))
    for name, layout in pool.items():
        picture = numbered(layout, street.upright)
        pixels += np.bincount(picture.classes.ravel(), minlength=256)
        objects = standing(picture)
        horizon = own_horizon(objects, picture.size, street)
        for one in belonging(objects, table.things):
            inside = _inside(picture, one)
            kinds = [index for index in np.unique(picture.classes[inside]).tolist()
                     if index in (*table.things, *street.upright)]  # fmt: skip
            stock.counts.update(kinds)
            if not _is_whole(picture, one, horizon, street):
                continue
            for index in set(kinds) & set(wanted):
                cutout = _cutout(name, picture, one, horizon, street.ground)
                if index in street.upright or _is_solid(cutout):
                    stock.cutouts.setdefault(index, []).append(cutout)
    stock.shares = pixels / max(1, pixels[: table.count].sum())
    stock.cutouts = {index: _usual(found) for index, found in stock.cutouts.items()}
    _require(stock, table, wanted)
    return stock


def _inside(picture: Picture, one: Standing) -> np.ndarray:
    """The pixels of an object, (H, W) bool."""
    mask = np.zeros(picture.size, bool)
    top, left, bottom, right = one.box
    mask[top:bottom, left:right] = np.isin(picture.objects[top:bottom, left:right], one.numbers)
    return mask


def _is_whole(picture: Picture, one: Standing, horizon: float, street: Street) -> bool:
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


def _cutout(
    name: str, picture: Picture, one: Standing, horizon: float, ground: Sequence[int]
) -> Cutout:
    top, left, bottom, right = one.box
    part = picture.objects[top:bottom, left:right]
    numbers = np.zeros(part.shape, np.int32)
    for count, number in enumerate(one.numbers, start=1):
        numbers[part == number] = count
    height, width = picture.size
    return Cutout(
        name, picture.classes[top:bottom, left:right].copy(), numbers, bottom / height - horizon,
        (left + right) / 2 / width, max(ground, key=lambda index: one.ground[index]), height,
    )  # fmt: skip


def _is_solid(cutout: Cutout) -> bool:
    """Whether it fills much of its convex hull."""
    rows, columns = np.nonzero(cutout.numbers)
    corners = np.stack([columns, rows], axis=1)
    ends = (corners[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])).reshape(-1, 2)
    hull = cv2.convexHull(ends.astype(np.int32))
    return len(rows) >= SOLID * cv2.contourArea(hull)


def _usual(cutouts: Sequence[Cutout]) -> list[Cutout]:
    """Those whose height suits their distance, as far as that of others of the class tells."""
    sizes = np.array([cut.numbers.shape[0] / cut.rows / cut.depth for cut in cutouts])
    low, high = (share * np.median(sizes) for share in USUAL)
    return [cut for cut, size in zip(cutouts, sizes, strict=True) if low <= size <= high]


def _require(stock: Stock, table: ClassTable, wanted: Sequence[int]) -> None:
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
