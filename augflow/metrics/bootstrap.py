"""Paired comparison of two arms: validation scenes and training seeds are drawn again and again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from augflow.core import seeding
from augflow.metrics.holm import LEVEL, holm
from augflow.metrics.student import quantile, upper_tail

REPLICATES = 10_000
_NORMAL, _POWER = 1.960, 0.842  # points of the normal: two-sided 5 %, and power 80 %
_CHUNK = 500
_DIGITS = 12  # differences below a trillionth are rounding, and count as none


@dataclass(frozen=True)
class Effect:
    """How far our IoU lies above theirs, as a fraction; None where nothing can be said.

    `low` and `high` end the 95 % interval, `error` is the standard error, `p` two-sided, and
    `detectable` the smallest true difference that four of five such studies would have shown.
    """

    difference: float | None
    low: float | None = None
    high: float | None = None
    error: float | None = None
    p: float | None = None
    detectable: float | None = None


@dataclass(frozen=True)
class Comparison:
    """Effects on mean class IoU and on each class; which classes survive Holm's correction.

    A single seed or a single group is not resampled: `resampled` names what was, of `seeds` and
    `groups`, and intervals cover the chance in these alone.
    """

    overall: Effect
    classes: tuple[Effect, ...]
    survives: tuple[bool | None, ...]
    seeds: int
    scenes: int
    groups: int
    resampled: tuple[str, ...]


def compare(
    ours: np.ndarray,
    theirs: np.ndarray,
    groups: Sequence[str],
    names: tuple[str, str],
    replicates: int = REPLICATES,
) -> Comparison:
    """Class IoU of our arm less that of theirs, with the chance in scenes and in trainings.

    As in `scores`, the matrices of a training are summed over scenes, a class that neither is there
    nor predicted has no IoU and is left out of the mean over classes; then the mean over seeds is
    taken. A replicate draws n - 1 of n groups of scenes and n - 1 of n seeds, each with
    replacement, the same for both arms: drawing n would give variances too small by (n - 1) / n,
    much for few seeds or drives. Variance within pairs of a scene and a seed is counted more than
    once (Owen), so errors are rather too large. Percentiles of few draws are too narrow: they are
    stretched about the difference by the ratio of Student's t to the normal's, at the degrees of
    freedom that the shares of seeds and groups in the variance give (Satterthwaite). Twice the
    share of stretched replicates beyond zero is p, yet never less than Student's: few seeds cannot
    draw what is rare. The same t enters `detectable`, (t + 0.842) standard errors, where t is 1.960
    for many seeds and groups.

    The draws are a function of the `names` of the two arms and of the number of `replicates`. A
    single seed or group is not drawn again. A replicate without a class says nothing on it; a class
    that is there in one group alone has a difference, but no interval.

    Shapes:
        ours, theirs: (S, N, K, K) counts by seed and scene, rows ground truth; the same seeds and
            scenes in the same order.
        groups: N names, equal for scenes that are drawn together.

    Raises:
        ValueError: shapes do not fit, not counts, or not one pixel was scored.

    References:
        Rao and Wu 1988, "Resampling inference with complex survey data", JASA 83, section 2;
        Owen 2007, "The pigeonhole bootstrap"; Satterthwaite 1946, "An approximate distribution of
        estimates of variance components"; Hesterberg 2015, "What teachers should know about the
        bootstrap", section 5 (percentiles widened by t); Davison and Hinkley 1997, "Bootstrap
        methods", section 4.2 (1 added to both counts of p).
    """
    _check(ours, theirs, groups)
    labels, places = np.unique(np.asarray(groups), return_inverse=True)
    sizes = (ours.shape[0], len(labels))
    parts = np.stack([_parts(arm, places, len(labels)) for arm in (ours, theirs)])
    there = _groups_with(ours, theirs, places, len(labels))
    draws = [
        _draws(n, replicates, kind, *names)
        for n, kind in zip(sizes, ("seeds", "groups"), strict=True)
    ]
    point, chance = _resample(parts, *draws)
    found = [
        _effect(float(value), [kind[:, column] for kind in chance], (sizes[0], count), sizes)
        for column, (value, count) in enumerate(zip(point, there, strict=True))
    ]
    return Comparison(
        overall=found[0],
        classes=tuple(found[1:]),
        survives=holm([effect.p for effect in found[1:]]),
        seeds=sizes[0],
        scenes=ours.shape[1],
        groups=sizes[1],
        resampled=tuple(k for n, k in zip(sizes, ("seeds", "groups"), strict=True) if n > 1),
    )


def _check(ours: np.ndarray, theirs: np.ndarray, groups: Sequence[str]) -> None:
    shape = ours.shape
    if ours.ndim != 4 or theirs.shape != shape or shape[2] != shape[3] or not ours.size:
        raise ValueError(f"expected two arrays (S, N, K, K), got {shape} and {theirs.shape}")
    if len(groups) != shape[1]:
        raise ValueError(f"{len(groups)} groups for {shape[1]} scenes: name one per scene")
    for arm in (ours, theirs):
        if not np.issubdtype(arm.dtype, np.integer) or arm.min() < 0:
            raise ValueError("a confusion matrix holds counts: integers from 0")
        if not arm.any(axis=(1, 2, 3)).all():
            raise ValueError("not one pixel was scored: a training's matrices hold zeros only")


def _parts(arm: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    """Hits and unions per seed, group and class: (2, S, G, K); both add up over groups."""
    hits = np.diagonal(arm, axis1=2, axis2=3)
    unions = arm.sum(axis=3) + arm.sum(axis=2) - hits
    summed = np.zeros((count, 2, arm.shape[0], arm.shape[2]))
    np.add.at(summed, places, np.stack([hits, unions]).transpose(2, 0, 1, 3))
    return summed.transpose(1, 2, 0, 3)


def _groups_with(ours: np.ndarray, theirs: np.ndarray, places: np.ndarray, count: int) -> list[int]:
    """In how many groups there is anything, then each class."""
    held = (ours.sum(axis=(0, 3)) + theirs.sum(axis=(0, 3))) > 0  # (N, K)
    return [count, *(len(set(places[held[:, k]])) for k in range(held.shape[1]))]


def _draws(count: int, replicates: int, *names: str) -> np.ndarray:
    """How often each of `count` things is drawn in `count` - 1 draws, (B, count)."""
    if count == 1:
        return np.ones((replicates, 1))
    picked = seeding.generator(0, "bootstrap", *names).integers(count, size=(replicates, count - 1))
    flat = (picked + count * np.arange(replicates)[:, None]).ravel()
    counts = np.bincount(flat, minlength=count * replicates)
    return counts.reshape(replicates, count).astype(np.float64)


def _resample(
    parts: np.ndarray, by_seed: np.ndarray, by_group: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The differences (1 + K,), and drawn over both, over seeds alone, over groups alone, (B, ...).

    The first column is the mean over classes.
    """
    even = np.ones((1, by_seed.shape[1]))
    whole = _ious(parts, np.ones((1, by_group.shape[1])))
    both, grouped = [], []
    for start in range(0, len(by_group), _CHUNK):
        rows = slice(start, start + _CHUNK)
        values = _ious(parts, by_group[rows])
        both.append(_difference(values, by_seed[rows]))
        grouped.append(_difference(values, even))
    alone = _difference(whole, by_seed)
    return _difference(whole, even)[0], (np.concatenate(both), alone, np.concatenate(grouped))


def _ious(parts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """IoU of the weighted sums: mean over classes, then each class; nan where there is none.

    Shapes:
        parts: (2, 2, S, G, K); weights: (B, G).
        returns: (B, 2, S, 1 + K).
    """
    pooled = np.tensordot(weights, parts, (1, 3))  # (B, 2, 2, S, K)
    hits, unions = pooled[:, :, 0], pooled[:, :, 1]
    values = np.divide(hits, unions, out=np.full_like(hits, np.nan), where=unions > 0)
    return np.concatenate([_mean(values, np.ones(1), 3)[..., None], values], axis=3)


def _difference(values: np.ndarray, by_seed: np.ndarray) -> np.ndarray:
    """Our weighted mean over seeds less theirs: (B, 2, S, C) and (B, S) to (B, C)."""
    means = _mean(values, by_seed[:, None, :, None], 2)
    return means[:, 0] - means[:, 1]


def _mean(values: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Weighted mean of what is there, nan where nothing is."""
    shares = np.isfinite(values) * weights
    total, summed = shares.sum(axis), (np.nan_to_num(values) * shares).sum(axis)
    return np.divide(summed, total, out=np.full_like(total, np.nan), where=total > 0)


def _effect(
    value: float, chance: Sequence[np.ndarray], held: tuple[int, int], sizes: tuple[int, int]
) -> Effect:
    """The record of one column.

    `chance` is what both, seeds alone and groups alone made of it; `held` are the seeds, and the
    groups that have the class; `sizes` all seeds and all groups.
    """
    if not math.isfinite(value):
        return Effect(None)
    drawn, *single = (kind[np.isfinite(kind)] for kind in chance)
    if max(sizes) < 2 or len(drawn) < 2 or (sizes[1] > 1 and held[1] < 2):
        return Effect(value)
    freedom = _freedom([float(np.var(kind)) for kind in single], [n - 1 for n in held])
    stretch = max(1.0, quantile(1 - LEVEL / 2, freedom) / _NORMAL)
    wide = np.round(value + stretch * (drawn - value), _DIGITS)
    low, high = (float(end) for end in np.clip(np.quantile(wide, (0.025, 0.975)), -1, 1))
    error = float(np.std(drawn, ddof=1))
    tail = (min(int((wide <= 0).sum()), int((wide >= 0).sum())) + 1) / (len(wide) + 1)
    if error > 0:
        tail = max(tail, upper_tail(abs(value) / error, freedom))
    detectable = (stretch * _NORMAL + _POWER) * error
    return Effect(value, low, high, error, min(1.0, 2 * tail), detectable)


def _freedom(variances: Sequence[float], freedoms: Sequence[int]) -> float:
    """Satterthwaite's degrees of freedom of a sum of variances; infinite for none at all."""
    pairs = [(v, n) for v, n in zip(variances, freedoms, strict=True) if n > 0 and v > 0]
    if not pairs:
        return math.inf
    total = sum(v for v, _ in pairs)
    return max(1.0, total**2 / sum(v**2 / n for v, n in pairs))
