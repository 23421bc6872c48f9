"""From the matrices of single photographs to scores of rounds, runs and classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from augflow.metrics.confusion import Scores
from augflow.report.evidence import Evidence
from augflow.report.spread import spread
from augflow.report.table import Cell, Column

MEASURES = ("pixel_accuracy", "class_accuracy", "class_iou")
ABSENT_ZERO = ("class_accuracy_absent_zero", "class_iou_absent_zero")


@dataclass(frozen=True)
class Point:
    """One temperature of a set: its place among the set's, and the temperature itself."""

    name: str
    index: int
    temperature: float

    @property
    def key(self) -> str:
        """The key of its row in the table `temperature`."""
        return f"{self.name}@{self.index}"


def points(evidence: Evidence, name: str) -> list[Point]:
    """The temperatures of a set."""
    return [Point(name, *pair) for pair in enumerate(evidence.params.sets[name].temperatures)]


def rounds_at(evidence: Evidence, point: Point) -> list[Scores]:
    """Scores of each round at a temperature."""
    return evidence.sets[point.name].rounds[point.temperature]


def best(evidence: Evidence, name: str) -> Point:
    """The temperature of a set with the highest mean class IoU; the first of equals."""
    return max(points(evidence, name), key=lambda p: mean(rounds_at(evidence, p), "class_iou"))


def means(rounds: Sequence[Scores]) -> Scores:
    """Scores averaged over rounds; per-class scores are left empty."""
    kinds = {kind: mean(rounds, kind) for kind in (*MEASURES, *ABSENT_ZERO)}
    return Scores(per_class_accuracy=(), per_class_iou=(), **kinds)


def mean(rounds: Sequence[Scores], measure: str) -> float:
    """One measure averaged over rounds or runs."""
    return spread([getattr(found, measure) for found in rounds]).mean


def spreads(rounds: Sequence[Scores], measures: Iterable[str]) -> dict[str, Cell]:
    """Cells `MEASURE.mean` and `MEASURE.std` over rounds or runs."""
    cells: dict[str, Cell] = {}
    for measure in measures:
        found = spread([getattr(scored, measure) for scored in rounds])
        cells |= {f"{measure}.mean": found.mean, f"{measure}.std": found.std}
    return cells


def spread_columns(measures: Iterable[str]) -> tuple[Column, ...]:
    """The columns of `spreads`."""
    return tuple(Column(f"{m}.{part}", "percent") for m in measures for part in ("mean", "std"))


def class_values(found: Sequence[Scores], measure: str, index: int) -> list[float]:
    """A class's values of a per-class measure, rounds that lack the class left out."""
    values = [getattr(scored, measure)[index] for scored in found]
    return [value for value in values if value is not None]


def class_mean(found: Sequence[Scores], measure: str, index: int) -> float | None:
    """The mean of `class_values`, None when no round has the class."""
    values = class_values(found, measure, index)
    return spread(values).mean if values else None


def ratio(part: float, whole: float) -> float | None:
    """A quotient, None over nothing."""
    return part / whole if whole else None
