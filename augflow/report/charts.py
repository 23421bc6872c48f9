"""Figures made of numbers: systems, temperature, classes, arms, effects, learning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augflow.report.answers import alike, answers
from augflow.report.canvas import (
    ACCENT,
    FLAT,
    INK,
    MARKERS,
    MUTED,
    REAL,
    SERIES,
    WRONG,
    figure,
    percent_axis,
)
from augflow.report.evidence import Evidence, series
from augflow.report.statistics import GAIN, HELPS, HURTS, UNKNOWN, WORSE
from augflow.report.table import Row, Table, format_value
from augflow.study.params import ArmParams
from augflow.study.results import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES = (
    ("real", "real photos", REAL),
    ("flat", "flat paint", FLAT),
    ("wrong", "photo of another layout", WRONG),
)
_HURT = "#b23b4a"
_LOOKS = {HELPS: ("^", REAL), UNKNOWN: ("o", MUTED), HURTS: ("v", _HURT)}
_READ = {GAIN: HELPS, WORSE: HURTS}
_JOINED = 3
"""No more arms than these, of those that join both, are drawn per fraction."""

_WIDTH, _ARM, _CLASS, _EDGES = 4.2, 0.46, 0.25, 0.85
"""In inches: the figure of effects, so narrow that a phone shows it whole; a row of each kind;
the rest."""


def temperature(tables: Mapping[str, Table], path: Path) -> None:
    """Scores of the judge over temperature, a line per system, between ceiling and floors."""
    makers = list(dict.fromkeys(r.text("generator") for r in tables["temperature"].rows))
    legend_rows = -(-(len(makers) + len(_LINES)) // 4)
    with figure(path, 7.2, 5.4 + 0.2 * legend_rows) as drawn:
        grid = drawn.add_gridspec(2, 2, height_ratios=(1.5, 1))
        panels = {
            "class_iou": drawn.add_subplot(grid[0, :]),
            "class_accuracy": drawn.add_subplot(grid[1, 0]),
            "pixel_accuracy": drawn.add_subplot(grid[1, 1]),
        }
        for measure, axes in panels.items():
            _reference_lines(tables, measure, axes.axhline)
            for index, maker in reversed(list(enumerate(makers))):
                _temperature_line(tables, measure, axes, maker, index)
            axes.set_title(measure.replace("_", " ").replace("iou", "IoU"))
            axes.set_xlabel("temperature")
            axes.margins(y=0.1)
            percent_axis(axes, "y", "")
        handles, labels = panels["class_iou"].get_legend_handles_labels()
        split = len(_LINES)
        drawn.legend(
            [*handles[:split], *handles[: split - 1 : -1]],
            [*labels[:split], *labels[: split - 1 : -1]],
            loc="outside upper center",
            ncols=4,
        )


def _reference_lines(tables: Mapping[str, Table], measure: str, draw: Callable[..., Any]) -> None:
    """Draws ceiling and floors by `axhline` or `axvline` of some axes."""
    for key, label, colour in _LINES:
        level = tables["references"].row(key).number(measure)
        draw(level, color=colour, linewidth=1.4, linestyle=(0, (5, 2)), label=label)


def _temperature_line(
    tables: Mapping[str, Table], measure: str, axes: Axes, maker: str, index: int
) -> None:
    """Mean and spread of one system; the main system, the first, is drawn over the others."""
    rows = sorted(
        (row for row in tables["temperature"].rows if row.cells["generator"] == maker),
        key=lambda row: row.number("temperature"),
    )
    x, y, spread = (
        np.array([row.number(column) for row in rows])
        for column in ("temperature", f"{measure}.mean", f"{measure}.std")
    )
    style, main = _style(index), index == 0
    style |= {"markersize": 4, "linewidth": 2.2} if main else {"markersize": 3, "linewidth": 1.2}
    axes.errorbar(x, y, spread, capsize=2, elinewidth=0.8, label=maker, **style)
    if main and measure == "class_iou":
        top = int(np.argmax(y))
        above: dict[str, Any] = {"xytext": (0, 9), "ha": "center", "textcoords": "offset points"}
        bold = {"fontweight": "bold", "color": style["color"]}
        axes.annotate(f"{100 * y[top]:.1f} %", (x[top], y[top]), **above, **bold)


def _style(index: int) -> dict[str, Any]:
    """How a system is drawn, by its place in the sweep."""
    return {
        "color": SERIES[index % len(SERIES)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": "-" if index < len(SERIES) else "--",
    }


def _beside(axes: Axes, text: str, place: float, x: float = 1.01, **style: Any) -> None:
    """Writes text at the right of a row, or at another fraction of the width."""
    axes.annotate(text, (x, place), va="center", xycoords=("axes fraction", "data"), **style)


def _label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Rows from below upwards, each with its label."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.06)


def systems(tables: Mapping[str, Table], path: Path) -> None:
    """Class IoU of each system at its best temperature, between floors and ceiling."""
    made = [row for row in tables["systems"].rows if row.cells["generator"] is not None]
    places = {row.key: index for index, row in enumerate(made)}
    rows = sorted(made, key=lambda row: row.number("class_iou.mean"))
    with figure(path, 7.2, 1.3 + 0.34 * len(rows)) as drawn:
        axes = drawn.add_subplot()
        _reference_lines(tables, "class_iou", axes.axvline)
        for place, row in enumerate(rows):
            mean, std = (row.number(f"class_iou.{part}") for part in ("mean", "std"))
            style = _style(places[row.key]) | {"markersize": 6, "capsize": 3, "elinewidth": 1.4}
            axes.errorbar(mean, place, xerr=std if np.isfinite(std) else None, **style)
            text = f"{100 * mean:.1f} % at T = {row.number('temperature'):g}"
            _beside(axes, text, place, color=INK)
        _label_rows(axes, [row.key for row in rows])
        percent_axis(axes, "x", "mean class IoU of the judge")
        drawn.legend(loc="outside upper center", ncols=3)


def classes(tables: Mapping[str, Table], path: Path) -> None:
    """The judge's IoU of each class: real photos, best temperature, floors."""
    rows = tables["judge_per_class"].rows[::-1]
    with figure(path, 7.2, 1.1 + 0.3 * len(rows)) as drawn:
        axes = drawn.add_subplot()
        places = np.arange(len(rows))
        groups = [
            ("flat", "flat paint", FLAT, "|"),
            ("wrong", "photo of another layout", WRONG, "|"),
            ("best", "main system, best temperature", ACCENT, "o"),
            ("real", "real photos", REAL, "o"),
        ]
        for key, label, colour, marker in groups:
            if f"{key}.iou" in rows[0].cells:
                values = [row.number(f"{key}.iou") for row in rows]
                style: dict[str, Any] = {
                    "s": 46,
                    "color": colour,
                    "marker": marker,
                    "label": label,
                    "zorder": 3,
                }
                axes.scatter(values, places, linewidths=2 if marker == "|" else 0, **style)
        for place, row in zip(places, rows, strict=True):
            ends = [row.number(f"{key}.iou") for key in ("best", "real")]
            axes.plot(ends, [place, place], color=MUTED, linewidth=1.2, alpha=0.5)
        axes.set_yticks(places, [row.text("class") for row in rows])
        axes.grid(axis="y", visible=False)
        axes.set_xlim(left=-0.02)
        percent_axis(axes, "x", "IoU of the class")
        drawn.legend(loc="outside upper center", ncols=2)


def arms(tables: Mapping[str, Table], path: Path) -> None:
    """Class IoU on real validation photos: a point per training, mean and spread per arm."""
    rows = tables["arms"].rows[::-1]
    with figure(path, 7.2, 1.0 + 0.52 * len(rows)) as drawn:
        axes = drawn.add_subplot()
        for place, row in enumerate(rows):
            colour = SERIES[(len(rows) - 1 - place) % len(SERIES)]
            mean, std = (row.number(f"class_iou.{part}") for part in ("mean", "std"))
            values = [
                run.number("class_iou")
                for run in tables["runs"].rows
                if run.cells["arm"] == row.cells["arm"]
            ]
            offsets = np.linspace(-0.14, 0.14, len(values)) if len(values) > 1 else np.zeros(1)
            if np.isfinite(std):
                axes.barh(place, 2 * std, left=mean - std, height=0.56, color=colour, alpha=0.16)
            axes.plot([mean, mean], [place - 0.28, place + 0.28], color=colour, linewidth=2.4)
            axes.scatter(values, place + offsets, s=26, color=colour, edgecolors="white", zorder=3)
            _beside(axes, f"{100 * mean:.1f} %", place, color=INK, fontweight="bold")
        axes.use_sticky_edges = False
        _label_rows(axes, [row.text("arm") for row in rows])
        percent_axis(axes, "x", "mean class IoU on real validation photos")


def learning(evidence: Evidence, path: Path) -> None:
    """Loss in training, and bits per dimension on held-out scenes, of generators with such bits."""
    bitwise = [name for name, trained in evidence.generators.items() if trained.has("val_bpd")]
    with figure(path, 7.2, 3.2 + 0.2 * (len(bitwise) // 3)) as drawn:
        panels = drawn.subplots(1, 2)
        for index, name in enumerate(bitwise):
            trained, where = evidence.generators[name], f"evidence/generators/{name}.csv"
            style = _style(index) | {"markersize": 3, "linewidth": 1.4}
            loss = series(trained.history, "loss", where)
            _plot_running_mean(panels[0], *loss, style["color"], None, faint=len(bitwise) <= 4)
            steps, bits = series(trained.history, "val_bpd", where)
            panels[1].plot(steps, bits, label=f"{name} {bits[-1]:.2f}", **style)
        _frame_curves(panels[0], "training loss")
        _frame_curves(panels[1], "held-out bits per dimension")
        handles, labels = panels[1].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper center", ncols=3)


def segmenters(histories: Mapping[str, History], path: Path) -> None:
    """The segmenters' training loss, one colour per arm."""
    groups = list(dict.fromkeys(name.rsplit("-", 1)[0] for name in histories))
    with figure(path, 7.2, 3.2) as drawn:
        axes = drawn.add_subplot()
        for name, history in histories.items():
            group = name.rsplit("-", 1)[0]
            colour = INK if name == "judge" else SERIES[(groups.index(group) - 1) % len(SERIES)]
            label = group if group not in axes.get_legend_handles_labels()[1] else None
            points = series(history, "loss", f"evidence/segmenters/{name}.csv")
            _plot_running_mean(axes, *points, colour, label, faint=False)
        _frame_curves(axes, "training loss of the segmenters")
        drawn.legend(loc="outside upper center", ncols=5)


def _plot_running_mean(
    axes: Axes,
    steps: Sequence[float],
    values: Sequence[float],
    colour: str,
    label: str | None,
    faint: bool = True,
) -> None:
    """A running mean over a fiftieth of the points, over the faint points themselves."""
    if not values:
        return
    width = max(1, len(values) // 50)
    kept = np.convolve(values, np.ones(width) / width, mode="valid")
    if faint:
        axes.plot(steps, values, color=colour, alpha=0.2, linewidth=0.8)
    axes.plot(steps[width - 1 :], kept, color=colour, linewidth=1.5, label=label)


def _frame_curves(axes: Axes, title: str) -> None:
    """Title, and a frame that the first wild steps do not stretch."""
    lines = [np.asarray(line.get_ydata(), float) for line in axes.lines]
    calm = np.concatenate([line[len(line) // 20 :] for line in lines]) if lines else np.zeros(0)
    if calm.size:
        low, high = float(calm.min()), float(np.quantile(calm, 0.99))
        room = 0.08 * (high - low) or 0.1
        axes.set_ylim(low - room, high + room)
    axes.set_title(title)
    axes.set_xlabel("step")


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
        for row in _drawn_rows(arms, [r for r in table.rows if r.cells["fraction"] == fraction])
    ]
    several = len({row.cells["fraction"] for row in overall}) > 1
    blocks = [
        [r for r in answer.classes(tables) if r.cells["difference"] is not None] for answer in found
    ]
    heights = [_ARM * len(overall), *(_CLASS * len(block) for block in blocks)]
    with figure(path, _WIDTH, 0.3 + sum(heights) + _EDGES * len(heights)) as drawn:
        panels = drawn.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        _overall(panels[0], overall, several)
        for axes, answer, block in zip(panels[1:], found, blocks, strict=True):
            _by_class(axes, answer.row, block, several)
        narrow: dict[str, Any] = {"handletextpad": 0.2, "columnspacing": 1.2}
        drawn.legend(handles=_legend(), loc="outside upper center", ncols=3, **narrow)


def _drawn_rows(arms: Mapping[str, ArmParams], rows: Sequence[Row]) -> list[Row]:
    """The comparisons of a fraction that are drawn: of many joined arms the three best."""
    found = [row for row in alike(arms, rows) if "real" in arms[row.text("arm")].train_on]
    joined = [row for row in found if arms[row.text("arm")].is_mixed]
    if len(joined) <= _JOINED:
        return found
    best = sorted(joined, key=lambda row: -row.number("difference", 0.0))[:_JOINED]
    return [row for row in found if row in best or row not in joined]


def _overall(axes: Axes, rows: Sequence[Row], several: bool) -> None:
    """Mean class IoU: the two arms stand over their interval, its numbers at the right."""
    for place, row in enumerate(rows):
        word = _READ.get(row.text("outcome"), UNKNOWN)
        _interval(axes, row, place + 0.18, word)
        white: dict[str, Any] = {"bbox": {"color": "white", "pad": 1}}
        _beside(
            axes, _pair_label(row, several), place - 0.2, 0.02, color=INK, fontsize=8.5, **white
        )
        color = _LOOKS[word][1]
        _beside(axes, _short(row), place + 0.18, 1.02, color=color, fontweight="bold")
    axes.set_yticks([])
    _frame_intervals(axes, len(rows), "Mean class IoU")


def _by_class(axes: Axes, pair: Row, rows: Sequence[Row], several: bool) -> None:
    for place, row in enumerate(rows):
        word = row.text("outcome")
        _interval(axes, row, place, word)
        _beside(axes, _short(row), place, 1.02, color=_LOOKS[word][1])
    axes.set_yticks(range(len(rows)), [row.text("class") for row in rows])
    _frame_intervals(axes, len(rows), f"Class by class\n{_pair_label(pair, several)}")


def _pair_label(row: Row, several: bool) -> str:
    """The two arms, and their share of the training scenes where there are several."""
    share = f", {format_value(row.cells['fraction'], 'fraction')}" if several else ""
    return f"{row.cells['arm']} against {row.cells['against']}{share}"


def _interval(axes: Axes, row: Row, place: float, word: str) -> None:
    value, low, high = (100 * row.number(key) for key in ("difference", "low", "high"))
    marker, colour = _LOOKS[word]
    axes.plot([low, high], [place, place], color=colour, linewidth=2)
    axes.plot([value], [place], color=colour, marker=marker, markersize=6)


def _frame_intervals(axes: Axes, rows: int, title: str) -> None:
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_ylim(rows - 0.5, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.06)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("difference in points", fontsize=8.5)


def _legend() -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=colour, marker=marker, markersize=6, linewidth=2, label=word)
        for word, (marker, colour) in _LOOKS.items()
    ]


def _short(row: Row) -> str:
    """The difference with one decimal; a dash where there is none."""
    value = round(100 * row.number("difference"), 1)
    return "–" if math.isnan(value) else f"{value:+.1f}".replace("-", "−") if value else "0.0"
