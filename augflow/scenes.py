"""Scenes and layouts as tensors, and the prepared folder they are read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from augflow import files
from augflow.classes import ClassRow, ClassTable
from augflow.errors import DataError

SPLITS = ("train", "val")
KINDS = ("image", "classes", "boundary")


@dataclass(frozen=True)
class Layout:
    """What a photograph is made for: a batch of class maps with their boundary maps.

    Shapes:
        classes: (N, H, W) uint8 train ids, 255 where no class is known.
        boundary: (N, H, W) float32 in [0, 1], 1 where two instances meet.
    """

    classes: Tensor
    boundary: Tensor

    def __post_init__(self) -> None:
        """Checks that both maps are of one shape."""
        if self.classes.shape != self.boundary.shape or self.classes.ndim != 3:
            raise ValueError(
                f"classes {tuple(self.classes.shape)} and boundary {tuple(self.boundary.shape)} "
                "must both be (N, H, W)"
            )

    def __len__(self) -> int:
        """The number of layouts in the batch."""
        return len(self.classes)

    def __getitem__(self, rows: slice | Sequence[int]) -> Layout:
        """The layouts of some rows."""
        return Layout(self.classes[rows], self.boundary[rows])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.classes.shape[1], self.classes.shape[2]

    def to(self, device: torch.device | str) -> Layout:
        """The same layouts on another device."""
        return Layout(self.classes.to(device), self.boundary.to(device))


@dataclass(frozen=True)
class Scene:
    """A batch of photographs with their layouts.

    Shapes:
        image: (N, 3, H, W) uint8, RGB.
    """

    image: Tensor
    layout: Layout

    def __len__(self) -> int:
        """The number of scenes in the batch."""
        return len(self.image)

    def __getitem__(self, rows: slice | Sequence[int]) -> Scene:
        """The scenes of some rows."""
        return Scene(self.image[rows], self.layout[rows])

    def to(self, device: torch.device | str) -> Scene:
        """The same scenes on another device."""
        return Scene(self.image.to(device), self.layout.to(device))


class SceneFolder:
    """One split of a prepared folder, decoded once and kept in memory as bytes.

    The folder holds `dataset.json` (class table, size, where boundaries come from), `scenes.csv`
    (name, split, drive) and `{train,val}/{image,classes,boundary}/NAME.png`.
    """

    def __init__(self, root: Path, split: str) -> None:
        """Opens a split.

        Raises:
            DataError: not a prepared folder, or a file of it is missing or of a wrong size.
        """
        self.root, self.split = root, split
        facts = files.read_json(root / "dataset.json")
        self.table = table_from(facts["classes"])
        self.size: tuple[int, int] = (facts["size"][0], facts["size"][1])
        self.boundary_source: str = facts["boundary_source"]
        rows = [row for row in files.read_csv(root / "scenes.csv") if row["split"] == split]
        if not rows:
            raise DataError(f"{root}: split {split!r} has no scenes; run the prepare stage")
        self.names = [row["name"] for row in rows]
        self.drives = [row["drive"] for row in rows]
        self._image = np.stack([self._read("image", name) for name in self.names])
        self._classes = np.stack([self._read("classes", name) for name in self.names])
        self._boundary = np.stack([self._read("boundary", name) for name in self.names])

    def __len__(self) -> int:
        """The number of scenes."""
        return len(self.names)

    def scenes(self, rows: Sequence[int] | None = None) -> Scene:
        """A batch of scenes by row number; all of them by default."""
        picked = list(range(len(self)) if rows is None else rows)
        boundary = torch.from_numpy(self._boundary[picked]).float() / 255
        layout = Layout(torch.from_numpy(self._classes[picked]), boundary)
        return Scene(torch.from_numpy(self._image[picked]).permute(0, 3, 1, 2).contiguous(), layout)

    def _read(self, kind: str, name: str) -> np.ndarray:
        path = self.root / self.split / kind / f"{name}.png"
        pixels = files.read_photo(path) if kind == "image" else files.read_ids(path)
        if pixels.shape[:2] != self.size:
            raise DataError(
                f"{path}: expected {self.size[0]}x{self.size[1]}, got "
                f"{pixels.shape[0]}x{pixels.shape[1]}; run the prepare stage again"
            )
        return pixels


def evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` row numbers, evenly spread over `count`."""
    return sorted({int(row) for row in np.linspace(0, count - 1, min(wanted, count))})


def table_from(facts: dict) -> ClassTable:
    """A class table as `table_facts` wrote it."""
    rows = tuple(
        ClassRow(r["name"], r["id"], r["train_id"], r["is_thing"], tuple(r["colour"]))
        for r in facts["rows"]
    )
    return ClassTable(facts["name"], rows)


def table_facts(table: ClassTable) -> dict:
    """A class table as plain JSON."""
    rows = [
        {"name": r.name, "id": r.id, "train_id": r.train_id, "is_thing": r.is_thing,
         "colour": list(r.colour)}
        for r in table.rows
    ]  # fmt: skip
    return {"name": table.name, "rows": rows}
