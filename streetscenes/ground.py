"""Carriageway, markings, kerbs, sidewalks: each pixel below the horizon, looked up in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streetscenes import texture
from streetscenes.canvas import Canvas
from streetscenes.view import Colour, World

ROAD = 7
SIDEWALK = 8
VEGETATION = 21


@dataclass(frozen=True)
class Ground:
    """What the street is paved with and what is painted on it.

    `paving` is `asphalt`, `cobbles` or `setts`; `centre` is `dashed`, `solid`, `double` or `none`;
    `zebras` are the places, in z, where stripes begin; `arrows` are (u, z) places; `parking` tells
    whether lines part the parking lanes from the road; `lawns` are (side, z, z) stretches of grass
    behind the sidewalks.
    """

    paving: str
    road: Colour
    slabs: Colour
    slab: float
    paint: Colour
    wear: float
    centre: str
    edges: bool
    parking: bool
    zebras: tuple[float, ...]
    arrows: tuple[tuple[float, float], ...]
    patches: tuple[tuple[float, float, float, float, float], ...]
    covers: tuple[tuple[float, float], ...]
    lawns: tuple[tuple[int, float, float], ...]
    lawn: Colour


@dataclass(frozen=True)
class _Grid:
    """The street coordinates of the pixels below the horizon; z is one column."""

    u: np.ndarray
    z: np.ndarray
    footprint: np.ndarray


def draw_ground(
    canvas: Canvas, world: World, ground: Ground, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Paints the ground.

    Returns:
        Sun that reaches each pixel, (h, W) float32 in [0, 1], and the first row it is for.
    """
    camera = world.camera
    top = max(0, int(np.ceil(camera.centre[1] + 0.5)))
    grid = _grid(world, top)
    to_road = _to_road(world, grid)
    colour = _pavement(ground, grid, to_road, rng)
    road = to_road < 0
    colour[road] = _carriageway(world, ground, grid, rng)[road]
    near_kerb = np.exp(-np.abs(np.minimum(to_road, 0)) * 3.0) * road
    colour *= (1 - 0.22 * near_kerb)[..., None]
    lawn = _lawns(world, ground, grid) & ~road
    colour[lawn] = _grass(ground, grid, rng)[lawn]
    canvas.colour[top:, :, :3] = np.clip(colour, 0, 255).astype(np.uint8)
    canvas.colour[top:, :, 3] = 0
    for label, mask in ((SIDEWALK, ~road & ~lawn), (ROAD, road), (VEGETATION, lawn)):
        canvas.begin(label, 0.0)
        canvas.owner[top:][mask] = len(canvas.owners) - 1
    canvas.depth[top:] = grid.z
    return _sunlit(world, grid, rng), top


def light_ground(canvas: Canvas, world: World, sunlit: np.ndarray, top: int) -> None:
    """Multiplies the ground with the light that reaches it, objects' shadows taken off."""
    radius = max(1.0, 0.007 * world.camera.rows)
    cast = cv2.GaussianBlur(canvas.shadow[top:], (0, 0), radius).astype(np.float32) / 255
    fill = np.asarray(world.light.sky_fill, np.float32)
    sun = np.asarray(world.light.sun_fill, np.float32) * max(0.25, world.light.sun[1])
    gain = fill * (1 - 0.5 * cast)[..., None] + sun * (sunlit * (1 - cast))[..., None]
    piece = canvas.colour[top:, :, :3]
    piece[:] = np.clip(piece * gain, 0, 255).astype(np.uint8)


def _grid(world: World, top: int) -> _Grid:
    camera, street = world.camera, world.street
    x0, y0 = camera.centre
    rows = np.arange(top, camera.rows, dtype=np.float32)[:, None] + 0.5
    z = camera.focal * camera.rows * camera.height / np.maximum(rows - y0, 0.4)
    columns = np.arange(camera.columns, dtype=np.float32)[None] + 0.5
    footprint = z / (camera.focal * camera.rows)
    u = (columns - x0) * footprint + street.lateral - street.bend * z * z
    return _Grid(u, z, footprint)


def _to_road(world: World, grid: _Grid) -> np.ndarray:
    """Metres to the carriageway, negative on it; corners of the crossing are rounded."""
    street = world.street
    beside = np.abs(grid.u) - street.half
    ahead = grid.z - street.end
    beside = np.where(np.abs(ahead - 4) < 4, np.maximum(-np.abs(ahead), -4), beside)
    beside = np.where(ahead > 8, 1.0, beside)
    if street.crossing is None:
        return beside
    near, far = street.crossing
    before = np.maximum(near - grid.z, grid.z - far)
    corner = 2.2 - np.hypot(np.maximum(2.2 - beside, 0), np.maximum(2.2 - before, 0))
    outside = np.where((beside > 0) & (before > 0), corner, np.minimum(beside, before))
    return outside.astype(np.float32)


def _pavement(
    ground: Ground, grid: _Grid, to_road: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    u, z = grid.u, grid.z
    column, row = np.floor(u / ground.slab), np.floor(z / ground.slab)
    tone = 1 + 0.03 * _noise(grid, 3.1, rng) + 0.04 * _speckle(grid, 18.0, rng)
    tone += 0.045 * np.sin(column * 12.9898 + row * 78.233)
    fade = np.clip(0.16 / (grid.footprint + 0.02), 0, 1)
    gap = (np.mod(u, ground.slab) < 0.035 + grid.footprint) | (
        np.mod(z, ground.slab) < 0.03 + grid.footprint * 3
    )
    tone -= 0.17 * gap * fade
    kerb = (to_road > 0) & (to_road < 0.2)
    tone = np.where(kerb, 1.22 + 0.06 * _speckle(grid, 6.0, rng), tone)
    tone = np.where((to_road > 0) & (to_road < 0.045), 0.72, tone)
    return tone[..., None] * np.array(ground.slabs, np.float32)


def _carriageway(world: World, ground: Ground, grid: _Grid, rng: np.random.Generator) -> np.ndarray:
    fade = np.clip(0.05 / (grid.footprint + 0.01), 0, 1)
    tone = 1 + 0.022 * _noise(grid, 2.3, rng) + 0.05 * fade * _speckle(grid, 34.0, rng)
    if ground.paving == "asphalt":
        ruts = np.cos(grid.u * (2 * np.pi / 1.7)) * np.exp(-0.1 * np.abs(grid.u))
        tone += 0.035 * ruts
        tone += _cracks(grid, rng)
    else:
        tone += _stones(ground.paving, grid)
    for u, z, wide, long, dark in ground.patches:
        tone *= np.where((np.abs(grid.u - u) < wide) & (np.abs(grid.z - z) < long), dark, 1.0)
    colour = tone[..., None] * np.array(ground.road, np.float32)
    paint = _markings(world, ground, grid)
    worn = np.clip(1 - ground.wear * (0.5 + 0.6 * _noise(grid, 8.0, rng)), 0.15, 1)
    strength = (paint * worn * (0.94 + 0.04 * _speckle(grid, 12.0, rng)))[..., None]
    colour += np.clip(strength, 0, 1) * (np.array(ground.paint, np.float32) - colour)
    for u, z in ground.covers:
        reach = np.hypot(grid.u - u, grid.z - z)
        colour *= np.where(reach < 0.38, np.where(reach < 0.31, 0.72, 0.5), 1.0)[..., None]
    return colour


def _cracks(grid: _Grid, rng: np.random.Generator) -> np.ndarray:
    field = _noise(grid, 6.0, rng)
    line = np.clip(1 - np.abs(field) * 26, 0, 1) * (_noise(grid, 1.1, rng) > 0.5)
    return -0.16 * line * np.clip(0.06 / (grid.footprint + 0.01), 0, 1)


def _stones(paving: str, grid: _Grid) -> np.ndarray:
    size = 0.22 if paving == "cobbles" else 0.34
    row = np.floor(grid.z / size)
    shifted = grid.u + np.mod(row, 2) * size / 2
    column = np.floor(shifted / size)
    rough = 0.13 * np.sin(column * 12.9898 + row * 78.233 + np.sin(column * 3.7 + row))
    gap = (np.mod(shifted, size) < 0.05) | (np.mod(grid.z, size) < 0.05)
    fade = np.clip(0.035 / (grid.footprint + 0.005), 0, 1)
    return (rough - 0.28 * gap) * fade


def _markings(world: World, ground: Ground, grid: _Grid) -> np.ndarray:
    """Share of paint in each pixel, before wear, (h, W) in [0, 1]."""
    street, u, z = world.street, grid.u, grid.z
    paint = np.zeros(np.broadcast_shapes(u.shape, z.shape), np.float32)
    dashes = np.mod(z, 8.0) < 4.0
    if ground.centre == "double":
        paint += _line(u - 0.14, grid) + _line(u + 0.14, grid)
    elif ground.centre != "none":
        paint += _line(u, grid) * (dashes if ground.centre == "dashed" else 1.0)
    if ground.edges:
        paint += _line(np.abs(u) - street.half + 0.35, grid)
    if ground.parking:
        lane = np.abs(u) - (street.half - 2.1)
        paint += _line(lane, grid) * (np.mod(z, 3.0) < 1.6)
    for at, along in ground.arrows:
        paint += _arrow(u - at, z - along)
    if street.crossing is not None:
        near, far = street.crossing
        paint *= (z < near - 0.8) | (z > far + 0.8)
    for begin in ground.zebras:
        paint *= (z < begin - 1.6) | (z > begin + 4.2)
        stripes = (np.mod(u + 0.25, 1.0) < 0.52) & (np.abs(u) < street.half - 0.3)
        paint += stripes * ((z > begin) & (z < begin + 3.2))
        stop = (z > begin - 1.5) & (z < begin - 1.0) & (u > 0.1) & (u < street.half - 0.3)
        paint += 1.0 * stop
    return np.clip(paint * (z < street.end - 1), 0, 1)


def _line(across: np.ndarray, grid: _Grid, wide: float = 0.075) -> np.ndarray:
    """A line along the street; far away it gets thinner than a pixel and fades."""
    reach = wide + 0.5 * grid.footprint
    return np.clip((reach - np.abs(across)) / grid.footprint + 0.5, 0, 1) * np.minimum(
        1.0, 1.6 * wide / reach
    )


def _arrow(u: np.ndarray, z: np.ndarray) -> np.ndarray:
    shaft = (np.abs(u) < 0.11) & (z > 0) & (z < 2.6)
    head = (z >= 2.4) & (z < 4.2) & (np.abs(u) < (4.2 - z) * 0.28)
    return (shaft | head).astype(np.float32)


def _lawns(world: World, ground: Ground, grid: _Grid) -> np.ndarray:
    inside = np.zeros(np.broadcast_shapes(grid.u.shape, grid.z.shape), bool)
    for side, near, far in ground.lawns:
        inside |= (side * grid.u > world.street.edge) & (grid.z > near) & (grid.z < far)
    return inside


def _grass(ground: Ground, grid: _Grid, rng: np.random.Generator) -> np.ndarray:
    tone = 1 + 0.14 * _noise(grid, 4.0, rng) + 0.16 * _speckle(grid, 16.0, rng)
    return tone[..., None] * np.array(ground.lawn, np.float32)


def _sunlit(world: World, grid: _Grid, rng: np.random.Generator) -> np.ndarray:
    """Where the sun reaches past the roofs of one side: a ragged line along the street."""
    street, sun = world.street, world.light.sun
    shape = np.broadcast_shapes(grid.u.shape, grid.z.shape)
    if max(world.light.sun_fill) < 0.05:
        return np.ones(shape, np.float32)
    toward = np.sign(sun[0]) or 1.0
    along = grid.z + (street.edge - toward * grid.u) * sun[2] / max(abs(sun[0]), 0.2)
    roofs = world.shadow_reach * (1 + _steps(along, rng))
    line = street.edge - roofs
    soft = (line - toward * grid.u) / (0.25 + grid.footprint) + 0.5
    if street.crossing is not None:
        near, far = street.crossing
        inside = np.minimum(along - near + 1.5, far + 1.5 - along)
        soft = np.maximum(soft, inside / 0.6)
    return np.clip(soft, 0, 1).astype(np.float32)


def _steps(along: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Heights of roofs along the street relative to their mean, by houses of 11 metres."""
    heights = rng.uniform(-0.22, 0.22, 64)
    return heights[np.mod(np.floor(along / 11.0), 64).astype(int)]


def _noise(grid: _Grid, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise, fixed to the ground; `rate` is tile pixels per metre."""
    du, dz = rng.uniform(0, texture.SIDE, 2)
    return texture.sampled(texture.clouds(), grid.u * rate + du, grid.z * rate + dz)


def _speckle(grid: _Grid, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Rough noise, fixed to the ground."""
    du, dz = rng.integers(0, texture.SIDE, 2)
    last = texture.SIDE - 1
    columns = (grid.u * rate).astype(np.int32) + int(du) & last
    rows = (grid.z * rate).astype(np.int32) + int(dz) & last
    return texture.grain()[rows, columns]


def footprint(world: World, outline: Sequence[tuple[float, float]]) -> np.ndarray:
    """The pixels of a polygon on the ground, given as (u, z) corners."""
    points = [(world.street.x(u, z), 0.0, z) for u, z in outline]
    return world.camera.project(np.array(points))
