"""Means with their spread, what a difference says, and scores by set and temperature."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from augflow.metrics.bootstrap import Effect
from augflow.metrics.confusion import Scores
from augflow.report.evidence import Evidence
from augflow.report.table import Cell

MEASURES = ("pixel_accuracy", "class_accuracy", "class_iou")
ABSENT_ZERO = ("class_accuracy_absent_zero", "class_iou_absent_zero")

GAIN, NO_GAIN, WORSE, UNKNOWN = "gain", "no gain shown", "worse", "cannot be told"
HELPS, HURTS = "helps", "hurts"

WORTH = 0.01
"""The gain in class IoU, one point, that a study must be able to see before it denies one."""

ARMS_RULE = (
    "Rule for arms: both are scored on the same validation scenes with the same training seeds. "
    "Scenes (or drives, of five or more) and seeds are drawn again and again, one fewer than there "
    "are, the same for both arms. The 95 % interval holds the middle of these differences, widened "
    "by Student's t where seeds or scenes are few. An interval above zero is a gain, one below is "
    "worse. One that holds zero is no gain shown if a true gain of one point would have been seen "
    "in four of five such studies, and cannot be told if only larger ones would; nor can anything "
    "be told from one seed or one scene. Single classes help or hurt only if they survive Holm's "
    "correction over classes. The question of the headline is put to the arms that join real and "
    "synthetic images, each against the arm without synthetic images that is augmented alike, and "
    "answered yes only after Holm's correction over these arms."
)

ROUNDS_RULE = (
    "Rule for rounds of sampling: two means are compared by their difference and its 95 % margin, "
    "that is Student's t for two samples times the standard error from the spread of the single "
    "values (pooled variance). Only a difference above the margin is told from chance, and none "
    "from fewer than two values a side. The margin covers chance in sampling, not the choice of "
    "the validation scenes."
)


def outcome(effect: Effect, whole: bool) -> str:
    """What the comparison of two arms says, by `ARMS_RULE`.

    `whole` says whether both seeds and scenes could be drawn again.
    """
    if not whole or effect.low is None or effect.high is None or effect.detectable is None:
        return UNKNOWN
    if effect.low > 0:
        return GAIN
    if effect.high < 0:
        return WORSE
    return NO_GAIN if effect.detectable <= WORTH else UNKNOWN


def class_outcome(effect: Effect, survives: bool | None, whole: bool) -> str | None:
    """The same for one class of several; None for a class that is nowhere."""
    if effect.difference is None:
        return None
    told = {GAIN: HELPS, WORSE: HURTS}.get(outcome(effect, whole), UNKNOWN)
    return told if survives else UNKNOWN


class Spread(NamedTuple):
    """The mean of some values and their sample standard deviation (None for a single one)."""

    mean: float
    std: float | None


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation (n - 1 in the denominator)."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Spread(mean, None)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Spread(mean, math.sqrt(squares / (len(values) - 1)))


@dataclass(frozen=True)
class Difference:
    """How far one mean lies above another, and what that says.

    `margin` is half the 95 % interval of the difference, None when there is no spread to go by.
    """

    value: float
    margin: float | None
    outcome: str


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    """Compares two sets of values by `ROUNDS_RULE`.

    With n and m values of standard deviations s and r, the pooled variance is
    v = ((n-1) s^2 + (m-1) r^2) / (n+m-2) and the margin t(n+m-2) sqrt(v (1/n + 1/m)).

    References:
        Student 1908, "The probable error of a mean".
    """
    from scipy.stats import t

    a, b = spread(ours), spread(theirs)
    value = a.mean - b.mean
    if a.std is None or b.std is None:
        return Difference(value, None, UNKNOWN)
    n, m = len(ours), len(theirs)
    variance = ((n - 1) * a.std**2 + (m - 1) * b.std**2) / (n + m - 2)
    margin = float(t.ppf(0.975, n + m - 2)) * math.sqrt(variance * (1 / n + 1 / m))
    if abs(value) > margin:
        return Difference(value, margin, GAIN if value > 0 else WORSE)
    return Difference(value, margin, UNKNOWN if value > 0 else NO_GAIN)


def point_key(evidence: Evidence, name: str, temperature: float) -> str:
    """The key of a set's row in the table `temperature`."""
    return f"{name}@{evidence.params.sets[name].temperatures.index(temperature)}"


def best(evidence: Evidence, name: str) -> float:
    """The temperature of a set with the highest mean class IoU; the first of equals."""
    degrees = evidence.params.sets[name].temperatures
    return max(degrees, key=lambda t: mean(evidence.rounds[name][t], "class_iou"))


def best_set(evidence: Evidence) -> str | None:
    """The set of the sweep whose images the judge reads best, each at its best temperature."""
    sweep = evidence.params.report.sweep
    scored = {name: mean(best_rounds(evidence, name), "class_iou") for name in sweep}
    return max(scored, key=lambda name: scored[name]) if scored else None


def best_rounds(evidence: Evidence, name: str) -> list[Scores]:
    """Scores of each round of a set at its best temperature."""
    return evidence.rounds[name][best(evidence, name)]


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


def spread_columns(measures: Iterable[str]) -> dict[str, str]:
    """The columns of `spreads`."""
    return {f"{m}.{part}": "percent" for m in measures for part in ("mean", "std")}


def class_spread(rounds: Sequence[Scores], measure: str, index: int) -> tuple[Cell, Cell]:
    """Mean and spread of a class's measure over the rounds that have the class, None without."""
    values = [getattr(scored, measure)[index] for scored in rounds]
    found = [value for value in values if value is not None]
    return spread(found) if found else (None, None)


def ratio(part: float, whole: float) -> float | None:
    """A quotient, None over nothing."""
    return part / whole if whole else None


def system_column(evidence: Evidence, name: str) -> str:
    """The column of `judge_per_class` with the IoU of a system at its best, by its set's name."""
    return f"system.{evidence.params.sets[name].generator}.iou"
