"""Means with their spread, and when a difference of two means can be told from chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from augflow.metrics.bootstrap import Effect

# two-sided 95 % points of Student's t for 1..30 degrees of freedom; beyond, the normal's
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip

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
    "synthetic photos, each against the arm without synthetic photos that is augmented alike, and "
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


@dataclass(frozen=True)
class Spread:
    """The mean of some values and their sample standard deviation (None for a single one)."""

    mean: float
    std: float | None


@dataclass(frozen=True)
class Difference:
    """How far one mean lies above another, and what that says.

    `margin` is half the 95 % interval of the difference, None when there is no spread to go by.
    """

    value: float
    margin: float | None
    outcome: str


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation (n - 1 in the denominator)."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Spread(mean, None)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return Spread(mean, math.sqrt(squares / (len(values) - 1)))


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    """Compares two sets of values by `ROUNDS_RULE`.

    With n and m values of standard deviations s and r, the pooled variance is
    v = ((n-1) s^2 + (m-1) r^2) / (n+m-2) and the margin t(n+m-2) sqrt(v (1/n + 1/m)).

    References:
        Student 1908, "The probable error of a mean".
    """
    a, b = spread(ours), spread(theirs)
    value = a.mean - b.mean
    if a.std is None or b.std is None:
        return Difference(value, None, UNKNOWN)
    n, m = len(ours), len(theirs)
    freedom = n + m - 2
    pooled = ((n - 1) * a.std**2 + (m - 1) * b.std**2) / freedom
    t = _T95[freedom - 1] if freedom <= len(_T95) else 1.96
    margin = t * math.sqrt(pooled * (1 / n + 1 / m))
    return Difference(value, margin, _outcome(value, margin))


def _outcome(value: float, margin: float) -> str:
    if value > margin:
        return GAIN
    if value < -margin:
        return WORSE
    return UNKNOWN if value > 0 else NO_GAIN
