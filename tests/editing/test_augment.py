"""Layouts mirrored, stretched and joined: nothing is lost, bent or cut."""

import numpy as np
import pytest

from augflow.core.seeding import generator
from augflow.editing.augment import join_halves, mirror, stretch
from augflow.editing.instances import Picture, number_objects
from tests.editing.streets_by_hand import BUILDING, CAR, PERSON, SIZE, SKY, street


def draw(*names):
    return generator(0, *names)


def test_mirrored_twice_is_as_it_was():
    picture = number_objects(street((CAR, 60, 10, 70, 30)))
    once = mirror(picture)
    assert (once.objects[65, 130:150] > 0).all()
    assert np.array_equal(mirror(once).classes, picture.classes)


@pytest.mark.parametrize("number", range(4))
def test_nothing_thin_is_lost_between_the_edges_of_what_is_stretched(number):
    objects = np.arange(SIZE[0] * SIZE[1], dtype=np.int32).reshape(SIZE)
    found, kept = stretch(Picture(np.zeros(SIZE, np.uint8), objects), 0.4, draw(number))
    rows, columns = found.objects[:, 0] // SIZE[1], found.objects[0] % SIZE[1]
    # what is upright stays upright, what is level stays level
    assert np.array_equal(found.objects, rows[:, None] * SIZE[1] + columns)
    for places in (rows, columns):
        assert set(np.diff(places).tolist()) == {0, 1}
    assert kept == len(set(rows)) * len(set(columns)) / objects.size
    assert 0.7 < kept < 1


@pytest.mark.parametrize("number", range(4))
def test_the_horizon_stays_about_where_it_is(number):
    classes = np.zeros(SIZE, np.uint8)
    classes[:40] = SKY
    found, _ = stretch(Picture(classes, np.zeros(SIZE, np.int32)), 0.4, draw(number))
    assert abs((found.classes == SKY).sum(axis=0) - 40).max() <= 1


def test_two_streets_are_joined_beside_their_objects():
    left = number_objects(street((CAR, 60, 10, 70, 30), (PERSON, 55, 70, 70, 85)))
    right = number_objects(street((CAR, 62, 60, 72, 95), (PERSON, 55, 140, 70, 144)))
    found = join_halves(left, right)
    assert found is not None
    areas = np.bincount(found.objects.ravel())[1:]
    assert sorted(areas[areas > 0].tolist()) in (
        [60, 200, 350],
        [60, 200, 225],
        [60, 200, 225, 350],
        [60, 200],
    )
    assert (found.objects[60:70, 10:30] > 0).all()
    assert (found.objects[55:70, 140:144] > 0).all()
    assert found.classes[45, 0] == left.classes[45, 0]


def test_streets_that_agree_nowhere_are_not_joined():
    left = number_objects(street())
    classes = np.full(SIZE, BUILDING, np.uint8)
    classes[:50] = SKY
    assert join_halves(left, Picture(classes, np.zeros(SIZE, np.int32))) is None


def test_a_seam_never_goes_through_an_object():
    wall = number_objects(street((CAR, 60, 10, 70, 150)))
    assert join_halves(wall, number_objects(street())) is None
    assert join_halves(number_objects(street()), wall) is None
