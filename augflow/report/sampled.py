"""Figures of what the systems of the sweep make of the same held-out layouts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from augflow.report.canvas import mosaic
from augflow.report.evidence import Evidence
from augflow.report.measures import Point, best, points
from augflow.report.pictures import Photos, Prepared, evenly

MAIN = "samples"
"""The page of the main system once more, under a name that does not depend on the study."""


def page_name(generator: str) -> str:
    """The name of the page of a system."""
    return f"system_{generator}"


def pages(evidence: Evidence, study: Path, prepared: Prepared, figures: Path) -> None:
    """A page per system: layouts in rows; maps, photograph, and a sample per shown temperature.

    The layouts are those that all systems have in common, spread evenly, not picked by eye.
    """
    sets = _opened(evidence, study)
    layouts = _layouts(evidence, sets)
    for place, (name, drawn) in enumerate(sets.items()):
        degrees = shown(evidence, name)
        rows = [
            [prepared.classes(layout), prepared.boundary(layout), prepared.photo(layout),
             *(drawn.photo(drawn.at(layout, point.temperature)[0]) for point in degrees)]
            for layout in layouts
        ]  # fmt: skip
        headings = ["classes", "boundaries", "real photo", *(_degree(p) for p in degrees)]
        paths = [figures / f"{page_name(evidence.params.sets[name].generator)}.png"]
        paths += [figures / f"{MAIN}.png"] if place == 0 else []
        for path in paths if rows else ():
            mosaic(path, rows, headings)


def side_by_side(evidence: Evidence, study: Path, prepared: Prepared, path: Path) -> None:
    """The same layouts in rows: class map, photograph, each system at its best temperature."""
    sets = _opened(evidence, study)
    tops = {name: best(evidence, name) for name in sets}
    rows = [
        [prepared.classes(layout), prepared.photo(layout),
         *(drawn.photo(drawn.at(layout, tops[name].temperature)[0])
           for name, drawn in sets.items())]
        for layout in _layouts(evidence, sets)
    ]  # fmt: skip
    headings = [f"{evidence.params.sets[n].generator}\n{_degree(top)}" for n, top in tops.items()]
    if rows:
        mosaic(path, rows, ["classes", "real photo", *headings])


def shown(evidence: Evidence, name: str) -> list[Point]:
    """The temperatures of a set that its page shows: those asked for, or else its best."""
    wanted = evidence.params.report.temperatures
    found = [point for point in points(evidence, name) if point.temperature in wanted]
    return found or [best(evidence, name)]


def _opened(evidence: Evidence, study: Path) -> dict[str, Photos]:
    return {name: Photos(study / "synthetic" / name) for name in evidence.params.report.sweep}


def _layouts(evidence: Evidence, sets: dict[str, Photos]) -> Sequence[str]:
    if not sets:
        return []
    common = set.intersection(*({row.layout for row in drawn.rows} for drawn in sets.values()))
    return evenly(sorted(common), evidence.params.report.layouts)


def _degree(point: Point) -> str:
    return f"T = {point.temperature}"
