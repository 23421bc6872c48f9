"""Noise that repeats without a seam: the grain of every surface and the shapes of clouds."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from augflow.core import seeding

SIDE = 512


@lru_cache(maxsize=1)
def clouds() -> np.ndarray:
    """Smooth noise of many octaves, periodic, zero mean, unit deviation; (SIDE, SIDE) float32."""
    rng = seeding.generator(0, "streets", "clouds")
    frequency = np.fft.fftfreq(SIDE)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    radius[0, 0] = np.inf
    spectrum = np.fft.fft2(rng.standard_normal((SIDE, SIDE))) / radius**1.65
    return _standardised(np.fft.ifft2(spectrum).real)


@lru_cache(maxsize=1)
def grain() -> np.ndarray:
    """Rough noise, pixel by pixel with a little smoothness, periodic; (SIDE, SIDE) float32."""
    rng = seeding.generator(0, "streets", "grain")
    white = rng.standard_normal((SIDE, SIDE))
    smooth = white + np.roll(white, 1, 0) + np.roll(white, 1, 1) + np.roll(white, (1, 1), (0, 1))
    return _standardised(white + 0.5 * smooth)


def crop(
    tile: Callable[[], np.ndarray], height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """A (height, width) piece of a tile from a random place, repeated where it is too small."""
    top, left = (int(value) for value in rng.integers(0, SIDE, 2))
    if height <= SIDE and width <= SIDE:
        return _doubled(tile)[top : top + height, left : left + width]
    rows = (np.arange(height) + top) % SIDE
    columns = (np.arange(width) + left) % SIDE
    return tile()[rows][:, columns]


@lru_cache(maxsize=2)
def _doubled(tile: Callable[[], np.ndarray]) -> np.ndarray:
    return np.tile(tile(), (2, 2))


def sampled(tile: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A tile at fractional places, bilinear, repeated in both directions.

    Shapes:
        x, y: (H, W) in tile pixels.
        returns: (H, W) float32.
    """
    across, down = np.broadcast_arrays(np.mod(x, SIDE), np.mod(y, SIDE))
    return cv2.remap(
        tile,
        np.ascontiguousarray(across, np.float32),
        np.ascontiguousarray(down, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )


def _standardised(values: np.ndarray) -> np.ndarray:
    return ((values - values.mean()) / values.std()).astype(np.float32)
