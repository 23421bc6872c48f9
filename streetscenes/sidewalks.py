"""What stands and who walks on the sidewalks."""

from __future__ import annotations

import numpy as np

from streetscenes.chance import fresh_seed, picked, tinted
from streetscenes.furniture import Post
from streetscenes.people import LEGS, TOPS, Person
from streetscenes.signs import FACES
from streetscenes.traffic import Traffic, is_free
from streetscenes.view import Colour, Street

_GREY: Colour = (150, 152, 154)
_PAINTS: tuple[Colour, ...] = ((70, 74, 78), (44, 62, 54), (140, 144, 148), (40, 42, 46))
_BINS: tuple[Colour, ...] = ((60, 96, 70), (210, 110, 40), (90, 92, 96))


def draw_posts(quarter: str, street: Street, rng: np.random.Generator) -> list[Post]:
    """Lamps, signs at the kerb, lights at crossings, now and then bollards or a bin."""
    posts = _lamps(quarter, street, rng) + _signs(street, rng)
    if street.crossing is not None:
        posts += _corner_posts(street, street.crossing, rng)
    if rng.random() < 0.25:
        side, first = int(rng.choice([-1, 1])), float(rng.uniform(5, 10))
        posts += [
            Post(side * (street.half + 0.35), first + 1.6 * n, "bollard", 0.95, "", (60, 60, 62))
            for n in range(int(rng.integers(4, 9)))
        ]
    if rng.random() < 0.2:
        u = float(rng.choice([-1, 1])) * (street.half + 0.9)
        posts.append(Post(u, float(rng.uniform(7, 15)), "bin", 1.0, "", picked(_BINS, rng)))
    return posts


def _lamps(quarter: str, street: Street, rng: np.random.Generator) -> list[Post]:
    """Lamps of one kind at equal distances, by turns on the two sides."""
    tone = picked(_PAINTS, rng)
    kind = "lantern" if quarter == "old town" and rng.random() < 0.7 else "lamp"
    height = float(rng.uniform(4.0, 5.0) if kind == "lantern" else rng.uniform(6.0, 7.5))
    gap, start = float(rng.uniform(14, 22)), float(rng.uniform(7, 12))
    lamps = []
    for side in (-1, 1):
        for z in np.arange(start + (0.5 * gap if side > 0 else 0.0), min(street.end, 110), gap):
            if not street.in_crossing(z, 1.0):
                lamps.append(Post(side * (street.half + 0.42), float(z), kind, height, "", tone))
    return lamps


def _signs(street: Street, rng: np.random.Generator) -> list[Post]:
    signs = []
    for _ in range(int(rng.integers(2, 6))):
        side, z = int(rng.choice([-1, 1], p=[0.35, 0.65])), float(rng.uniform(6.5, 24))
        u = side * (street.half + float(rng.uniform(0.35, 0.6)))
        height, face = float(rng.uniform(2.3, 2.9)), picked(tuple(FACES), rng)
        if not street.in_crossing(z, 0.5):
            signs.append(Post(u, z, "sign", height, face, _GREY))
    return signs


def _corner_posts(
    street: Street, crossing: tuple[float, float], rng: np.random.Generator
) -> list[Post]:
    """Traffic lights, or priority signs, before and behind a crossing."""
    near, far = crossing
    beside = street.half + 0.5
    spots = [(beside, near - 0.6), (-beside, far + 0.6), (beside, far + 0.6)]
    if rng.random() < 0.55:
        phase = str(rng.choice(["red", "amber", "green"], p=[0.45, 0.1, 0.45]))
        return [Post(u, z, "traffic_light", 2.4, phase, (52, 54, 56)) for u, z in spots]
    face = str(rng.choice(["stop", "yield", "priority", "zebra"]))
    return [Post(u, z, "sign", 2.5, face, _GREY) for u, z in spots[:2]]


def draw_crowd(
    street: Street,
    zebras: tuple[float, ...],
    traffic: Traffic,
    rain: bool,
    rng: np.random.Generator,
) -> list[Person]:
    """Groups on both sidewalks, walkers on zebras, now and then someone in the road."""
    people: list[Person] = []
    for _ in range(int(rng.integers(6, 14))):
        people += _group(street, rain, rng)
    places = [
        (float(rng.uniform(-1, 1)) * street.half, begin + float(rng.uniform(0.6, 2.6)))
        for begin in zebras
        for _ in range(int(rng.integers(0, 5)))
    ]
    if rng.random() < 0.18:
        places.append((float(rng.uniform(-0.8, 0.8)) * street.half, float(rng.uniform(8, 18))))
    for u, z in places:
        if is_free(u, z, traffic):
            people.append(_person((u, z), str(rng.choice(["left", "right"])), rain, rng))
    return people


def _group(street: Street, rain: bool, rng: np.random.Generator) -> list[Person]:
    """One to four people side by side; nobody where the crossing is."""
    side, z = int(rng.choice([-1, 1])), 5.2 + 24 * float(rng.random()) ** 1.6
    size = int(rng.choice([1, 2, 3, 4], p=[0.4, 0.33, 0.17, 0.1]))
    u = side * (street.half + float(rng.uniform(0.5, max(0.7, street.pavement - 0.6))))
    facing = str(rng.choice(["away", "toward"]))
    if street.in_crossing(z, 1.0):
        return []
    return [
        _person((u + 0.42 * member * side, z + float(rng.normal(0, 0.25))), facing, rain, rng)
        for member in range(size)
    ]


def _person(
    place: tuple[float, float], facing: str, rain: bool, rng: np.random.Generator
) -> Person:
    child = rng.random() < 0.12
    height = float(rng.uniform(1.05, 1.4) if child else rng.normal(1.74, 0.08))
    return Person(
        u=place[0],
        z=place[1],
        height=height,
        facing=facing if rng.random() < 0.85 else str(rng.choice(["left", "right"])),
        stride=float(rng.uniform(0.3, 1.1)),
        top=tinted(TOPS, rng),
        legs=tinted(LEGS, rng),
        outfit=str(rng.choice(["jacket", "coat", "dress"], p=[0.7, 0.17, 0.13])),
        umbrella=bool(rain and rng.random() < 0.5),
        seed=fresh_seed(rng),
    )
