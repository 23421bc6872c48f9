"""What a pool of streets has in common: drawn by hand, so that it is known."""

import pytest

from augflow.editing.instances import number_objects, object_instances
from augflow.editing.perspective import HORIZON, own_horizon, street_of
from tests.editing import streets_by_hand as hand
from tests.editing.streets_by_hand import CAR, CITY, POLE, ROAD, SIDEWALK, SIGN, street


@pytest.fixture(scope="module")
def pool():
    return hand.pool()


def test_the_horizon_is_where_objects_would_have_no_height(pool):
    assert street_of(pool, CITY).horizon == pytest.approx(hand.HORIZON / 100, abs=0.02)
    few = {name: pool[name] for name in ("s0", "s1")}
    assert street_of(few, CITY).horizon == HORIZON


def test_a_layout_has_its_own_horizon_as_far_as_its_objects_tell(pool):
    found = street_of(pool, CITY)
    boxes = [
        (CAR, foot - (foot - 46) // 2, left, foot, left + foot - 46)
        for foot, left in ((70, 60), (66, 90), (62, 120))
    ]
    lower = own_horizon(object_instances(number_objects(street(*boxes))), hand.SIZE, found)
    assert lower == pytest.approx(found.horizon + 0.06 * 3 / 7, abs=0.015)
    assert own_horizon([], hand.SIZE, found) == found.horizon


def test_ground_is_what_things_stand_on_and_thin_stuff_that_reaches_up_stands(pool):
    found = street_of(pool, CITY)
    assert found.ground == (ROAD, SIDEWALK)
    assert found.upright == (POLE, SIGN)
