"""Pictures for people: coloured class maps, sheets of tiles, and pictures in time."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from augflow.core.io import atomic_write
from augflow.data.classes import ClassTable

FRAMES_PER_SECOND = 8.0


def colour_classes(classes: np.ndarray, table: ClassTable) -> np.ndarray:
    """A class map in its table's colours, (H, W) train ids -> (H, W, 3) uint8."""
    return table.palette[classes]


def sheet(rows: Sequence[Sequence[np.ndarray]], *, gap: int = 2, scale: int = 1) -> np.ndarray:
    """Tiles of one size in rows and columns on white, each pixel drawn `scale` times as large.

    Shapes:
        rows: tiles (H, W, 3) uint8 or grey (H, W) uint8; shorter rows are left blank at the end.
        returns: (H', W', 3) uint8.
    """
    tiles = [[_rgb(tile).repeat(scale, 0).repeat(scale, 1) for tile in row] for row in rows]
    height, width = tiles[0][0].shape[:2]
    columns = max(len(row) for row in tiles)
    page = np.full(
        (len(tiles) * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8
    )
    for r, row in enumerate(tiles):
        for c, tile in enumerate(row):
            top, left = r * (height + gap), c * (width + gap)
            page[top : top + height, left : left + width] = tile
    return page


def add_frame(
    tile: np.ndarray, colour: tuple[int, int, int] = (255, 255, 255), width: int = 2
) -> np.ndarray:
    """A tile within a frame of a colour, (H, W, 3) -> (H + 2 width, W + 2 width, 3) uint8."""
    height, breadth = tile.shape[:2]
    page = np.full((height + 2 * width, breadth + 2 * width, 3), colour, np.uint8)
    page[width:-width, width:-width] = tile
    return page


def _rgb(tile: np.ndarray) -> np.ndarray:
    return np.repeat(tile[:, :, None], 3, 2) if tile.ndim == 2 else tile


def write_animation(path: Path, pictures: Sequence[np.ndarray]) -> None:
    """Writes an animated PNG that goes round and round.

    Shapes:
        pictures: (H, W, 3) uint8, RGB, all of one size.
    """
    shapes = {picture.shape for picture in pictures}
    if len(shapes) != 1 or any(picture.dtype != np.uint8 for picture in pictures):
        raise ValueError(f"expected uint8 pictures of one size, got {sorted(shapes)}")
    first, *others = map(Image.fromarray, pictures)
    stream = BytesIO()
    first.save(
        stream,
        "PNG",
        save_all=True,
        append_images=others,
        duration=1000 / FRAMES_PER_SECOND,
        loop=0,
        compress_level=6,
    )
    atomic_write(path, stream.getvalue(), synced=False)
