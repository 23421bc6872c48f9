"""Houses as boxes along the street and across its end: fronts, end walls, roofs, chimneys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streetscenes import facades
from streetscenes.canvas import Canvas
from streetscenes.facades import Facade
from streetscenes.view import NEAR, Colour, World

BUILDING = 11


@dataclass(frozen=True)
class House:
    """A house whose front runs from (u0, z0) to (u1, z1); `deep` metres behind it.

    `side` is -1 or 1 for houses along the street, 0 for those across it. `gable` is the end wall
    toward the camera, None where the next house hides it. The roof rises `pitch` metres over the
    eaves, 0 for a flat one.
    """

    side: int
    near: tuple[float, float]
    far: tuple[float, float]
    deep: float
    front: Facade
    gable: Facade | None
    pitch: float
    tiles: Colour
    chimneys: tuple[float, ...]

    @property
    def distance(self) -> float:
        """Where the house stands in painter's order."""
        return max(self.near[1], self.far[1])


@dataclass(frozen=True)
class _Wall:
    """A vertical rectangle from `start` to `end`, (x, z) in camera coordinates."""

    start: np.ndarray
    end: np.ndarray
    height: float

    @property
    def length(self) -> float:
        return float(np.hypot(*(self.end - self.start)))

    def cut(self) -> tuple[float, float]:
        """The stretch of the wall, as shares of its length, that lies before the camera."""
        z0, z1 = self.start[1], self.end[1]
        if min(z0, z1) >= NEAR:
            return 0.0, 1.0
        if max(z0, z1) <= NEAR:
            return 0.0, 0.0
        share = (NEAR - z0) / (z1 - z0)
        return (share, 1.0) if z1 > z0 else (0.0, share)


def draw_house(canvas: Canvas, world: World, house: House) -> None:
    """Draws what can be seen of a house."""
    street = world.street
    near = np.array([street.x(*house.near), house.near[1]])
    far = np.array([street.x(*house.far), house.far[1]])
    if house.side:
        back = near + np.array([house.side * house.deep, 0.0])
        _draw_roof(canvas, world, house, near, far)
        if near[1] > NEAR and house.gable is not None:
            first, last = (near, back) if house.side > 0 else (back, near)
            end = _Wall(first, last, house.gable.height)
            _draw_gable(canvas, world, house, near, back)
            _draw_wall(canvas, world, end, house.gable, (0.0, 0.0, -1.0))
        inward = (-float(house.side), 0.0, 0.0)
        _draw_wall(canvas, world, _Wall(near, far, house.front.height), house.front, inward)
    else:
        _draw_roof(canvas, world, house, near, far)
        wall = _Wall(near, far, house.front.height)
        _draw_wall(canvas, world, wall, house.front, (0.0, 0.0, -1.0))


def _draw_gable(
    canvas: Canvas, world: World, house: House, near: np.ndarray, back: np.ndarray
) -> None:
    """The triangle between the end wall and the roof, with the roof's edge."""
    if house.pitch < 0.5:
        return
    eaves, middle = house.front.height, (near + back) / 2
    canvas.begin(BUILDING, max(float(near[1]), NEAR))
    gain = world.light.on((0.0, 0.0, -1.0), 0.7)
    for rise, tone in ((0.25, house.tiles), (-0.1, house.front.wall)):
        points = [(near[0], eaves + rise, near[1]), (back[0], eaves + rise, near[1])]
        points.append((middle[0], eaves + house.pitch + rise, near[1]))
        canvas.polygon(world.camera.project(np.array(points)), np.array(tone) * gain * 0.9)
    canvas.finish()


def _draw_wall(canvas: Canvas, world: World, wall: _Wall, front: Facade, normal: Colour) -> None:
    first, last = wall.cut()
    if last <= first:
        return
    canvas.begin(BUILDING, max(float(min(wall.start[1], wall.end[1])), NEAR))
    camera = world.camera
    a = wall.start + first * (wall.end - wall.start)
    b = wall.start + last * (wall.end - wall.start)
    h = wall.height
    corners = [(a[0], 0, a[1]), (a[0], h, a[1]), (b[0], h, b[1]), (b[0], 0, b[1])]
    outline = camera.project(np.array(corners))
    if outline[:, 0].max() < 0 or outline[:, 0].min() > camera.columns:
        return
    visible = max(min(a[1], b[1]), abs(a[0] if a[1] < b[1] else b[0]) / _spread(world), 3.0)
    metre = float(np.clip(2 ** np.round(np.log2(camera.scale(visible) * 0.6)), 4, 64))
    gain = world.light.on(normal, _lit_share(normal))
    pixels = facades.picture(front, wall.length, metre, world.light, gain)
    canvas.picture(pixels, _matrix(world, wall, metre, pixels.shape[0]), outline)
    _write_depth(canvas, wall, world)


def _spread(world: World) -> float:
    """The tangent of half the horizontal field of view."""
    camera = world.camera
    return (camera.columns / 2 / camera.rows + abs(camera.shift)) / camera.focal


def _lit_share(normal: Colour) -> float:
    """Fronts along the street take the sun on one side; fronts across it by what is left."""
    return 1.0 if normal[0] else 0.7


def _matrix(world: World, wall: _Wall, metre: float, rows: int) -> np.ndarray:
    """Texture pixels to canvas pixels, (3, 3)."""
    camera = world.camera
    focal = camera.focal * camera.rows
    x, y = camera.centre
    along = (wall.end - wall.start) / wall.length / metre
    top = camera.height - wall.height
    down = wall.height / rows
    inside = np.array([[focal, 0, x], [0, focal, y], [0, 0, 1]])
    plane = np.array([[along[0], 0, wall.start[0]], [0, down, top], [along[1], 0, wall.start[1]]])
    return inside @ plane


def _write_depth(canvas: Canvas, wall: _Wall, world: World) -> None:
    """Depth of a wall by column: linear in 1/z along the picture."""
    where = canvas.window()
    if where is None:
        return
    camera = world.camera
    columns = np.arange(where[1].start, where[1].stop) + 0.5
    ray = (columns - camera.centre[0]) / (camera.focal * camera.rows)
    run, rise = wall.end - wall.start
    bottom = run - ray * rise
    share = (ray * wall.start[1] - wall.start[0]) / np.where(np.abs(bottom) < 1e-6, 1e-6, bottom)
    depth = np.clip(wall.start[1] + np.clip(share, 0, 1) * rise, NEAR, 400).astype(np.float32)
    mine = canvas.owner[where] == len(canvas.owners) - 1
    target = canvas.depth[where]
    target[mine] = np.broadcast_to(depth[None], mine.shape)[mine]


def _draw_roof(
    canvas: Canvas, world: World, house: House, near: np.ndarray, far: np.ndarray
) -> None:
    """A slope that leans back from the eaves, where it can be seen, and chimneys behind it."""
    start, end = _Wall(near, far, 0.0).cut()
    if end <= start:
        return
    a, b = near + start * (far - near), near + end * (far - near)
    ridge = 0.5 * house.deep
    back = np.array([house.side * ridge, 0.0]) if house.side else np.array([0.0, ridge])
    canvas.begin(BUILDING, max(float(a[1]), NEAR))
    eaves = house.front.height
    up = world.light.on((-house.side * 0.5, 0.8, -0.3), 0.9)
    for share in house.chimneys:
        _chimney(canvas, world, a + share * (b - a) + back * 0.9, eaves + house.pitch, up)
    tone = np.array(house.tiles)
    before = abs(float(a[0])) if house.side else float(a[1])
    seen = eaves - before * house.pitch / ridge < world.camera.height
    steps = 9 if seen and house.pitch > 0.5 else 0
    for step in range(steps):
        low, high = step / steps, (step + 1) / steps
        quad = [
            (p[0] + back[0] * t, eaves + house.pitch * t, p[1] + back[1] * t)
            for p, t in ((a, low), (a, high), (b, high), (b, low))
        ]
        canvas.polygon(world.camera.project(np.array(quad)), tone * up * (0.92 + 0.14 * (step % 2)))
    canvas.finish()


def _chimney(canvas: Canvas, world: World, at: np.ndarray, base: float, gain: np.ndarray) -> None:
    if at[1] < 4:
        return
    x, z = at
    for wide, low, high, tone in ((0.5, -2.0, 1.1, (136, 84, 66)), (0.6, 1.1, 1.3, (96, 70, 60))):
        box = [(x - wide, base + low, z), (x + wide, base + low, z)]
        box += [(x + wide, base + high, z), (x - wide, base + high, z)]
        canvas.polygon(world.camera.project(np.array(box)), np.array(tone) * gain)
