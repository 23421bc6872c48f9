"""Buses as small solid models: a long hull, rows of windows, a lit destination."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augflow.core import seeding
from streetscenes.canvas import Canvas
from streetscenes.solids import Solid
from streetscenes.vehicles import draw_solid, shine
from streetscenes.view import Colour, World

BUS = 28

PAINTS: tuple[tuple[Colour, Colour], ...] = (
    ((206, 34, 36), (236, 234, 230)),
    ((240, 196, 30), (60, 60, 64)),
    ((36, 84, 170), (230, 232, 236)),
    ((238, 238, 234), (40, 130, 80)),
    ((236, 120, 36), (240, 236, 226)),
    ((52, 140, 90), (238, 238, 230)),
)

_RUBBER: Colour = (26, 26, 28)

_RIM: Colour = (168, 170, 174)


@dataclass(frozen=True)
class Bus:
    """A bus at (u, z), its middle; paint of the body and of its stripe."""

    u: float
    z: float
    heading: float
    length: float
    paint: tuple[Colour, Colour]
    decks: int
    seed: int

    @property
    def extent(self) -> tuple[float, float, float]:
        """Length, width and height."""
        return self.length, 2.5, 3.05 if self.decks == 1 else 4.2


def draw_bus(canvas: Canvas, world: World, bus: Bus) -> None:
    """Draws a bus: a long box with a row of windows, a lit destination, and wheels."""
    rng = seeding.generator(bus.seed, "bus")
    length, width, height = bus.extent
    on = world.light.lamps
    model = Solid()
    paint, stripe = bus.paint
    for side in (-1, 1):
        for z in (-0.28 * length, 0.3 * length):
            model.disc((side * width * 0.42, 0.48, z), 0.48, _RUBBER, (side, 0, 0))
    _hull(model, (width, height, length), paint)
    for side in (-1, 1):
        _bus_side(model, side, (width, height, length), stripe, on, bus.decks)
        for z in (-0.28 * length, 0.3 * length):
            model.disc((side * (width / 2 + 0.01), 0.5, z), 0.56, (20, 20, 22), (side, 0, 0))
            model.disc((side * (width / 2 + 0.015), 0.48, z), 0.48, _RUBBER, (side, 0, 0))
            model.disc((side * (width / 2 + 0.02), 0.48, z), 0.25, _RIM, (side, 0, 0))
    _bus_end(model, -1, (width, height, length), stripe, on, rng, bus.decks)
    _bus_end(model, 1, (width, height, length), stripe, on, rng, bus.decks)
    canvas.begin(BUS, bus.z, is_thing=True)
    draw_solid(canvas, world, bus, model)
    canvas.finish(relief=0.12, toward=(-0.3, -1.0))
    if on:
        shine(canvas, world, bus, (0.9, 0.8), length / 2)


def _hull(model: Solid, size: tuple[float, float, float], paint: Colour) -> None:
    """A box on wheels with bevelled upper edges."""
    width, height, length = size
    half, long, low, eave = width / 2, length / 2, 0.32, height - 0.22
    roof = half - 0.16
    for side in (-1, 1):
        x, top, beside = side * half, side * roof, (side, 0, 0)
        wall = [(x, low, -long), (x, low, long), (x, eave, long), (x, eave, -long)]
        bevel = [(x, eave, -long), (x, eave, long), (top, height, long), (top, height, -long)]
        model.add(wall, paint, beside, 0.06)
        model.add(bevel, paint, (side, 0.7, 0), 0.2)
    across = ((-roof, -long), (roof, -long), (roof, long), (-roof, long))
    model.add([(x, height, z) for x, z in across], paint, (0, 1, 0), 0.3)
    outline = ((-half, low), (half, low), (half, eave), (roof, height), (-roof, height))
    for out in (-1, 1):
        z = out * long
        model.add([*((x, y, z) for x, y in outline), (-half, eave, z)], paint, (0, 0, out), 0.06)


def _bus_side(
    model: Solid, side: int, size: tuple[float, float, float], stripe: Colour, on: bool, decks: int
) -> None:
    width, _, length = size
    x, out = side * (width / 2 + 0.005), (side, 0.0, 0.0)

    def band(z0: float, z1: float, y0: float, y1: float, colour: Colour, shine: float = 0) -> None:
        quad = [(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)]
        model.add(quad, colour, out, 0.12, shine)

    band(-length / 2, length / 2, 0.95, 1.15, stripe)
    band(-length / 2, length / 2, 0.3, 0.42, (40, 40, 42))
    panes = int(length / 1.6)
    tops = [1.35] if decks == 1 else [1.35, 2.75]
    for y in tops:
        for pane in range(panes):
            z = -length / 2 + 0.25 + pane * (length - 0.5) / panes
            tone = (250, 232, 180) if on else (52, 62, 70)
            band(z, z + (length - 0.5) / panes * 0.9, y, y + 0.95, tone, 0.8 * on)
    for z in (0.36, -0.08):
        if side > 0:
            band(z * length, z * length + 1.1, 0.42, 2.4, (64, 74, 80), 0)


def _bus_end(
    model: Solid,
    out: int,
    size: tuple[float, float, float],
    stripe: Colour,
    on: bool,
    rng: np.random.Generator,
    decks: int,
) -> None:
    width, height, length = size
    z, half = out * (length / 2 + 0.01), width / 2
    model.panel(z, (-half, half), (0.32, 0.5), (40, 40, 43), out)
    model.panel(z, (-half, half), (0.95, 1.15), stripe, out)
    low = 1.25 if out > 0 else 1.5
    for y in (low,) if decks == 1 else (low, 2.8):
        top = min(y + (1.25 if out > 0 else 0.95), height - 0.2)
        glass = (46, 54, 62)
        model.panel(z + out * 0.01, (-half * 0.9, half * 0.9), (y, top), glass, out)
        band = (y + (top - y) * 0.55, top - 0.05)
        model.panel(z + out * 0.012, (-half * 0.86, half * 0.86), band, (92, 104, 114), out)
    sign = (255, 170, 40) if on or rng.random() < 0.6 else (230, 230, 210)
    model.panel(z + out * 0.02, (-0.75, 0.75), (height - 0.36, height - 0.14), (18, 18, 20), out)
    for x in np.linspace(-0.62, 0.5, 7):
        if rng.random() < 0.8:
            model.panel(
                z + out * 0.03, (x, x + 0.11), (height - 0.32, height - 0.18), sign, out, 0.8
            )
    lamp = (255, 248, 220) if out > 0 else ((255, 40, 30) if on else (176, 22, 24))
    for side in (-1, 1):
        high = 0.24 if out > 0 else 0.5
        span = (side * half * 0.94, side * half * 0.72)
        model.panel(z + out * 0.02, span, (0.56, 0.56 + high), lamp, out, 0.9 * on)
    model.panel(z + out * 0.02, (-0.28, 0.28), (0.54, 0.66), (232, 232, 226), out)
