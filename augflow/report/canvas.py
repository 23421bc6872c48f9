"""What all figures share: colours, type, and pixels that are equal for equal input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augflow.core import io

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE = "#1f2933", "#66727f", "#e6e9ed"
ACCENT, REAL, FLAT, WRONG = "#2f6db5", "#2c8a5b", "#8a94a0", "#c08a2b"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SERIES = ("#2f6db5", "#d1682c", "#2c8a5b", "#a8456b", "#7559a6", "#8c7636", "#3b97a6", "#5c6670")

_DPI = 160
_QUALITY = 90
"""Of sheets of pictures that are larger than those of the study: nothing is measured on them."""

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": "#aab2bb",
    "axes.labelcolor": MUTED,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """Yields a figure of so many inches and writes it as a PNG without metadata."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with _house_style():
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)
        drawn = Figure(figsize=(width, height), dpi=_DPI, layout=layout)
        canvas = FigureCanvasAgg(drawn)
        yield drawn
        canvas.draw()
        io.write_png(path, np.asarray(canvas.buffer_rgba())[..., :3])


@contextmanager
def _house_style() -> Iterator[None]:
    """Our style over matplotlib's defaults, whatever the user's own settings are."""
    from matplotlib import rc_context, rcdefaults, rcParams

    with rc_context():
        rcdefaults()
        rcParams.update(_STYLE)
        yield


def percent_axis(axes: Axes, axis: str, title: str) -> None:
    """Labels an axis whose values are fractions in percent."""
    from matplotlib.ticker import PercentFormatter

    line = axes.yaxis if axis == "y" else axes.xaxis
    line.set_major_formatter(PercentFormatter(1.0, decimals=None, symbol=" %"))
    line.set_label_text(title)


def mosaic(path: Path, rows: Sequence[Sequence[np.ndarray]], headings: Sequence[str]) -> None:
    """Writes a WebP of pictures in rows under column headings, at their own aspect.

    Shapes:
        rows: pictures (H, W, 3) uint8, all of one size, as many per row as headings.
    """
    height, width = rows[0][0].shape[:2]
    count = len(headings)
    w = int(np.clip(1600 // count, 140, min(420, 3 * width)))
    h, gap = round(w * height / width), max(4, w // 40)
    total = count * w + (count - 1) * gap
    lines = [line for heading in headings for line in heading.splitlines()]
    type_size = max(13, min(total // 66, round(1.6 * w / max(map(len, lines)))))
    head = round((0.7 + 1.3 * max(len(heading.splitlines()) for heading in headings)) * type_size)
    sheet = np.full((head + len(rows) * (h + gap) - gap, total, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            top, left = head + r * (h + gap), c * (w + gap)
            sheet[top : top + h, left : left + w] = resize_picture(picture, (h, w))
    sheet[:head] = _headings(headings, (head, total), type_size)
    io.write_webp(path, sheet, _QUALITY)


def _headings(texts: Sequence[str], size: tuple[int, int], type_size: int) -> np.ndarray:
    """A strip of texts, each in the middle of its column."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _house_style():
        drawn = Figure(figsize=(size[1] / 100, size[0] / 100), dpi=100)
        canvas = FigureCanvasAgg(drawn)
        for column, text in enumerate(texts):
            style: dict[str, Any] = {"fontsize": type_size * 0.72, "color": INK}
            place = ((column + 0.5) / len(texts), 0.5)
            drawn.text(*place, text, ha="center", va="center", **style)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3]


def render_text(text: str, size: tuple[int, int]) -> np.ndarray:
    """A white picture (h, w) with lines of text in its middle, as large as they fit."""
    longest = max(map(len, text.splitlines()), default=1)
    return _headings([text], size, max(8, min(size[0] // 7, round(1.6 * size[1] / longest))))


def resize_picture(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture for the eye at another size: smooth, by area when it shrinks.

    Shapes:
        picture: (H, W, 3) uint8.
        size: (h, w).
        returns: (h, w, 3) uint8.
    """
    import cv2

    shrinks = size[0] < picture.shape[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(picture, (size[1], size[0]), interpolation=way)
