"""Edits that suit a layout: found by what it holds, and applicable one upon the other."""

import numpy as np

from augflow.data.classes import table
from augflow.editing.apply import apply_edit
from augflow.editing.objects import guess_objects
from augflow.editing.suggest import OTHER, largest_object, suggest_edits

CITY = table("cityscapes")
ROAD, SIDEWALK, BUILDING, SKY, PERSON, CAR = (
    CITY.names.index(name) for name in ("road", "sidewalk", "building", "sky", "person", "car")
)


def street(*objects):
    """Sky, building, sidewalk and road from top to bottom; objects are (class, box)."""
    classes = np.full((40, 60), ROAD, np.uint8)
    classes[:12], classes[12:24], classes[24:31] = SKY, BUILDING, SIDEWALK
    for index, (top, left, bottom, right) in objects:
        classes[top:bottom, left:right] = index
    return guess_objects(classes, CITY)


def walked(picture, other):
    """The pictures after every suggestion."""
    made = []
    for step in suggest_edits(picture, other):
        picture = apply_edit(picture, step.edit, {OTHER: other})
        made.append(picture)
    return made


def test_the_largest_object_goes_a_class_turns_and_an_object_comes():
    picture = street((CAR, (28, 5, 34, 15)), (PERSON, (26, 40, 34, 43)))
    other = street((CAR, (30, 42, 38, 56)))
    steps = suggest_edits(picture, other)
    # the sidewalk covers nearest to 15 % of the picture, the road is nearest to its height
    assert [step.text for step in steps] == ["car removed", "sidewalk to road", "car added"]
    gone, turned, added = walked(picture, other)
    assert not (gone.classes == CAR).any()
    assert (gone.classes[26:34, 40:43] == PERSON).all()
    assert not (turned.classes == SIDEWALK).any()
    assert (added.classes[30:38, 42:56] == CAR).all()
    assert (added.classes == CAR).sum() == 8 * 14


def test_objects_too_small_or_too_large_to_show_something_are_left_alone():
    assert largest_object(street()) is None
    assert largest_object(street((CAR, (32, 5, 34, 8)))) is None
    assert largest_object(street((CAR, (2, 2, 38, 58)))) is None
    mask = largest_object(street((CAR, (2, 2, 38, 58)), (PERSON, (20, 9, 30, 11))))
    assert mask is not None
    assert np.argwhere(mask)[[0, -1]].tolist() == [[20, 9], [29, 10]]


def test_objects_that_the_edge_cuts_off_are_left_alone():
    boxes = ((28, 0, 34, 10), (28, 50, 34, 60), (34, 20, 40, 30), (0, 20, 6, 30))
    assert all(largest_object(street((CAR, box))) is None for box in boxes)
    assert largest_object(street((CAR, (33, 1, 39, 11)))) is not None


def test_an_object_in_the_form_of_a_ring_is_found_by_a_pixel_of_its_own():
    picture = street((CAR, (27, 10, 39, 30)), (ROAD, (29, 12, 37, 28)))
    (gone, *_) = walked(picture, street())
    assert not (gone.classes == CAR).any()


def test_a_layout_without_objects_gets_what_it_can():
    assert [step.text for step in suggest_edits(street(), street())] == ["sidewalk to road"]
    flat = guess_objects(np.full((40, 60), SKY, np.uint8), CITY)
    assert suggest_edits(flat, flat) == []
    unknown = guess_objects(np.full((40, 60), 255, np.uint8), CITY)
    assert suggest_edits(unknown, unknown) == []
