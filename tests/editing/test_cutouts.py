"""What a pool of streets has in common, and what can be cut out of it: drawn by hand."""

import numpy as np
import pytest

from augflow.core.errors import DataError
from augflow.editing.cutouts import collect_cutouts
from tests.editing import streets_by_hand as hand
from tests.editing.streets_by_hand import (
    BICYCLE,
    CAR,
    CITY,
    PERSON,
    POLE,
    RIDER,
    ROAD,
    SIDEWALK,
    SIGN,
    street,
)


@pytest.fixture(scope="module")
def pool():
    return hand.pool()


def test_cutouts_know_where_they_stood_and_on_what(pool):
    stock = collect_cutouts(pool, CITY, [CAR, PERSON, SIGN])
    cars, people = stock.cutouts[CAR], stock.cutouts[PERSON]
    assert [cut.source for cut in cars] == list(pool)
    depths = [foot / 100 - 0.4 for foot in range(54, 94, 4)]
    assert [cut.depth for cut in cars] == pytest.approx(depths, abs=0.02)
    assert cars[1].numbers.shape == (9, 18)
    assert (cars[1].numbers == 1).all()
    assert cars[1].column == (70 + 9) / 160
    assert {cut.ground for cut in cars} == {ROAD}
    assert {cut.ground for cut in people} == {SIDEWALK}
    assert len(people) == stock.counts[PERSON] == 5
    sign = stock.cutouts[SIGN][0]
    assert set(np.unique(sign.classes[sign.numbers > 0])) == {POLE, SIGN}
    assert sign.depth == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    "boxes",
    [
        [(CAR, 60, 0, 70, 20)],
        [(CAR, 80, 60, 100, 80)],
        [(CAR, 60, 60, 70, 80), (CAR, 65, 70, 90, 110)],
        [(CAR, 60, 60, 62, 80)],
        [(CAR, 25, 60, 45, 80)],
        [(CAR, 45, 50, 99, 150)],
    ],
    ids=["side", "below", "hidden", "flat", "in the air", "large"],
)
def test_what_is_cut_off_hidden_tiny_or_in_the_air_is_not_cut_out(pool, boxes):
    stock = collect_cutouts({**pool, "more": street(*boxes)}, CITY, [CAR])
    nearest = [cut for cut in stock.cutouts[CAR] if cut.source == "more"]
    # of the pair the nearer one stands whole
    assert [cut.depth for cut in nearest] == pytest.approx([0.5] * (len(boxes) - 1), abs=0.05)


def test_a_rider_is_cut_out_with_the_bicycle(pool):
    ridden = street((RIDER, 50, 90, 60, 96), (BICYCLE, 60, 88, 70, 100))
    stock = collect_cutouts({**pool, "ridden": ridden}, CITY, [RIDER, BICYCLE])
    (cut,) = stock.cutouts[RIDER]
    assert set(np.unique(cut.classes[cut.numbers > 0])) == {RIDER, BICYCLE}
    assert set(np.unique(cut.numbers)) == {0, 1, 2}
    assert stock.cutouts[BICYCLE][0].depth == cut.depth == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (BICYCLE, r"boost bicycle: 10 layouts hold no bicycle; .*person \(5\), car \(10\)"),
        (ROAD, "boost road: it is ground or a large area here"),
        (hand.SKY, "boost sky: it is ground or a large area here"),
    ],
)
def test_a_class_without_objects_is_named_with_those_that_have_some(pool, index, words):
    with pytest.raises(DataError, match=words):
        collect_cutouts(pool, CITY, [index])


def test_all_classes_that_cannot_be_boosted_are_named(pool):
    more = {**pool, "more": street((BICYCLE, 60, 0, 70, 10))}
    with pytest.raises(DataError) as caught:
        collect_cutouts(more, CITY, [RIDER, BICYCLE, CAR])
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "hold no rider" in lines[0]
    assert "none of 1 objects of 11 layouts stands whole" in lines[1]
