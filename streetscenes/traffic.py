"""Where cars and buses stand and drive."""

from __future__ import annotations

import numpy as np

from streetscenes import buses, cars
from streetscenes.buses import Bus
from streetscenes.cars import Car
from streetscenes.chance import fresh_seed, picked, tinted
from streetscenes.view import Colour, Street

Traffic = list[Car | Bus]


def draw_traffic(quarter: str, street: Street, rng: np.random.Generator) -> Traffic:
    """Parked rows, cars and buses in both lanes, cars that cross; none stands in another."""
    traffic: Traffic = []
    for side in (-1, 1):
        if rng.random() < (0.5 if quarter == "old town" else 0.7):
            traffic += _parked_row(street, side, rng)
    busy = float(rng.uniform(0.25, 0.9))
    for direction in (1, -1):
        traffic += _driving_row(street, direction, busy, rng)
    if street.crossing is not None and rng.random() < 0.6:
        near, far = street.crossing
        for direction, share in ((1, 0.3), (-1, 0.72)):
            if rng.random() < 0.6:
                u, z = float(rng.uniform(-9, 9)), near + share * (far - near)
                traffic.append(_car((u, z), direction * np.pi / 2, False, rng))
    return traffic


def lane(street: Street) -> float:
    """The middle of the right lane, in u: cars in it pass parked ones."""
    return min(0.36 * street.half, street.half - 2.85)


def is_free(u: float, z: float, traffic: Traffic) -> bool:
    """Whether no vehicle stands at a place."""
    return not any(
        abs(vehicle.u - u) < 1.6 and abs(vehicle.z - z) < vehicle.extent[0] / 2 + 1.0
        for vehicle in traffic
    )


def _parked_row(street: Street, side: int, rng: np.random.Generator) -> Traffic:
    """Cars bumper to bumper along the kerb; most look the way they drive."""
    row: Traffic = []
    z = float(rng.uniform(4.5, 10))
    full = float(rng.uniform(0.6, 1.0))
    while z < min(street.end - 4, 80):
        if rng.random() < full and not street.in_crossing(z, 6.5):
            heading = 0.0 if (side > 0) == (rng.random() < 0.93) else np.pi
            u = side * (street.half - 1.0 + float(rng.normal(0, 0.06)))
            row.append(_car((u, z), heading + float(rng.normal(0, 0.02)), True, rng))
        z += float(rng.uniform(5.3, 6.4))
    return row


def _driving_row(street: Street, direction: int, busy: float, rng: np.random.Generator) -> Traffic:
    """One lane's cars and buses; `direction` is 1 for the camera's own lane."""
    row: Traffic = []
    z = float(rng.uniform(7, 17) if direction > 0 else rng.uniform(6, 14))
    while z < min(street.end - 6, 90):
        if rng.random() < busy and not street.in_crossing(z, 2.5):
            u = direction * lane(street) + float(rng.normal(0, 0.12))
            vehicle = _driver((u, z), 0.0 if direction > 0 else np.pi, rng)
            row.append(vehicle)
            z += vehicle.extent[0] - 4.0
        z += float(rng.choice([6.2, 9.0, 16.0, 24.0]) + rng.uniform(0, 1.5))
    return row


def _driver(at: tuple[float, float], heading: float, rng: np.random.Generator) -> Car | Bus:
    if rng.random() > 0.17:
        return _car(at, heading, False, rng)
    decks = 2 if rng.random() < 0.15 else 1
    length = float(rng.uniform(9.5, 12))
    paint = picked(buses.PAINTS, rng)
    return Bus(at[0], at[1] + length / 2, heading, length, paint, decks, fresh_seed(rng))


def _car(at: tuple[float, float], heading: float, parked: bool, rng: np.random.Generator) -> Car:
    body = str(rng.choice(list(cars.SHAPES), p=[0.27, 0.2, 0.16, 0.2, 0.09, 0.08]))
    taxi = bool(not parked and rng.random() < 0.1)
    paint = tinted(cars.PAINTS, rng, spread=0.06)
    if taxi:
        paint = picked(_TAXIS, rng)
    braking = bool(rng.random() < 0.3)
    return Car(at[0], at[1], heading, body, paint, braking, taxi, parked, fresh_seed(rng))


_TAXIS: tuple[Colour, ...] = ((236, 190, 40), (238, 228, 196))
