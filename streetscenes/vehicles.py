"""What cars and buses share: their place on the street, their shadows, and their lamps' light."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from streetscenes.canvas import Canvas, Glow
from streetscenes.ground import footprint
from streetscenes.solids import Solid, lit_colours
from streetscenes.view import World


class Vehicle(Protocol):
    """What stands at (u, z), its middle, and looks along `heading`, 0 being the camera's way."""

    @property
    def u(self) -> float:
        """Metres to the right of the street's centre line."""
        ...

    @property
    def z(self) -> float:
        """Metres ahead of the camera."""
        ...

    @property
    def heading(self) -> float:
        """Radians."""
        ...

    @property
    def extent(self) -> tuple[float, float, float]:
        """Length, width and height."""
        ...


def cast_vehicle(canvas: Canvas, world: World, vehicle: Vehicle) -> None:
    """The dark under a vehicle, and its shadow away from the sun."""
    length, width, height = vehicle.extent
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


def draw_solid(canvas: Canvas, world: World, vehicle: Vehicle, model: Solid) -> None:
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
    colours = lit_colours(model, normals, world.light, world.lit(vehicle.u, vehicle.z))
    for index in np.flatnonzero(seen).tolist():
        outline = pixels[firsts[index] : lasts[index]]
        canvas.polygon(outline, colours[index], model.faces[index].shine)


def shine(
    canvas: Canvas, world: World, vehicle: Vehicle, at: tuple[float, float], reach: float
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


def reach(vehicle: Vehicle) -> float:
    """Metres from a vehicle's middle to its end toward the camera."""
    length, width, _ = vehicle.extent
    return (length if abs(np.cos(vehicle.heading)) > 0.5 else width) / 2


def _heading(world: World, vehicle: Vehicle) -> float:
    """The heading with the street's bend added, for vehicles that go along it."""
    along = abs(np.cos(vehicle.heading)) > 0.5
    return vehicle.heading + along * np.arctan(2 * world.street.bend * vehicle.z)
