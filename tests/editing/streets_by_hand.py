"""A street drawn by hand: sky, building, sidewalk, road, and boxes that stand on it."""

from __future__ import annotations

import numpy as np

from augflow.data.classes import table
from augflow.editing.objects import ObjectMap

CITY = table("cityscapes")
ROAD, SIDEWALK, BUILDING, POLE, SIGN, SKY, PERSON, RIDER, CAR, BICYCLE = (
    CITY.names.index(name)
    for name in (
        "road",
        "sidewalk",
        "building",
        "pole",
        "traffic sign",
        "sky",
        "person",
        "rider",
        "car",
        "bicycle",
    )
)
SIZE = (100, 160)
HORIZON = 40


def empty(size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Classes and ids without an object; the horizon is at 40 of 100 rows."""
    classes = np.full(size, ROAD, np.uint8)
    classes[:50], classes[:20] = BUILDING, SKY
    classes[50:, : size[1] // 4] = SIDEWALK
    return classes, CITY.raw_ids[classes].astype(np.int32)


def street(*boxes: tuple[int, int, int, int, int], size: tuple[int, int] = SIZE) -> ObjectMap:
    """A street with boxes (class, top, left, bottom, right), things with an id each."""
    classes, ids = empty(size)
    for number, (index, top, left, bottom, right) in enumerate(boxes):
        classes[top:bottom, left:right] = index
        raw = int(CITY.raw_ids[index])
        ids[top:bottom, left:right] = raw * 1000 + number if index in CITY.things else raw
    return ObjectMap(classes, ids, CITY)


def standing_on(foot: int, left: int, index: int = CAR, wide: float = 2.0) -> tuple:
    """A box as high as half of what its foot is below the horizon."""
    height = (foot - HORIZON) // 2
    return index, foot - height, left, foot, left + round(wide * height)


def pool() -> dict[str, ObjectMap]:
    """Cars by their rows, with a pole and its sign; a person on the sidewalk in every other."""
    pole = (POLE, 25, 60, 60, 61), (SIGN, 25, 58, 30, 63)
    layouts = {}
    for number, foot in enumerate(range(54, 94, 4)):
        person = [standing_on(foot, 10, PERSON, 0.4)] if number % 2 else []
        layouts[f"s{number}"] = street(*pole, standing_on(foot, 70), *person)
    return layouts
