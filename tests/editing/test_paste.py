"""Objects put into a street: on the ground, in perspective, behind what is nearer."""

import numpy as np
import pytest

from augflow.editing.cutouts import Cutout
from augflow.editing.instances import number_objects
from augflow.editing.paste import Place, paste_cutout
from tests.editing.streets_by_hand import CAR, PERSON, POLE, ROAD, street

HORIZON = 0.4


def cutout(height=10, width=20, foot=0.6, index=CAR):
    classes, numbers = np.full((height, width), index, np.uint8), np.ones((height, width), np.int32)
    return Cutout(
        "s", classes, numbers, (round(100 * foot) - height, 40), (100, 100), ROAD, HORIZON
    )


def on(foot, column, **more):
    return Place(foot - HORIZON, column, **more)


def put(layout, place, cut=None, upright=()):
    picture = number_objects(layout, upright)
    found = paste_cutout(picture, cut or cutout(), place, HORIZON, ROAD)
    return None if found is None else (found, found.objects > picture.objects.max())


def test_at_half_the_way_below_the_horizon_it_is_half_as_large():
    found, new = put(street(), on(0.6, 0.5), cutout(20, 40, 0.8))
    rows, columns = np.nonzero(new)
    assert (rows.min(), rows.max() + 1) == (50, 60)
    assert (columns.min(), columns.max() + 1) == (70, 90)
    assert (found.classes[new] == CAR).all()
    assert np.array_equal(found.classes[~new], street().classes[~new])


def test_what_would_have_to_be_drawn_far_larger_is_not_put():
    assert put(street(), on(0.85, 0.5)) is None
    assert put(street(), on(0.75, 0.5)) is not None
    # of few pixels, thin parts would become thick
    assert put(street(), on(0.75, 0.5), cutout(7, 14)) is None
    assert put(street(), on(0.65, 0.5), cutout(7, 14)) is not None


def test_in_a_larger_layout_it_takes_the_same_share_of_the_height():
    _, new = put(street(size=(200, 320)), on(0.6, 0.5))
    assert (new.any(axis=1).sum(), new.any(axis=0).sum()) == (20, 40)


def test_the_other_way_round_it_is_mirrored():
    cut = cutout()
    cut.numbers[:5, :10] = 0
    _, new = put(street(), on(0.6, 0.5), cut)
    _, turned = put(street(), on(0.6, 0.5, flipped=True), cut)
    assert np.array_equal(new[:, ::-1], turned)


def test_what_is_nearer_stays_before_it_and_what_is_farther_is_covered():
    layout = street((CAR, 50, 60, 58, 90), (POLE, 20, 85, 90, 87))
    found, new = put(layout, on(0.7, 0.5), cutout(15, 30, 0.7), upright=(POLE,))
    assert (found.classes[20:90, 85:87] == POLE).all()
    assert new[55:70, 65:85].all()
    assert found.objects.max() == 3
    assert (found.objects == 1).sum() == 8 * 28 - 3 * 23


@pytest.mark.parametrize(
    "place",
    [on(0.3, 0.5), on(0.42, 0.5), on(0.99, 0.5), on(0.7, 0.1), on(0.7, 0.99)],
    ids=["in the sky", "on the horizon", "too near", "off its ground", "over the side"],
)
def test_where_it_cannot_stand_nothing_is_put(place):
    assert put(street(), place) is None


def test_objects_do_not_stand_in_or_on_one_another():
    large = cutout(15, 30, 0.7)
    beside = street((CAR, 62, 70, 72, 90))
    assert put(beside, on(0.7, 0.5), large) is None
    assert put(beside, on(0.7, 0.8), large) is not None
    roof = street((CAR, 60, 40, 90, 120))
    assert put(roof, on(0.62, 0.5)) is None


def test_small_objects_are_not_covered():
    large, child = cutout(15, 30, 0.75), street((PERSON, 60, 80, 62, 84))
    assert put(child, on(0.75, 0.5), large) is None
    assert put(child, on(0.75, 0.75), large) is not None


@pytest.mark.parametrize(("column", "stands"), [(3, True), (4, False)])
def test_a_cutout_that_would_lose_its_pole_is_not_put(column, stands):
    """At half the size every other column is left out."""
    cut = cutout(20, 9, 0.8, POLE)
    cut.numbers[:] = 0
    cut.numbers[4:8] = cut.numbers[:, column] = 1
    assert (put(street(), on(0.6, 0.5), cut) is not None) == stands
