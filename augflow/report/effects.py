"""What each arm does beside training on real photographs alone: the figure at the top of a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from augflow.report import names
from augflow.report.answers import Answer
from augflow.report.names import Name
from augflow.report.statistics import GAIN, NO_GAIN, WORSE
from augflow.report.table import Citations, RichText, Row, Table
from augflow.study.params import Params

MOST = 6
"""Of more arms of one share, those with synthetic images are the three of largest difference."""

_KEPT = 3
_LOOKS = {GAIN: ("better", "good"), WORSE: ("worse", "bad"), NO_GAIN: ("no gain", "plain")}


@dataclass(frozen=True)
class Bar:
    """An interval: where it begins and ends and its middle lies, in per cent of the width."""

    name: Name
    against: Name | None
    value: RichText
    interval: RichText
    word: str
    tone: str
    places: tuple[float, float, float]


@dataclass(frozen=True)
class Panel:
    """The arms of one share of the photographs; where classic augmentation alone is."""

    share: str
    bars: tuple[Bar, ...]
    classic: float | None


@dataclass(frozen=True)
class Effects:
    """Panels on one scale; where its ticks are, in per cent of the width, and what they say.

    `left_out` arms are only in the tables.
    """

    panels: tuple[Panel, ...]
    ticks: tuple[tuple[float, str], ...]
    left_out: int
    zero: float
    seeds: RichText
    scenes: RichText


def effects(
    params: Params, table: Table, found: Sequence[Answer], cite: Citations
) -> Effects | None:
    """The differences to real photographs alone, and those that the answers are drawn from."""
    fractions = {row.number("fraction") for row in table.rows}
    shares = {one: _rows(params, table, one, found) for one in fractions}
    drawn = [row for one in sorted(fractions) for row in shares[one][0]]
    if not drawn:
        return None
    scale = _Scale.of(drawn)
    panels = tuple(
        Panel(
            f"{names.share(round(1 / fraction))} of the training photos",
            tuple(_bar(params, row, scale, cite) for row in kept),
            scale.place(kept[0].number("difference")) if _is_classic(params, kept[0]) else None,
        )
        for fraction, (kept, _) in sorted(shares.items(), reverse=True)
        if kept
    )
    counts = [cite.resolve(cite.cell("comparisons", drawn[0], k)) for k in ("seeds", "scenes")]
    left_out = sum(more for _, more in shares.values())
    return Effects(panels, scale.ticks(), left_out, scale.place(0.0), *counts)


def _rows(
    params: Params, table: Table, fraction: float, found: Sequence[Answer]
) -> tuple[list[Row], int]:
    """The comparisons of a share that are drawn, and how many are left out."""
    rows = [
        row
        for row in table.rows
        if row.cells["fraction"] == fraction and row.cells["difference"] is not None
    ]
    alone = [row for row in rows if params.arms[row.text("against")].augment == "none"]
    rest = [row for row in alone if params.arms[row.text("arm")].synthetic_source is not None]
    rest.sort(key=lambda row: -row.number("difference"))
    kept = rest[:_KEPT] if len(alone) > MOST else rest
    plain = sorted(
        (row for row in alone if row not in rest), key=lambda row: not _is_classic(params, row)
    )
    asked = [answer.row for answer in found if answer.row in rows and answer.row not in kept]
    return [*plain, *kept, *asked], len(alone) - len(plain) - len(kept)


def _is_classic(params: Params, row: Row) -> bool:
    arm, against = (params.arms[row.text(side)] for side in ("arm", "against"))
    return (arm.synthetic_source, arm.augment, against.augment) == (None, "classic", "none")


def _bar(params: Params, row: Row, scale: _Scale, cite: Citations) -> Bar:
    word, tone = _LOOKS.get(row.text("outcome"), ("may be chance", "plain"))
    against = row.text("against")
    told = {key: cite.cell("comparisons", row, key) for key in ("difference", "low", "high")}
    ends = f"{told['low']} to {told['high']}" if row.cells["low"] is not None else "no interval"
    middle = row.number("difference")
    places = (row.number("low", middle), middle, row.number("high", middle))
    low, middle, high = map(scale.place, places)
    plain = params.arms[against].augment == "none"
    return Bar(
        names.arm_of_share(params, row.text("arm")),
        None if plain else names.arm_of_share(params, against),
        cite.resolve(told["difference"]),
        cite.resolve(ends),
        word,
        tone,
        (low, middle, high),
    )


@dataclass(frozen=True)
class _Scale:
    """Differences to per cent of the width."""

    low: float
    high: float

    @classmethod
    def of(cls, rows: Sequence[Row]) -> _Scale:
        ends = [row.number(key, 0.0) for row in rows for key in ("low", "difference", "high")]
        low, high = min(0.0, *ends), max(0.0, *ends)
        room = 0.04 * (high - low) or 0.01
        return cls(low - room, high + room)

    def place(self, value: float) -> float:
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Round numbers of points, four to eight of them."""
        width = 100 * (self.high - self.low)
        decade = 10.0 ** math.floor(math.log10(width / 3))
        step = next(k * decade for k in (5, 2, 1) if width / (k * decade) >= 3)
        first, last = math.ceil(100 * self.low / step), math.floor(100 * self.high / step)
        values = [round(number * step, 6) for number in range(first, last + 1)]
        signed = [f"{value:+g}".replace("-", "−") if value else "0" for value in values]
        return tuple((self.place(v / 100), text) for v, text in zip(values, signed, strict=True))
