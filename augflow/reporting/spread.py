"""Means with their spread, and when a difference of two means can be told from chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# two-sided 95 % points of Student's t for 1..30 degrees of freedom; beyond, the normal's
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip

GAIN, NO_GAIN, WORSE, UNKNOWN = "gain", "no gain", "worse", "cannot be told"

RULE = (
    "Rule: two means are compared by their difference and its 95 % margin, that is Student's t for "
    "two samples times the standard error from the spread of the single values (pooled variance). "
    "A difference above the margin is a gain, one below minus the margin is worse, none or a "
    "negative one within it is no gain, and a positive one within it cannot be told; nor can "
    "anything be told from fewer than two values a side. The margin covers chance in training or "
    "sampling, not the choice of the validation scenes."
)


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
    """Compares two sets of values by `RULE`.

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
