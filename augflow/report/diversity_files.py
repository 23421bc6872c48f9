"""The diversity files of a report, checked as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from augflow.core.errors import DataError
from augflow.data.classes import ClassTable
from augflow.report.records import Record, read
from augflow.study.params import Params

Value = Annotated[float, Field(ge=0)]


class SpreadScores(Record):
    """A measure per class, None where no layout shows it, and over all pixels."""

    per_class: list[Value | None]
    overall: Value


class Measures(Record):
    """Means over layouts: see `metrics.diversity.Diversity`."""

    clustered: SpreadScores
    variance: SpreadScores
    perceptual: SpreadScores


class Level(Record):
    """What was measured at one temperature."""

    temperature: float
    mean: Measures


class DiversityScores(Record):
    """What stage diversity measured of one generator."""

    generator: str
    classes: list[str]
    features: str
    samples: int
    clusters: int
    repeats: int
    layouts: Annotated[list[str], Field(min_length=1)]
    temperatures: Annotated[list[Level], Field(min_length=1)]


def load(folder: Path, params: Params, table: ClassTable) -> Mapping[str, DiversityScores]:
    """The files of a folder by generator, as `params` lists them and as far as they are there.

    Raises:
        DataError: a file is damaged, of other classes or temperatures, or of another generator.
    """
    listed = params.diversity.generators if params.diversity else ()
    paths = {name: folder / f"{name}.json" for name in listed}
    return {name: _read(path, name, params, table) for name, path in paths.items() if path.exists()}


def _read(path: Path, name: str, params: Params, table: ClassTable) -> DiversityScores:
    found = read(DiversityScores, path, "run stage diversity again")
    degrees = params.diversity.temperatures if params.diversity else ()
    spreads = [
        getattr(level.mean, measure)
        for level in found.temperatures
        for measure in Measures.model_fields
    ]
    expected = {
        "generator": (name, found.generator),
        "classes": (list(table.names), found.classes),
        "temperatures": (list(degrees), [level.temperature for level in found.temperatures]),
        "values per class": ({table.count}, {len(spread.per_class) for spread in spreads}),
    }
    for what, (wanted, got) in expected.items():
        if wanted != got:
            raise DataError(
                f"{path}: {what}: expected {wanted}, got {got}; run stage diversity again"
            )
    return found
