"""Figures made of numbers: systems, temperature, classes, arms, learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

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
)  # fmt: skip
from augflow.report.evidence import Evidence, History, series
from augflow.report.table import Cell, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINES = (("real", "real photos", REAL), ("flat", "flat paint", FLAT),
          ("wrong", "photo of another layout", WRONG))  # fmt: skip


def temperature(tables: Mapping[str, Table], path: Path) -> None:
    """Scores of the judge over temperature, a line per system, between ceiling and floors."""
    makers = list(dict.fromkeys(str(r.cells["generator"]) for r in tables["temperature"].rows))
    legend_rows = -(-(len(makers) + len(_LINES)) // 4)
    with figure(path, 7.2, 5.4 + 0.2 * legend_rows) as drawn:
        grid = drawn.add_gridspec(2, 2, height_ratios=(1.5, 1))
        panels = {
            "class_iou": drawn.add_subplot(grid[0, :]),
            "class_accuracy": drawn.add_subplot(grid[1, 0]),
            "pixel_accuracy": drawn.add_subplot(grid[1, 1]),
        }
        for measure, axes in panels.items():
            _levels(tables, measure, axes)
            for index, maker in reversed(list(enumerate(makers))):
                _temperature_line(tables, measure, axes, maker, index)
            axes.set_title(measure.replace("_", " ").replace("iou", "IoU"))
            axes.set_xlabel("temperature")
            axes.margins(y=0.1)
            percent_axis(axes, "y", "")
        handles, labels = panels["class_iou"].get_legend_handles_labels()
        split = len(_LINES)
        drawn.legend(
            [*handles[:split], *handles[:split - 1:-1]], [*labels[:split], *labels[:split - 1:-1]],
            loc="outside upper center", ncols=4,
        )  # fmt: skip


def _levels(tables: Mapping[str, Table], measure: str, axes: Axes) -> None:
    for key, label, colour in _LINES:
        level = _number(tables["references"].row(key).cells[measure])
        axes.axhline(level, color=colour, linewidth=1.4, linestyle=(0, (5, 2)), label=label)


def _temperature_line(
    tables: Mapping[str, Table], measure: str, axes: Axes, maker: str, index: int
) -> None:
    """Mean and spread of one system; the main system, the first, is drawn over the others."""
    rows = sorted(
        (row for row in tables["temperature"].rows if row.cells["generator"] == maker),
        key=lambda row: _number(row.cells["temperature"]),
    )
    x, y, spread = (
        np.array([_number(row.cells[column]) for row in rows])
        for column in ("temperature", f"{measure}.mean", f"{measure}.std")
    )
    colour, marker = _look(index)
    main = index == 0
    axes.errorbar(x, y, spread, color=colour, marker=marker, markersize=4 if main else 3,
                  capsize=2, elinewidth=0.8, linewidth=2.2 if main else 1.2,
                  linestyle="-" if index < len(SERIES) else "--", label=maker)  # fmt: skip
    if main and measure == "class_iou":
        top = int(np.argmax(y))
        axes.annotate(f"{100 * y[top]:.1f} %", (x[top], y[top]), xytext=(0, 9), ha="center",
                      textcoords="offset points", fontweight="bold", color=colour)  # fmt: skip


def _look(index: int) -> tuple[str, str]:
    """The colour and marker of a system by its place in the sweep."""
    return SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]


def systems(tables: Mapping[str, Table], path: Path) -> None:
    """Class IoU of each system at its best temperature, between floors and ceiling."""
    made = [row for row in tables["systems"].rows if row.cells["generator"] is not None]
    places = {row.key: index for index, row in enumerate(made)}
    rows = sorted(made, key=lambda row: _number(row.cells["class_iou.mean"]))
    with figure(path, 7.2, 1.3 + 0.34 * len(rows)) as drawn:
        axes = drawn.add_subplot()
        for key, label, colour in _LINES:
            level = _number(tables["references"].row(key).cells["class_iou"])
            axes.axvline(level, color=colour, linewidth=1.4, linestyle=(0, (5, 2)), label=label)
        for place, row in enumerate(rows):
            mean, std = (_number(row.cells[f"class_iou.{part}"]) for part in ("mean", "std"))
            colour, marker = _look(places[row.key])
            axes.errorbar(mean, place, xerr=std if np.isfinite(std) else None, color=colour,
                          marker=marker, markersize=6, capsize=3, elinewidth=1.4)  # fmt: skip
            degree = _number(row.cells["temperature"])
            axes.annotate(f"{100 * mean:.1f} % at T = {degree:g}", (1.01, place), va="center",
                          color=INK, xycoords=("axes fraction", "data"))  # fmt: skip
        axes.set_yticks(range(len(rows)), [row.key for row in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.06)
        percent_axis(axes, "x", "mean class IoU of the judge")
        drawn.legend(loc="outside upper center", ncols=3)


def classes(tables: Mapping[str, Table], path: Path) -> None:
    """The judge's IoU of each class: real photos, best temperature, floors."""
    rows = tables["judge_per_class"].rows[::-1]
    with figure(path, 7.2, 1.1 + 0.3 * len(rows)) as drawn:
        axes = drawn.add_subplot()
        places = np.arange(len(rows))
        groups = [("flat", "flat paint", FLAT, "|"),
                  ("wrong", "photo of another layout", WRONG, "|"),
                  ("best", "main system, best temperature", ACCENT, "o"),
                  ("real", "real photos", REAL, "o")]  # fmt: skip
        for key, label, colour, marker in groups:
            if f"{key}.iou" in rows[0].cells:
                values = [_number(row.cells[f"{key}.iou"]) for row in rows]
                axes.scatter(values, places, s=46, color=colour, marker=marker, label=label,
                             linewidths=2 if marker == "|" else 0, zorder=3)  # fmt: skip
        for place, row in zip(places, rows, strict=True):
            ends = [_number(row.cells.get(f"{key}.iou")) for key in ("best", "real")]
            axes.plot(ends, [place, place], color=MUTED, linewidth=1.2, alpha=0.5)
        axes.set_yticks(places, [str(row.cells["class"]) for row in rows])
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
            mean, std = (_number(row.cells[f"class_iou.{part}"]) for part in ("mean", "std"))
            values = [_number(run.cells["class_iou"]) for run in tables["runs"].rows
                      if run.cells["arm"] == row.cells["arm"]]  # fmt: skip
            offsets = np.linspace(-0.14, 0.14, len(values)) if len(values) > 1 else np.zeros(1)
            if np.isfinite(std):
                axes.barh(place, 2 * std, left=mean - std, height=0.56, color=colour, alpha=0.16)
            axes.plot([mean, mean], [place - 0.28, place + 0.28], color=colour, linewidth=2.4)
            axes.scatter(values, place + offsets, s=26, color=colour, edgecolors="white", zorder=3)
            axes.annotate(f"{100 * mean:.1f} %", (1.01, place), va="center", color=INK,
                          xycoords=("axes fraction", "data"), fontweight="bold")  # fmt: skip
        axes.set_yticks(range(len(rows)), [str(row.cells["arm"]) for row in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.grid(axis="y", visible=False)
        axes.use_sticky_edges = False
        axes.margins(x=0.06)
        percent_axis(axes, "x", "mean class IoU on real validation photos")


def learning(evidence: Evidence, path: Path) -> None:
    """Loss in training, and bits per dimension on held-out scenes, of generators with such bits."""
    bitwise = [name for name, trained in evidence.generators.items() if trained.has("val_bpd")]
    with figure(path, 7.2, 3.2 + 0.2 * (len(bitwise) // 3)) as drawn:
        panels = drawn.subplots(1, 2)
        for index, name in enumerate(bitwise):
            trained, where = evidence.generators[name], f"evidence/generators/{name}.csv"
            colour, marker = _look(index)
            faint = len(bitwise) <= 4
            _smoothed(panels[0], *series(trained.history, "loss", where), colour, None, faint)
            steps, bits = series(trained.history, "val_bpd", where)
            panels[1].plot(steps, bits, color=colour, marker=marker, markersize=3, linewidth=1.4,
                           linestyle="-" if index < len(SERIES) else "--",
                           label=f"{name} {bits[-1]:.2f}")  # fmt: skip
        _framed(panels[0], "training loss")
        _framed(panels[1], "held-out bits per dimension")
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
            _smoothed(axes, *points, colour, label, faint=False)
        _framed(axes, "training loss of the segmenters")
        drawn.legend(loc="outside upper center", ncols=5)


def _smoothed(
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


def _framed(axes: Axes, title: str) -> None:
    """Title, and a frame that the first wild steps do not stretch."""
    lines = [np.asarray(line.get_ydata(), float) for line in axes.lines]
    calm = np.concatenate([line[len(line) // 20 :] for line in lines]) if lines else np.zeros(0)
    if calm.size:
        low, high = float(calm.min()), float(np.quantile(calm, 0.99))
        room = 0.08 * (high - low) or 0.1
        axes.set_ylim(low - room, high + room)
    axes.set_title(title)
    axes.set_xlabel("step")


def _number(value: Cell) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
