"""Where houses, trees and hedges stand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streetscenes import facades, plants
from streetscenes.buildings import House
from streetscenes.chance import fresh_seed, picked, tinted
from streetscenes.plants import Hedge, Tree
from streetscenes.view import Colour, Light, Street

Park = tuple[int, float, float]
"""A stretch without houses: side, from z, to z."""

STYLES = {
    "old town": ("plaster", "plaster", "stone", "brick"),
    "residential": ("brick", "brick", "plaster", "panel"),
    "avenue": ("stone", "plaster", "brick", "glass"),
    "business": ("glass", "panel", "stone", "glass"),
}
_TILES: tuple[Colour, ...] = (
    (150, 74, 54), (176, 92, 62), (84, 82, 86), (66, 68, 76), (120, 92, 74),
)  # fmt: skip


def draw_parks(quarter: str, street: Street, rng: np.random.Generator) -> tuple[Park, ...]:
    """At most one stretch of green on each side."""
    share = {"old town": 0.1, "residential": 0.4, "avenue": 0.35, "business": 0.2}[quarter]
    parks = []
    for side in (-1, 1):
        if rng.random() < share:
            near = float(rng.choice([-4.0, rng.uniform(10, 30)]))
            parks.append((side, near, near + float(rng.uniform(18, 45))))
    return tuple(parks[:1] if street.end < 60 else parks)


def draw_houses(
    styles: tuple[str, ...],
    street: Street,
    light: Light,
    parks: tuple[Park, ...],
    rng: np.random.Generator,
) -> list[House]:
    """Rows along both sides and across the end, with gaps for the crossing and for parks.

    Args:
        styles: kinds of facades to draw from.
        street: the ground plan.
        light: decides how many windows are lit.
        parks: where no houses stand.
        rng: what is drawn from.
    """
    houses: list[House] = []
    for side in (-1, 1):
        row: list[House] = []
        for near, far in _plots(side, street, parks, rng):
            edge = side * (street.edge + float(rng.choice([0.0, 0.0, 0.35])))
            house = _house(styles, side, ((edge, near), (edge, far)), light, rng)
            if street.crossing is not None and abs(near - street.crossing[1] - street.pavement) < 1:
                house = replace(house, deep=34.0)
            row.append(_joined(house, row[-1]) if row and row[-1].far[1] == near else house)
        houses += row
    reach = 46.0 if parks else street.edge + 14.0
    across = -reach
    while across < reach:
        wide = float(rng.uniform(9, 18))
        ends = ((across, street.end + 10), (across + wide, street.end + 10))
        houses.append(_house(styles, 0, ends, light, rng))
        across += wide
    return houses


def _plots(
    side: int, street: Street, parks: tuple[Park, ...], rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Stretches, from z to z, for the houses of one side."""
    plots, z = [], float(rng.uniform(-9, -3))
    while z < street.end - 4:
        far = min(z + float(rng.uniform(8, 19)), street.end - 1.0)
        near, z = _clear_of_crossing(street, z, far)
        in_park = any(s == side and near < b and z > a for s, a, b in parks)
        if z - near >= 3.5 and not in_park:
            plots.append((near, z))
    return plots


def _clear_of_crossing(street: Street, near: float, far: float) -> tuple[float, float]:
    """Moves a stretch out of the crossing: it ends at its sidewalk or begins behind it."""
    if street.crossing is None:
        return near, far
    first, last = street.crossing[0] - street.pavement, street.crossing[1] + street.pavement
    if near < first < far:
        return near, first
    if first <= near < last:
        return last, max(last + 9.0, far)
    return near, far


def _joined(house: House, nearer: House) -> House:
    """A house in a row: of its end wall only a blank strip over the nearer house shows, if any."""
    hidden = nearer.front.height >= house.front.height and not house.pitch
    return replace(house, gable=None if hidden else replace(house.front, ground="blank"))


def _house(
    styles: tuple[str, ...],
    side: int,
    ends: tuple[tuple[float, float], tuple[float, float]],
    light: Light,
    rng: np.random.Generator,
) -> House:
    kind = styles[0] if rng.random() < 0.6 else picked(styles, rng)
    front = facades.draw(kind, rng, light)
    pitched = kind in ("plaster", "brick", "stone") and rng.random() < 0.75
    chimneys = rng.uniform(0.15, 0.85, int(rng.integers(0, 3)) if pitched else 0)
    return House(
        side=side,
        near=ends[0],
        far=ends[1],
        deep=11.0,
        front=front,
        gable=front,
        pitch=float(rng.uniform(2.2, 4.0)) if pitched else 0.0,
        tiles=picked(_TILES, rng),
        chimneys=tuple(float(share) for share in chimneys),
    )


def draw_greens(
    quarter: str,
    season: str,
    street: Street,
    parks: tuple[Park, ...],
    rng: np.random.Generator,
) -> list[Tree | Hedge]:
    """Street trees in rows, trees and hedges of parks, trees before the houses at the end."""
    greens: list[Tree | Hedge] = []
    leaves = plants.LEAVES[season]
    main = picked(leaves, rng)
    share = {"old town": 0.45, "residential": 0.75, "avenue": 0.95, "business": 0.65}[quarter]
    for side in (-1, 1):
        if rng.random() < share:
            greens += _tree_row(side, street, (main, leaves), rng)
    for park in parks:
        greens += _park(park, street, (main, leaves), rng)
    if rng.random() < 0.5:
        for _ in range(6):
            at = (float(rng.uniform(-16, 16)), street.end + 8.6)
            greens.append(_tree(at, (main, leaves), (5.0, 9.0), rng))
    return greens


_Leaves = tuple[Colour, tuple[Colour, ...]]


def _tree_row(
    side: int, street: Street, leaves: _Leaves, rng: np.random.Generator
) -> list[Tree | Hedge]:
    row: list[Tree | Hedge] = []
    gap, z = float(rng.uniform(7, 13)), float(rng.uniform(6, 14))
    while z < min(street.end, 95):
        u = side * (street.half + 0.8 + 0.2 * float(rng.random()))
        if rng.random() < 0.86 and not street.in_crossing(z, 3):
            row.append(_tree((u, z), leaves, (5.0, 8.5), rng))
        z += gap * float(rng.uniform(0.85, 1.2))
    return row


def _park(
    park: Park, street: Street, leaves: _Leaves, rng: np.random.Generator
) -> list[Tree | Hedge]:
    """Trees on the grass behind a hedge."""
    side, near, far = park
    greens: list[Tree | Hedge] = []
    for _ in range(int(rng.integers(7, 13))):
        z = float(rng.uniform(max(near, 6) + 1, max(far, 14)))
        u = side * (street.edge + float(rng.uniform(2.5, 13)))
        greens.append(_tree((u, z), leaves, (6.0, 11.0), rng))
    height, clipped = float(rng.uniform(0.8, 1.7)), bool(rng.random() < 0.65)
    green = picked(plants.LEAVES["summer"], rng)
    u = side * (street.edge + 0.3)
    greens.append(Hedge(u, near, far, height, green, clipped, fresh_seed(rng)))
    return greens


def _tree(
    at: tuple[float, float],
    leaves: _Leaves,
    heights: tuple[float, float],
    rng: np.random.Generator,
) -> Tree:
    main, others = leaves
    colour = main if rng.random() < 0.6 else picked(others, rng)
    height = float(rng.uniform(*heights))
    shape = str(rng.choice(["round", "tall", "cone"], p=[0.78, 0.14, 0.08]))
    if shape == "cone":
        colour = (44, 78, 56)
    crown = height * {"round": 0.27, "tall": 0.14, "cone": 0.22}[shape]
    crown *= float(rng.uniform(0.85, 1.2))
    return Tree(*at, height, crown, shape, tinted((colour,), rng), fresh_seed(rng))
