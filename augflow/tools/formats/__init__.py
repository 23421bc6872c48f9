"""Data sets for other people's training: one file per format, all in one table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from augflow.tools.formats import cityscapes, coco_panoptic, folder, mmseg
from augflow.tools.formats.package import Labelled, Package, Placed

__all__ = ["FORMATS", "Labelled", "Package", "Placed"]

FORMATS: dict[str, Callable[[Path, Package], list[Placed]]] = {
    "cityscapes": cityscapes.write,
    "mmseg": mmseg.write,
    "folder": folder.write,
    "coco_panoptic": coco_panoptic.write,
}
