"""The layout of Cityscapes, with published ids and train ids side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.data.classes import IGNORE, ClassTable
from augflow.tools.formats.package import REAL, SYNTHETIC, Labelled, Package, Placed

SPLITS = {SYNTHETIC: "train", REAL: "train_real"}
"""Synthetic photographs are where readers of Cityscapes look, real ones in a split of their own."""


def write(folder: Path, package: Package) -> list[Placed]:
    """Writes `leftImg8bit/SPLIT/CITY` and `gtFine/SPLIT/CITY`.

    Labels are `*_labelIds.png` (the table's published ids), `*_labelTrainIds.png` (255 is ignored)
    and, where the instances of all photographs are known, `*_instanceIds.png`.

    References:
        Cordts et al. 2016, "The Cityscapes Dataset"; cityscapesScripts, README.
    """
    placed = []
    for part, photos in package.parts.items():
        known = all(photo.instances is not None for photo in photos)
        for photo in photos:
            below = f"{SPLITS[part]}/{photo.city}/{photo.name}"
            image, truth = f"leftImg8bit/{below}_leftImg8bit.png", f"gtFine/{below}_gtFine"
            io.write_png(folder / image, photo.image)
            raw = package.table.raw_ids[photo.classes]
            io.write_png(folder / f"{truth}_labelIds.png", raw)
            io.write_png(folder / f"{truth}_labelTrainIds.png", photo.classes)
            if known:
                ids = _instances(photo, package.table)
                io.write_png(folder / f"{truth}_instanceIds.png", ids)
            placed.append(Placed(part, photo.name, image, f"{truth}_labelIds.png"))
    return placed


def _instances(photo: Labelled, table: ClassTable) -> np.ndarray:
    """Instance ids, (H, W) uint16; ignored pixels belong to no object."""
    assert photo.instances is not None
    ignored = photo.classes == IGNORE
    return np.where(ignored, table.raw_ids[IGNORE], photo.instances).astype(np.uint16)
