"""Rare appearances count more: which photographs are picked, and which pixels weigh in a loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augflow.data.classes import IGNORE
from augflow.data.scenes import Scenes

LARGEST = 5
"""How many classes share a batch."""

_GREY = 1 / 255
_FAINTEST = 1e-6


@dataclass(frozen=True)
class Rarity:
    """How rare each class looks in each photograph of a split.

    `largest` are the classes of the largest area, the largest first; `bandwidth` is that of the
    density estimates, in colours of [0, 1].

    Shapes:
        log_scores: (N, K) float64, log R; -inf where the photograph has no pixel of the class.
    """

    log_scores: np.ndarray
    largest: tuple[int, ...]
    bandwidth: float

    @property
    def scores(self) -> np.ndarray:
        """R_p(k) = 1 / D_p(C_k(p)) and 0 where class p is not in photograph k, (N, K)."""
        return np.exp(self.log_scores)


def rarity(scenes: Scenes, count: int) -> Rarity:
    """The rarity of the mean colour that each class has in each photograph.

    D_p is a Gaussian kernel density estimate over the mean colours C_k(p) of class p in all
    photographs that show it. The paper names no bandwidth. Here it is one for all classes, Scott's
    s N^(-1/7) with N the photographs and s the deviation of the colours around their class's mean
    (root mean square over classes and channels), and at least one grey value. With one bandwidth
    scores of two classes can be compared, as the loss mask does, and none is more than N times
    another; with one per class, a class seen in one photograph would drown or be drowned.

    Args:
        scenes: all scenes of a split.
        count: K, the number of classes.

    References:
        IMLE (Li, Zhang and Malik 2019), section 3.4; Scott 1992, "Multivariate density
        estimation", section 6.3.
    """
    colours = class_colours(scenes, count)
    width = _bandwidth(colours)
    logs = np.full(colours.shape[:2], -np.inf)
    for index in range(count):
        shown = ~np.isnan(colours[:, index, 0])
        if shown.any():
            logs[shown, index] = -_log_density(colours[shown, index], width)
    return Rarity(logs, largest_classes(scenes, count), width)


def class_colours(scenes: Scenes, count: int) -> np.ndarray:
    """The mean colour of each class in each photograph, C_k(p).

    Shapes:
        returns: (N, K, 3) float64 in [0, 1]; nan where the class has no pixel.
    """
    means = np.full((len(scenes), count, 3), np.nan)
    for row in range(len(scenes)):
        one = scenes[[row]]
        ids = one.layout.classes[0].flatten().numpy()
        pixels = one.image[0].flatten(1).numpy()
        areas = np.bincount(ids, minlength=256)[:count]
        sums = np.stack([np.bincount(ids, plane, 256)[:count] for plane in pixels], axis=1)
        shown = areas > 0
        means[row, shown] = sums[shown] / areas[shown, None] / 255
    return means


def largest_classes(scenes: Scenes, count: int, number: int = LARGEST) -> tuple[int, ...]:
    """The classes with most pixels over all scenes, the largest first; classes of none left out."""
    areas = np.zeros(256, np.int64)
    for row in range(len(scenes)):
        ids = scenes[[row]].layout.classes.flatten().numpy()
        areas += np.bincount(ids, minlength=256)
    areas = areas[:count]
    order = np.argsort(-areas, kind="stable")[:number]
    return tuple(int(index) for index in order if areas[index])


def _bandwidth(colours: np.ndarray) -> float:
    shown = ~np.isnan(colours[..., 0])
    numbers = shown.sum(axis=0)
    centres = np.nansum(colours, axis=0) / np.maximum(numbers, 1)[:, None]
    around = np.nan_to_num(colours - centres)
    deviation = np.sqrt(np.square(around).sum() / max(3 * shown.sum(), 1))
    return float(max(deviation * len(colours) ** (-1 / 7), _GREY))


def _log_density(points: np.ndarray, width: float) -> np.ndarray:
    """The log density at the points themselves, (M, 3) -> (M,)."""
    from sklearn.neighbors import KernelDensity

    return KernelDensity(kernel="gaussian", bandwidth=width).fit(points).score_samples(points)


def rebalanced_batch(rarity: Rarity, size: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of photographs for a batch in which rare appearances of large classes come more often.

    Each of the largest classes is given an equal portion; what does not divide goes to classes
    picked by `rng`. In a portion photographs are drawn, with replacement, in proportion to the
    rarity of the class in them.

    Shapes:
        returns: (size,) int64, portion by portion.

    Raises:
        ValueError: no class has a pixel.

    References:
        IMLE (Li, Zhang and Malik 2019), section 3.4, dataset rebalancing.
    """
    if not rarity.largest:
        raise ValueError("no class has a pixel: there is nothing to balance a batch by")
    share, rest = divmod(size, len(rarity.largest))
    lucky = set(rng.permutation(len(rarity.largest))[:rest].tolist())
    rows = []
    for place, index in enumerate(rarity.largest):
        logs = rarity.log_scores[:, index]
        odds = np.exp(logs - logs.max())
        portion = share + (place in lucky)
        rows.append(rng.choice(len(odds), portion, p=odds / odds.sum()))
    return np.concatenate(rows)


def rarity_mask(log_scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """What each pixel counts in the loss: the rarity of its class here over the largest present.

    Pixels without a class count as the commonest class of the photograph; where no pixel has one,
    all count 1. Nothing counts less than a millionth, so that all lies in (0, 1].

    Args:
        log_scores: the photograph's row of `Rarity.log_scores`.
        classes: its class map.

    Shapes:
        log_scores: (K,).
        classes: (H, W) uint8, 255 where no class is known.
        returns: (H, W) float32.

    Raises:
        ValueError: a class of the map has no score.

    References:
        IMLE (Li, Zhang and Malik 2019), section 3.4, loss rebalancing.
    """
    present = np.setdiff1d(np.unique(classes), [IGNORE])
    if not present.size:
        return np.ones(classes.shape, np.float32)
    if present.max() >= len(log_scores) or not np.isfinite(log_scores[present]).all():
        raise ValueError(f"classes {present.tolist()} are in the map, not all have a score")
    weights = np.zeros(256)
    weights[present] = np.exp(log_scores[present] - log_scores[present].max())
    weights[IGNORE] = weights[present].min()
    return np.maximum(weights[classes], _FAINTEST).astype(np.float32)
