"""Street layouts mirrored, stretched, and joined with others, as pictures of objects."""

from __future__ import annotations

import numpy as np

from augflow.editing.instances import Picture

STEEP = 2
"""Columns that a seam may move aside from one row to the next."""

MISFIT = 0.05
"""The share of a seam's rows in which the two sides may differ."""

CUT = 100.0
"""What it costs a seam to go through an object, in pixels that differ."""


def mirror(picture: Picture) -> Picture:
    """Left for right."""
    return Picture(picture.classes[:, ::-1].copy(), picture.objects[:, ::-1].copy())


def stretch(picture: Picture, horizon: float, draw: np.random.Generator) -> tuple[Picture, float]:
    """A part of the picture, stretched smoothly to its size; returns how much of it remains.

    Rows and columns are stretched each by themselves, so that what is level stays level and what is
    upright upright; the horizon, a fraction of the height, stays where it is. Nothing is made
    smaller anywhere, so that the thinnest pole stays in one piece.
    """
    height, width = picture.size
    rows = _places(height, horizon, draw)
    columns = _places(width, draw.uniform(), draw)
    place = np.ix_(rows, columns)
    kept = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1) / (height * width)
    return Picture(picture.classes[place], picture.objects[place]), float(kept)


def join_halves(left: Picture, right: Picture) -> Picture | None:
    """The left part of one picture and the right part of another, where both have the same stuff.

    The seam goes from top to bottom through the middle half, beside all objects, and where classes
    agree; None where there is no such seam.
    """
    height, width = left.size
    there = (left.objects > 0) | (right.objects > 0)
    cost = (left.classes != right.classes) + CUT * there
    low, high = width // 4, width - width // 4
    path = _seam(cost[:, low:high]) + low
    along = np.arange(height)
    if cost[along, path].sum() > MISFIT * height:
        return None
    takes_left = np.arange(width) < path[:, None]
    offset = int(left.objects.max())
    moved = np.where(right.objects > 0, right.objects + offset, 0)
    after = Picture(
        np.where(takes_left, left.classes, right.classes),
        np.where(takes_left, left.objects, moved).astype(np.int32),
    )
    return None if _cuts(after, left, right) else after


def _places(count: int, fixed: float, draw: np.random.Generator) -> np.ndarray:
    """Which row or column each new one shows; `fixed`, a fraction of them, stays where it is."""
    share = draw.uniform(0.86, 0.98)
    waves = np.arange(count) / count * 2 * np.pi + draw.uniform(0, 2 * np.pi)
    steps = share * (1 + (1 / share - 1) * np.sin(waves))  # 1 or less: no place is left out
    places = np.cumsum(steps) - steps / 2
    start = fixed * count - places[min(int(fixed * count), count - 1)]
    return (places + np.clip(start, 0, count - places[-1] - 0.5)).astype(int)


def _seam(cost: np.ndarray) -> np.ndarray:
    """The cheapest way from the top row to the lowest, straight where nothing speaks against it.

    Shapes:
        cost: (H, W) float.
        returns: (H,) columns.
    """
    price = 0.01 * np.abs(np.arange(-STEEP, STEEP + 1))
    total, steps = cost[0], []
    for row in cost[1:]:
        wide = np.pad(total, STEEP, constant_values=np.inf)
        ways = np.lib.stride_tricks.sliding_window_view(wide, len(total)) + price[:, None]
        steps.append(ways.argmin(axis=0) - STEEP)
        total = row + ways.min(axis=0)
    path = [int(total.argmin())]
    for step in reversed(steps):
        path.append(path[-1] + int(step[path[-1]]))
    return np.array(path[::-1])


def _cuts(after: Picture, left: Picture, right: Picture) -> bool:
    """Whether an object is there in part only."""
    counts, *before = (np.bincount(one.objects.ravel()) for one in (after, left, right))
    areas = np.concatenate([before[0], before[1][1:]])
    there = counts > 0
    there[0] = False
    return bool((counts[there] != areas[: len(counts)][there]).any())
