"""What is fit to train on: every criterion on cases worked out by hand."""

import numpy as np
import pytest

from augflow.data.rarity import Rarity
from augflow.data.synthetic import SetRow
from augflow.segmentation.evaluate import PixelLosses, class_losses, pixel_losses
from augflow.stages.selection_rules import (
    Candidate,
    decide,
    hardness,
    near_edges,
    rarity_weights,
    trusted_labels,
)
from augflow.study.params import SelectionParams

# two classes on a 2x3 map, one pixel unknown
CLASSES = np.array([[0, 0, 1], [0, 1, 255]], np.uint8)


def log_probs(first):
    """Log-probabilities of two classes, from those of class 0 per pixel."""
    first = np.asarray(first, np.float64)
    return np.log(np.stack([first, 1 - first]))


SEEN = pixel_losses(log_probs([[0.9, 0.4, 0.2], [0.8, 0.7, 0.5]]), CLASSES)


def row(name, layout="a", turn=0, temperature=1.0, bits=4.0):
    return SetRow(
        name=name, layout=layout, split="train", round=turn, seed=0, temperature=temperature,
        generator="g", content="", log_p_bpd=bits, digest="d", photo=f"{name}.png",
    )  # fmt: skip


def candidate(name, agreement=0.9, hard=1.0, **given):
    return Candidate(row(name, **given), agreement, 1.0, hard)


def selection(**given):
    return SelectionParams(set="s", judge="j", reads="prepared", **given)


def kept(decisions):
    return [one.name for one in decisions if one.kept]


def test_a_look_has_the_loss_of_every_label():
    expected = -np.log([[0.9, 0.4, 0.8], [0.8, 0.3, 1.0]])
    np.testing.assert_allclose(SEEN.loss[:, :2], expected[:, :2], rtol=1e-6)
    assert np.isnan(SEEN.loss[1, 2])
    assert SEEN.agreement == pytest.approx(3 / 5)  # right: 0.9, 0.2 and 0.8


def test_class_losses_are_means_over_pixels_of_all_photographs():
    other = pixel_losses(log_probs([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]), np.zeros((2, 3), np.uint8))
    found = class_losses([(SEEN, CLASSES), (other, np.zeros((2, 3), np.uint8))], 3)
    first = (-np.log([0.9, 0.4, 0.8]).sum() + 6 * np.log(2)) / 9
    np.testing.assert_allclose(found[:2], [first, -np.log([0.8, 0.3]).mean()], rtol=1e-6)
    assert np.isnan(found[2])


def test_a_pixel_far_beyond_its_class_is_not_trusted():
    means = np.array([0.3, 0.8])
    mask = trusted_labels(SEEN, CLASSES, means, 1.25, 0)
    # losses: 0.105, 0.916, 0.223 / 0.223, 1.204, none; limits 0.375 and 1.0
    assert mask.tolist() == [[True, False, True], [True, False, False]]
    everything = trusted_labels(SEEN, CLASSES, means, None, 0)
    assert everything.tolist() == (CLASSES != 255).tolist()


def test_a_class_without_real_pixels_is_trusted():
    mask = trusted_labels(SEEN, CLASSES, np.array([0.3, np.nan]), 1.25, 0)
    assert mask[1, 1]
    assert mask[0, 2]


def test_band_lies_on_both_sides_of_label_edges():
    classes = np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0).astype(np.uint8)
    assert near_edges(classes, 1).tolist() == [[False, False, True, True, False, False]] * 4
    assert near_edges(classes, 2).tolist() == [[False, True, True, True, True, False]] * 4
    assert np.array_equal(near_edges(classes.T, 1), near_edges(classes, 1).T)
    assert np.array_equal(near_edges(classes.T, 2), near_edges(classes, 2).T)
    assert not trusted_labels(
        pixel_losses(np.zeros((2, 4, 6)), classes), classes, np.ones(2), None, 1
    )[:, 2].any()


def test_hardness_is_the_mean_class_loss_of_the_pixels():
    assert hardness(CLASSES, np.array([1.0, 3.0])) == pytest.approx((3 * 1 + 2 * 3) / 5)
    assert hardness(CLASSES, np.array([1.0, np.nan])) == pytest.approx(1.0)
    assert hardness(np.full((2, 2), 255, np.uint8), np.ones(2)) == 0


def test_without_criteria_all_is_kept_and_drawn_evenly():
    decisions, _ = decide([candidate("a"), candidate("b")], selection(), None)
    assert [(one.kept, one.reason, one.weight) for one in decisions] == [(True, "", 1.0)] * 2


def test_each_criterion_drops_with_its_own_reason():
    pool = [candidate("hot", temperature=1.5), *(candidate(str(n), 0.1 * n) for n in range(5))]
    decisions, limits = decide(pool, selection(agreement=0.25), 1.0)
    assert [one.reason for one in decisions] == ["temperature", "agreement", "", "", "", ""]
    assert limits.agreement == pytest.approx(0.1)
    assert decisions[0].weight is None


def test_band_of_densities_is_calibrated_per_temperature():
    pool = [
        candidate(f"{degree}-{n}", temperature=degree, bits=start + n)
        for degree, start in ((0.5, 1.0), (1.0, 20.0))
        for n in range(11)
    ]
    decisions, limits = decide(pool, selection(typicality={"low": 0.1, "high": 0.8}), None)
    # the lowest tenth of log-density has the most bits, the highest fifth the least
    assert kept(decisions) == [f"{degree}-{n}" for degree in (0.5, 1.0) for n in range(2, 10)]
    assert limits.bits == {0.5: pytest.approx((3.0, 10.0)), 1.0: pytest.approx((22.0, 29.0))}
    assert {one.reason for one in decisions} == {"", "typicality"}


def test_likeliest_per_layout_and_temperature():
    pool = [
        candidate(f"{layout}{degree}{n}", layout=layout, temperature=degree, turn=n, bits=bits)
        for layout in "ab"
        for degree in (0.5, 1.0)
        for n, bits in enumerate((3.0, 1.0, 2.0))
    ]
    decisions, _ = decide(pool, selection(likeliest=2), None)
    assert kept(decisions) == [f"{la}{d}{n}" for la in "ab" for d in (0.5, 1.0) for n in (1, 2)]


def test_hard_layouts_keep_more():
    pool = [
        candidate(f"{layout}{n}", layout=layout, turn=n, hard=hard)
        for layout, hard in (("easy", 0.1), ("hard", 2.0), ("middle", 1.0), ("hardish", 1.5))
        for n in range(4)
    ]
    decisions, limits = decide(pool, selection(hardness=True), None)
    names = kept(decisions)
    counts = {name: sum(one.startswith(name) for one in names) for name in ("easy", "middle")}
    assert counts == {"easy": 1, "middle": 2}
    assert sum(one[:-1] == "hardish" for one in names) == 3
    assert sum(one[:-1] == "hard" for one in names) == 4
    assert limits.most == 4


def test_weights_are_asked_for_what_is_kept_alone():
    asked = []

    def weights(left):
        asked.extend(left)
        return [2.0, 0.5]

    pool = [candidate("a", 0.9), candidate("b", 0.1), candidate("c", 0.8)]
    decisions, _ = decide(pool, selection(agreement=0.3), None, weights)
    assert asked == [0, 2]
    assert [one.weight for one in decisions] == [2.0, None, 0.5]


def test_rare_looks_of_large_classes_are_drawn_more_often():
    scores = np.array([[1.0, 5.0, 9.0], [3.0, 5.0, 0.0], [0.0, 0.0, 7.0]])
    with np.errstate(divide="ignore"):
        rarity = Rarity(np.log(scores), largest=(0, 1), bandwidth=0.1)
    # class 0: 1/4, 3/4, 0; class 1: 1/2, 1/2, 0; the third shows neither
    total = np.array([0.75, 1.25, 0.75])
    np.testing.assert_allclose(rarity_weights(rarity), total / total.mean())


def test_a_loss_that_reaches_its_limit_is_trusted_still():
    # the limit of class 0 is 1.25 * 0.8 = 1, that of class 1 is 2.5
    above = np.nextafter(np.float32(1), np.float32(2))
    seen = PixelLosses(1.0, np.array([[1.0, above, 2.5]], np.float32))
    mask = trusted_labels(seen, np.array([[0, 0, 1]], np.uint8), np.array([0.8, 2.0]), 1.25, 0)
    assert mask.tolist() == [[True, False, True]]


def test_of_equally_likely_photographs_the_first_are_kept():
    pool = [candidate(str(n), turn=n, bits=2.0) for n in range(4)]
    decisions, _ = decide(pool, selection(likeliest=2), None)
    assert kept(decisions) == ["0", "1"]


def test_shares_of_hard_layouts_are_rounded_up():
    pool = [
        candidate(f"{layout}{n}", layout=layout, turn=n, hard=hard)
        for layout, hard in (("a", 3.0), ("b", 2.0), ("c", 1.0))
        for n in range(2)
    ]
    decisions, _ = decide(pool, selection(hardness=True), None)
    # of 2 photographs, 3/3, 2/3 and 1/3: 2, 1.33 and 0.67
    assert kept(decisions) == ["a0", "a1", "b0", "b1", "c0"]
