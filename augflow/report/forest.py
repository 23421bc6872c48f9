"""The figure under the verdict: what helps and what hurts, overall and class by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augflow.report.answers import alike, answers
from augflow.report.canvas import INK, MUTED, REAL, figure
from augflow.report.spread import GAIN, HELPS, HURTS, UNKNOWN, WORSE
from augflow.report.table import Row, Table, written
from augflow.study.params import ArmParams

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HURT = "#b23b4a"
_LOOKS = {HELPS: ("^", REAL), UNKNOWN: ("o", MUTED), HURTS: ("v", _HURT)}
_READ = {GAIN: HELPS, WORSE: HURTS}
_JOINED = 3
"""No more arms than these, of those that join both, are drawn per fraction."""

_WIDTH, _ARM, _CLASS, _EDGES = 4.2, 0.46, 0.25, 0.85
"""In inches: the figure, so narrow that a phone shows it whole; a row of each kind; the rest."""


def effects(arms: Mapping[str, ArmParams], tables: Mapping[str, Table], path: Path) -> None:
    """Draws 95 % intervals of differences in IoU; nothing where no answer can be drawn.

    On top each arm of real photographs, alone or with synthetic ones, against the arm without
    synthetic ones that is augmented alike, or else not at all; below, per fraction of the training
    scenes, the classes of the comparison that the answer is drawn from.
    """
    table = tables["comparisons"]
    found = answers(arms, table)
    if not found:
        return
    overall = [
        row
        for fraction in dict.fromkeys(row.cells["fraction"] for row in table.rows)
        for row in _drawn(arms, [r for r in table.rows if r.cells["fraction"] == fraction])
    ]
    several = len({row.cells["fraction"] for row in overall}) > 1
    blocks = [_of_pair(tables["comparisons_per_class"], answer.row) for answer in found]
    heights = [_ARM * len(overall), *(_CLASS * len(block) for block in blocks)]
    with figure(path, _WIDTH, 0.3 + sum(heights) + _EDGES * len(heights)) as drawn:
        panels = drawn.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        _overall(panels[0], overall, several)
        for axes, answer, block in zip(panels[1:], found, blocks, strict=True):
            _by_class(axes, answer.row, block, several)
        drawn.legend(handles=_legend(), loc="outside upper center", ncols=3, handletextpad=0.2,
                     columnspacing=1.2)  # fmt: skip


def _drawn(arms: Mapping[str, ArmParams], rows: Sequence[Row]) -> list[Row]:
    """The comparisons of a fraction that are drawn: of many joined arms the three best."""
    found = [row for row in alike(arms, rows) if "real" in arms[str(row.cells["arm"])].train_on]
    joined = [row for row in found if arms[str(row.cells["arm"])].mixed]
    if len(joined) <= _JOINED:
        return found
    best = sorted(joined, key=lambda row: -float(str(row.cells["difference"] or 0)))[:_JOINED]
    return [row for row in found if row in best or row not in joined]


def _of_pair(table: Table, row: Row) -> list[Row]:
    """The classes of a comparison that have a difference."""
    return [r for r in table.rows if r.cells["difference"] is not None
            and all(r.cells[key] == row.cells[key] for key in ("arm", "against"))]  # fmt: skip


def _overall(axes: Axes, rows: Sequence[Row], several: bool) -> None:
    """Mean class IoU: the two arms stand over their interval, its numbers at the right."""
    for place, row in enumerate(rows):
        word = _READ.get(str(row.cells["outcome"]), UNKNOWN)
        _interval(axes, row, place + 0.18, word)
        axes.annotate(
            _named(row, several), (0.02, place - 0.2), xycoords=("axes fraction", "data"),
            va="center", color=INK, fontsize=8.5, bbox={"color": "white", "pad": 1},
        )  # fmt: skip
        axes.annotate(_short(row), (1.02, place + 0.18), va="center", color=_LOOKS[word][1],
                      xycoords=("axes fraction", "data"), fontweight="bold")  # fmt: skip
    axes.set_yticks([])
    _framed(axes, len(rows), "Mean class IoU")


def _by_class(axes: Axes, pair: Row, rows: Sequence[Row], several: bool) -> None:
    for place, row in enumerate(rows):
        word = str(row.cells["outcome"])
        _interval(axes, row, place, word)
        axes.annotate(_short(row), (1.02, place), xycoords=("axes fraction", "data"), va="center",
                      color=_LOOKS[word][1])  # fmt: skip
    axes.set_yticks(range(len(rows)), [str(row.cells["class"]) for row in rows])
    _framed(axes, len(rows), f"Class by class\n{_named(pair, several)}")


def _named(row: Row, several: bool) -> str:
    """The two arms, and their share of the training scenes where there are several."""
    share = f", {written(row.cells['fraction'], 'fraction')}" if several else ""
    return f"{row.cells['arm']} against {row.cells['against']}{share}"


def _interval(axes: Axes, row: Row, place: float, word: str) -> None:
    value, low, high = (_points(row, key) for key in ("difference", "low", "high"))
    marker, colour = _LOOKS[word]
    axes.plot([low, high], [place, place], color=colour, linewidth=2)
    axes.plot([value], [place], color=colour, marker=marker, markersize=6)


def _framed(axes: Axes, rows: int, title: str) -> None:
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_ylim(rows - 0.5, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.06)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("difference in points", fontsize=8.5)


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=colour, marker=marker, markersize=6, linewidth=2, label=word)
            for word, (marker, colour) in _LOOKS.items()]  # fmt: skip


def _short(row: Row) -> str:
    """The difference with one decimal; a dash where there is none."""
    value = round(_points(row, "difference"), 1)
    return "–" if math.isnan(value) else f"{value:+.1f}".replace("-", "−") if value else "0.0"


def _points(row: Row, column: str) -> float:
    value = row.cells[column]
    return 100 * float(value) if isinstance(value, int | float) else float("nan")
