"""What is drawn on: colour, own light, owner, depth and shadow of every pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from augflow.core import seeding
from streetscenes.view import Colour

Rgb = Sequence[float] | np.ndarray
"""Red, green and blue in 0..255; values beyond are cut off."""

_BITS = 4
_LIMIT = 16000.0


@dataclass(frozen=True)
class Owner:
    """The object that a pixel belongs to: its raw class id, and whether it is an instance."""

    label: int
    is_thing: bool


@dataclass(frozen=True)
class Glow:
    """A lamp that lights its surroundings; place and radii in pixels."""

    x: float
    y: float
    wide: float
    high: float
    colour: Colour


class Canvas:
    """The buffers of one scene, drawn on far to near; the object begun last owns what is drawn.

    Shapes:
        colour: (H, W, 4) uint8: red, green, blue, and how much of it shines by itself.
        owner: (H, W) uint16, numbers into `owners`.
        depth: (H, W) float32, metres.
        shadow: (H, W) uint8, 255 where an object keeps the light from the ground.
    """

    def __init__(self, rows: int, columns: int) -> None:
        """An empty canvas, owned by nothing."""
        self.colour = np.zeros((rows, columns, 4), np.uint8)
        self.owner = np.zeros((rows, columns), np.uint16)
        self.depth = np.full((rows, columns), 1e4, np.float32)
        self.shadow = np.zeros((rows, columns), np.uint8)
        self.owners = [Owner(0, False)]
        self.glows: list[Glow] = []
        self._distance = 0.0
        self._box = [columns, rows, 0, 0]

    def begin(self, label: int, distance: float, is_thing: bool = False) -> None:
        """Starts an object of a raw class id, `distance` metres away."""
        self.owners.append(Owner(label, is_thing))
        self._distance = distance
        self._box = [self.owner.shape[1], self.owner.shape[0], 0, 0]

    def polygon(self, points: np.ndarray, colour: Rgb, shine: float = 0.0) -> None:
        """Fills a polygon, (N, 2) pixels; `shine` in [0, 1] is the share of light of its own."""
        corners = _fixed(points)
        self._fill(corners, (*colour, shine * 255))
        self._grow(corners)

    def clumps(self, places: np.ndarray, radii: np.ndarray, colours: np.ndarray) -> None:
        """Fills ragged blobs, one over the other, as leaves.

        Shapes:
            places: (N, 2) pixels; radii: (N,) pixels; colours: (N, 3).
        """
        turns = _RAGGED[np.arange(len(radii)) % len(_RAGGED)]
        corners = _fixed(turns * radii[:, None, None] + places[:, None])
        for outline, colour in zip(corners, colours.tolist(), strict=True):
            self._fill(outline, (*colour, 0))
        self._grow(corners.reshape(-1, 2))

    def disc(
        self,
        x: float,
        y: float,
        radius: float,
        colour: Rgb,
        shine: float = 0.0,
        flat: float = 1.0,
    ) -> None:
        """Fills an ellipse that is `flat` times as high as it is wide; the radius is in pixels."""
        angles = _CIRCLE if radius > 6 else _CIRCLE[::2]
        self.polygon(angles * (radius, radius * flat) + (x, y), colour, shine)

    def limb(
        self,
        ends: tuple[tuple[float, float], tuple[float, float]],
        radii: tuple[float, float],
        colour: Rgb,
    ) -> None:
        """Fills a rounded stroke between two pixels with a radius at each."""
        (x0, y0), (x1, y1) = ends
        turn = math.atan2(y1 - y0, x1 - x0)
        c, s = math.cos(turn), math.sin(turn)
        cap = _CAP @ np.array([[c, s], [-s, c]])
        first, second = cap * radii[0] + (x0, y0), (x1, y1) - cap * radii[1]
        self.polygon(np.concatenate([first, second]), colour)

    def picture(self, pixels: np.ndarray, matrix: np.ndarray, outline: np.ndarray) -> None:
        """Lays a texture over a polygon.

        Shapes:
            pixels: (h, w, 4) uint8, as `colour`.
            matrix: (3, 3), texture pixels to canvas pixels.
            outline: (N, 2) canvas pixels.
        """
        rows, columns = self.owner.shape
        low = np.clip(np.floor(outline.min(0)), 0, (columns, rows)).astype(int)
        high = np.clip(np.ceil(outline.max(0)) + 1, 0, (columns, rows)).astype(int)
        if (high <= low).any():
            return
        move = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]], np.float64)
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        warped = cv2.warpPerspective(
            pixels, move @ matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        mask = np.zeros(size[::-1], np.uint8)
        cv2.fillPoly(mask, [_fixed(outline - low)], (255,), shift=_BITS)
        where = (slice(low[1], high[1]), slice(low[0], high[0]))
        cv2.copyTo(warped, mask, self.colour[where])
        self.owner[where][mask > 0] = len(self.owners) - 1
        self._grow(_fixed(outline))

    def finish(self, relief: float = 0.0, toward: tuple[float, float] = (-0.6, -0.8)) -> None:
        """Ends an object: writes its depth and, with `relief`, shades it as if it were rounded.

        Args:
            relief: strength of the shading; edges that look `toward` the light (in the picture's
                plane) get brighter, the others darker.
            toward: x and y of the light in the picture's plane.
        """
        where = self.window()
        if where is None:
            return
        mine = self.owner[where] == len(self.owners) - 1
        self.depth[where][mine] = self._distance
        if relief:
            self.shade(where, mine, 1 + relief * _relief(mine, toward))

    def window(self) -> tuple[slice, slice] | None:
        """Rows and columns that the current object may have touched; None when off the canvas."""
        left, top, right, bottom = self._box
        if right <= left or bottom <= top:
            return None
        return slice(top, bottom), slice(left, right)

    def shade(self, where: tuple[slice, slice], mask: np.ndarray, gain: np.ndarray) -> None:
        """Multiplies the colours under a mask by (h, w) gains, own light excepted."""
        piece = self.colour[where]
        shone = np.where(piece[..., 3] > 100, 1.0, gain).astype(np.float32)
        dimmed = np.clip(piece[..., :3] * shone[..., None], 0, 255).astype(np.uint8)
        piece[..., :3] = np.where(mask[..., None], dimmed, piece[..., :3])

    def cast(self, points: np.ndarray, strength: float = 1.0) -> None:
        """Darkens the ground under a polygon, (N, 2) pixels; the darkest shadow wins."""
        layer = self.shadow
        corners = _fixed(points)
        low = np.clip(points.min(0), 0, layer.shape[::-1]).astype(int)
        high = np.clip(points.max(0) + 2, 0, layer.shape[::-1]).astype(int)
        if (high <= low).any():
            return
        piece = layer[low[1] : high[1], low[0] : high[0]]
        mask = np.zeros(piece.shape, np.uint8)
        offset = (low * (1 << _BITS)).astype(np.int32)
        cv2.fillPoly(mask, [corners - offset], (int(255 * strength),), shift=_BITS)
        np.maximum(piece, mask, out=piece)

    def _fill(self, corners: np.ndarray, colour: Sequence[float]) -> None:
        cv2.fillPoly(self.colour, [corners], colour, shift=_BITS)
        cv2.fillPoly(self.owner, [corners], (len(self.owners) - 1,), shift=_BITS)

    def _grow(self, corners: np.ndarray) -> None:
        """Widens the current object's window by fixed-point corners, (N, 2)."""
        x, y, wide, high = cv2.boundingRect(corners)
        rows, columns = self.owner.shape
        left, top, right, bottom = self._box
        self._box = [
            max(0, min(left, (x >> _BITS) - 1)),
            max(0, min(top, (y >> _BITS) - 1)),
            min(columns, max(right, (x + wide >> _BITS) + 2)),
            min(rows, max(bottom, (y + high >> _BITS) + 2)),
        ]


_TURNS = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURNS), np.sin(_TURNS)], 1)


_HALF = np.linspace(np.pi / 2, 3 * np.pi / 2, 6)
_CAP = np.stack([np.cos(_HALF), np.sin(_HALF)], 1)


def _ragged(count: int, corners: int) -> np.ndarray:
    """Outlines of clumps of leaves, about of radius 1, flatter than wide; (count, corners, 2)."""
    rng = seeding.generator(0, "streets", "ragged")
    turns = np.sort(rng.uniform(0, 2 * np.pi, (count, corners)), 1)
    reach = rng.uniform(0.55, 1.35, (count, corners))
    return np.stack([np.cos(turns) * reach, 0.8 * np.sin(turns) * reach], 2)


_RAGGED = _ragged(31, 11)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Pixels in the fixed-point numbers of OpenCV's `shift`, pixel centres at halves."""
    bound = np.minimum(np.maximum(points, -_LIMIT), _LIMIT)
    return np.rint(bound * (1 << _BITS) - 8).astype(np.int32)


def _relief(mask: np.ndarray, toward: tuple[float, float]) -> np.ndarray:
    """How much a silhouette, taken for a rounded body, turns to the light; (h, w) in [-1, 1]."""
    side = max(3, int(0.34 * min(mask.shape)) | 1)
    soft = cv2.blur(cv2.blur(mask.astype(np.float32), (side, side)), (side, side))
    across = cv2.Sobel(soft, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(soft, cv2.CV_32F, 0, 1, ksize=3)
    slope = -(across * toward[0] + down * toward[1]) * (0.3 * side)
    return np.clip(slope, -1, 1)
