"""New layouts of embedded streets: more of what is asked for, standing where it can stand."""

from collections import Counter

import numpy as np
import pytest

from augflow.core.errors import DataError
from augflow.data.boundaries import boundary_map
from augflow.data.classes import table
from augflow.editing.compose import LayoutMaker, mark_of, numbers, sources_of
from augflow.editing.objects import ObjectMap, connected_components, with_ids
from streetscenes import street_scene

STREETS = table("streets")
SIZE = (64, 96)
PERSON, BUS, POLE, SKY = (STREETS.names.index(name) for name in ("person", "bus", "pole", "sky"))


@pytest.fixture(scope="module")
def pool():
    found = {}
    for number in range(14):
        scene = street_scene(0, f"s{number}", SIZE)
        classes = STREETS.from_raw(scene.labels)
        found[f"s{number}"] = with_ids(classes, scene.instances.astype(np.int32), STREETS)
    return found


def new_layouts(pool, boost, ratio, seed=0, strength=1.0, sources=None):
    maker = LayoutMaker(pool, boost, seed, strength)
    for source, number in numbers(sources or list(pool), ratio):
        yield maker.make(source, number)


@pytest.fixture(scope="module")
def made(pool):
    return list(new_layouts(pool, ["person", "pole", "bus"], 2, seed=4))


def counted(layouts, index):
    """The share of pixels and the objects per layout."""
    masks = [layout.classes == index for layout in layouts]
    found = [
        sum(1 for _ in connected_components(layout, mask)) if mask.any() else 0
        for layout, mask in zip(layouts, masks, strict=True)
    ]
    return np.mean(masks), np.mean(found)


@pytest.mark.parametrize("index", [PERSON, POLE, BUS])
def test_there_is_clearly_more_of_every_boosted_class(pool, made, index):
    before = counted(pool.values(), index)
    after = counted([ObjectMap(new.classes, new.ids, STREETS) for new in made], index)
    assert after[0] > 1.2 * before[0]
    assert after[1] > 1.25 * before[1]


def test_ids_are_published_ones_and_fit_16_bits(made):
    for new in made:
        assert new.ids.min() >= 0
        assert new.ids.max() < 2**16
        things = np.isin(new.classes, STREETS.things)
        raw = STREETS.raw_ids[new.classes]
        assert (new.ids[~things] == raw[~things]).all()
        assert (new.ids[things] // 1000 == raw[things]).all()


def test_boundaries_are_those_of_the_ids(pool, made):
    for new in made:
        assert np.array_equal(new.boundary, boundary_map(new.ids))
        assert new.layout.size == SIZE
    faint = next(new_layouts(pool, ["person"], 1, strength=0.5))
    assert np.unique(faint.boundary).tolist() == [0, 0.5]


def test_no_person_is_in_the_sky(made):
    for new in made:
        rows, columns = np.nonzero(new.classes[:-1] == PERSON)
        below = new.classes[1:][rows, columns]
        assert not (below == SKY).any()


def test_each_depends_on_its_own_name_alone(pool, made):
    maker = LayoutMaker(pool, ["person", "pole", "bus"], seed=4)
    for new in (made[0], made[9], made[-1]):
        again = maker.from_name(new.name)
        assert again.done == new.done
        assert np.array_equal(again.ids, new.ids)
    some = list(new_layouts(pool, ["person", "pole", "bus"], 1, seed=4, sources=["s9"]))
    assert [new.name for new in some] == ["s9_new0"]
    twin = next(new for new in made if new.name == "s9_new0")
    assert np.array_equal(some[0].ids, twin.ids)


def test_another_seed_or_number_gives_another_layout(pool, made):
    other = next(new_layouts(pool, ["person", "pole", "bus"], 2, seed=5))
    assert not np.array_equal(other.classes, made[0].classes)
    assert made[1].source == made[0].source
    assert not np.array_equal(made[1].classes, made[0].classes)


def test_what_was_done_is_said(made):
    words = " ".join(new.done for new in made)
    for part in ("mirrored", "stretched", "right part from s", "person of s", "pole of s"):
        assert part in words


@pytest.mark.parametrize(
    ("count", "ratio", "expected"),
    [
        (4, 2, [2, 2, 2, 2]),
        (4, 0.5, [0, 1, 0, 1]),
        (3, 1.5, [2, 1, 2]),
        (10, 0.1, [0] * 5 + [1] + [0] * 4),
        (3, 1 / 3, [0, 1, 0]),
        (3, 0.01, [0, 1, 0]),
    ],
)
def test_new_ones_are_evenly_spread_and_rounded_up(count, ratio, expected):
    names = [str(n) for n in range(count)]
    pairs = list(numbers(names, ratio))
    assert [Counter(source for source, _ in pairs)[name] for name in names] == expected
    assert len(set(pairs)) == len(pairs)


def test_names_are_none_of_the_pool(pool):
    assert mark_of(pool) == "_new"
    taken = {"a": pool["s0"], "a_new0": pool["s1"], "b_new1": pool["s2"], "c_new": pool["s3"]}
    names = [new.name for new in new_layouts(taken, ["person"], 1)]
    assert not set(names) & set(taken)
    assert len(set(names)) == 4
    for name, source in zip(names, taken, strict=True):
        assert source in sources_of(name)
    assert list(sources_of("a")) == list(sources_of("a_new")) == list(sources_of("a_new01")) == []


def test_classes_that_are_not_there_are_refused(pool):
    with pytest.raises(DataError, match=r"no class 'persn'.*did you mean 'person'"):
        LayoutMaker(pool, ["persn"])
    alone = {name: layout for name, layout in pool.items() if not (layout.classes == BUS).any()}
    with pytest.raises(DataError, match=r"boost bus: .* hold no bus; .*person \("):
        LayoutMaker(alone, ["bus"])


@pytest.mark.parametrize("name", ["s0", "s0_new", "s0_new-1", "s99_new0", "_new0"])
def test_a_name_that_none_can_have_is_refused(pool, name):
    maker = LayoutMaker(pool, ["person"])
    with pytest.raises(DataError, match="is no new layout of these"):
        maker.from_name(name)


def test_a_single_layout_is_pool_enough(pool):
    name = next(n for n, layout in pool.items() if counted([layout], PERSON)[1] >= 2)
    new = next(new_layouts({name: pool[name]}, ["person"], 1))
    assert new.source == name
