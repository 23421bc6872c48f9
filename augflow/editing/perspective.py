"""What a pool of street layouts has in common: horizon, ground, what stands, and how high."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from augflow.data.classes import IGNORE, ClassTable
from augflow.editing.instances import ObjectInstance, number_objects, object_instances
from augflow.editing.objects import ObjectMap

HORIZON = 0.45
"""Where the horizon is taken to be, of the height, where objects do not tell."""

LEAST_OBJECTS = 8
"""So many objects of a class say where the horizon is."""

TRUST, TILT = 4, 0.12
"""The horizon of a street counts as much in that of a layout as so many objects; the two differ by
at most such a part of the height."""

UPRIGHT_SHARE, GROUND_SHARE = 0.03, 0.05
"""Stuff that stands covers at most the first of a pool's pixels; ground carries at least the second
of the feet of things."""

HIDDEN = 0.15
"""How much of a cut-out's outline may be towards objects before it."""


@dataclass(frozen=True)
class Street:
    """What the layouts of a pool have in common.

    Attributes:
        horizon: the row, as a fraction of the height, at which objects would have no height.
        sizes: how high things of a class are for each row that their feet are below it.
        ground: the train ids of the stuff that things stand on.
        upright: those of thin stuff that stands: poles, signs.
    """

    horizon: float
    sizes: Mapping[int, float]
    ground: tuple[int, ...]
    upright: tuple[int, ...]


def street_of(pool: Mapping[str, ObjectMap], table: ClassTable) -> Street:
    """Reads off a pool where the horizon is, what is ground, and what stands.

    The height of objects of a class grows with the row of their feet; the horizon is where it
    would be 0. Ground is stuff that things stand on, below the horizon. Thin stuff that is no
    ground and reaches above the horizon stands.
    """
    rows = np.zeros((256, 64), np.int64)  # pixels by class and by 64ths of the height
    heights: dict[int, list[tuple[float, float]]] = {}
    feet = np.zeros(256, np.int64)
    for layout in pool.values():
        picture = number_objects(layout)
        height = picture.size[0]
        bands = (np.arange(height) * 64 // height)[:, None] * 256 + picture.classes
        rows += np.bincount(bands.ravel(), minlength=64 * 256).reshape(64, 256).T
        for one in object_instances(picture):
            feet += one.ground
            if shows_its_height(one, picture.size):
                pair = one.box[2] / height, one.height / height
                heights.setdefault(one.index, []).append(pair)
    horizon = _horizon(list(heights.values()))
    feet[IGNORE], rows[IGNORE] = 0, 0
    sizes = rows.sum(axis=1)
    above = rows[:, : round(64 * horizon)].sum(axis=1) / np.maximum(sizes, 1)
    stuff = [index for index in range(table.count) if index not in table.things and sizes[index]]
    ground = [g for g in stuff if feet[g] >= GROUND_SHARE * feet.sum() and above[g] < 0.25]
    thin = [g for g in stuff if g not in ground and sizes[g] <= UPRIGHT_SHARE * sizes.sum()]
    upright = [g for g in thin if above[g] >= 0.25]
    return Street(horizon, _sizes(heights, horizon), tuple(ground), tuple(upright))


def own_horizon(objects: Sequence[ObjectInstance], size: tuple[int, int], street: Street) -> float:
    """Where the horizon of one layout is, as a fraction of its height.

    Each thing says where it would be if the thing were as high as others of its class; the median
    counts as much as there are things, the horizon of the street as much as `TRUST` of them.
    """
    said = [
        (one.box[2] - one.height / street.sizes[one.index]) / size[0]
        for one in objects
        if one.index in street.sizes and shows_its_height(one, size)
    ]
    if not said:
        return street.horizon
    near = np.clip(np.median(said), street.horizon - TILT, street.horizon + TILT)
    return float((len(said) * near + TRUST * street.horizon) / (len(said) + TRUST))


def shows_its_height(one: ObjectInstance, size: tuple[int, int]) -> bool:
    """Whether an object is neither cut off by the picture's edge nor hidden by what is nearer."""
    return not one.is_cut_off(size) and one.hidden_share <= HIDDEN


def _sizes(
    heights: Mapping[int, Sequence[tuple[float, float]]], horizon: float
) -> dict[int, float]:
    """The median of height to depth of each class that has enough objects below the horizon."""
    found = {}
    for index, pairs in heights.items():
        foot, height = np.array(pairs).T
        low = foot - horizon > 0.02
        if np.count_nonzero(low) >= LEAST_OBJECTS:
            found[index] = float(np.median(height[low] / (foot[low] - horizon)))
    return found


def _horizon(classes: Sequence[Sequence[tuple[float, float]]]) -> float:
    """The median over objects of where their class would have no height (Theil and Sen's line)."""
    found: list[float] = []
    for pairs in classes:
        if len(pairs) < LEAST_OBJECTS:
            continue
        some = np.array(pairs)[np.linspace(0, len(pairs) - 1, min(len(pairs), 400)).astype(int)]
        foot, height = some.T
        apart = foot[:, None] - foot > 0.03
        if not apart.any():
            continue
        slope = np.median((height[:, None] - height)[apart] / (foot[:, None] - foot)[apart])
        if slope > 0.05:
            found += [float(np.median(foot - height / slope))] * len(pairs)
    return float(np.clip(np.median(found), 0.2, 0.65)) if found else HORIZON
