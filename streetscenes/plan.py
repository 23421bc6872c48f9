"""What a scene holds: a street, a ground, and the list of all that stands on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streetscenes import plants, sidewalks, terraces, traffic, weather
from streetscenes.buildings import House
from streetscenes.buses import Bus
from streetscenes.cars import Car
from streetscenes.chance import picked, tinted
from streetscenes.furniture import Post
from streetscenes.ground import Ground
from streetscenes.people import Person
from streetscenes.plants import Hedge, Tree
from streetscenes.terraces import Park
from streetscenes.view import Camera, Colour, Street, World

QUARTERS = {"old town": 0.25, "residential": 0.33, "avenue": 0.24, "business": 0.18}

Thing = House | Tree | Hedge | Post | Car | Bus | Person


@dataclass(frozen=True)
class Plan:
    """A scene before it is drawn."""

    world: World
    ground: Ground
    things: tuple[Thing, ...]
    quarter: str
    season: str
    style: str


def draw(rng: np.random.Generator, rows: int, columns: int) -> Plan:
    """Draws a plan; the draws do not depend on the picture's size."""
    quarter = str(rng.choice(list(QUARTERS), p=list(QUARTERS.values())))
    season = str(rng.choice(list(plants.LEAVES), p=[0.25, 0.42, 0.33]))
    style = picked(terraces.STYLES[quarter], rng)
    street = _street(quarter, rng)
    light = weather.draw(rng)
    camera = Camera(
        focal=float(rng.uniform(0.86, 1.12)),
        horizon=float(rng.uniform(0.44, 0.56)),
        shift=float(rng.normal(0, 0.07)),
        height=float(rng.uniform(1.35, 2.3)),
        rows=rows,
        columns=columns,
    )
    reach = float(rng.uniform(6, 12) * abs(light.sun[0]) / max(light.sun[1], 0.25))
    world = World(camera, street, light, min(reach, 2.6 * street.edge))
    parks = terraces.draw_parks(quarter, street, rng)
    ground = _ground(quarter, season, world, parks, rng)
    styles = (style, *terraces.STYLES[quarter])
    things: list[Thing] = []
    things += terraces.draw_houses(styles, street, light, parks, rng)
    things += terraces.draw_greens(quarter, season, street, parks, rng)
    things += sidewalks.draw_posts(quarter, street, rng)
    vehicles = traffic.draw_traffic(quarter, street, rng)
    rain = light.weather == "rain"
    things += vehicles
    things += sidewalks.draw_crowd(street, ground.zebras, vehicles, rain, rng)
    return Plan(world, ground, tuple(things), quarter, season, style)


def _street(quarter: str, rng: np.random.Generator) -> Street:
    half, pavement = {
        "old town": (rng.uniform(4.0, 4.9), rng.uniform(1.7, 2.6)),
        "residential": (rng.uniform(4.4, 5.6), rng.uniform(2.2, 3.4)),
        "avenue": (rng.uniform(5.6, 7.2), rng.uniform(3.2, 4.8)),
        "business": (rng.uniform(5.2, 7.0), rng.uniform(2.8, 4.2)),
    }[quarter]
    crossing = None
    if rng.random() < 0.45:
        near = rng.uniform(14, 34)
        crossing = (float(near), float(near + rng.uniform(7, 11)))
    bend = float(rng.normal(0, 0.0013)) if rng.random() < 0.6 else 0.0
    end = float(rng.uniform(48, 80) if rng.random() < 0.5 else rng.uniform(90, 170))
    if crossing is not None:
        end = max(end, crossing[1] + 30)
    lateral = float(rng.uniform(0.22, 0.42) * half)
    return Street(float(half), float(pavement), bend, lateral, crossing, end)


# fmt: off
_ROADS: dict[str, tuple[Colour, ...]] = {
    "asphalt": ((104, 104, 108), (126, 126, 126), (88, 90, 96), (136, 130, 122)),
    "cobbles": ((118, 110, 102), (134, 126, 112), (104, 104, 108)),
    "setts": ((126, 118, 108), (140, 112, 96), (110, 110, 112)),
}
_SLABS: tuple[Colour, ...] = ((176, 172, 164), (156, 154, 152), (186, 166, 146), (164, 138, 122),
                              (196, 190, 178))
_LAWNS: dict[str, Colour] = {"spring": (112, 150, 66), "summer": (104, 132, 64),
                             "autumn": (134, 124, 66)}
# fmt: on


def _ground(
    quarter: str, season: str, world: World, parks: tuple[Park, ...], rng: np.random.Generator
) -> Ground:
    street = world.street
    wet = 0.72 if world.light.wet else 1.0
    stones = quarter == "old town" and rng.random() < 0.5
    paving = str(rng.choice(["cobbles", "setts"])) if stones else "asphalt"
    lines = str(rng.choice(["dashed", "solid", "double", "none"], p=[0.6, 0.17, 0.1, 0.13]))
    arrow = (traffic.lane(street), float(rng.uniform(5, 13)))
    patches = tuple(
        (rng.uniform(-0.8, 0.8) * street.half, rng.uniform(4, 30), rng.uniform(0.4, 1.4),
         rng.uniform(0.5, 4), rng.uniform(0.8, 1.12))
        for _ in range(int(rng.integers(0, 5)))
    )  # fmt: skip
    covers = [(rng.uniform(-0.7, 0.7) * street.half, rng.uniform(4, 22)) for _ in range(3)]
    return Ground(
        paving=paving,
        road=tinted(_ROADS[paving], rng, wet),
        slabs=tinted(_SLABS, rng, wet),
        slab=float(rng.choice([0.5, 0.75, 1.0])),
        paint=(238, 238, 230) if rng.random() < 0.85 else (240, 204, 80),
        wear=float(rng.uniform(0, 0.45)),
        centre="none" if stones else lines,
        edges=bool(rng.random() < 0.45) and not stones,
        parking=bool(rng.random() < 0.4),
        zebras=_zebras(street, rng),
        arrows=(arrow,) if rng.random() < 0.28 and not stones else (),
        patches=() if stones else patches,
        covers=tuple(covers[: int(rng.integers(0, 4))]),
        lawns=parks,
        lawn=_LAWNS[season],
    )


def _zebras(street: Street, rng: np.random.Generator) -> tuple[float, ...]:
    """Most crossings have a zebra before them; some streets have one without a crossing."""
    place, chance = float(rng.uniform(8, 26)), rng.random()
    if street.crossing is not None:
        return (street.crossing[0] - 4.4,) if chance < 0.8 else ()
    return (place,) if chance < 0.35 else ()
