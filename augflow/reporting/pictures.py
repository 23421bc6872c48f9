"""Figures made of photographs: samples, diversity, transfer, data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from augflow import files
from augflow.errors import DataError
from augflow.reporting.canvas import mosaic
from augflow.reporting.evidence import Evidence
from augflow.reporting.measures import best
from augflow.scenes import SPLITS
from augflow.synthetic import MANIFEST, SetRow, read_rows


class Prepared:
    """A prepared folder, opened scene by scene."""

    def __init__(self, root: Path, palette: np.ndarray) -> None:
        """Reads which scenes there are; `palette` is (256, 3) uint8, colours by train id."""
        self.root, self.palette = root, palette
        self.splits = {row["name"]: row["split"] for row in files.read_csv(root / "scenes.csv")}

    def names(self, split: str) -> list[str]:
        """The scenes of a split, sorted."""
        return sorted(name for name, found in self.splits.items() if found == split)

    def photo(self, name: str) -> np.ndarray:
        """The photograph, (H, W, 3) uint8."""
        return files.read_photo(self._path(name, "image"))

    def classes(self, name: str) -> np.ndarray:
        """The class map in colours, (H, W, 3) uint8."""
        return self.palette[files.read_ids(self._path(name, "classes"))]

    def boundary(self, name: str) -> np.ndarray:
        """The boundary map, dark lines on white, (H, W, 3) uint8."""
        lines = 255 - files.read_ids(self._path(name, "boundary"))
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
        pixels = files.read_photo(self.root / row.photo)
        if files.digest_array(pixels) != row.digest:
            raise DataError(
                f"{self.root / row.photo}: pixels have digest {files.digest_array(pixels)}, "
                f"{MANIFEST} says {row.digest}; run synthesize again"
            )
        return pixels

    def of(self, layout: str) -> list[SetRow]:
        """The rows of a layout by round."""
        found = [row for row in self.rows if row.layout == layout]
        return sorted(found, key=lambda row: row.round)


def samples(evidence: Evidence, study: Path, prepared: Prepared, path: Path) -> None:
    """Layouts in rows: class map, boundary map, photograph, then a sample of each shown set.

    The layouts are spread evenly over all that the sets have in common, not picked by eye.
    """
    names = list(dict.fromkeys(evidence.params.report.samples))
    sets = {name: Photos(study / "synthetic" / name) for name in names}
    if not sets:
        return
    common = set.intersection(*({row.layout for row in s.rows} for s in sets.values()))
    shown = evenly(sorted(common), evidence.params.report.layouts)
    rows = [
        [prepared.classes(name), prepared.boundary(name), prepared.photo(name),
         *(s.photo(s.of(name)[0]) for s in sets.values())]
        for name in shown
    ]  # fmt: skip
    degrees = [evidence.params.sets[name].temperature for name in names]
    unique = len(set(degrees)) == len(degrees)
    headings = [f"T = {t}" if unique else n for t, n in zip(degrees, names, strict=True)]
    if rows:
        mosaic(path, rows, ["classes", "boundaries", "real photo", *headings])


def diversity(evidence: Evidence, study: Path, prepared: Prepared, path: Path) -> None:
    """Several samples of a layout at one temperature, and how far they spread."""
    name = diverse_set(evidence)
    if name is None or not (study / "synthetic" / name / MANIFEST).exists():
        return
    drawn = Photos(study / "synthetic" / name)
    count = min(evidence.params.sets[name].rounds, 5)
    full = sorted({row.layout for row in drawn.rows if len(drawn.of(row.layout)) >= count})
    rows = []
    for layout in evenly(full, 4):
        photos = [drawn.photo(row) for row in drawn.of(layout)[:count]]
        rows.append([prepared.classes(layout), *photos, spread_map(photos)])
    if rows:
        mosaic(path, rows, ["classes", *(f"sample {n + 1}" for n in range(count)), "spread"])


def diverse_set(evidence: Evidence) -> str | None:
    """The set whose rounds are shown side by side: the best one, or the first of several rounds."""
    report = evidence.params.report
    order = [*([best(evidence)] if report.sweep else []), *report.samples]
    return next((name for name in order if evidence.params.sets[name].rounds > 1), None)


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
