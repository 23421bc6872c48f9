"""Figures made of numbers: systems, temperature, classes, learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augflow.report import names
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
from augflow.report.table import Table
from augflow.study.params import Params
from augflow.study.results import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES = (
    ("real", "real photos", REAL),
    ("flat", "flat paint", FLAT),
    ("wrong", "photo of another layout", WRONG),
)


def temperature(params: Params, tables: Mapping[str, Table], path: Path) -> None:
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
                _temperature_line(params, tables, measure, axes, maker, index)
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
    params: Params, tables: Mapping[str, Table], measure: str, axes: Axes, maker: str, index: int
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
    words = names.generator(params, maker).words
    style |= {"markersize": 4, "linewidth": 2.2} if main else {"markersize": 3, "linewidth": 1.2}
    axes.errorbar(x, y, spread, capsize=2, elinewidth=0.8, label=words, **style)
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


def systems(params: Params, tables: Mapping[str, Table], path: Path) -> None:
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
        _label_rows(axes, [names.generator(params, row.key).words for row in rows])
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
            words = names.generator(evidence.params, name).words
            steps, bits = series(trained.history, "val_bpd", where)
            panels[1].plot(steps, bits, label=f"{words} {bits[-1]:.2f}", **style)
        _frame_curves(panels[0], "training loss")
        _frame_curves(panels[1], "held-out bits per dimension")
        handles, labels = panels[1].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper center", ncols=3)


def segmenters(params: Params, histories: Mapping[str, History], path: Path) -> None:
    """The segmenters' training loss, one colour per arm."""
    groups = list(dict.fromkeys(name.rsplit("-", 1)[0] for name in histories))
    with figure(path, 7.2, 3.2 + 0.1 * len(groups)) as drawn:
        axes = drawn.add_subplot()
        for name, history in histories.items():
            group = name.rsplit("-", 1)[0]
            colour = INK if name == "judge" else SERIES[(groups.index(group) - 1) % len(SERIES)]
            words = names.arm(params, group).words
            label = words if words not in axes.get_legend_handles_labels()[1] else None
            points = series(history, "loss", f"evidence/segmenters/{name}.csv")
            _plot_running_mean(axes, *points, colour, label, faint=False)
        _frame_curves(axes, "training loss of the segmenters")
        drawn.legend(loc="outside upper center", ncols=2)


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
