"""How well attributes come out in photographs, and how far others move when one is changed.

AMP, the attribute mean probability of a photograph, is the mean over attributes of the
probabilities that classifiers give them.

References:
    Liu et al. 2019, "Conditional Adversarial Generative Flow" (CAGlow), section 4.3.
"""

from __future__ import annotations

import numpy as np


def amp(probabilities: np.ndarray) -> np.ndarray:
    """The attribute mean probability, (..., A) -> (...).

    Raises:
        ValueError: there are no attributes.
    """
    if not probabilities.shape[-1]:
        raise ValueError("no attributes to average over")
    return np.asarray(probabilities.mean(-1))


def accuracy(probabilities: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The share of photographs that have, or lack, an attribute as they should.

    Shapes:
        probabilities: (N, A) in [0, 1]; an attribute is there from 0.5 on.
        wanted: (N, A) of 0 and 1, NaN where nothing was asked for.
        returns: (A,), NaN where nothing was ever asked for.

    References:
        CAGlow, table 2.
    """
    asked = ~np.isnan(wanted)
    right = ((probabilities >= 0.5) == (wanted == 1)) & asked
    counts = asked.sum(0)
    return np.where(counts > 0, right.sum(0) / np.maximum(counts, 1), np.nan)


def variance(probabilities: np.ndarray, wanted: np.ndarray) -> float:
    """The variance over layouts of how far their AMP is from what was asked for.

    The paper asks for the same attributes of every identity, where this is the variance of AMP.
    Layouts differ in what they should have, so that share is taken off.

    Shapes:
        probabilities: (L, S, A), S photographs of each of L layouts.
        wanted: the same shape, of 0 and 1, NaN where nothing was asked for.

    Raises:
        ValueError: nothing was asked for.
    """
    asked = ~np.isnan(wanted)
    if not asked.any((1, 2)).all():
        raise ValueError("a layout of which nothing was asked has no AMP")
    gap = np.where(asked, probabilities - np.where(asked, wanted, 0), 0)
    return float((gap.sum((1, 2)) / asked.sum((1, 2))).var())


def change(before: np.ndarray, after: np.ndarray, others: np.ndarray) -> float | None:
    """By how much the AMP of attributes that were not changed moves, None where there are none.

    Shapes:
        before, after: (S, A), the same photographs before and after a change.
        others: (A,) bool, the attributes that should have stayed.

    References:
        CAGlow, table 3.
    """
    if not others.any():
        return None
    return float(abs(amp(after[:, others]).mean() - amp(before[:, others]).mean()))
