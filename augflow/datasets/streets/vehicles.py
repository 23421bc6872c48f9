"""Cars and buses as small solid models: lofted bodies, glass, wheels, lights, plates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from augflow import seeds
from augflow.datasets.streets.canvas import Canvas, Glow
from augflow.datasets.streets.ground import footprint
from augflow.datasets.streets.view import Colour, World

CAR = 26
BUS = 28

# fmt: off
PAINTS: tuple[Colour, ...] = (
    (196, 28, 32), (150, 18, 30), (32, 70, 160), (60, 120, 200), (22, 34, 74), (238, 238, 236),
    (226, 226, 222), (28, 28, 32), (44, 46, 50), (236, 190, 28), (186, 190, 196), (150, 154, 160),
    (40, 92, 60), (226, 104, 30), (120, 84, 58), (96, 190, 200),
)
BUS_PAINTS: tuple[tuple[Colour, Colour], ...] = (
    ((206, 34, 36), (236, 234, 230)), ((240, 196, 30), (60, 60, 64)), ((36, 84, 170), (230, 232, 236)),
    ((238, 238, 234), (40, 130, 80)), ((236, 120, 36), (240, 236, 226)), ((52, 140, 90), (238, 238, 230)),
)
# fmt: on
_RUBBER: Colour = (26, 26, 28)
_RIM: Colour = (168, 170, 174)


@dataclass(frozen=True)
class Shape:
    """Proportions of a car: metres, and stations along it as shares of the length from the middle."""

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
    #                 length width height belt  clear tail  bonnet  cabin: sill, roof, roof, sill   axles        wheel
    "hatchback": Shape(3.95, 1.74, 1.48, 0.92, 0.22, 0.92, 0.84, (-0.48, -0.36, 0.08, 0.29), (-0.31, 0.32), 0.31),
    "saloon":    Shape(4.60, 1.80, 1.44, 0.90, 0.20, 0.94, 0.82, (-0.37, -0.20, 0.07, 0.25), (-0.29, 0.31), 0.32),
    "estate":    Shape(4.65, 1.80, 1.50, 0.92, 0.21, 0.92, 0.84, (-0.49, -0.43, 0.07, 0.25), (-0.29, 0.31), 0.32),
    "suv":       Shape(4.50, 1.88, 1.72, 1.06, 0.30, 1.04, 1.00, (-0.48, -0.41, 0.10, 0.27), (-0.29, 0.31), 0.37),
    "van":       Shape(4.90, 1.94, 2.02, 1.14, 0.26, 1.14, 1.04, (-0.495, -0.485, 0.22, 0.41), (-0.29, 0.34), 0.34, True),
    "micro":     Shape(3.30, 1.64, 1.52, 0.92, 0.22, 0.92, 0.86, (-0.48, -0.38, 0.14, 0.38), (-0.33, 0.35), 0.29),
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


@dataclass(frozen=True)
class _Face:
    """A planar face of a model: x right, y up, z forward; drawn when it looks at the camera."""

    points: np.ndarray
    colour: Colour
    outward: Sequence[float]
    gloss: float = 0.0
    shine: float = 0.0


@dataclass
class _Model:
    """Faces in drawing order."""

    faces: list[_Face] = field(default_factory=list)

    def add(
        self,
        points: Sequence[Sequence[float]] | np.ndarray,
        colour: Colour,
        outward: Sequence[float],
        gloss: float = 0.0,
        shine: float = 0.0,
    ) -> None:
        """Adds a face; `outward` tells its outer side roughly, the normal follows from the points."""
        self.faces.append(_Face(np.asarray(points, float), colour, outward, gloss, shine))

    def normals(self) -> np.ndarray:
        """The outer normals of all faces, (F, 3)."""
        first = np.array([face.points[:3] for face in self.faces])
        a, b = first[:, 1] - first[:, 0], first[:, 2] - first[:, 0]
        normals = a[:, [1, 2, 0]] * b[:, [2, 0, 1]] - a[:, [2, 0, 1]] * b[:, [1, 2, 0]]
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        inward = (normals * np.array([face.outward for face in self.faces])).sum(1) < 0
        return np.where(inward[:, None], -normals, normals)

    def disc(
        self, centre: Sequence[float], radius: float, colour: Colour, outward: Sequence[float]
    ) -> None:
        """Adds a wheel's face in the plane x = const."""
        turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        x, y, z = centre
        ring = np.stack([np.full(16, x), y + radius * np.sin(turns), z + radius * np.cos(turns)], 1)
        self.add(ring, colour, outward)


def cast_vehicle(canvas: Canvas, world: World, vehicle: Car | Bus) -> None:
    """The dark under a vehicle, and its shadow away from the sun."""
    length, width, height = _extent(vehicle)
    heading = _heading(world, vehicle)
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, length / 2)
    turn = np.array([[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]])
    corners = half @ turn + (vehicle.u, vehicle.z)
    grown = (corners - (vehicle.u, vehicle.z)) * 1.08 + (vehicle.u, vehicle.z)
    canvas.cast(footprint(world, [(u, max(z, 1.5)) for u, z in grown]), 0.92)
    if world.lit(vehicle.u, vehicle.z):
        sun = world.light.sun
        reach = 0.75 * height / max(sun[1], 0.4)
        moved = corners - np.array([sun[0], sun[2]]) * reach
        for part, strength in ((corners, 0.9), ((corners + moved) / 2, 0.85), (moved, 0.8)):
            canvas.cast(footprint(world, [(u, max(z, 1.5)) for u, z in part]), strength)


def draw_car(canvas: Canvas, world: World, car: Car) -> None:
    """Draws a car."""
    shape = SHAPES[car.body]
    rng = seeds.generator(car.seed, "car")
    on = world.light.lamps and not car.parked
    model = _Model()
    _wheels(model, shape, far=True)
    _body(model, shape, car.paint)
    _tail(model, shape, on or car.braking, rng)
    _nose(model, shape, on, rng)
    _cabin(model, shape, car.paint, world)
    _wheels(model, shape, far=False)
    if car.taxi:
        _box(model, (0, shape.height + 0.09, -0.05 * shape.length), (0.5, 0.18, 0.2), (250, 226, 90), 0.6)
    canvas.begin(CAR, car.z, is_thing=True)
    _draw(canvas, world, car, model)
    canvas.finish(relief=0.16, toward=(-0.3, -1.0))
    if on:
        _shine(canvas, world, car, (0.62, 0.7), shape.length / 2)


def draw_bus(canvas: Canvas, world: World, bus: Bus) -> None:
    """Draws a bus: a long box with a row of windows, a lit destination, and wheels."""
    rng = seeds.generator(bus.seed, "bus")
    length, width, height = _extent(bus)
    on = world.light.lamps
    model = _Model()
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
    _draw(canvas, world, bus, model)
    canvas.finish(relief=0.12, toward=(-0.3, -1.0))
    if on:
        _shine(canvas, world, bus, (0.9, 0.8), length / 2)


def reach(vehicle: Car | Bus) -> float:
    """Metres from a vehicle's middle to its end toward the camera."""
    length, width, _ = _extent(vehicle)
    return (length if abs(np.cos(vehicle.heading)) > 0.5 else width) / 2


def _extent(vehicle: Car | Bus) -> tuple[float, float, float]:
    """Length, width, height."""
    if isinstance(vehicle, Bus):
        return vehicle.length, 2.5, 3.05 if vehicle.decks == 1 else 4.2
    shape = SHAPES[vehicle.body]
    return shape.length, shape.width, shape.height


def _heading(world: World, vehicle: Car | Bus) -> float:
    """The heading with the street's bend added, for vehicles that go along it."""
    along = abs(np.cos(vehicle.heading)) > 0.5
    return vehicle.heading + along * np.arctan(2 * world.street.bend * vehicle.z)


def _draw(canvas: Canvas, world: World, vehicle: Car | Bus, model: _Model) -> None:
    """Places, culls, lights and fills the faces."""
    heading = _heading(world, vehicle)
    c, s = np.cos(heading), np.sin(heading)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    base = np.array([world.street.x(vehicle.u, vehicle.z), 0.0, vehicle.z])
    points = np.concatenate([face.points for face in model.faces]) @ turn.T + base
    normals = model.normals() @ turn.T
    pixels = world.camera.project(points)
    lasts = np.cumsum([len(face.points) for face in model.faces])
    firsts = np.concatenate([[0], lasts[:-1]])
    eye = np.array([0, world.camera.height, 0])
    seen = ((eye - points[firsts]) * normals).sum(1) > 0
    colours = _lit_colours(model, normals, world, world.lit(vehicle.u, vehicle.z))
    for index in np.flatnonzero(seen).tolist():
        outline = pixels[firsts[index] : lasts[index]]
        canvas.polygon(outline, colours[index], model.faces[index].shine)


def _lit_colours(model: _Model, normals: np.ndarray, world: World, lit: float) -> list[list[float]]:
    """Colours of the faces in the light, with the sky mirrored where they are glossy."""
    light = world.light
    colours = np.array([face.colour for face in model.faces], float)
    gloss = np.array([face.gloss for face in model.faces])
    shining = np.array([face.shine > 0 for face in model.faces])
    cosine = np.maximum(normals @ np.array(light.sun), 0)[:, None]
    gain = (0.82 + 0.18 * normals[:, 1:2]) * light.sky_fill + lit * cosine * light.sun_fill
    gain = gain * (0.8 + 0.2 * np.minimum(1.0, 1 + normals[:, 1:2]))
    sky = 0.55 * np.array(light.zenith) + 0.45 * np.array(light.horizon)
    mirror = (gloss * np.clip(0.25 + 0.75 * normals[:, 1], 0, 1))[:, None]
    shaded = colours * gain
    shaded += mirror * (sky - shaded)
    return np.where(shining[:, None], colours, shaded).tolist()


def _body(model: _Model, shape: Shape, paint: Colour) -> None:
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
    for (z0, w0, b0, t0, m0), (z1, w1, b1, t1, m1) in zip(rings, rings[1:], strict=False):
        for side in (-1, 1):
            a, b = side * w0, side * w1
            out = (side, 0.0, 0.0)
            model.add([(a * 0.97, b0, z0), (b * 0.97, b1, z1), (b, m1, z1), (a, m0, z0)], _darker(paint, 0.86), out, 0.05)  # noqa: E501
            model.add([(a, m0, z0), (b, m1, z1), (b * 0.93, t1, z1), (a * 0.93, t0, z0)], paint, out, 0.16)  # noqa: E501
            sill = [(a * 0.975, b0, z0), (b * 0.975, b1, z1), (b * 0.98, b1 + 0.09, z1)]
            model.add([*sill, (a * 0.98, b0 + 0.09, z0)], (34, 34, 36), out)
        lid = [(-w0 * 0.93, t0, z0), (w0 * 0.93, t0, z0), (w1 * 0.93, t1, z1), (-w1 * 0.93, t1, z1)]
        model.add(lid, paint, (0, 1, 0), 0.34)
    _seams(model, shape, paint)
    for (z, w, bottom, top, middle), out in ((rings[0], -1), (rings[-1], 1)):
        band = [(-w, middle, z), (w, middle, z)]
        model.add([*band, (w * 0.93, top, z), (-w * 0.93, top, z)], paint, (0, 0, out), 0.14)
        model.add([*band, (w * 0.97, bottom, z), (-w * 0.97, bottom, z)], _darker(paint, 0.82), (0, 0, out))


def _seams(model: _Model, shape: Shape, paint: Colour) -> None:
    """Door edges, handles and mirrors."""
    low, top = shape.clearance + 0.1, shape.belt - 0.03
    middle = low + 0.66 * (top - low)
    for side in (-1, 1):
        x, out = side * (shape.width / 2 + 0.004), (side, 0.0, 0.0)
        for share in (-0.19, 0.03, 0.23):
            z = share * shape.length
            edge = [(x, low, z), (x, low, z + 0.03), (x, middle, z + 0.03), (x, middle, z)]
            model.add(edge, _darker(paint, 0.45), out)
        for share in (-0.14, 0.08):
            z = share * shape.length
            handle = [(x, middle - 0.06, z), (x, middle - 0.06, z + 0.2), (x, middle, z + 0.2)]
            model.add([*handle, (x, middle, z)], _darker(paint, 0.6), out)
        mirror = (side * (shape.width / 2 + 0.1), shape.belt + 0.1, shape.cabin[3] * shape.length - 0.35)
        _box(model, mirror, (0.22, 0.15, 0.08), _darker(paint, 0.8), 0)


def _cabin(model: _Model, shape: Shape, paint: Colour, world: World) -> None:
    """Pillars in the car's paint with glass set in, and the roof."""
    sill0, roof0, roof1, sill1 = (share * shape.length for share in shape.cabin)
    wide, narrow = shape.width * 0.455, shape.width * 0.37
    y0, y1 = shape.belt - 0.02, shape.height
    glass = tuple(0.8 * np.array([30.0, 36, 42]) + 0.16 * np.array(world.light.horizon))
    for side in (-1, 1):
        pane = np.array([(side * wide, y0, sill0), (side * wide, y0, sill1),
                         (side * narrow, y1, roof1), (side * narrow, y1, roof0)])  # fmt: skip
        out = (side, 0.3, 0)
        model.add(pane, paint, out, 0.12)
        for a, b in ((0.55, 0.93),) if shape.blind else ((0.08, 0.47), (0.51, 0.92)):
            model.add(_inset(pane, a, b, 0.1, 0.84), glass, out, 0.35)
    for out, sill, roof in ((-1, sill0, roof0), (1, sill1, roof1)):
        pane = np.array([(-wide, y0, sill), (wide, y0, sill), (narrow, y1, roof), (-narrow, y1, roof)])
        model.add(pane, paint, (0, 0.2, out), 0.12)
        model.add(_inset(pane, 0.07, 0.93, 0.12, 0.86), glass, (0, 0.2, out), 0.3)
        bright = tuple(np.array(glass) * 0.7 + 0.3 * np.array(world.light.horizon))
        model.add(_inset(pane, 0.1, 0.9, 0.62, 0.84), bright, (0, 0.2, out), 0.3)
    model.add(
        [(-narrow, y1, roof0), (narrow, y1, roof0), (narrow, y1, roof1), (-narrow, y1, roof1)],
        paint,
        (0, 1, 0),
        0.38,
    )


def _tail(model: _Model, shape: Shape, on: bool, rng: np.random.Generator) -> None:
    """Rear lights, plate, bumper."""
    z, half, top = -0.5 * shape.length - 0.01, shape.width * 0.44, shape.tail - 0.14
    red = (255, 40, 30) if on else (176, 22, 24)
    tall = rng.random() < 0.4
    deep = 0.3 if tall else 0.17
    _panel(model, z, (-half, half), (shape.clearance + 0.14, shape.clearance + 0.3), (44, 44, 47), -1)
    for side in (-1, 1):
        inner = half * (0.76 if tall else 0.6)
        span = (side * half, side * inner)
        _panel(model, z - 0.01, span, (top - deep - 0.03, top - 0.02), red, -1, 0.85 * on)
    plate = (236, 206, 70) if rng.random() < 0.25 else (232, 232, 226)
    _panel(model, z - 0.01, (-0.27, 0.27), (top - 0.3, top - 0.18), plate, -1)
    _panel(model, z - 0.012, (-0.2, 0.2), (top - 0.26, top - 0.22), (50, 50, 56), -1)


def _nose(model: _Model, shape: Shape, on: bool, rng: np.random.Generator) -> None:
    """Headlights, grille, plate."""
    z, half, top = 0.5 * shape.length + 0.01, shape.width * 0.42, shape.bonnet - 0.17
    low = shape.clearance + 0.1
    _panel(model, z, (-half, half), (low, low + 0.12), (40, 40, 43), 1)
    grille = 0.55 + 0.15 * rng.random()
    _panel(model, z, (-half * grille, half * grille), (top - 0.2, top - 0.03), (30, 30, 33), 1)
    for side in (-1, 1):
        span = (side * half, side * half * (grille + 0.05))
        lamp = (255, 250, 226) if on else (222, 228, 232)
        _panel(model, z + 0.01, span, (top - 0.19, top - 0.01), lamp, 1, 1.0 * on)
    _panel(model, z + 0.012, (-0.26, 0.26), (low + 0.13, low + 0.24), (230, 230, 224), 1)


def _wheels(model: _Model, shape: Shape, far: bool) -> None:
    """Tyres seen under the car, or the wheels of the visible side with their arches."""
    r = shape.wheel
    for side in (-1, 1):
        for share in shape.axles:
            z = share * shape.length
            if far:
                x = side * shape.width * 0.4
                quad = [(x - 0.11, 0, z - 0.2), (x + 0.11, 0, z - 0.2), (x + 0.11, 0.5, z - 0.2), (x - 0.11, 0.5, z - 0.2)]  # noqa: E501
                model.add(quad, (18, 18, 20), (0, 0, -1))
                model.add(np.array(quad) + (0, 0, 0.4), (18, 18, 20), (0, 0, 1))
                continue
            x, out = side * shape.width / 2, (side, 0.0, 0.0)
            model.disc((x, r + 0.03, z), r * 1.16, (18, 18, 20), out)
            model.disc((x + side * 0.01, r, z), r, _RUBBER, out)
            model.disc((x + side * 0.02, r, z), r * 0.64, _RIM, out)
            model.disc((x + side * 0.025, r, z), r * 0.2, (90, 92, 96), out)


def _bus_side(
    model: _Model, side: int, size: tuple[float, float, float], stripe: Colour, on: bool, decks: int
) -> None:
    width, height, length = size
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
    model: _Model,
    out: int,
    size: tuple[float, float, float],
    stripe: Colour,
    on: bool,
    rng: np.random.Generator,
    decks: int,
) -> None:
    width, height, length = size
    z, half = out * (length / 2 + 0.01), width / 2
    _panel(model, z, (-half, half), (0.32, 0.5), (40, 40, 43), out)
    _panel(model, z, (-half, half), (0.95, 1.15), stripe, out)
    low = 1.25 if out > 0 else 1.5
    for y in (low,) if decks == 1 else (low, 2.8):
        top = min(y + (1.25 if out > 0 else 0.95), height - 0.2)
        glass = (46, 54, 62)
        _panel(model, z + out * 0.01, (-half * 0.9, half * 0.9), (y, top), glass, out)
        band = (y + (top - y) * 0.55, top - 0.05)
        _panel(model, z + out * 0.012, (-half * 0.86, half * 0.86), band, (92, 104, 114), out)
    sign = (255, 170, 40) if on or rng.random() < 0.6 else (230, 230, 210)
    _panel(model, z + out * 0.02, (-0.75, 0.75), (height - 0.36, height - 0.14), (18, 18, 20), out)
    for x in np.linspace(-0.62, 0.5, 7):
        if rng.random() < 0.8:
            _panel(model, z + out * 0.03, (x, x + 0.11), (height - 0.32, height - 0.18), sign, out, 0.8)
    lamp = (255, 248, 220) if out > 0 else ((255, 40, 30) if on else (176, 22, 24))
    for side in (-1, 1):
        high = 0.24 if out > 0 else 0.5
        span = (side * half * 0.94, side * half * 0.72)
        _panel(model, z + out * 0.02, span, (0.56, 0.56 + high), lamp, out, 0.9 * on)
    _panel(model, z + out * 0.02, (-0.28, 0.28), (0.54, 0.66), (232, 232, 226), out)


def _hull(model: _Model, size: tuple[float, float, float], paint: Colour) -> None:
    """A box on wheels with bevelled upper edges."""
    width, height, length = size
    half, long, low, eave = width / 2, length / 2, 0.32, height - 0.22
    for side in (-1, 1):
        x = side * half
        out = (side, 0.0, 0.0)
        model.add([(x, low, -long), (x, low, long), (x, eave, long), (x, eave, -long)], paint, out, 0.06)
        top = side * (half - 0.16)
        bevel = [(x, eave, -long), (x, eave, long), (top, height, long), (top, height, -long)]
        model.add(bevel, paint, (side, 0.7, 0), 0.2)
    roof = half - 0.16
    model.add([(-roof, height, -long), (roof, height, -long), (roof, height, long), (-roof, height, long)], paint, (0, 1, 0), 0.3)  # noqa: E501
    for out in (-1, 1):
        z = out * long
        outline = [(-half, low), (half, low), (half, eave), (roof, height), (-roof, height), (-half, eave)]
        model.add([(x, y, z) for x, y in outline], paint, (0, 0, out), 0.06)


def _box(
    model: _Model, centre: Sequence[float], size: Sequence[float], colour: Colour, shine: float
) -> None:
    (x, y, z), (w, h, d) = centre, size
    for out in (-1, 1):
        zz = z + out * d / 2
        quad = [(x - w / 2, y - h / 2, zz), (x + w / 2, y - h / 2, zz), (x + w / 2, y + h / 2, zz), (x - w / 2, y + h / 2, zz)]  # noqa: E501
        model.add(quad, colour, (0, 0, out), 0, shine)


def _panel(
    model: _Model,
    z: float,
    across: tuple[float, float],
    up: tuple[float, float],
    colour: Colour,
    out: int,
    shine: float = 0.0,
) -> None:
    """A rectangle in a plane z = const."""
    (x0, x1), (y0, y1) = across, up
    model.add([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], colour, (0, 0, out), 0, shine)


def _inset(quad: np.ndarray, s0: float, s1: float, t0: float, t1: float) -> np.ndarray:
    """A smaller quad inside, by shares along its two directions."""

    def at(s: float, t: float) -> np.ndarray:
        return (1 - t) * ((1 - s) * quad[0] + s * quad[1]) + t * ((1 - s) * quad[3] + s * quad[2])

    return np.array([at(s0, t0), at(s1, t0), at(s1, t1), at(s0, t1)]) + _outward(quad)


def _outward(quad: np.ndarray) -> np.ndarray:
    """A hair's breadth away from the car's middle."""
    middle = quad.mean(0) * (1, 0, 1)
    return middle / max(float(np.linalg.norm(middle)), 1e-6) * 0.004


def _darker(colour: Colour, gain: float) -> Colour:
    r, g, b = colour
    return r * gain, g * gain, b * gain


def _shine(
    canvas: Canvas, world: World, vehicle: Car | Bus, at: tuple[float, float], reach: float
) -> None:
    """The light that lamps throw around them; stronger from headlights that face the camera."""
    facing = np.cos(vehicle.heading) < 0
    z = vehicle.z - reach
    if z < 1.5:
        return
    colour = (1.0, 0.93, 0.74) if facing else (0.6, 0.08, 0.05)
    for side in (-1, 1):
        x, y = world.place(vehicle.u + side * at[0], z, at[1])
        size = world.camera.scale(z)
        canvas.glows.append(Glow(x, y, 0.8 * size, 0.6 * size, colour))

