"""The ground floor as shops: display windows with goods, signs with letters, awnings."""

from __future__ import annotations

import numpy as np

from streetscenes.chance import picked
from streetscenes.panels import AWNINGS, clipped, fill
from streetscenes.solids import darker
from streetscenes.view import Colour


def draw_shops(
    wall: np.ndarray,
    awning: Colour,
    size: tuple[float, float, float],
    lit: bool,
    rng: np.random.Generator,
) -> None:
    """Draws a row of shops: display windows with goods, a sign above, sometimes an awning.

    Args:
        wall: the facade's texture, (h, w, 4) uint8; its lowest rows are drawn on.
        awning: the colour that most of the house's shops share.
        size: length of the front and height of a storey in metres, pixels per metre.
        lit: whether most shops have their lights on.
        rng: what is drawn from; the number of draws does not depend on the resolution.
    """
    length, storey, metre = size
    top = wall.shape[0] - round(min(storey, 3.3) * metre)
    count = max(1, round(length / rng.uniform(4.5, 7.0)))
    for shop in range(count):
        left, right = (round((shop + f) * length / count * metre) for f in (0.0, 1.0))
        other = picked(AWNINGS, rng)
        tone = awning if rng.random() < 0.4 else darker(other, 0.8)
        _shop(wall, (left, top, right), tone, (metre, lit and rng.random() < 0.75), rng)


def _shop(
    wall: np.ndarray,
    span: tuple[int, int, int],
    tone: Colour,
    look: tuple[float, bool],
    rng: np.random.Generator,
) -> None:
    """One shop between two columns, from a row down to the ground."""
    (left, top, right), (metre, lit) = span, look
    rows, gap, sign = wall.shape[0], max(1, round(0.25 * metre)), round(0.6 * metre)
    fill(wall, (left, top, right, rows), clipped(np.array(tone) * 0.5 + 24))
    glass = (left + gap, top + sign, right - gap, rows - round(0.45 * metre))
    _display(wall, glass, lit, metre, rng.random((12, 6)))
    fill(wall, (left + gap, top, right - gap, top + sign - 1), tone, 200 * lit)
    _lettering(wall, (left + gap, top, right - gap, top + sign), rng.random(24))
    door = left + gap + round(rng.uniform(0.1, 0.7) * max(1, right - left - 3 * gap))
    wide, inset = round(metre), max(1, round(0.12 * metre))
    fill(wall, (door, top + sign, door + wide, rows), (46, 44, 44))
    pane = (door + inset, top + sign + inset, door + wide - inset, rows - inset)
    fill(wall, pane, (240, 206, 140) if lit else (84, 92, 98), 200 * lit)
    if rng.random() < 0.5:
        _awning(wall, (left + gap // 2, top + sign, right - gap // 2), tone, metre)


def _display(
    wall: np.ndarray,
    box: tuple[int, int, int, int],
    shining: bool,
    metre: float,
    goods: np.ndarray,
) -> None:
    """A display window; `goods` holds six draws in [0, 1) for each thing on show."""
    left, top, right, bottom = box
    if right - left < 3 or bottom - top < 3:
        return
    fill(wall, box, (250, 226, 170) if shining else (66, 76, 84), 215 if shining else 0)
    count = int((right - left) / metre * 1.6)
    for x, wide, high, r, g, b in goods[:count]:
        tone = np.array([r, g, b]) * (170 if shining else 105) + 40
        start = left + x * max(1.0, right - left - (0.2 + 0.5 * wide) * metre)
        end = min(right, round(start + (0.2 + 0.5 * wide) * metre))
        stand = (round(start), round(bottom - (0.3 + high) * metre), end, bottom)
        fill(wall, stand, clipped(tone), 180 if shining else 0)
    bar = max(0, round(0.06 * metre) - 1)
    for x in np.linspace(left, right, 2 + int((right - left) / metre / 1.8)):
        fill(wall, (round(x), top, round(x) + bar, bottom), (60, 58, 56))


def _lettering(wall: np.ndarray, box: tuple[int, int, int, int], draws: np.ndarray) -> None:
    """Strokes that read as a shop's name, too small to be drawn from afar."""
    left, top, right, bottom = box
    high = (bottom - top) * 0.5
    if high < 3:
        return
    x = left + (right - left) * (0.1 + 0.2 * draws[0])
    y = top + 0.5 * high
    for draw in draws[1:]:
        wide = high * (0.3 + 0.3 * draw)
        if x + wide > right - (right - left) * 0.12:
            return
        fill(wall, (round(x), round(y), round(x + wide * 0.55), round(y + high)), _PALE, 120)
        x += wide + high * (0.25 if draw < 0.85 else 0.7)


_PALE = (244, 240, 226)


def _awning(wall: np.ndarray, span: tuple[int, int, int], tone: Colour, metre: float) -> None:
    left, top, right = span
    deep = round(0.75 * metre)
    stripe = max(2, round(0.4 * metre))
    for index, x in enumerate(range(left, right, stripe)):
        shade = np.array(tone) if index % 2 else np.array([236.0, 232, 224])
        fill(wall, (x, top, min(x + stripe - 1, right), top + deep), clipped(shade), 0)
    shadow = wall[top + deep + 1 : top + 2 * deep, left:right, :3]
    shadow[:] = (shadow * 0.6).astype(np.uint8)
