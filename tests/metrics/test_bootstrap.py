"""Arms compared by resampling scenes and seeds: on paper, by a loop, by SciPy, and by coverage."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from augflow.metrics import scores
from augflow.metrics.bootstrap import Effect, compare
from augflow.metrics.holm import holm
from augflow.metrics.student import quantile, upper_tail

NAMES = ("ours", "theirs")


def matrices(hits, side=100):
    """Two classes of `side` pixels each, so many of each right: (S, N, 2, 2) from (S, N)."""
    hits = np.asarray(hits)
    return np.stack(
        [np.stack([hits, side - hits], -1), np.stack([side - hits, hits], -1)], -2
    ).astype(np.int64)


def iou(hits, side=100):
    return hits / (2 * side - hits)


def own(scenes):
    return [str(index) for index in range(scenes)]


def drawn(seed, shape, classes=3):
    draw = np.random.default_rng(seed)
    noise = draw.integers(0, 9, (*shape, classes, classes))
    return noise + draw.integers(20, 60, (*shape, 1, 1)) * np.eye(classes, dtype=np.int64)


def test_two_scenes_are_worked_out_on_paper():
    # ours: IoU 1 and 1/3, together 150 of 250; theirs 0.6 in both and together
    found = compare(matrices([[100, 50]]), matrices([[75, 75]]), own(2), NAMES, 4000)
    assert found.overall.difference == pytest.approx(0)
    # each replicate is one of the scenes: +0.4 or 1/3 - 0.6, half the distance is the deviation
    assert found.overall.error == pytest.approx((0.4 + 0.6 - 1 / 3) / 2, rel=0.01)
    # t of one degree of freedom stretches both past the ends of what an IoU can differ
    assert (found.overall.low, found.overall.high) == (-1, 1)
    assert found.overall.p == pytest.approx(1, abs=0.05)
    assert found.overall.detectable == pytest.approx((12.706 + 0.842) * found.overall.error, 1e-3)
    assert (found.seeds, found.scenes, found.groups) == (1, 2, 2)
    assert found.resampled == ("groups",)


def test_the_difference_is_that_of_the_projects_scores():
    ours, theirs = drawn(0, (3, 7)), drawn(1, (3, 7))
    found = compare(ours, theirs, own(7), NAMES, 50)
    runs = [[scores(run.sum(0)) for run in arm] for arm in (ours, theirs)]
    means = [np.mean([run.class_iou for run in arm]) for arm in runs]
    assert found.overall.difference == pytest.approx(means[0] - means[1])
    for index, effect in enumerate(found.classes):
        means = [np.mean([run.per_class_iou[index] for run in arm]) for arm in runs]
        assert effect.difference == pytest.approx(means[0] - means[1])


def test_errors_are_those_of_a_plain_loop():
    ours, theirs = drawn(2, (4, 12)), drawn(3, (4, 12))
    groups = [str(index // 2) for index in range(12)]
    found = compare(ours, theirs, groups, NAMES, 4000)
    draw, values = np.random.default_rng(5), []
    for _ in range(2000):
        places = [2 * g + k for g in draw.integers(6, size=5) for k in (0, 1)]
        runs = draw.integers(4, size=3)
        values.append([
            np.mean([scores(arm[s, places].sum(0)).class_iou for s in runs])
            for arm in (ours, theirs)
        ])  # fmt: skip
    expected = np.diff(np.array(values)[:, ::-1]).std(ddof=1)
    assert found.overall.error == pytest.approx(expected, rel=0.06)
    assert found.groups == 6


def test_scenes_of_a_group_are_drawn_together():
    # within a drive scenes cancel out, so that drives hardly differ while scenes do
    ours = matrices([[60, 80, 80, 60, 60, 80, 80, 60]])
    theirs = matrices(np.full((1, 8), 70))
    apart = compare(ours, theirs, own(8), NAMES, 2000)
    together = compare(ours, theirs, list("aabbccdd"), NAMES, 2000)
    assert together.overall.error < 1e-9 < 0.01 < apart.overall.error


def test_arms_are_drawn_in_pairs():
    # scenes and seeds differ greatly, but both arms alike
    hits = np.random.default_rng(0).integers(20, 80, (5, 30))
    found = compare(matrices(hits + 4), matrices(hits), own(30), NAMES, 2000).overall
    assert found.error < 0.002
    assert found.low > 0


def test_few_seeds_widen_the_interval_by_students_t():
    # scenes are alike: all chance is in three seeds, two degrees of freedom
    ours, theirs = matrices([[60] * 9, [66] * 9, [72] * 9]), matrices(np.full((3, 9), 60))
    found = compare(ours, theirs, own(9), NAMES, 3000).overall
    assert found.detectable == pytest.approx((4.303 + 0.842) * found.error, rel=1e-3)
    lowest = 0 - found.difference
    assert found.low == pytest.approx(found.difference + 4.303 / 1.960 * lowest, rel=1e-3)
    # all replicates of three that agree lie above zero, and are not taken for certain
    found = compare(matrices([[64] * 9, [66] * 9, [68] * 9]), theirs, own(9), NAMES, 3000).overall
    assert found.low > 0
    assert found.p == pytest.approx(2 * student.sf(found.difference / found.error, 2), rel=1e-3)
    assert found.p > 0.01


def test_a_class_that_is_nowhere_is_none_and_others_are_not_touched():
    ours, theirs = drawn(10, (2, 6), 2), drawn(11, (2, 6), 2)
    wider = [np.pad(arm, ((0, 0), (0, 0), (0, 1), (0, 1))) for arm in (ours, theirs)]
    found = compare(*wider, own(6), NAMES, 500)
    assert found.classes[2] == Effect(None)
    assert found.survives[2] is None
    narrow = compare(ours, theirs, own(6), NAMES, 500)
    assert (found.overall, found.classes[:2]) == (narrow.overall, narrow.classes)


def test_a_class_of_one_scene_alone_has_no_interval_and_of_two_has_one():
    ours, theirs = (np.pad(drawn(s, (3, 8), 2), ((0, 0), (0, 0), (0, 1), (0, 1))) for s in (1, 2))
    ours[:, 0, 2, 2], theirs[:, 0, 2, 2], theirs[:, 0, 2, 0] = 10, 5, 5
    single = compare(ours, theirs, own(8), NAMES, 500).classes[2]
    assert single.difference > 0
    assert single.low is None
    assert single.p is None
    ours[:, 1, 2, 2], theirs[:, 1, 2, 2], theirs[:, 1, 2, 0] = 10, 2, 8
    double = compare(ours, theirs, own(8), NAMES, 500)
    assert double.classes[2].error > 0
    assert all(math.isfinite(v) for v in vars(double.classes[2]).values())
    assert all(math.isfinite(v) for v in vars(double.overall).values())


def test_draws_are_a_function_of_the_names_and_equal_arms_differ_by_nothing():
    ours, theirs = drawn(12, (3, 10)), drawn(9, (3, 10))
    found = compare(ours, theirs, own(10), NAMES, 300)
    assert compare(ours, theirs, own(10), NAMES, 300) == found
    assert compare(ours, theirs, own(10), ("ours", "others"), 300) != found
    found = compare(ours, ours, own(10), NAMES, 500)
    assert found.overall == Effect(0.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    assert found.survives == (False, False, False)


def test_students_t_is_that_of_scipy():
    for freedom in (1.0, 1.7, 4.4, 39.5, 900.0):
        assert quantile(0.975, freedom) == pytest.approx(student.ppf(0.975, freedom), rel=1e-4)
        for t in (0.0, 0.5, 2.5, 6.0):
            assert upper_tail(t, freedom) == pytest.approx(student.sf(t, freedom), rel=1e-3)
    with pytest.raises(ValueError, match="freedom >= 1"):
        upper_tail(1.0, 0.5)
    with pytest.raises(ValueError, match=r"share is 1\.0"):
        quantile(1.0, 3)


def test_holm_is_worked_out_on_paper():
    # sorted: 0.005 <= 0.05 / 4, 0.01 <= 0.05 / 3, 0.03 > 0.05 / 2, which ends it
    assert holm([0.01, 0.04, 0.03, 0.005]) == (True, False, False, True)
    # the largest would pass alone, but not behind one that did not
    assert holm([0.03, 0.049]) == (False, False)
    assert holm([None, 0.02, None]) == (None, True, None)
    assert holm([]) == ()


def found_in(gain, seeds, rounds):
    """Shares of simulated studies whose interval lies above, and below, zero.

    Theirs has an IoU of 0.65, ours `gain` more; each seed and each scene moves each arm.
    """
    draw, scenes, side = np.random.default_rng(int(1000 * gain) + seeds), 30, 10_000
    above = below = 0
    for turn in range(rounds):
        arms = []
        for level in (0.65 + gain, 0.65):
            moved = level + draw.normal(0, 0.005, (seeds, 1)) + draw.normal(0, 0.02, (1, scenes))
            moved = moved + draw.normal(0, 0.005, (seeds, scenes))
            arms.append(matrices(np.round(side * 2 * moved / (1 + moved)), side))
        effect = compare(*arms, own(scenes), (str(turn), "theirs"), 300).overall
        above += effect.low > 0
        below += effect.high < 0
    return above / rounds, below / rounds


def test_a_planted_gain_is_found_in_most_studies_and_a_planted_nothing_in_one_of_twenty():
    above, below = found_in(0.02, 3, 60)
    assert above > 0.6
    assert below == 0
    assert 0.01 <= sum(found_in(0.0, 3, 200)) <= 0.1


@pytest.mark.parametrize(
    ("ours", "theirs", "groups", "message"),
    [
        (np.ones((2, 3, 2, 2), int), np.ones((2, 4, 2, 2), int), "abc", "expected two arrays"),
        (np.ones((2, 3, 2, 3), int), np.ones((2, 3, 2, 3), int), "abc", "expected two arrays"),
        (np.ones((2, 3, 2, 2), int), np.ones((2, 3, 2, 2), int), "ab", "2 groups for 3 scenes"),
        (np.ones((2, 3, 2, 2)), np.ones((2, 3, 2, 2), int), "abc", "counts"),
        (np.ones((2, 3, 2, 2), int), np.zeros((2, 3, 2, 2), int), "abc", "not one pixel"),
    ],
)
def test_what_cannot_be_compared_is_refused(ours, theirs, groups, message):
    with pytest.raises(ValueError, match=message):
        compare(ours, theirs, list(groups), NAMES, 10)


def test_what_no_replicate_contradicts_has_the_least_chance_that_so_many_can_show():
    ours, theirs = (matrices(np.full((2, 3), hits)) for hits in (90, 60))
    # nothing varies: all of 39 replicates lie above zero, and 1 is added to both counts
    found = compare(ours, theirs, own(3), NAMES, 39).overall
    assert found.low == pytest.approx(found.difference)
    assert found.p == pytest.approx(2 * (0 + 1) / (39 + 1))


def test_holm_keeps_what_reaches_its_level_and_no_more():
    # 0.025 = 0.05 / 2, 0.05 = 0.05 / 1
    assert holm([0.05, 0.025]) == (True, True)
    assert holm([0.05, math.nextafter(0.025, 1)]) == (False, False)
