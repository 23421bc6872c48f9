"""What a scene holds: a street, a ground, houses, trees, posts, cars, buses and people."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from augflow.datasets.streets import facades, plants, vehicles, weather
from augflow.datasets.streets.buildings import House
from augflow.datasets.streets.furniture import SIGNS, Post
from augflow.datasets.streets.ground import Ground
from augflow.datasets.streets.people import TOPS, Person
from augflow.datasets.streets.people import LEGS
from augflow.datasets.streets.plants import Hedge, Tree
from augflow.datasets.streets.vehicles import Bus, Car
from augflow.datasets.streets.view import Camera, Colour, Street, World

QUARTERS = {"old town": 0.25, "residential": 0.33, "avenue": 0.24, "business": 0.18}
_STYLES = {
    "old town": ("plaster", "plaster", "stone", "brick"),
    "residential": ("brick", "brick", "plaster", "panel"),
    "avenue": ("stone", "plaster", "brick", "glass"),
    "business": ("glass", "panel", "stone", "glass"),
}
_TILES: tuple[Colour, ...] = ((150, 74, 54), (176, 92, 62), (84, 82, 86), (66, 68, 76), (120, 92, 74))

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
    style = str(rng.choice(_STYLES[quarter]))
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
    parks = _parks(quarter, street, rng)
    ground = _ground(quarter, season, world, parks, rng)
    things: list[Thing] = []
    things += _houses(quarter, style, world, parks, rng)
    things += _greens(quarter, season, world, parks, rng)
    things += _posts(quarter, world, rng)
    traffic = _traffic(quarter, world, rng)
    things += traffic
    things += _crowd(world, ground, traffic, rng)
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


_Park = tuple[int, float, float]


def _parks(quarter: str, street: Street, rng: np.random.Generator) -> tuple[_Park, ...]:
    """Stretches without houses: (side, z, z)."""
    share = {"old town": 0.1, "residential": 0.4, "avenue": 0.35, "business": 0.2}[quarter]
    parks = []
    for side in (-1, 1):
        if rng.random() < share:
            near = float(rng.choice([-4.0, rng.uniform(10, 30)]))
            parks.append((side, near, near + float(rng.uniform(18, 45))))
    return tuple(parks[:1] if street.end < 60 else parks)


def _ground(
    quarter: str, season: str, world: World, parks: tuple[_Park, ...], rng: np.random.Generator
) -> Ground:
    street = world.street
    wet = 0.72 if world.light.wet else 1.0
    paving = "asphalt"
    if quarter == "old town" and rng.random() < 0.5:
        paving = str(rng.choice(["cobbles", "setts"]))
    roads = {
        "asphalt": ((104, 104, 108), (126, 126, 126), (88, 90, 96), (136, 130, 122)),
        "cobbles": ((118, 110, 102), (134, 126, 112), (104, 104, 108)),
        "setts": ((126, 118, 108), (140, 112, 96), (110, 110, 112)),
    }[paving]
    slabs = ((176, 172, 164), (156, 154, 152), (186, 166, 146), (164, 138, 122), (196, 190, 178))
    paint = (238, 238, 230) if rng.random() < 0.85 else (240, 204, 80)
    zebras = []
    if street.crossing is not None and rng.random() < 0.8:
        zebras.append(street.crossing[0] - 4.4)
    elif rng.random() < 0.35:
        zebras.append(float(rng.uniform(8, 26)))
    lane = _lane(street)
    arrows = [(lane, float(rng.uniform(5, 13)))] if rng.random() < 0.28 else []
    patches = tuple(
        (rng.uniform(-0.8, 0.8) * street.half, rng.uniform(4, 30), rng.uniform(0.4, 1.4),
         rng.uniform(0.5, 4), rng.uniform(0.8, 1.12))
        for _ in range(int(rng.integers(0, 5)))
    )  # fmt: skip
    covers = [(rng.uniform(-0.7, 0.7) * street.half, rng.uniform(4, 22)) for _ in range(3)]
    lawn = {"spring": (112, 150, 66), "summer": (104, 132, 64), "autumn": (134, 124, 66)}[season]
    marked = paving == "asphalt"
    return Ground(
        paving=paving,
        road=_tinted(roads, rng, wet),
        slabs=_tinted(slabs, rng, wet),
        slab=float(rng.choice([0.5, 0.75, 1.0])),
        paint=paint,
        wear=float(rng.uniform(0, 0.45)),
        centre=str(rng.choice(["dashed", "solid", "double", "none"], p=[0.6, 0.17, 0.1, 0.13]))
        if marked
        else "none",
        edges=bool(marked and rng.random() < 0.45),
        parking=bool(rng.random() < 0.4),
        zebras=tuple(zebras),
        arrows=tuple(arrows if marked else []),
        patches=patches if marked else (),
        covers=tuple(covers[: int(rng.integers(0, 4))]),
        lawns=parks,
        lawn=lawn,
    )


def _houses(
    quarter: str, style: str, world: World, parks: tuple[_Park, ...], rng: np.random.Generator
) -> list[Thing]:
    """Rows along both sides and across the end, with gaps for the crossing and for parks."""
    street, houses = world.street, list[Thing]()
    for side in (-1, 1):
        z, row = float(rng.uniform(-9, -3)), list[House]()
        while z < street.end - 4:
            far = z + float(rng.uniform(8, 19))
            near, far = _clear_of_crossing(street, z, min(far, street.end - 1.0))
            z = far
            if far - near < 3.5:
                continue
            if any(s == side and near < b and far > a for s, a, b in parks):
                continue
            house = _house(quarter, style, world, side, (near, far), rng)
            houses.append(_joined(house, row[-1]) if row and row[-1].far[1] == near else house)
            row.append(house)
    reach = 46.0 if parks else street.edge + 14.0
    across = -reach
    while across < reach:
        wide = float(rng.uniform(9, 18))
        house = _house(quarter, style, world, 0, (across, across + wide), rng)
        houses.append(house)
        across += wide
    return houses


def _joined(house: House, nearer: House) -> House:
    """A house in a row: of its end wall only a blank strip over the nearer house shows, if any."""
    hidden = nearer.front.height >= house.front.height and not house.pitch
    return replace(house, gable=None if hidden else replace(house.front, ground="blank"))


def _clear_of_crossing(street: Street, near: float, far: float) -> tuple[float, float]:
    """Moves a stretch out of the crossing; it ends at the crossing's sidewalk or begins after it."""
    if street.crossing is None:
        return near, far
    first, last = street.crossing[0] - street.pavement, street.crossing[1] + street.pavement
    if near < first < far:
        return near, first
    if first <= near < last:
        return last, max(last + 9.0, far)
    return near, far


def _house(
    quarter: str,
    style: str,
    world: World,
    side: int,
    span: tuple[float, float],
    rng: np.random.Generator,
) -> House:
    street = world.street
    kind = style if rng.random() < 0.6 else str(rng.choice(_STYLES[quarter]))
    front = facades.draw(kind, rng, world.light)
    pitched = kind in ("plaster", "brick", "stone") and rng.random() < 0.75
    chimneys = rng.uniform(0.15, 0.85, int(rng.integers(0, 3)) if pitched else 0)
    after = street.crossing is not None and abs(span[0] - street.crossing[1] - street.pavement) < 0.1
    edge = side * (street.edge + float(rng.choice([0.0, 0.0, 0.35])))
    ends = ((edge, span[0]), (edge, span[1]))
    if side == 0:
        ends = ((span[0], street.end + 10), (span[1], street.end + 10))
    return House(
        side=side,
        near=ends[0],
        far=ends[1],
        deep=34.0 if after else 11.0,
        front=front,
        gable=front,
        pitch=float(rng.uniform(2.2, 4.0)) if pitched else 0.0,
        tiles=_TILES[int(rng.integers(len(_TILES)))],
        chimneys=tuple(float(share) for share in chimneys),
    )


def _greens(
    quarter: str, season: str, world: World, parks: tuple[_Park, ...], rng: np.random.Generator
) -> list[Thing]:
    """Street trees in rows, trees and hedges of parks."""
    street, greens = world.street, list[Thing]()
    leaves = plants.LEAVES[season]
    main = leaves[int(rng.integers(len(leaves)))]
    share = {"old town": 0.45, "residential": 0.75, "avenue": 0.95, "business": 0.65}[quarter]
    for side in (-1, 1):
        if rng.random() > share:
            continue
        gap = float(rng.uniform(7, 13))
        z = float(rng.uniform(6, 14))
        while z < min(street.end, 95):
            u = side * (street.half + 0.8 + 0.2 * rng.random())
            if rng.random() < 0.86 and not street.in_crossing(z, 3):
                greens.append(_tree(u, z, main, leaves, (5.0, 8.5), rng))
            z += gap * float(rng.uniform(0.85, 1.2))
    for side, near, far in parks:
        for _ in range(int(rng.integers(7, 13))):
            z = float(rng.uniform(max(near, 6) + 1, max(far, 14)))
            u = side * (street.edge + float(rng.uniform(2.5, 13)))
            greens.append(_tree(u, z, main, leaves, (6.0, 11.0), rng))
        green = plants.LEAVES["summer"][int(rng.integers(5))]
        greens.append(
            Hedge(side * (street.edge + 0.3), near, far, float(rng.uniform(0.8, 1.7)), green,
                  bool(rng.random() < 0.65), _seed(rng))
        )  # fmt: skip
    if street.end < 170 and rng.random() < 0.5:
        for _ in range(6):
            u = float(rng.uniform(-16, 16))
            greens.append(_tree(u, street.end + 8.6, main, leaves, (5.0, 9.0), rng))
    return greens


def _tree(
    u: float,
    z: float,
    main: Colour,
    leaves: tuple[Colour, ...],
    heights: tuple[float, float],
    rng: np.random.Generator,
) -> Tree:
    colour = main if rng.random() < 0.6 else leaves[int(rng.integers(len(leaves)))]
    height = float(rng.uniform(*heights))
    shape = str(rng.choice(["round", "tall", "cone"], p=[0.78, 0.14, 0.08]))
    if shape == "cone":
        colour = (44.0, 78.0, 56.0)
    crown = height * {"round": 0.27, "tall": 0.14, "cone": 0.22}[shape]
    crown *= float(rng.uniform(0.85, 1.2))
    return Tree(u, z, height, crown, shape, _tinted((colour,), rng, 1.0), _seed(rng))


def _posts(quarter: str, world: World, rng: np.random.Generator) -> list[Thing]:
    """Lamps at equal distances, signs at the kerb, lights at crossings, now and then the rest."""
    street, posts = world.street, list[Thing]()
    tone = ((70, 74, 78), (44, 62, 54), (140, 144, 148), (40, 42, 46))[int(rng.integers(4))]
    kind = "lantern" if quarter == "old town" and rng.random() < 0.7 else "lamp"
    height = float(rng.uniform(4.0, 5.0) if kind == "lantern" else rng.uniform(6.0, 7.5))
    gap, start = float(rng.uniform(14, 22)), float(rng.uniform(7, 12))
    for side in (-1, 1):
        z = start + (0.5 * gap if side > 0 else 0.0)
        while z < min(street.end, 110):
            if not street.in_crossing(z, 1.0):
                posts.append(Post(side * (street.half + 0.42), z, kind, height, "", tone))
            z += gap
    grey: Colour = (150, 152, 154)
    for _ in range(int(rng.integers(1, 5))):
        side, z = int(rng.choice([-1, 1], p=[0.35, 0.65])), float(rng.uniform(6.5, 24))
        if not street.in_crossing(z, 0.5):
            u = side * (street.half + float(rng.uniform(0.35, 0.6)))
            face = SIGNS[int(rng.integers(len(SIGNS)))]
            posts.append(Post(u, z, "sign", float(rng.uniform(2.3, 2.9)), face, grey))
    if street.crossing is not None:
        posts += _corner_posts(street, rng)
    if rng.random() < 0.25:
        side, first = int(rng.choice([-1, 1])), float(rng.uniform(5, 10))
        posts += [
            Post(side * (street.half + 0.35), first + 1.6 * n, "bollard", 0.95, "", (60, 60, 62))
            for n in range(int(rng.integers(4, 9)))
        ]
    if rng.random() < 0.2:
        colour = ((60, 96, 70), (210, 110, 40), (90, 92, 96))[int(rng.integers(3))]
        u = -street.half - 0.9 if rng.random() < 0.4 else street.half + 0.9
        posts.append(Post(u, float(rng.uniform(7, 15)), "bin", 1.0, "", colour))
    return posts


def _corner_posts(street: Street, rng: np.random.Generator) -> list[Thing]:
    """Traffic lights, or priority signs, before and behind a crossing."""
    assert street.crossing is not None
    near, far = street.crossing
    spots = [(street.half + 0.5, near - 0.6), (-street.half - 0.5, far + 0.6), (street.half + 0.5, far + 0.6)]  # noqa: E501
    if rng.random() < 0.55:
        phase = str(rng.choice(["red", "amber", "green"], p=[0.45, 0.1, 0.45]))
        return [Post(u, z, "traffic_light", 2.4, phase, (52, 54, 56)) for u, z in spots]
    face = str(rng.choice(["stop", "yield", "priority", "zebra"]))
    return [Post(u, z, "sign", 2.5, face, (150, 152, 154)) for u, z in spots[:2]]


def _traffic(quarter: str, world: World, rng: np.random.Generator) -> list[Thing]:
    """Parked rows, cars in both lanes, cars that cross, buses; nothing stands in another."""
    street, traffic = world.street, list[Thing]()
    for side in (-1, 1):
        if rng.random() < (0.5 if quarter == "old town" else 0.8):
            traffic += _parked_row(street, side, rng)
    lane = _lane(street)
    busy = float(rng.uniform(0.25, 0.9))
    for direction in (1, -1):
        z = float(rng.uniform(7, 17) if direction > 0 else rng.uniform(6, 14))
        while z < min(street.end - 6, 90):
            if rng.random() < busy and not _blocked(street, z):
                u = direction * lane + float(rng.normal(0, 0.12))
                traffic.append(_driver(u, z, 0.0 if direction > 0 else np.pi, rng))
                z += 7.0 if isinstance(traffic[-1], Bus) else 0.0
            z += float(rng.choice([6.2, 9.0, 16.0, 24.0]) + rng.uniform(0, 1.5))
    if street.crossing is not None and rng.random() < 0.6:
        near, far = street.crossing
        for direction, share in ((1, 0.3), (-1, 0.72)):
            if rng.random() < 0.6:
                u, z = float(rng.uniform(-9, 9)), near + share * (far - near)
                traffic.append(_car(u, z, direction * np.pi / 2, False, rng))
    return traffic


def _lane(street: Street) -> float:
    """The middle of a lane: cars in it pass parked ones."""
    return min(0.36 * street.half, street.half - 2.85)


def _blocked(street: Street, z: float) -> bool:
    """Whether a vehicle at z would stand in the crossing."""
    return street.in_crossing(z, 2.5)


def _parked_row(street: Street, side: int, rng: np.random.Generator) -> list[Thing]:
    """Cars bumper to bumper along the kerb; most look the way they drive."""
    row: list[Thing] = []
    z = float(rng.uniform(4.5, 10))
    full = float(rng.uniform(0.6, 1.0))
    while z < min(street.end - 4, 80):
        if rng.random() < full and not street.in_crossing(z, 6.5):
            heading = 0.0 if (side > 0) == (rng.random() < 0.93) else np.pi
            u = side * (street.half - 1.0 + float(rng.normal(0, 0.06)))
            row.append(_car(u, z, heading + float(rng.normal(0, 0.02)), True, rng))
        z += float(rng.uniform(5.3, 6.4))
    return row


def _driver(u: float, z: float, heading: float, rng: np.random.Generator) -> Car | Bus:
    if rng.random() < 0.17:
        decks = 2 if rng.random() < 0.15 else 1
        paint = vehicles.BUS_PAINTS[int(rng.integers(len(vehicles.BUS_PAINTS)))]
        length = float(rng.uniform(9.5, 12))
        return Bus(u, z + length / 2, heading, length, paint, decks, _seed(rng))
    return _car(u, z, heading, False, rng)


def _car(u: float, z: float, heading: float, parked: bool, rng: np.random.Generator) -> Car:
    body = str(rng.choice(list(vehicles.SHAPES), p=[0.27, 0.2, 0.16, 0.2, 0.09, 0.08]))
    taxi = bool(not parked and rng.random() < 0.1)
    paint = _tinted(vehicles.PAINTS, rng, 1.0, 0.06)
    if taxi:
        paint = (236.0, 190.0, 40.0) if rng.random() < 0.5 else (238.0, 228.0, 196.0)
    return Car(u, z, heading, body, paint, bool(rng.random() < 0.3), taxi, parked, _seed(rng))


def _crowd(
    world: World, ground: Ground, traffic: list[Thing], rng: np.random.Generator
) -> list[Thing]:
    """Groups on both sidewalks, walkers on zebras, someone who crosses elsewhere."""
    street, people = world.street, list[Thing]()
    rain = world.light.weather == "rain"
    for _ in range(int(rng.integers(4, 11))):
        side, z = int(rng.choice([-1, 1])), 5.2 + 26 * float(rng.random()) ** 1.5
        if street.in_crossing(z, 1.0):
            continue
        size = int(rng.choice([1, 2, 3, 4], p=[0.4, 0.33, 0.17, 0.1]))
        u = side * (street.half + float(rng.uniform(0.5, max(0.7, street.pavement - 0.6))))
        facing = str(rng.choice(["away", "toward"]))
        for member in range(size):
            place = (u + 0.42 * member * side, z + float(rng.normal(0, 0.25)))
            people.append(_person(place, facing, rain, rng))
    for begin in ground.zebras:
        for _ in range(int(rng.integers(0, 5))):
            u = float(rng.uniform(-1, 1)) * street.half
            z = begin + float(rng.uniform(0.6, 2.6))
            if _free(u, z, traffic):
                people.append(_person((u, z), str(rng.choice(["left", "right"])), rain, rng))
    if rng.random() < 0.18:
        u, z = float(rng.uniform(-0.8, 0.8) * street.half), float(rng.uniform(8, 18))
        if _free(u, z, traffic):
            people.append(_person((u, z), str(rng.choice(["left", "right"])), rain, rng))
    return people


def _free(u: float, z: float, traffic: list[Thing]) -> bool:
    """Whether no vehicle stands at a place."""
    return not any(
        abs(v.u - u) < 1.6 and abs(v.z - z) < (7.0 if isinstance(v, Bus) else 3.2)
        for v in traffic
        if isinstance(v, Car | Bus)
    )


def _person(
    place: tuple[float, float], facing: str, rain: bool, rng: np.random.Generator
) -> Person:
    child = rng.random() < 0.12
    height = float(rng.uniform(1.05, 1.4) if child else rng.normal(1.74, 0.08))
    return Person(
        place[0],
        place[1],
        height,
        facing if rng.random() < 0.85 else str(rng.choice(["left", "right"])),
        float(rng.uniform(0.3, 1.1)),
        _tinted(TOPS, rng, 1.0),
        _tinted(LEGS, rng, 1.0),
        str(rng.choice(["jacket", "coat", "dress"], p=[0.7, 0.17, 0.13])),
        bool(rain and rng.random() < 0.5),
        _seed(rng),
    )


def _tinted(
    colours: tuple[Colour, ...], rng: np.random.Generator, gain: float, spread: float = 0.08
) -> Colour:
    colour = np.array(colours[int(rng.integers(len(colours)))])
    r, g, b = np.clip(colour * gain * (1 + spread * rng.standard_normal()), 8, 250)
    return float(r), float(g), float(b)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
