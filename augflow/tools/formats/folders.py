"""Exports of images with labels, part by part: the Cityscapes layout, and plain folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.data.classes import IGNORE, ClassTable

SYNTHETIC, REAL, REAL_VAL = "synthetic", "real", "real_val"

SPLITS = {SYNTHETIC: "train", REAL: "train_real"}
"""Synthetic images are where readers of Cityscapes look, real ones in a split of their own."""

CLASSES = "classes.csv"
CLASS_COLUMNS = ("train_id", "name", "id", "thing", "red", "green", "blue")


@dataclass(frozen=True)
class Labelled:
    """An image with its labels.

    Shapes:
        image: (H, W, 3) uint8, RGB.
        classes: (H, W) uint8 train ids, 255 where nothing is to be learned.
        instances: (H, W) int32 as Cityscapes codes them, None where they are not known.
    """

    name: str
    city: str
    image: np.ndarray
    classes: np.ndarray
    instances: np.ndarray | None = None


@dataclass(frozen=True)
class Package:
    """The parts of an export, `SYNTHETIC` and, where they are asked for, real ones.

    Attributes:
        parts: images by part; names are unique within a part.
        weights: by name, how often a synthetic image is drawn relative to others.
    """

    table: ClassTable
    size: tuple[int, int]
    parts: Mapping[str, Sequence[Labelled]]
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Placed:
    """Where an image and its labels were written, relative to the export's folder."""

    part: str
    name: str
    photo: str
    labels: str


def write_pairs(
    folder: Path,
    package: Package,
    place: Callable[[str, Labelled], tuple[str, str]],
    pixels: Callable[[str, Labelled], np.ndarray],
) -> list[Placed]:
    """Writes every image and its label map."""
    placed = []
    for part, images in package.parts.items():
        for one in images:
            image, labels = place(part, one)
            io.write_png(folder / image, one.image)
            io.write_png(folder / labels, pixels(part, one))
            placed.append(Placed(part, one.name, image, labels))
    return placed


def write_cityscapes(folder: Path, package: Package) -> list[Placed]:
    """Writes `leftImg8bit/SPLIT/CITY` and `gtFine/SPLIT/CITY`.

    Labels are `*_labelIds.png` (the table's published ids), `*_labelTrainIds.png` (255 is ignored)
    and, where the instances of all images are known, `*_instanceIds.png`.

    References:
        Cordts et al. 2016, "The Cityscapes Dataset"; cityscapesScripts, README.
    """
    raw_ids = package.table.raw_ids

    def place(part: str, one: Labelled) -> tuple[str, str]:
        below = f"{SPLITS[part]}/{one.city}/{one.name}"
        return f"leftImg8bit/{below}_leftImg8bit.png", f"gtFine/{below}_gtFine_labelIds.png"

    for part, images in package.parts.items():
        known = all(one.instances is not None for one in images)
        for one in images:
            stem = folder / place(part, one)[1].removesuffix("_labelIds.png")
            io.write_png(stem.with_name(f"{stem.name}_labelTrainIds.png"), one.classes)
            if known and one.instances is not None:
                # ignored pixels belong to no object
                ids = np.where(one.classes == IGNORE, raw_ids[IGNORE], one.instances)
                path = stem.with_name(f"{stem.name}_instanceIds.png")
                io.write_png(path, ids.astype(np.uint16))
    return write_pairs(folder, package, place, lambda _, one: raw_ids[one.classes])


def write_folder(folder: Path, package: Package) -> list[Placed]:
    """Writes `images/NAME.png`, `labels/NAME.png` (train ids, 255 is ignored) and `classes.csv`.

    Real scenes are in `real/images` and `real/labels`.
    """

    def place(part: str, one: Labelled) -> tuple[str, str]:
        home = "" if part == SYNTHETIC else f"{part}/"
        return f"{home}images/{one.name}.png", f"{home}labels/{one.name}.png"

    write_classes(folder / CLASSES, package.table)
    return write_pairs(folder, package, place, lambda _, one: one.classes)


def write_classes(path: Path, table: ClassTable) -> None:
    """Writes the learned classes in the order of their train ids; `id` is the published one."""
    rows = []
    for row in table.train_rows:
        colours = dict(zip(("red", "green", "blue"), row.colour, strict=True))
        facts = {"train_id": row.train_id, "name": row.name, "id": row.id, "thing": row.is_thing}
        rows.append({**facts, **colours})
    io.write_csv(path, rows, CLASS_COLUMNS)
