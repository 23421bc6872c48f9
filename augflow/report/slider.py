"""One held-out layout at every temperature of the main system, for a reader to move through."""

from __future__ import annotations

from pathlib import Path

from augflow.core import io
from augflow.report.evidence import Evidence
from augflow.report.measures import Point, points
from augflow.report.pictures import Photos, Prepared, evenly

FOLDER = "temperatures"
LEAST = 3
"""Fewer temperatures than these are better seen side by side."""


def moved_through(evidence: Evidence) -> list[Point]:
    """The temperatures of the main system's set; none where there are too few."""
    sweep = evidence.params.report.sweep
    found = points(evidence, sweep[0]) if sweep else []
    return found if len(found) >= LEAST else []


def draw(evidence: Evidence, study: Path, prepared: Prepared, figures: Path) -> None:
    """The class map, the real photograph, and a photograph per temperature from equal noise.

    The layout is the middle one of the set's, not picked by eye.
    """
    degrees = moved_through(evidence)
    if not degrees:
        return
    photos = Photos(study / "synthetic" / degrees[0].name)
    layouts = sorted({row.layout for row in photos.rows})
    (layout,) = evenly(layouts, 3)[1:2] or layouts[:1]
    folder = figures / FOLDER
    io.write_png(folder / "classes.png", prepared.classes(layout))
    io.write_png(folder / "real.png", prepared.photo(layout))
    for point in degrees:
        photo = photos.photo(photos.at(layout, point.temperature)[0])
        io.write_png(folder / f"{point.index}.png", photo)
