"""Data sets for other people's training, all in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from augflow.tools.formats.coco_panoptic import write_coco_panoptic
from augflow.tools.formats.folders import (
    REAL,
    REAL_VAL,
    SYNTHETIC,
    Labelled,
    Package,
    Placed,
    write_cityscapes,
    write_folder,
)
from augflow.tools.formats.mmseg import write_mmseg

__all__ = ["FORMATS", "REAL", "REAL_VAL", "SYNTHETIC", "Format", "Labelled", "Package", "Placed"]


@dataclass(frozen=True)
class Format:
    """What writes an export, and what its card says of the files."""

    write: Callable[[Path, Package], list[Placed]]
    about: str


FORMATS = {
    "cityscapes": Format(
        write_cityscapes,
        "The layout of Cityscapes: `leftImg8bit/SPLIT/CITY` and `gtFine/SPLIT/CITY` with "
        "`labelIds` (published ids), `labelTrainIds` (255 is ignored) and, where instances are "
        "known, `instanceIds`. Synthetic photographs are split `train`, real scenes split "
        "`train_real`.",
    ),
    "mmseg": Format(
        write_mmseg,
        "For mmsegmentation: `augflow_data.py` is a config snippet to be named among the "
        "bases of your own; `images/`, `labels/` (train ids, 255 is ignored) and `lists/` are "
        "what it reads. A photograph of a larger weight is listed several times.",
    ),
    "folder": Format(
        write_folder,
        "Plain folders: `images/NAME.png`, `labels/NAME.png` (train ids, 255 is ignored) and "
        "`classes.csv`. Real scenes are in `real/`.",
    ),
    "coco_panoptic": Format(
        write_coco_panoptic,
        "COCO's panoptic format: `PART/NAME.png`, "
        "`annotations/panoptic_PART/NAME.png` (segment id = R + 256 G + 65536 B) and "
        "`annotations/panoptic_PART.json`. A category's id is its train id plus 1. Where instance "
        "ids are not known, connected components of countable classes stand for objects.",
    ),
}
