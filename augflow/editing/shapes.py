"""Shapes as pixels: ellipses, rectangles and polygons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from augflow.core.errors import DataError
from augflow.editing.edit_schema import Box, Place, Shape


def drawn(shape: Shape, size: tuple[int, int]) -> np.ndarray:
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
        down, right = _offsets(box, rows, columns)
        mask = down**2 + right**2 <= 1 if shape.ellipse else np.maximum(down, right) <= 1
        half = np.array(box.size) / 2
        corners = np.array([np.array(box.centre) - half, np.array(box.centre) + half])
    if not mask.any():
        outside = (corners.max(0) <= 0).any() or (corners.min(0) >= 1).any()
        what = "is outside of the picture" if outside else "is empty: no pixel's centre is inside"
        raise DataError(f"the shape {what}; places are [row, column] from 0 to 1")
    return mask


def _offsets(box: Box, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances from a box's centre in half heights and half widths."""
    down, right = np.abs(rows - box.centre[0]), np.abs(columns - box.centre[1])
    return down / (box.size[0] / 2), right / (box.size[1] / 2)


def _polygon(corners: Sequence[Place], rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Even-odd rule: inside when a ray to the right crosses the outline an odd number of times."""
    inside = np.zeros((rows.size, columns.size), bool)
    for (y0, x0), (y1, x1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if y0 != y1:
            crosses = (rows < y0) != (rows < y1)
            inside ^= crosses & (columns < x0 + (rows - y0) / (y1 - y0) * (x1 - x0))
    return inside
