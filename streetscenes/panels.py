"""What all textures of facades are made with: filled rectangles, colours of shops."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from streetscenes.view import Colour


def fill(
    wall: np.ndarray, box: tuple[int, int, int, int], colour: Sequence[float], shine: int = 0
) -> None:
    """Fills x0, y0, x1, y1, both inside; nothing when they are in the wrong order."""
    left, top, right, bottom = box
    if right >= left and bottom >= top:
        r, g, b = colour
        cv2.rectangle(wall, (left, top), (right, bottom), (r, g, b, shine), -1)


def clipped(values: np.ndarray) -> Colour:
    """A colour of (3,) numbers, held in 0..255."""
    r, g, b = np.clip(values, 0, 255)
    return float(r), float(g), float(b)


# fmt: off
AWNINGS: tuple[Colour, ...] = ((190, 40, 44), (30, 110, 70), (34, 70, 150), (226, 164, 40),
                                (226, 222, 210), (120, 36, 70), (236, 110, 40))
# fmt: on
