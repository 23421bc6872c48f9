"""Which synthetic photographs, and which of their pixels, are fit to train on.

A judge, a segmenter that has seen real photographs, looks at every candidate. What it saw, what the
generator's likelihood says and how rare a photograph looks decide together.

References:
    Yang et al. 2023, "FreeMask: synthetic images with dense annotations make stronger segmentation
    models" (filtering by class losses, hardness of layouts); Batzolis et al. 2021, "CAFLOW",
    section 4.4 (the likeliest of several); Li, Zhang and Malik 2019, "Diverse image synthesis from
    semantic layouts via conditional IMLE", section 3.4 (rarity).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from augflow.data.classes import IGNORE
from augflow.data.rarity import Rarity
from augflow.data.synthetic import Decision, SetRow
from augflow.segmentation.evaluate import PixelLosses
from augflow.study.params import SelectionParams


def trusted_labels(
    seen: PixelLosses, classes: np.ndarray, means: np.ndarray, factor: float | None, band: int
) -> np.ndarray:
    """Which labels of a photograph are kept, (H, W) bool; False where there is none.

    A pixel's label is not trusted where the judge's loss exceeds `factor` times the mean loss of
    its class on real photographs, nor within `band` pixels of an edge between labels. A class of
    which the real photographs have no pixel has no such mean, and all its labels are kept.

    Args:
        seen: what the judge saw.
        classes: (H, W) uint8 train ids.
        means: (K,), see `class_losses`.
        factor: 1.25 in FreeMask, section 3.2; None switches the filter off.
        band: pixels on either side of an edge; 0 switches the band off.
    """
    kept = classes != IGNORE
    if factor is not None:
        limits = np.full(256, np.inf)
        limits[: len(means)] = np.where(np.isnan(means), np.inf, factor * means)
        kept &= ~(np.nan_to_num(seen.loss) > limits[classes])
    if band:
        kept &= ~near_edges(classes, band)
    return kept


def near_edges(classes: np.ndarray, band: int) -> np.ndarray:
    """The pixels within `band` steps, diagonal ones too, of a pixel of another label; (H, W)."""
    square = np.ones((2 * band + 1, 2 * band + 1), np.uint8)
    return np.asarray(cv2.dilate(classes, square) != cv2.erode(classes, square))


def hardness(classes: np.ndarray, means: np.ndarray) -> float:
    """How hard a layout is for the judge: the mean over its pixels of their classes' mean losses.

    Shapes:
        classes: (H, W) uint8 train ids.
        means: (K,), see `class_losses`; classes without one do not count.

    References:
        FreeMask, section 3.3 (hardness of a mask).
    """
    known = np.full(256, np.nan)
    known[: len(means)] = means
    values = known[classes]
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0


@dataclass(frozen=True)
class Candidate:
    """A photograph of the source set, as far as decisions need it.

    Attributes:
        row: its line of the manifest.
        agreement: what the judge reads as the layout says, in [0, 1].
        trusted: the share of labelled pixels whose label is kept, in [0, 1].
        hardness: of its layout.
    """

    row: SetRow
    agreement: float
    trusted: float
    hardness: float


@dataclass(frozen=True)
class Thresholds:
    """Numbers that decisions were made by, where they were asked for.

    Attributes:
        temperature: the only one that was kept.
        agreement: the least that was kept.
        bits: per temperature, the least and most bits per dimension that were kept.
        most: how many photographs of the hardest layout were kept.
    """

    temperature: float | None = None
    agreement: float | None = None
    bits: dict[float, tuple[float, float]] | None = None
    most: int | None = None


def decide(
    candidates: Sequence[Candidate],
    params: SelectionParams,
    temperature: float | None,
    weights: Callable[[Sequence[int]], Sequence[float]] | None = None,
) -> tuple[list[Decision], Thresholds]:
    """Decides about every candidate, one criterion after the other on those that are left.

    The order is that of `synthetic.REASONS`: temperature; agreement, of which the lowest quantile
    goes; the typicality band of densities, per temperature; the likeliest per layout and
    temperature; and hardness, by which a layout of rank r among n (the hardest has 0) keeps
    `ceil(m (n - r) / n)` photographs, where m is how many the best provided layout has left.

    Args:
        candidates: all photographs of a set, in its order.
        params: which criteria, and their settings.
        temperature: the only one to keep, or None for all.
        weights: gives the draws' weights for the numbers of the photographs that are kept; all are
            drawn equally often by default.
    """
    dropped: dict[int, str] = {}
    left = list(range(len(candidates)))

    def keep(kept: Iterable[int], reason: str) -> None:
        chosen = set(kept)
        dropped.update({n: reason for n in left if n not in chosen})
        left[:] = [n for n in left if n in chosen]

    limits = Thresholds(temperature=temperature)
    if temperature is not None:
        keep([n for n in left if candidates[n].row.temperature == temperature], "temperature")
    if params.agreement is not None and left:
        least = float(np.quantile([candidates[n].agreement for n in left], params.agreement))
        keep([n for n in left if candidates[n].agreement >= least], "agreement")
        limits = replace(limits, agreement=least)
    if params.typicality is not None:
        bands = _bands(candidates, left, params.typicality.low, params.typicality.high)
        keep([n for n in left if _within(candidates[n].row, bands)], "typicality")
        limits = replace(limits, bits=bands)
    if params.likeliest is not None:
        keep(_likeliest(candidates, left, params.likeliest), "likelihood")
    if params.hardness and left:
        kept, most = _of_hard_layouts(candidates, left)
        keep(kept, "hardness")
        limits = replace(limits, most=most)
    drawn = dict(zip(left, weights(left) if weights else [1.0] * len(left), strict=True))
    decisions = [
        _decision(one, dropped.get(n, ""), drawn.get(n)) for n, one in enumerate(candidates)
    ]
    return decisions, limits


def rarity_weights(rarity: Rarity) -> np.ndarray:
    """How often photographs are drawn if each large class is given an equal share of the draws.

    Within a class's share photographs are drawn in proportion to the rarity of its looks in them.
    The mean is 1.

    Shapes:
        returns: (N,) float64.

    References:
        IMLE (Li, Zhang and Malik 2019), section 3.4 (dataset rebalancing).
    """
    scores = rarity.scores[:, list(rarity.largest)]
    total = np.zeros(len(scores))
    for column in scores.T:
        if column.sum() > 0:
            total += column / column.sum()
    # a photograph that shows no large class at all is drawn as the rarest of the others
    total[total == 0] = total[total > 0].min() if (total > 0).any() else 1.0
    return total / total.mean()


def _bands(
    candidates: Sequence[Candidate], left: Sequence[int], low: float, high: float
) -> dict[float, tuple[float, float]]:
    """Per temperature the least and most bits of a band of quantiles of log-density."""
    bits: dict[float, list[float]] = defaultdict(list)
    for n in left:
        bits[candidates[n].row.temperature].append(_bits(candidates[n].row))
    # the lowest densities have the most bits
    return {
        degree: (float(np.quantile(values, 1 - high)), float(np.quantile(values, 1 - low)))
        for degree, values in sorted(bits.items())
    }


def _within(row: SetRow, bands: dict[float, tuple[float, float]]) -> bool:
    low, high = bands[row.temperature]
    return low <= _bits(row) <= high


def _bits(row: SetRow) -> float:
    assert row.log_p_bpd is not None
    return row.log_p_bpd


def _likeliest(candidates: Sequence[Candidate], left: Sequence[int], count: int) -> list[int]:
    groups: dict[tuple[str, float], list[int]] = defaultdict(list)
    for n in left:
        groups[candidates[n].row.layout, candidates[n].row.temperature].append(n)
    return [
        n
        for members in groups.values()
        for n in sorted(members, key=lambda n: (_bits(candidates[n].row), n))[:count]
    ]


def _of_hard_layouts(candidates: Sequence[Candidate], left: Sequence[int]) -> tuple[list[int], int]:
    groups: dict[str, list[int]] = defaultdict(list)
    for n in left:
        groups[candidates[n].row.layout].append(n)
    ranked = sorted(groups.values(), key=lambda group: (-candidates[group[0]].hardness, group[0]))
    most, count = max(map(len, ranked)), len(ranked)
    kept = [
        n for rank, group in enumerate(ranked) for n in group[: -(-most * (count - rank) // count)]
    ]
    return kept, most


def _decision(one: Candidate, reason: str, weight: float | None) -> Decision:
    row = one.row
    return Decision(
        name=row.name,
        layout=row.layout,
        round=row.round,
        temperature=row.temperature,
        kept=not reason,
        reason=reason,
        weight=weight,
        agreement=one.agreement,
        trusted=one.trusted,
        log_p_bpd=row.log_p_bpd,
    )
