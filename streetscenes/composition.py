"""A street scene of a seed and an index: photograph, class ids, instance ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augflow.core import seeding
from streetscenes import (
    buildings,
    buses,
    cars,
    furniture,
    people,
    photograph,
    plan,
    plants,
    sky,
    vehicles,
)
from streetscenes import ground as grounds
from streetscenes.canvas import Canvas
from streetscenes.view import World

SMALLEST = (32, 48)


@dataclass(frozen=True)
class StreetScene:
    """A photograph with its ids.

    `attributes` tell what was drawn: time, weather, season, quarter, facade.

    Shapes:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) uint8, raw ids as Cityscapes publishes them.
        instances: (H, W) uint16, `1000 * id + n` for things, the raw id for stuff.
    """

    image: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    attributes: dict[str, str]


def street_scene(seed: int, index: int | str, size: tuple[int, int]) -> StreetScene:
    """Draws a scene; what it shows depends on (seed, index) alone, its resolution on `size`.

    The scene is drawn larger; the photograph is its area average, the ids are the nearest ones, so
    edges of both agree.

    Raises:
        ValueError: a side is shorter than `SMALLEST`.
    """
    height, width = size
    if height < SMALLEST[0] or width < SMALLEST[1]:
        raise ValueError(f"size is {height}x{width}, expected at least {SMALLEST[0]}x{SMALLEST[1]}")
    factor = 4 if height < 96 else 3 if height < 192 else 2
    rng = seeding.generator(seed, "streets", index)
    drawn = plan.draw(rng, height * factor, width * factor)
    canvas = Canvas(height * factor, width * factor)
    _draw(canvas, drawn, seeding.derive(seed, "streets", index))
    raw = np.array([owner.label for owner in canvas.owners], np.uint8)
    finish = seeding.generator(seed, "streets", index, "camera")
    image = photograph.expose(canvas, drawn.world, raw[canvas.owner], size, finish)
    middle = factor // 2
    owner = canvas.owner[middle::factor, middle::factor]
    light = drawn.world.light
    attributes = {
        "time": light.time,
        "weather": light.weather,
        "season": drawn.season,
        "quarter": drawn.quarter,
        "facade": drawn.style,
    }
    return StreetScene(image, raw[owner], _instances(canvas, owner), attributes)


def _draw(canvas: Canvas, drawn: plan.Plan, key: int) -> None:
    """Sky, ground with all shadows on it, then everything that stands, the farthest first."""
    world = drawn.world
    sky.draw_sky(canvas, world, seeding.generator(key, "sky"))
    sunlit, top = grounds.draw_ground(canvas, world, drawn.ground, seeding.generator(key, "ground"))
    for thing in drawn.things:
        _cast(canvas, world, thing)
    grounds.light_ground(canvas, world, sunlit, top)
    sky.draw_skyline(canvas, world, seeding.generator(key, "skyline"))
    for thing in sorted(drawn.things, key=_distance, reverse=True):
        _stand(canvas, world, thing)


def _distance(thing: plan.Thing) -> float:
    """Painter's order.

    Houses and hedges count by their far end, for everything else stands before them; vehicles by
    their near end, for whatever else is beside them stands farther from the lane.
    """
    match thing:
        case buildings.House():
            return thing.distance
        case plants.Hedge():
            return thing.far
        case cars.Car() | buses.Bus():
            return thing.z - vehicles.reach(thing)
    return thing.z


def _cast(canvas: Canvas, world: World, thing: plan.Thing) -> None:
    if isinstance(thing, plants.Tree):
        plants.cast_tree(canvas, world, thing)
    elif isinstance(thing, cars.Car | buses.Bus):
        vehicles.cast_vehicle(canvas, world, thing)
    elif isinstance(thing, people.Person):
        people.cast_person(canvas, world, thing)
    elif isinstance(thing, furniture.Post):
        furniture.cast_post(canvas, world, thing)


def _stand(canvas: Canvas, world: World, thing: plan.Thing) -> None:
    match thing:
        case buildings.House():
            buildings.draw_house(canvas, world, thing)
        case plants.Tree():
            plants.draw_tree(canvas, world, thing)
        case plants.Hedge():
            plants.draw_hedge(canvas, world, thing)
        case cars.Car():
            cars.draw_car(canvas, world, thing)
        case buses.Bus():
            buses.draw_bus(canvas, world, thing)
        case people.Person():
            people.draw_person(canvas, world, thing)
        case furniture.Post():
            furniture.draw_post(canvas, world, thing)


def _instances(canvas: Canvas, owner: np.ndarray) -> np.ndarray:
    """Instance ids as Cityscapes codes them, numbered from 0 in each class, farthest first."""
    codes = np.array([entry.label for entry in canvas.owners], np.uint16)
    counts: dict[int, int] = {}
    for number in np.unique(owner).tolist():
        entry = canvas.owners[number]
        if entry.is_thing:
            codes[number] = 1000 * entry.label + counts.get(entry.label, 0)
            counts[entry.label] = counts.get(entry.label, 0) + 1
    return codes[owner]
