"""A set of a class table of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from augflow.data.classes import ClassRow, ClassTable
from augflow.data.synthetic import NewPhoto, SetFacts, write_set

SIZE = (12, 20)
TABLE = ClassTable("own", (
    ClassRow("sea \\ | ice", 200, 0, False, (0, 0, 250)),
    ClassRow("seal", 40, 1, True, (90, 90, 90)),
    ClassRow("sky", 0, 2, False, (200, 230, 255)),
    ClassRow("boat", 61, 3, True, (250, 0, 0)),
    ClassRow("clouds", 77, 2, False, (240, 240, 255)),
    ClassRow("nothing", 254, 255, False, (0, 0, 0)),
))  # fmt: skip


def drawn(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Class map and instance ids: two seals that touch, a group of boats, a hole."""
    classes = np.zeros(SIZE, np.uint8)
    classes[:4] = 2
    ids = TABLE.raw_ids[classes].astype(np.int64)
    for place, column in enumerate((2 + number, 6 + number)):
        classes[6:9, column : column + 4], ids[6:9, column : column + 4] = 1, 40000 + place
    classes[5:8, 14:18], ids[5:8, 14:18] = 3, 61
    classes[7:10, 7:9] = 255
    return classes, ids


@pytest.fixture(scope="session")
def own_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs, ids beyond those of Cityscapes; read only."""
    out = tmp_path_factory.mktemp("own") / "arctic"
    draw = np.random.default_rng(0)
    photos = []
    for number in range(3):
        classes, ids = drawn(number)
        image = draw.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
        photos.append(NewPhoto(
            f"floe_{number}", f"floe_{number}", "train", "north", image, classes, 0.8, 0, number,
            instances=ids,
        ))  # fmt: skip
    write_set(out, SetFacts("arctic", "0123abcd", (0.8,), 1, TABLE, SIZE), photos)
    return out
