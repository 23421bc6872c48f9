"""Objects of training scenes that can be pasted into others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from augflow.core.errors import DataError, ParamsError
from augflow.data.boundaries import boundary_map, guessed_instances
from augflow.data.classes import IGNORE
from augflow.data.scenes import Scene

Pixels = np.ndarray[Any, Any]

AREA = (0.001, 0.2)
"""Only objects that cover such a share of a picture are pasted: to be seen, not to fill it."""

_CLASS = 10**6
"""Ids are as `guessed_instances` gives them: so many for each class."""

_OTHER = _CLASS // 2
"""What is added to ids of objects that are seam all over, to tell them from those beside."""


@dataclass(frozen=True)
class Cutout:
    """An object of a scene, with what it carries.

    Attributes:
        scene: the scene's place in the pool.
        classes: (h, w) uint8, the train ids in its bounding box.
        mask: (h, w) bool, its pixels in the box.
        corner: the row and column of the box's upper left pixel.
        ground: the class that it stands on, None where that is not seen.
    """

    scene: int
    classes: Pixels
    mask: Pixels
    corner: tuple[int, int]
    ground: int | None

    @property
    def bottom(self) -> int:
        """The lowest row, on which it stands."""
        return self.corner[0] + self.mask.shape[0] - 1


class ObjectPool:
    """Training scenes and the objects in them that can be pasted into others.

    An object is a connected part of a thing class, cut where the boundary map shows a seam between
    two instances, with what of other thing classes stands on it, such as riders. Left out is what
    the picture cuts off at its sides or top, and what another of its class hides the feet of.
    """

    def __init__(self, scenes: Scene, things: Sequence[int]) -> None:
        """Finds the objects.

        Args:
            scenes: all scenes that objects may come from.
            things: the train ids of thing classes.

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
        self.photos = scenes.image.cpu().permute(0, 2, 3, 1).numpy()
        self.classes = scenes.layout.classes.cpu().numpy()
        edges = scenes.layout.boundary.cpu().numpy()
        self.objects: dict[int, list[Cutout]] = {}
        for scene, (classes, lines) in enumerate(zip(self.classes, edges, strict=True)):
            ids = instances(classes, lines, things)
            found = list(_cutouts(scene, classes, ids, things))
            if found:
                self.objects[scene] = found
        if not self.objects:
            raise DataError(
                f"augment: copy_paste finds nothing to paste: none of {len(scenes)} training "
                f"scenes has an object of {AREA[0]:.1%} to {AREA[1]:.0%} of its pixels off its "
                "sides; take augment: classic"
            )


def instances(classes: Pixels, edges: Pixels, things: Sequence[int]) -> Pixels:
    """Ids of connected parts of thing classes, cut at the seams that only a boundary map shows.

    Shapes:
        classes: (H, W) train ids.
        edges: (H, W) boundary map, above 0 where two instances meet.
        returns: (H, W) int32, as `boundaries.guessed_instances` gives them.
    """
    whole = guessed_instances(classes, things)
    inside = np.isin(classes, things)
    outline = _widened(boundary_map(whole), 1)
    seams = (edges > 0) & inside & ~outline
    if not seams.any():
        return whole
    # a seam ends where the outline begins: made wider, it cuts through
    seams = _widened(seams, 3) & inside
    ids = guessed_instances(np.where(seams, IGNORE, classes).astype(np.uint8), things)
    left = inside & ~seams
    if not left.any():
        return whole
    _, zones = cv2.distanceTransformWithLabels(
        (~left).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(zones.max() + 1, np.int64)
    nearest[zones[left]] = np.flatnonzero(left)
    donors = nearest[zones[seams]]
    same = classes.flat[donors] == classes[seams]
    ids[seams] = np.where(same, ids.flat[donors], whole[seams] + _OTHER)
    return ids


def groups(ids: Pixels) -> list[list[int]]:
    """The objects, each with those of other classes that stand on it."""
    under: dict[int, int] = {}
    values = np.unique(ids[ids > IGNORE]).tolist()
    for value in values:
        mask = ids == value
        box, corner = _box(mask)
        found = _commonest(below(ids, mask[box], corner))
        carried = found is not None and found > IGNORE and found // _CLASS != value // _CLASS
        under[value] = found if carried and found is not None else value
    joined: dict[int, list[int]] = {}
    for value in values:
        bearer = value
        for _ in values:  # not for ever: two may stand on each other
            bearer = under[bearer]
        joined.setdefault(bearer, []).append(value)
    return list(joined.values())


def below(ids: Pixels, mask: Pixels, corner: tuple[int, int]) -> Pixels:
    """The ids, or classes, just below the feet: where an object comes down to its lowest tenth."""
    height = len(mask)
    lowest = height - 1 - np.argmax(mask[::-1], axis=0)
    feet = mask.any(0) & (lowest >= height - 1 - height // 10)
    rows, columns = corner[0] + lowest[feet] + 1, corner[1] + np.flatnonzero(feet)
    within = rows < len(ids)
    return ids[rows[within], columns[within]]


def _cutouts(scene: int, classes: Pixels, ids: Pixels, things: Sequence[int]) -> Iterator[Cutout]:
    for values in groups(ids):
        mask = np.isin(ids, values)
        if not AREA[0] <= mask.mean() <= AREA[1]:
            continue
        box, corner = _box(mask)
        if corner[0] == 0 or corner[1] == 0 or mask[:, -1].any():
            continue
        under = below(classes, mask[box], corner)
        ground = _commonest(under[under != IGNORE])
        if ground not in things:
            yield Cutout(scene, classes[box], mask[box], corner, ground)


def _box(mask: Pixels) -> tuple[tuple[slice, slice], tuple[int, int]]:
    """The bounding box of a mask, and its upper left pixel."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    return (slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1)), (top, left)


def _commonest(values: Pixels) -> int | None:
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()]) if len(found) else None


def _widened(mask: Pixels, by: int) -> Pixels:
    side = 2 * by + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
