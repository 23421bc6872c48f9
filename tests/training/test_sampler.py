"""What the steps of an arm draw: shares, schedules and weights, each a function of (seed, step)."""

from collections import Counter

import pytest

from augflow.study.params import ArmParams
from augflow.training.sampler import SceneRange, mixture

STEPS, BATCH = 40, 5


def arm(*train_on, **given):
    made = [name for name in train_on if name != "real"]
    reads = f"synthetic/{made[0]}" if made else "prepared"
    return ArmParams(train_on=train_on, reads=reads, **given)


def parts(real=6, made=9, weights=None):
    return [
        SceneRange("real", 0, (1.0,) * real),
        SceneRange("t08", real, tuple(weights or (1.0,) * made)),
    ]


def drawn(found, steps=STEPS):
    return [row for step in range(steps) for row in found(step)]


def mixed(parts, arm, seed=0):
    first = arm.first_share if arm.schedule == "synthetic_first" else None
    return mixture(
        parts, ratio=arm.ratio, first_share=first, steps=STEPS, batch_size=BATCH, seed=seed
    )


def test_an_even_list_is_drawn_from_as_it_lies():
    assert mixed(parts(), arm("real", "t08")) is None
    assert mixed(parts()[:1], arm("real")) is None
    assert mixed([SceneRange("t08", 0, (1.0, 1.0))], arm("t08")) is None


@pytest.mark.parametrize(("ratio", "share"), [(1.0, 0.5), (0.25, 0.2), (4.0, 0.8)])
def test_ratio_is_kept_all_along(ratio, share):
    found = mixed(parts(), arm("real", "t08", ratio=ratio))
    rows = drawn(found)
    assert len(rows) == STEPS * BATCH
    for count in (20, 100, 200):
        made = sum(row >= 6 for row in rows[:count])
        assert made == pytest.approx(share * count, abs=1)


def test_each_part_is_seen_evenly_under_a_ratio():
    found = drawn(mixed(parts(), arm("real", "t08", ratio=1.0)))
    counts = Counter(found)
    assert set(counts) == set(range(15))
    assert max(counts[row] for row in range(6)) - min(counts[row] for row in range(6)) <= 1
    assert max(counts[row] for row in range(6, 15)) - min(counts[row] for row in range(6, 15)) <= 1


def test_weights_say_how_often_a_photograph_comes():
    weights = (1.0, 2.0, 4.0, 1.0)
    found = mixed([SceneRange("t08", 0, weights)], arm("t08"))
    counts = Counter(drawn(found))
    for row, weight in enumerate(weights):
        assert counts[row] == pytest.approx(200 * weight / 8, abs=12)
    assert counts[2] > counts[1] > counts[0]


def test_weights_leave_the_parts_shares_alone():
    found = drawn(mixed(parts(real=6, made=4, weights=(1, 1, 6, 0.5)), arm("real", "t08")))
    assert sum(row >= 6 for row in found) == pytest.approx(0.4 * len(found), abs=1)
    assert Counter(found)[8] > 3 * Counter(found)[6]


def test_synthetic_first_then_real():
    given = arm("real", "t08", schedule="synthetic_first", first_share=0.25)
    found = mixed(parts(), given)
    assert all(row >= 6 for row in drawn(found, 10))
    assert all(row < 6 for step in range(10, STEPS) for row in found(step))
    assert set(drawn(found, 10)) == set(range(6, 15))


def test_a_step_depends_on_seed_and_number_alone():
    one, other, again = (mixed(parts(), arm("real", "t08", ratio=1.0), seed) for seed in (0, 1, 0))
    assert one(7) == again(7)
    assert [one(step) for step in range(5)] != [other(step) for step in range(5)]
