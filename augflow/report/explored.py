"""Figures of latents: paths between two draws, one draw over several layouts, edited layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.report.canvas import lettered, mosaic
from augflow.report.pictures import Prepared
from augflow.study.params import Params

PATHS, STYLES, EDITS = "latents_path", "latents_style", "latents_edits"
"""The figures' names."""

ROWS = 6
"""A figure of paths has about so many rows: several layouts where systems are few."""


@dataclass(frozen=True)
class Explored:
    """What stage explore left of one generator."""

    name: str
    root: Path
    record: dict[str, Any]

    def photo(self, *place: str) -> np.ndarray:
        """A picture, (H, W, 3) uint8."""
        return io.read_photo(self.root.joinpath(*place))

    def title(self, more: str = "") -> np.ndarray:
        """A picture that says whose row it is, of the same aspect as the others."""
        height, width = self.photo("style", f"{self.record['layouts'][0]}_0.png").shape[:2]
        # large enough for its letters whatever the size of the photographs
        factor = -(-160 // height)
        return lettered(f"{self.name}\n{more}".strip(), (factor * height, factor * width))


def figures(params: Params, study: Path, prepared: Prepared, folder: Path) -> None:
    """Writes the three figures, as far as there is something to show.

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        figures 4, 5 and 7.
    """
    found = _found(params, study / "explored")
    if not found:
        return
    _paths([one for one in found if one.record["steps"]], prepared, folder / f"{PATHS}.png")
    _styles(found, prepared, folder / f"{STYLES}.png")
    _edits(found, folder / f"{EDITS}.png")


def _found(params: Params, root: Path) -> list[Explored]:
    names = params.explore.generators if params.explore else ()
    return [
        Explored(name, root / name, io.read_json(root / name / "record.json"))
        for name in names
        if (root / name / "record.json").exists()
    ]


def _paths(found: Sequence[Explored], prepared: Prepared, path: Path) -> None:
    if not found:
        return
    count = max(1, ROWS // len(found))
    steps = found[0].record["steps"]
    rows = [
        [one.title(), prepared.classes(layout),
         *(one.photo("path", f"{layout}_{number:02d}.png") for number in range(steps))]
        for one in found
        for layout in one.record["layouts"][:count]
    ]  # fmt: skip
    between = [f"{number / (steps - 1):.2f}" for number in range(1, steps - 1)]
    mosaic(path, rows, ["", "classes", "one draw", *between, "another"])


def _styles(found: Sequence[Explored], prepared: Prepared, path: Path) -> None:
    layouts = found[0].record["layouts"]
    height, width = found[0].title().shape[:2]
    rows = [[lettered("", (height, width)), *(prepared.classes(layout) for layout in layouts)]]
    rows += [
        [one.title(text), *(one.photo("style", f"{layout}_{number}.png") for layout in layouts)]
        for one in found
        for number, text in enumerate(("one draw", "another"))
    ]
    mosaic(path, rows, ["", *(f"layout {number + 1}" for number in range(len(layouts)))])


def _edits(found: Sequence[Explored], path: Path) -> None:
    texts = found[0].record["edits"]
    if not texts:
        return
    numbers = range(len(texts) + 1)
    height, width = found[0].title().shape[:2]
    classes = [found[0].photo("edits", f"{number:02d}_classes.png") for number in numbers]
    rows = [[lettered("", (height, width)), *classes]]
    rows += [
        [one.title(), *(one.photo("edits", f"{number:02d}.png") for number in numbers)]
        for one in found
    ]
    mosaic(path, rows, ["", "before", *texts])
