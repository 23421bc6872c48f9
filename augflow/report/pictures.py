"""Photographs of a study opened one by one; figures of diversity, transfer and data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.scenes import SPLITS
from augflow.data.synthetic import MANIFEST, SetRow, read_rows
from augflow.report.canvas import mosaic
from augflow.report.evidence import Evidence
from augflow.report.measures import Point, best


class Prepared:
    """A prepared folder, opened scene by scene."""

    def __init__(self, root: Path, palette: np.ndarray) -> None:
        """Reads which scenes there are; `palette` is (256, 3) uint8, colours by train id."""
        self.root, self.palette = root, palette
        self.splits = {row["name"]: row["split"] for row in io.read_csv(root / "scenes.csv")}

    def names(self, split: str) -> list[str]:
        """The scenes of a split, sorted."""
        return sorted(name for name, found in self.splits.items() if found == split)

    def photo(self, name: str) -> np.ndarray:
        """The photograph, (H, W, 3) uint8."""
        return io.read_photo(self._path(name, "image"))

    def classes(self, name: str) -> np.ndarray:
        """The class map in colours, (H, W, 3) uint8."""
        return self.palette[io.read_ids(self._path(name, "classes"))]

    def boundary(self, name: str) -> np.ndarray:
        """The boundary map, dark lines on white, (H, W, 3) uint8."""
        lines = 255 - io.read_ids(self._path(name, "boundary"))
        return np.repeat(lines[..., None], 3, axis=2)

    def _path(self, name: str, kind: str) -> Path:
        split = self.splits.get(name)
        if split is None:
            raise DataError(f"{self.root}/scenes.csv: no scene {name!r}; run the prepare stage")
        return self.root / split / kind / f"{name}.png"


class Photos:
    """The photographs of a synthetic set, opened one by one."""

    def __init__(self, root: Path) -> None:
        """Reads the manifest."""
        self.root, self.rows = root, read_rows(root)

    def photo(self, row: SetRow) -> np.ndarray:
        """The photograph of a row, (H, W, 3) uint8.

        Raises:
            DataError: its pixels are not those that the manifest records.
        """
        pixels = io.read_photo(self.root / row.photo)
        if io.digest_array(pixels) != row.digest:
            raise DataError(
                f"{self.root / row.photo}: pixels have digest {io.digest_array(pixels)}, "
                f"{MANIFEST} says {row.digest}; run synthesize again"
            )
        return pixels

    def at(self, layout: str, temperature: float) -> list[SetRow]:
        """The rows of a layout at a temperature, by round.

        Raises:
            DataError: there are none.
        """
        found = [row for row in self.rows if (row.layout, row.temperature) == (layout, temperature)]
        if not found:
            raise DataError(
                f"{self.root / MANIFEST}: no photograph of {layout} at temperature "
                f"{temperature:g}; run synthesize again"
            )
        return sorted(found, key=lambda row: row.round)


def diversity(evidence: Evidence, study: Path, prepared: Prepared, path: Path) -> None:
    """Several samples of a layout at one temperature, and how far they spread."""
    point = diverse(evidence)
    if point is None:
        return
    drawn = Photos(study / "synthetic" / point.name)
    count = min(evidence.params.sets[point.name].rounds, 5)
    rows = []
    for layout in evenly(sorted({row.layout for row in drawn.rows}), 4):
        photos = [drawn.photo(row) for row in drawn.at(layout, point.temperature)[:count]]
        rows.append([prepared.classes(layout), *photos, spread_map(photos)])
    mosaic(path, rows, ["classes", *(f"sample {n + 1}" for n in range(count)), "spread"])


def diverse(evidence: Evidence) -> Point | None:
    """The main system at its best, if it was sampled in several rounds there."""
    sweep = evidence.params.report.sweep
    if not sweep or evidence.params.sets[sweep[0]].rounds < 2:
        return None
    return best(evidence, sweep[0])


def spread_map(photos: Sequence[np.ndarray]) -> np.ndarray:
    """The standard deviation of each pixel over samples, light to dark.

    White is none; the darkest blue is a quarter of the full range or more.

    Shapes:
        photos: (H, W, 3) uint8 each.
        returns: (H, W, 3) uint8.
    """
    deviation = np.std(np.stack(photos).astype(np.float64), axis=0).mean(axis=-1)
    share = np.clip(deviation / 64, 0, 1)[..., None]
    return np.rint(255 + share * (np.array([16, 48, 96]) - 255)).astype(np.uint8)


def transfer(evidence: Evidence, study: Path, prepared: Prepared, path: Path) -> None:
    """Content moved into other structures, in the columns of the paper's figure.

    References:
        Full-Glow, figure 3.
    """
    rows = []
    for name in evidence.params.transfers:
        if not (study / "synthetic" / name / MANIFEST).exists():
            continue
        moved = Photos(study / "synthetic" / name)
        for row in evenly(moved.rows, evidence.params.report.layouts):
            rows.append([
                prepared.photo(row.content), prepared.classes(row.layout),
                moved.photo(row), prepared.photo(row.layout),
            ])  # fmt: skip
    if rows:
        mosaic(path, rows, [
            "desired content", "desired structure", "synthesized image",
            "ground truth for structure",
        ])  # fmt: skip


def contact_sheet(prepared: Prepared, path: Path) -> None:
    """Scenes of both splits, spread evenly: photograph, class map, boundary map, twice a row."""
    rows = []
    for split in SPLITS:
        cells = [[prepared.photo(n), prepared.classes(n), prepared.boundary(n)]
                 for n in evenly(prepared.names(split), 8 if split == "train" else 4)]  # fmt: skip
        rows += [a + b for a, b in zip(cells[::2], cells[1::2], strict=False)]
    if rows:
        mosaic(path, rows, ["photo", "classes", "boundaries"] * 2)


T = TypeVar("T")


def evenly(items: Sequence[T], count: int) -> list[T]:
    """At most `count` items, spread evenly from the first to the last."""
    if len(items) <= count:
        return list(items)
    picks = np.linspace(0, len(items) - 1, count).round().astype(int)
    return [items[index] for index in picks]
