"""Prepared folders in tests: written from maps, read and changed scene by scene, shown as PNG."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.data.scenes import KINDS, SPLITS, array_path, scene_writer

Maps = tuple[str, np.ndarray, np.ndarray, np.ndarray]
"""A split with a scene's image (H, W, 3), classes and boundary (H, W)."""


def write_arrays(root: Path, size: tuple[int, int], scenes: Iterable[Maps]) -> None:
    """Writes the arrays of a prepared folder, scenes in the order of `scenes.csv`."""
    with scene_writer(root, size) as append:
        for scene in scenes:
            append(*scene)


def scene_row(root: Path, split: str, name: str) -> int:
    """The place of a scene in the arrays of its split."""
    rows = [row for row in io.read_csv(root / "scenes.csv") if row["split"] == split]
    return [row["name"] for row in rows].index(name)


def read_map(root: Path, split: str, kind: str, name: str) -> np.ndarray:
    """A map of a scene, or its image as (H, W, 3)."""
    pixels = np.load(array_path(root, split, kind))[scene_row(root, split, name)]
    return pixels.transpose(1, 2, 0) if kind == "image" else pixels


def change_map(root: Path, split: str, kind: str, name: str, pixels: np.ndarray) -> None:
    """Puts another map, or another image (H, W, 3), in the place of a scene's."""
    path = array_path(root, split, kind)
    array = np.load(path)
    array[scene_row(root, split, name)] = pixels.transpose(2, 0, 1) if kind == "image" else pixels
    np.save(path, array)


def write_pictures(prepared: Path, root: Path) -> Path:
    """All scenes as `{train,val}/{image,classes,boundary}/NAME.png`, as users keep such files."""
    for split in SPLITS:
        rows = [row for row in io.read_csv(prepared / "scenes.csv") if row["split"] == split]
        for kind in KINDS:
            for row in rows:
                pixels = read_map(prepared, split, kind, row["name"])
                io.write_png(root / split / kind / f"{row['name']}.png", pixels)
    return root
