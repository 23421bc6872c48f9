"""The plates of traffic signs as coloured outlines."""

from __future__ import annotations

import numpy as np

from streetscenes.view import Colour

_RED: Colour = (206, 30, 36)
_BLUE: Colour = (26, 84, 176)
_WHITE: Colour = (240, 240, 236)
_YELLOW: Colour = (246, 196, 30)
_BLACK: Colour = (28, 28, 30)
_GREEN: Colour = (24, 120, 78)


def _box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def _regular(
    sides: int, size: float, turn: float = 0.0, at: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    turns = np.linspace(0, 2 * np.pi, sides, endpoint=False) + turn
    return np.stack([np.cos(turns), np.sin(turns)], 1) * size + at


def _disc(size: float) -> np.ndarray:
    return _regular(20, size)


_UP, _DOWN, _EIGHTH = -np.pi / 2, np.pi / 2, np.pi / 8

# outlines in units of the sign's radius, y down, drawn one over the other
FACES: dict[str, tuple[tuple[np.ndarray, Colour], ...]] = {
    "limit": (
        (_disc(1), _RED),
        (_disc(0.74), _WHITE),
        (_box(-0.42, -0.32, -0.08, 0.34), _BLACK),
        (_box(0.08, -0.32, 0.42, 0.34), _BLACK),
    ),
    "stop": (
        (_regular(8, 1.05, _EIGHTH), _WHITE),
        (_regular(8, 0.95, _EIGHTH), _RED),
        (_box(-0.62, -0.16, 0.62, 0.18), _WHITE),
    ),
    "yield": ((_regular(3, 1.2, _DOWN), _RED), (_regular(3, 0.72, _DOWN), _WHITE)),
    "priority": ((_regular(4, 1.15), _WHITE), (_regular(4, 0.85), _YELLOW)),
    "parking": (
        (_box(-0.85, -1, 0.85, 1), _WHITE),
        (_box(-0.76, -0.9, 0.76, 0.9), _BLUE),
        (_box(-0.4, -0.62, -0.14, 0.66), _WHITE),
        (_box(-0.14, -0.62, 0.42, 0.1), _WHITE),
        (_box(-0.14, -0.38, 0.18, -0.12), _BLUE),
    ),
    "way": (
        (_disc(1), _WHITE),
        (_disc(0.93), _BLUE),
        (_box(-0.13, -0.2, 0.13, 0.66), _WHITE),
        (_regular(3, 0.5, _UP, (0, -0.25)), _WHITE),
    ),
    "no_entry": ((_disc(1), _WHITE), (_disc(0.94), _RED), (_box(-0.66, -0.18, 0.66, 0.18), _WHITE)),
    "zebra": (
        (_box(-0.95, -0.95, 0.95, 0.95), _BLUE),
        (_regular(3, 0.9, _UP, (0, 0.15)), _WHITE),
        (_box(-0.1, -0.25, 0.1, 0.4), _BLACK),
    ),
    "warning": (
        (_regular(3, 1.2, _UP), _RED),
        (_regular(3, 0.76, _UP), _WHITE),
        (_box(-0.09, -0.3, 0.09, 0.2), _BLACK),
    ),
    "town": (
        (_box(-1.5, -0.9, 1.5, 0.9), _WHITE),
        (_box(-1.42, -0.82, 1.42, 0.82), _GREEN),
        (_box(-1.1, -0.5, 0.4, -0.2), _WHITE),
        (_box(-1.1, 0.12, 0.9, 0.42), _WHITE),
        (_regular(3, 0.3, 0, (1.0, -0.35)), _WHITE),
    ),
    "works": (
        (_box(-0.8, -0.8, 0.8, 0.8), _YELLOW),
        (_box(-0.5, -0.45, 0.5, -0.25), _BLACK),
        (_box(-0.5, 0.05, 0.3, 0.25), _BLACK),
    ),
}
