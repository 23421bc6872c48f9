"""Cut-out objects put into a street: on the ground, in perspective, behind what is nearer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from augflow.editing.cutouts import SMALLEST, Cutout
from augflow.editing.instances import Picture, feet
from augflow.editing.objects import scale_mask

SMALLER, LARGER, COARSE = 0.4, 2.0, 1.4
"""How much smaller or larger than it was found an object may become; the last is for one of few
pixels, whose thin parts would become thick."""

FINE = 8
"""So many pixels high and wide an object is not of few."""

STANDS, SEEN, LEFT = 0.8, 0.6, 0.5
"""What share of its feet must be on the ground, what share of it must be seen, and what share of
every object that it covers must be left."""

APART = 1.15
"""Objects that overlap are so many times as far from the eye as each other, or more."""


@dataclass(frozen=True)
class Place:
    """Where an object stands, and whether it is the other way round.

    Attributes:
        depth: how far its foot is below the horizon, as a fraction of the height.
        column: its middle, as a fraction of the width.
    """

    depth: float
    column: float
    flipped: bool = False


def paste_cutout(
    picture: Picture, cutout: Cutout, place: Place, horizon: float, ground: int | None
) -> Picture | None:
    """The picture with one more object; None where it cannot stand there.

    Its size follows from perspective: twice as far below the horizon it is twice as large. What
    stands further down is nearer and stays before it. It must stand on its ground, be seen for the
    most part, leave the most part of what it covers, and not be where another object is.

    The `horizon` is a row, as a fraction of the height, `ground` the train id of what it shall
    stand on.
    """
    height, width = picture.size
    scale = place.depth / cutout.depth
    if not SMALLER <= scale <= largest_scale(cutout):
        return None
    numbers, classes = (
        scale_mask(part[:, ::-1] if place.flipped else part, scale * height / cutout.size[0])
        for part in (cutout.numbers, cutout.classes)
    )
    if not _is_the_same(numbers, cutout.numbers):
        return None
    bottom = round((horizon + place.depth) * height)
    left = round(place.column * width - numbers.shape[1] / 2)
    hidden_above = max(0, numbers.shape[0] - bottom)
    numbers, classes = numbers[hidden_above:], classes[hidden_above:]
    inside = bottom <= height and left >= 0 and left + numbers.shape[1] <= width
    if not inside or not numbers.any():
        return None
    window = np.s_[bottom - numbers.shape[0] : bottom, left : left + numbers.shape[1]]
    seen = _visible_pixels(picture, window, numbers > 0, horizon * height, ground)
    if seen is None:
        return None
    after = Picture(picture.classes.copy(), picture.objects.copy())
    after.classes[window][seen] = classes[seen]
    after.objects[window][seen] = numbers[seen] + int(picture.objects.max())
    return after


def largest_scale(cutout: Cutout) -> float:
    """How much larger than it was found a cut-out may become."""
    return LARGER if min(cutout.numbers.shape) >= FINE else COARSE


def _is_the_same(numbers: np.ndarray, before: np.ndarray) -> bool:
    """Whether a cut-out is still in as many pieces and parts, and large enough."""
    mask = numbers > 0
    if np.count_nonzero(mask) < SMALLEST or not mask[-1].any():
        return False
    masks = ((n > 0).astype(np.uint8) for n in (numbers, before))
    now, then = (cv2.connectedComponents(mask, connectivity=8)[0] for mask in masks)
    return now <= then and set(np.unique(before)) == set(np.unique(numbers))


def _visible_pixels(
    picture: Picture,
    window: tuple[slice, slice],
    mask: np.ndarray,
    horizon: float,
    ground: int | None,
) -> np.ndarray | None:
    """The pixels of an object that are seen, (h, w) bool; None where it cannot stand."""
    objects, classes = picture.objects[window], picture.classes[window]
    bottoms, bottom = picture.bottoms(), window[0].stop
    standing = (classes == ground) & (objects == 0)
    if standing[feet(mask)].mean() < STANDS:
        return None
    seen = mask & ~((objects > 0) & (bottoms[objects] >= bottom))
    if np.count_nonzero(seen) < max(SMALLEST, SEEN * np.count_nonzero(mask)):
        return None
    touched = np.unique(objects[mask & (objects > 0)])
    areas = np.bincount(picture.objects.ravel())
    for number in touched.tolist():
        near, far = sorted((bottoms[number] - horizon, bottom - horizon), reverse=True)
        if near < APART * far:
            return None
        lost = np.count_nonzero(seen & (objects == number))
        if areas[number] - lost < max(LEFT * areas[number], min(SMALLEST, areas[number])):
            return None
    return seen
