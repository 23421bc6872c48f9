"""Objects as they stand: what is one, what belongs to it, and ids of their own."""

import numpy as np

from augflow.editing.instances import group_riders, number_objects, object_instances, with_own_ids
from tests.editing.streets_by_hand import (
    BICYCLE,
    CAR,
    CITY,
    PERSON,
    POLE,
    RIDER,
    ROAD,
    SIGN,
    street,
)


def together(layout, upright=()):
    return group_riders(object_instances(number_objects(layout, upright)), CITY.things)


def test_a_sign_goes_with_its_pole():
    layout = street((POLE, 20, 50, 60, 52), (SIGN, 20, 48, 28, 54), (POLE, 30, 90, 58, 91))
    picture = number_objects(layout, (POLE, SIGN))
    assert len(np.unique(picture.objects)) == 3
    assert picture.objects[22, 48] == picture.objects[59, 51] != picture.objects[57, 90]
    assert not number_objects(layout).objects.any()


def test_a_rider_belongs_to_what_is_ridden_and_a_person_behind_a_car_to_nothing():
    layout = street(
        (RIDER, 50, 60, 60, 66),
        (BICYCLE, 60, 58, 70, 70),
        (PERSON, 50, 110, 60, 114),
        (CAR, 60, 100, 75, 140),
    )
    found = together(layout)
    assert sorted(len(one.numbers) for one in found) == [1, 1, 2]
    pair = next(one for one in found if len(one.numbers) == 2)
    assert pair.box == (50, 58, 70, 70)
    assert pair.area == 60 + 120
    assert pair.ground[ROAD] == 12
    person = next(one for one in found if one.index == PERSON)
    assert not person.ground.any()
    assert sum(person.upon.values()) == 4


def test_what_is_hidden_is_hidden_by_nearer_objects_alone():
    layout = street((CAR, 50, 60, 70, 90), (CAR, 60, 90, 80, 120))
    far, near = sorted(together(layout), key=lambda one: one.box[2])
    assert far.hidden_share == 10 / 100
    assert near.hidden_share == 0


def test_objects_at_the_edge_are_cut_off_and_at_the_top_they_are_not():
    layout = street((CAR, 60, 0, 70, 20), (CAR, 90, 60, 100, 80), (POLE, 0, 100, 60, 102))
    cut = {one.index: one.is_cut_off((100, 160)) for one in together(layout, (POLE,))}
    assert cut == {CAR: True, POLE: False}


def test_every_thing_has_an_id_of_its_own_and_stuff_that_of_its_class():
    layout = street(
        (CAR, 60, 50, 70, 70),
        (CAR, 60, 70, 70, 90),
        (POLE, 20, 100, 60, 102),
        (PERSON, 55, 20, 70, 24),
    )
    layout.classes[95:] = 255
    found = with_own_ids(number_objects(layout, (POLE,)), CITY)
    things = np.isin(found.classes, CITY.things)
    assert np.unique(found.ids[things]).tolist() == [24000, 26000, 26001]
    assert (found.ids[~things] == CITY.raw_ids[found.classes[~things]]).all()
    assert found.ids[60, 69] != found.ids[60, 70]
