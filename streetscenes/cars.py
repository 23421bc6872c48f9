"""Cars as small solid models: lofted bodies, glass, wheels, lights, plates."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from augflow.core import seeding
from streetscenes.canvas import Canvas
from streetscenes.solids import Solid, darker, mixed
from streetscenes.vehicles import draw_solid, shine
from streetscenes.view import Colour, World

CAR = 26

PAINTS: tuple[Colour, ...] = (
    (196, 28, 32),
    (150, 18, 30),
    (32, 70, 160),
    (60, 120, 200),
    (22, 34, 74),
    (238, 238, 236),
    (226, 226, 222),
    (28, 28, 32),
    (44, 46, 50),
    (236, 190, 28),
    (186, 190, 196),
    (150, 154, 160),
    (40, 92, 60),
    (226, 104, 30),
    (120, 84, 58),
    (96, 190, 200),
)

_RUBBER: Colour = (26, 26, 28)

_RIM: Colour = (168, 170, 174)


@dataclass(frozen=True)
class Shape:
    """Proportions of a car in metres.

    `belt`, `tail` and `bonnet` are the heights of the windows' lower edge and of the two ends.
    Stations along it are shares of its length from the middle: `cabin` is where the rear window
    begins below and above, then where the windscreen ends above and below. A `blind` car has
    windows in front only.
    """

    length: float
    width: float
    height: float
    belt: float
    clearance: float
    tail: float
    bonnet: float
    cabin: tuple[float, float, float, float]
    axles: tuple[float, float]
    wheel: float
    blind: bool = False


# fmt: off
SHAPES = {
    # length, width, height, belt, clearance, tail, bonnet, cabin, axles, wheel
    "hatchback": Shape(3.95, 1.74, 1.48, 0.92, 0.22, 0.92, 0.84,
                       (-0.48, -0.36, 0.08, 0.29), (-0.31, 0.32), 0.31),
    "saloon": Shape(4.60, 1.80, 1.44, 0.90, 0.20, 0.94, 0.82,
                    (-0.37, -0.20, 0.07, 0.25), (-0.29, 0.31), 0.32),
    "estate": Shape(4.65, 1.80, 1.50, 0.92, 0.21, 0.92, 0.84,
                    (-0.49, -0.43, 0.07, 0.25), (-0.29, 0.31), 0.32),
    "suv": Shape(4.50, 1.88, 1.72, 1.06, 0.30, 1.04, 1.00,
                 (-0.48, -0.41, 0.10, 0.27), (-0.29, 0.31), 0.37),
    "van": Shape(4.90, 1.94, 2.02, 1.14, 0.26, 1.14, 1.04,
                 (-0.495, -0.485, 0.22, 0.41), (-0.29, 0.34), 0.34, blind=True),
    "micro": Shape(3.30, 1.64, 1.52, 0.92, 0.22, 0.92, 0.86,
                   (-0.48, -0.38, 0.14, 0.38), (-0.33, 0.35), 0.29),
}
# fmt: on


@dataclass(frozen=True)
class Car:
    """A car at (u, z), its middle; `heading` in radians, 0 is the way the camera looks."""

    u: float
    z: float
    heading: float
    body: str
    paint: Colour
    braking: bool
    taxi: bool
    parked: bool
    seed: int

    @property
    def extent(self) -> tuple[float, float, float]:
        """Length, width and height."""
        shape = SHAPES[self.body]
        return shape.length, shape.width, shape.height


def draw_car(canvas: Canvas, world: World, car: Car) -> None:
    """Draws a car."""
    shape = SHAPES[car.body]
    rng = seeding.generator(car.seed, "car")
    on = world.light.lamps and not car.parked
    model = Solid()
    _tyres(model, shape)
    _body(model, shape, car.paint)
    if car.z < 30:
        _seams(model, shape, car.paint)
    _tail(model, shape, on or car.braking, rng)
    _nose(model, shape, on, rng)
    _cabin(model, shape, car.paint, world)
    _wheels(model, shape)
    if car.taxi:
        model.block(
            (0, shape.height + 0.09, -0.05 * shape.length),
            (0.5, 0.18, 0.2),
            (250, 226, 90),
            0.6,
        )
    canvas.begin(CAR, car.z, is_thing=True)
    draw_solid(canvas, world, car, model)
    canvas.finish(relief=0.16, toward=(-0.3, -1.0))
    if on:
        shine(canvas, world, car, (0.62, 0.7), shape.length / 2)


def _body(model: Solid, shape: Shape, paint: Colour) -> None:
    """Stations from tail to nose, joined by sides in two bands and by the lids on top."""
    low, half = shape.clearance, shape.width / 2
    # z, half width, bottom, top
    stations = [
        (-0.5, 0.88, low + 0.14, shape.tail - 0.14),
        (-0.47, 0.97, low + 0.02, shape.tail),
        (-0.2, 1.0, low, shape.belt),
        (0.18, 1.0, low, shape.belt),
        (0.42, 0.96, low + 0.02, shape.bonnet),
        (0.5, 0.84, low + 0.1, shape.bonnet - 0.17),
    ]
    rings = [
        (z * shape.length, w * half, bottom, top, bottom + 0.66 * (top - bottom))
        for z, w, bottom, top in stations
    ]
    under = [(-half, low, -0.4), (half, low, -0.4), (half, low, 0.4), (-half, low, 0.4)]
    model.add([(x, y, z * shape.length) for x, y, z in under], (20, 20, 22), (0, -1, 0))
    for rear, front in pairwise(rings):
        _section(model, rear, front, paint)
    for (z, w, bottom, top, middle), out in ((rings[0], -1), (rings[-1], 1)):
        band, ahead = [(-w, middle, z), (w, middle, z)], (0, 0, out)
        upper = [*band, (w * 0.93, top, z), (-w * 0.93, top, z)]
        lower = [*band, (w * 0.97, bottom, z), (-w * 0.97, bottom, z)]
        model.add(upper, paint, ahead, 0.14)
        model.add(lower, darker(paint, 0.82), ahead)


_Ring = tuple[float, float, float, float, float]


def _section(model: Solid, rear: _Ring, front: _Ring, paint: Colour) -> None:
    """The body between two stations: two bands and a sill on each side, a lid on top."""
    (z0, w0, b0, t0, m0), (z1, w1, b1, t1, m1) = rear, front
    for side in (-1, 1):
        a, b, out = side * w0, side * w1, (side, 0, 0)
        lower = [(a * 0.97, b0, z0), (b * 0.97, b1, z1), (b, m1, z1), (a, m0, z0)]
        upper = [(a, m0, z0), (b, m1, z1), (b * 0.93, t1, z1), (a * 0.93, t0, z0)]
        sill = [(a * 0.975, b0, z0), (b * 0.975, b1, z1), (b * 0.98, b1 + 0.09, z1)]
        model.add(lower, darker(paint, 0.86), out, 0.05)
        model.add(upper, paint, out, 0.16)
        model.add([*sill, (a * 0.98, b0 + 0.09, z0)], (34, 34, 36), out)
    w0, w1 = 0.93 * w0, 0.93 * w1
    model.add([(-w0, t0, z0), (w0, t0, z0), (w1, t1, z1), (-w1, t1, z1)], paint, (0, 1, 0), 0.34)


def _seams(model: Solid, shape: Shape, paint: Colour) -> None:
    """Door edges, handles and mirrors."""
    low, top = shape.clearance + 0.1, shape.belt - 0.03
    middle = low + 0.66 * (top - low)
    for side in (-1, 1):
        x, out = side * (shape.width / 2 + 0.004), (side, 0.0, 0.0)
        for share in (-0.19, 0.03, 0.23):
            z = share * shape.length
            edge = [(x, low, z), (x, low, z + 0.03), (x, middle, z + 0.03), (x, middle, z)]
            model.add(edge, darker(paint, 0.45), out)
        for share in (-0.14, 0.08):
            z = share * shape.length
            handle = [(x, middle - 0.06, z), (x, middle - 0.06, z + 0.2), (x, middle, z + 0.2)]
            model.add([*handle, (x, middle, z)], darker(paint, 0.6), out)
        mirror = (
            side * (shape.width / 2 + 0.1),
            shape.belt + 0.1,
            shape.cabin[3] * shape.length - 0.35,
        )
        model.block(mirror, (0.22, 0.15, 0.08), darker(paint, 0.8), 0)


def _cabin(model: Solid, shape: Shape, paint: Colour, world: World) -> None:
    """Pillars in the car's paint with glass set in, and the roof."""
    sill0, roof0, roof1, sill1 = (share * shape.length for share in shape.cabin)
    wide, narrow = shape.width * 0.455, shape.width * 0.37
    y0, y1 = shape.belt - 0.02, shape.height
    glass = mixed((30, 36, 42), world.light.horizon, 0.18)
    bright = mixed(glass, world.light.horizon, 0.3)
    for side in (-1, 1):
        a, b, beside = side * wide, side * narrow, (side, 0.3, 0)
        pane = np.array([(a, y0, sill0), (a, y0, sill1), (b, y1, roof1), (b, y1, roof0)])
        model.add(pane, paint, beside, 0.12)
        for start, end in ((0.55, 0.93),) if shape.blind else ((0.08, 0.47), (0.51, 0.92)):
            model.add(_inset(pane, start, end, 0.1, 0.84), glass, beside, 0.35)
    for out, sill, roof in ((-1, sill0, roof0), (1, sill1, roof1)):
        low, high = [(-wide, y0, sill), (wide, y0, sill)], [(narrow, y1, roof), (-narrow, y1, roof)]
        pane, ahead = np.array(low + high), (0, 0.2, out)
        model.add(pane, paint, ahead, 0.12)
        model.add(_inset(pane, 0.07, 0.93, 0.12, 0.86), glass, ahead, 0.3)
        model.add(_inset(pane, 0.1, 0.9, 0.62, 0.84), bright, ahead, 0.3)
    across = ((-narrow, roof0), (narrow, roof0), (narrow, roof1), (-narrow, roof1))
    model.add([(x, y1, z) for x, z in across], paint, (0, 1, 0), 0.38)


def _tail(model: Solid, shape: Shape, on: bool, rng: np.random.Generator) -> None:
    """Rear lights, plate, bumper."""
    z, half, top = -0.5 * shape.length - 0.01, shape.width * 0.44, shape.tail - 0.14
    red = (255, 40, 30) if on else (176, 22, 24)
    tall = rng.random() < 0.4
    deep = 0.3 if tall else 0.17
    model.panel(z, (-half, half), (shape.clearance + 0.14, shape.clearance + 0.3), (44, 44, 47), -1)
    for side in (-1, 1):
        inner = half * (0.76 if tall else 0.6)
        span = (side * half, side * inner)
        model.panel(z - 0.01, span, (top - deep - 0.03, top - 0.02), red, -1, 0.85 * on)
    plate = (236, 206, 70) if rng.random() < 0.25 else (232, 232, 226)
    model.panel(z - 0.01, (-0.27, 0.27), (top - 0.3, top - 0.18), plate, -1)
    model.panel(z - 0.012, (-0.2, 0.2), (top - 0.26, top - 0.22), (50, 50, 56), -1)


def _nose(model: Solid, shape: Shape, on: bool, rng: np.random.Generator) -> None:
    """Headlights, grille, plate."""
    z, half, top = 0.5 * shape.length + 0.01, shape.width * 0.42, shape.bonnet - 0.17
    low = shape.clearance + 0.1
    model.panel(z, (-half, half), (low, low + 0.12), (40, 40, 43), 1)
    grille = 0.55 + 0.15 * rng.random()
    model.panel(z, (-half * grille, half * grille), (top - 0.2, top - 0.03), (30, 30, 33), 1)
    for side in (-1, 1):
        span = (side * half, side * half * (grille + 0.05))
        lamp = (255, 250, 226) if on else (222, 228, 232)
        model.panel(z + 0.01, span, (top - 0.19, top - 0.01), lamp, 1, 1.0 * on)
    model.panel(z + 0.012, (-0.26, 0.26), (low + 0.13, low + 0.24), (230, 230, 224), 1)


def _tyres(model: Solid, shape: Shape) -> None:
    """Tyres as they are seen under the car, from behind and from before."""
    for side in (-1, 1):
        x = side * shape.width * 0.4
        for share in shape.axles:
            for out in (-1, 1):
                z = share * shape.length + 0.2 * out
                model.panel(z, (x - 0.11, x + 0.11), (0, 0.5), (18, 18, 20), out)


def _wheels(model: Solid, shape: Shape) -> None:
    """Wheels of the sides, with their arches."""
    r = shape.wheel
    for side in (-1, 1):
        for share in shape.axles:
            x, z, out = side * shape.width / 2, share * shape.length, (side, 0, 0)
            model.disc((x, r + 0.03, z), r * 1.16, (18, 18, 20), out)
            model.disc((x + side * 0.01, r, z), r, _RUBBER, out)
            model.disc((x + side * 0.02, r, z), r * 0.64, _RIM, out)
            model.disc((x + side * 0.025, r, z), r * 0.2, (90, 92, 96), out)


def _inset(quad: np.ndarray, s0: float, s1: float, t0: float, t1: float) -> np.ndarray:
    """A smaller quad inside, by shares along its two directions."""

    def at(s: float, t: float) -> np.ndarray:
        return (1 - t) * ((1 - s) * quad[0] + s * quad[1]) + t * ((1 - s) * quad[3] + s * quad[2])

    return np.array([at(s0, t0), at(s1, t0), at(s1, t1), at(s0, t1)]) + _outward(quad)


def _outward(quad: np.ndarray) -> np.ndarray:
    """A hair's breadth away from the car's middle."""
    middle = quad.mean(0) * (1, 0, 1)
    return middle / max(float(np.linalg.norm(middle)), 1e-6) * 0.004
