"""Reading a synthetic set, strictly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.boundaries import boundary_map, guessed_instances
from augflow.data.scenes import Layout, Scene
from augflow.data.synthetic.manifest import (
    FACTS,
    MANIFEST,
    SetFacts,
    SetRow,
    label_path,
    read_facts,
    read_rows,
)


class SyntheticSet:
    """A set, checked against its manifest, decoded once and kept in memory as bytes."""

    def __init__(
        self,
        facts: SetFacts,
        rows: Sequence[SetRow],
        image: np.ndarray,
        classes: np.ndarray,
        instances: np.ndarray | None = None,
    ) -> None:
        """Holds the rows with their arrays.

        Shapes:
            image: (N, H, W, 3) uint8.
            classes: (N, H, W) uint8 train ids.
            instances: (N, H, W) int32, None where they are not known for every photograph.
        """
        self.facts, self.rows = facts, tuple(rows)
        self.image, self.classes, self.instances = image, classes, instances

    def __len__(self) -> int:
        """The number of photographs."""
        return len(self.rows)

    @cached_property
    def _boundary(self) -> np.ndarray:
        things = self.facts.table.things
        if self.instances is not None:
            return np.stack([boundary_map(ids) for ids in self.instances])
        return np.stack([boundary_map(guessed_instances(c, things)) for c in self.classes])

    def scenes(self, rows: Sequence[int] | None = None) -> Scene:
        """A batch of labelled photographs by row number; all of them by default."""
        picked = list(range(len(self)) if rows is None else rows)
        boundary = torch.from_numpy(self._boundary[picked]).float()
        layout = Layout(torch.from_numpy(self.classes[picked]), boundary)
        return Scene(torch.from_numpy(self.image[picked]).permute(0, 3, 1, 2).contiguous(), layout)


def read_set(folder: Path) -> SyntheticSet:
    """Reads a set and checks every photograph and label file of it.

    Raises:
        DataError: with every fault: a file missing, damaged, of a wrong size or not in the
            manifest, pixels that are not the ones recorded, a line doubled or unreadable.
    """
    facts = read_facts(folder)
    rows = read_rows(folder)
    faults = _duplicates(folder, rows) + _unlisted_files(folder, rows)
    decoded: list[dict[str, np.ndarray]] = []
    for row in rows:
        try:
            decoded.append(decode_photo(folder, row, facts))
        except DataError as fault:
            faults.append(str(fault))
    if faults:
        raise DataError("\n".join(faults))
    parts = {kind: np.stack([d[kind] for d in decoded]) for kind in ("image", "classes")}
    known = all("instances" in d for d in decoded)
    instances = np.stack([d["instances"] for d in decoded]) if known else None
    return SyntheticSet(facts, rows, parts["image"], parts["classes"], instances)


def _duplicates(folder: Path, rows: Sequence[SetRow]) -> list[str]:
    faults = []
    for column in ("name", "photo"):
        lines = Counter(getattr(row, column) for row in rows)
        faults += [
            f"{folder / MANIFEST}: {column} {value} is in {count} lines, expected one; "
            "run synthesize again"
            for value, count in sorted(lines.items())
            if count > 1
        ]
    return faults


def _unlisted_files(folder: Path, rows: Sequence[SetRow]) -> list[str]:
    listed = {row.photo for row in rows}
    found = {
        path.relative_to(folder).as_posix() for path in (folder / "leftImg8bit").rglob("*.png")
    }
    return [
        f"{folder / path}: not in {MANIFEST}; remove it or run synthesize again"
        for path in sorted(found - listed)
    ]


def decode_photo(folder: Path, row: SetRow, facts: SetFacts) -> dict[str, np.ndarray]:
    """`image`, `classes` and, where they are known, `instances` of one photograph.

    Raises:
        DataError: a file is missing, damaged, of a wrong size, or holds not the pixels recorded.
    """
    image = _check_shape(folder / row.photo, io.read_photo(folder / row.photo), facts)
    digest = io.digest_array(image)
    if digest != row.digest:
        raise DataError(
            f"{folder / row.photo}: pixels have digest {digest}, {MANIFEST} says {row.digest}; "
            "run synthesize again"
        )
    path = folder / label_path(row.photo, "labelIds")
    ids = _check_shape(path, io.read_ids(path), facts)
    try:
        decoded = {"image": image, "classes": facts.table.from_raw(ids)}
    except DataError as fault:
        raise DataError(f"{path}: {fault}; run synthesize again") from fault
    path = folder / label_path(row.photo, "instanceIds")
    if path.exists():
        decoded["instances"] = _check_shape(path, io.read_ids(path).astype(np.int32), facts)
    return decoded


def _check_shape(path: Path, pixels: np.ndarray, facts: SetFacts) -> np.ndarray:
    dims = 3 if "leftImg8bit" in path.name else 2
    if pixels.shape[:2] != facts.size or pixels.ndim != dims:
        raise DataError(
            f"{path}: shape {pixels.shape}, {FACTS} says {facts.size[0]}x{facts.size[1]} pixels; "
            "run synthesize again"
        )
    return pixels
