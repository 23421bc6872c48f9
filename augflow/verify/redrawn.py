"""Intervals of differences drawn again, by other code and from other random numbers.

Written out from the rule that the report prints, not from `metrics.bootstrap`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow.core import io

BATCHES, DRAWS = 16, 400
_STORED = 10_000
"""So many draws a report takes; what chance is left in it is that of so many."""

_FEW_DRIVES = 5
_NORMAL = 1.96


@dataclass(frozen=True)
class End:
    """An end of an interval: the mean over batches of draws, and their standard deviation."""

    middle: float
    deviation: float

    def slack(self, ends: int) -> float:
        """What chance in drawing may explain, of so many ends that are looked at.

        A percentile of so few draws is nearly normal; 1 % is shared among all ends.
        """
        share = 1 / BATCHES + DRAWS / _STORED
        return student(1 - 0.005 / ends, BATCHES - 1) * self.deviation * math.sqrt(share) + 1e-7


@dataclass(frozen=True)
class Found:
    """A difference and its interval, as far as there is one."""

    difference: float
    low: End | None = None
    high: End | None = None


@dataclass(frozen=True)
class Study:
    """The matrices of all arms: hits and unions per seed, scene and class.

    Shapes:
        hits, unions: by arm and seed, (N, K), scenes in the order of their names.
    """

    classes: list[str]
    groups: list[str]
    hits: dict[str, dict[int, np.ndarray]]
    unions: dict[str, dict[int, np.ndarray]]

    @classmethod
    def read(cls, folder: Path) -> Study:
        """From the report in a folder."""
        content = io.read_json(folder / "scores" / "arms.json")
        drives = {row["scene"]: row["drive"]
                  for row in io.read_csv(folder / "evidence" / "pixels.csv")
                  if row["split"] == "val"}  # fmt: skip
        hits: dict[str, dict[int, np.ndarray]] = {}
        unions: dict[str, dict[int, np.ndarray]] = {}
        names: list[str] = []
        for run in content["runs"].values():
            items = sorted(run["items"], key=lambda item: str(item["name"]))
            names = [item["name"] for item in items]
            whole = np.array([item["confusion"] for item in items], float)
            diagonal = np.einsum("nkk->nk", whole)
            hits.setdefault(run["arm"], {})[run["seed"]] = diagonal
            unions.setdefault(run["arm"], {})[run["seed"]] = whole.sum(1) + whole.sum(2) - diagonal
        of = [drives[name] for name in names]
        return cls(content["classes"], of if len(set(of)) >= _FEW_DRIVES else names, hits, unions)

    def compared(self, arm: str, against: str) -> Found:
        """Mean class IoU of one arm less that of another, and its 95 % interval."""
        seeds = sorted(self.hits[arm].keys() & self.hits[against].keys())
        kinds = sorted(set(self.groups))
        members = np.array([[group == kind for group in self.groups] for kind in kinds], float)
        even = np.ones((1, len(self.groups)))
        sides = [self._means(name, seeds, even).mean() for name in (arm, against)]
        point = float(sides[0] - sides[1])
        if max(len(seeds), len(kinds)) < 2:
            return Found(point)
        number = zlib.crc32(f"{arm} {against} again".encode())
        ends = [
            self._ends(arm, against, seeds, members, np.random.default_rng([number, batch]), point)
            for batch in range(BATCHES)
        ]
        low, high = (np.array(side) for side in zip(*ends, strict=True))
        return Found(point, *(End(float(e.mean()), float(e.std(ddof=1))) for e in (low, high)))

    def class_differences(self, arm: str, against: str) -> dict[str, float | None]:
        """IoU of each class, mean over seeds, less the other arm's; None where one has none."""
        seeds = sorted(self.hits[arm].keys() & self.hits[against].keys())
        sides = []
        for name in (arm, against):
            even = np.ones(len(self.groups))
            values = np.array([self._ious(name, seed, even) for seed in seeds])
            there = np.isfinite(values)
            total = np.where(there, values, 0).sum(0)
            sides.append(np.where(there.any(0), total / np.maximum(there.sum(0), 1), np.nan))
        found = sides[0] - sides[1]
        return {name: float(value) if np.isfinite(value) else None
                for name, value in zip(self.classes, found, strict=True)}  # fmt: skip

    def _ends(
        self, arm: str, against: str, seeds: list[int], members: np.ndarray,
        rng: np.random.Generator, point: float,
    ) -> tuple[float, float]:  # fmt: skip
        """The ends of the interval by one batch of draws."""
        even = np.ones((DRAWS, len(self.groups)))
        weights, some = _picked(rng, members), _some(rng, len(seeds))
        every = np.tile(np.arange(len(seeds)), (DRAWS, 1))
        drawn = self._means(arm, seeds, weights) - self._means(against, seeds, weights)
        still = self._means(arm, seeds, even) - self._means(against, seeds, even)
        both, scenes_alone, seeds_alone = (
            np.take_along_axis(values, picked, 1).mean(1)
            for values, picked in ((drawn, some), (drawn, every), (still, some))
        )
        freedom = _freedom({
            len(seeds) - 1: float(np.var(seeds_alone)),
            len(members) - 1: float(np.var(scenes_alone)),
        })  # fmt: skip
        stretch = max(1.0, student(0.975, freedom) / _NORMAL)
        wide = point + stretch * (both - point)
        low, high = np.clip(np.quantile(wide, (0.025, 0.975)), -1, 1)
        return float(low), float(high)

    def _means(self, arm: str, seeds: list[int], weights: np.ndarray) -> np.ndarray:
        """Class IoU under weights of scenes, (draws, N), for each seed: (draws, S)."""
        return np.stack([np.nanmean(self._ious(arm, seed, weights), 1) for seed in seeds], 1)

    def _ious(self, arm: str, seed: int, weights: np.ndarray) -> np.ndarray:
        hits, unions = weights @ self.hits[arm][seed], weights @ self.unions[arm][seed]
        return np.where(unions > 0, hits / np.maximum(unions, 1e-12), np.nan)


def surviving(chances: Mapping[str, str]) -> set[str]:
    """The names whose p survives Holm's step-down at 5 %."""
    left = sorted(chances, key=lambda name: float(chances[name]))
    kept: set[str] = set()
    for rank, name in enumerate(left):
        if float(chances[name]) > 0.05 / (len(left) - rank):
            break
        kept.add(name)
    return kept


def student(share: float, freedom: float) -> float:
    """A quantile of Student's t."""
    from scipy.stats import t

    return float(t.ppf(share, freedom))


def _picked(rng: np.random.Generator, members: np.ndarray) -> np.ndarray:
    """How often each scene comes if one group fewer than there are is drawn, (DRAWS, N)."""
    count = len(members)
    if count == 1:
        return np.tile(members, (DRAWS, 1))
    return members[rng.integers(count, size=(DRAWS, count - 1))].sum(1)


def _some(rng: np.random.Generator, count: int) -> np.ndarray:
    """Places of one seed fewer than there are, (DRAWS, count - 1)."""
    return rng.integers(count, size=(DRAWS, max(count - 1, 1)))


def _freedom(variances: Mapping[int, float]) -> float:
    pairs = [(n, v) for n, v in variances.items() if n > 0 and v > 0]
    if not pairs:
        return 1e6
    return max(1.0, sum(v for _, v in pairs) ** 2 / sum(v * v / n for n, v in pairs))
