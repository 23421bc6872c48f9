"""Which scenes a step of a segmenter's training sees, real and synthetic, as an arm mixes them.

A training list has an arm's parts end to end. What a step draws from it is a function of (seed,
step) alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from augflow.core import seeding
from augflow.training.batches import Rows


@dataclass(frozen=True)
class SceneRange:
    """Scenes that lie next to each other in a training list, from row `start` on.

    `weights` say how often each is drawn relative to the others.
    """

    name: str
    start: int
    weights: tuple[float, ...]

    @property
    def even(self) -> bool:
        """Whether all scenes are drawn equally often."""
        return len(set(self.weights)) == 1

    def draw(self, seed: int, number: int) -> int:
        """The row of the `number`-th draw, from an endless row of shuffled rounds.

        In a round of as many draws as there are scenes each comes as often as its weight has it,
        rounded down or up: systematic resampling.
        """
        turn, place = divmod(number, len(self.weights))
        return self.start + int(_round(self, seed, turn)[place])


@lru_cache(maxsize=8)
def _round(part: SceneRange, seed: int, turn: int) -> np.ndarray:
    rng = seeding.generator(seed, "mixture", part.name, turn)
    count = len(part.weights)
    if part.even:
        return rng.permutation(count)
    ends = np.cumsum(part.weights)
    marks = (np.arange(count) + rng.random()) / count * ends[-1]
    return rng.permutation(np.minimum(np.searchsorted(ends, marks, side="right"), count - 1))


def mixture(
    parts: Sequence[SceneRange],
    *,
    ratio: float | None,
    first_share: float | None,
    steps: int,
    batch_size: int,
    seed: int,
) -> Rows | None:
    """What the steps of an arm draw; None where the whole list is drawn from evenly.

    Of the places of all batches, counted through, a share of `ratio / (1 + ratio)` is synthetic,
    evenly spread. With `first_share` all of them are up to that share of the steps, and none after.

    Without a `ratio` there are as many synthetic places per real one as the parts' sizes have it.
    """
    real = next((part for part in parts if part.name == "real"), None)
    made = next((part for part in parts if part.name != "real"), None)
    if made is None or (first_share is None and ratio is None and made.even):
        return None
    if real is None:
        return _rows_by_step(seed, batch_size, lambda place: (made, place))
    if first_share is not None:
        turn = round(first_share * steps) * batch_size
        return _rows_by_step(
            seed, batch_size, lambda place: (made, place) if place < turn else (real, place - turn)
        )
    ratio = ratio or len(made.weights) / len(real.weights)
    share = ratio / (1 + ratio)

    def mix(place: int) -> tuple[SceneRange, int]:
        before, after = int(place * share), int((place + 1) * share)
        return (made, before) if after > before else (real, place - before)

    return _rows_by_step(seed, batch_size, mix)


def _rows_by_step(seed: int, size: int, at: Callable[[int], tuple[SceneRange, int]]) -> Rows:
    def rows_of(step: int) -> list[int]:
        rows = []
        for place in range(step * size, (step + 1) * size):
            part, number = at(place)
            rows.append(part.draw(seed, number))
        return rows

    return rows_of
