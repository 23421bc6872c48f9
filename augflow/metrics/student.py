"""Student's t distribution for any number of degrees of freedom."""

from __future__ import annotations

import math

import numpy as np

_POINTS = 2000
_MANY = 1000.0


def upper_tail(t: float, freedom: float) -> float:
    """The chance of a value above `t`.

    With t = sqrt(f) tan(a) the density is proportional to cos(a)**(f - 1); its integral is taken
    at the midpoints of a fine grid. Above 1000 degrees of freedom it is the normal's.

    Raises:
        ValueError: fewer than one degree of freedom, or a negative `t`.

    References:
        Abramowitz and Stegun 1964, "Handbook of mathematical functions", 26.7.
    """
    if freedom < 1 or t < 0:
        raise ValueError(f"expected t >= 0 and freedom >= 1, got {t} and {freedom}")
    if freedom > _MANY:
        return math.erfc(t / math.sqrt(2)) / 2
    start = math.atan(t / math.sqrt(freedom))
    width = (math.pi / 2 - start) / _POINTS
    middles = start + width * (np.arange(_POINTS) + 0.5)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    return float(scale * width * (np.cos(middles) ** (freedom - 1)).sum())


def quantile(share: float, freedom: float) -> float:
    """The value that so large a share of the distribution lies below, by bisection.

    Raises:
        ValueError: the share is not in [0.5, 1), or fewer than one degree of freedom.
    """
    if not 0.5 <= share < 1:
        raise ValueError(f"share is {share}, expected 0.5 to below 1")
    low, high = 0.0, 1.0
    while upper_tail(high, freedom) > 1 - share:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        if upper_tail(middle, freedom) > 1 - share:
            low = middle
        else:
            high = middle
    return high
