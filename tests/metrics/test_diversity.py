"""Diversity of the photographs of a layout: answers on paper, and an independent NumPy version."""

import itertools

import numpy as np
import pytest
import torch

from augflow.metrics.diversity import (
    Diversity,
    Spread,
    by_class,
    clustered_map,
    diversity,
    over_layouts,
    perceptual_map,
    variance_map,
)
from augflow.metrics.features import features
from augflow.metrics.perceptual import lpips_like

HALVES = np.zeros((16, 16), np.uint8)
HALVES[:, 8:] = 1


def grey(*values, size=(16, 16)):
    """A flat photograph per grey value."""
    return np.stack([np.full((*size, 3), value, np.uint8) for value in values])


def noisy(count, seed=0, size=(16, 16)):
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3)).astype(np.uint8)


def test_variance_is_that_of_pixels_in_the_unit_range():
    # 0 and 1 lie 1/2 from their mean: 1/4; in one channel of three: 1/12
    assert variance_map(grey(0, 255)) == pytest.approx(np.full((16, 16), 0.25))
    red = np.zeros((2, 16, 16, 3), np.uint8)
    red[1, ..., 0] = 255
    assert variance_map(red) == pytest.approx(np.full((16, 16), 1 / 12))


def test_clusters_level_out_how_often_a_picture_comes():
    """98 black photographs, a grey and a white one: three clusters, so 0, 1/2 and 1."""
    samples = grey(*[0] * 98, 127.5 // 1, 255)
    level = np.var([0, 127 / 255, 1])
    assert clustered_map(samples, clusters=9) == pytest.approx(np.full((16, 16), level))
    assert variance_map(samples).max() < 0.03


def test_repeats_pick_anew_and_hang_on_the_seed():
    samples = grey(*range(0, 40, 2), *range(200, 240, 2))
    once, twice, often = (
        clustered_map(samples, clusters=2, repeats=repeats)[0, 0] for repeats in (1, 2, 300)
    )
    assert once != twice
    assert once == clustered_map(samples, clusters=2, repeats=1)[0, 0]
    assert once != clustered_map(samples, clusters=2, repeats=1, seed=1)[0, 0]
    # a pick has the variance (a - b)^2 / 4 of a pair of groups of equal spread
    pairs = [((a - b) / 255) ** 2 / 4 for a in range(0, 40, 2) for b in range(200, 240, 2)]
    assert often == pytest.approx(np.mean(pairs), rel=0.02)


@pytest.mark.parametrize("name", ["pixels", "scattering", "random_vgg"])
def test_equal_photographs_and_a_single_one_have_no_diversity(name):
    samples = np.repeat(noisy(1), 12, axis=0)
    alone = diversity(samples[:1], HALVES, 3, features(name))
    assert alone.clustered.overall == alone.variance.overall == alone.perceptual.overall == 0
    found = diversity(samples, HALVES, 3, features(name))
    for spread in (found.clustered, found.variance, found.perceptual):
        assert spread.overall == pytest.approx(0, abs=1e-12)
        assert spread.per_class == (pytest.approx(0, abs=1e-12), pytest.approx(0, abs=1e-12), None)


def test_classes_are_kept_apart_and_unlabelled_pixels_count_overall_alone():
    """The left class stays black, the right one goes from black to white."""
    samples = grey(0, 255)
    samples[:, :, :8] = 0
    found = diversity(samples, HALVES, 3, features("pixels"))
    assert found.variance.per_class == (0, pytest.approx(0.25), None)
    assert found.variance.overall == pytest.approx(0.125)
    unlabelled = by_class(np.where(HALVES == 1, 3.0, 1.0), np.where(HALVES == 1, 255, HALVES), 2)
    assert unlabelled == Spread((1.0, None), 2.0)
    with pytest.raises(ValueError, match="for a map"):
        diversity(noisy(3, size=(16, 24)), HALVES, 2, features("pixels"))


@pytest.mark.parametrize("name", ["pixels", "scattering", "random_vgg"])
def test_perceptual_spread_is_the_mean_over_pairs(name):
    samples, look = noisy(5, size=(32, 48)), features(name)
    images = torch.from_numpy(samples).permute(0, 3, 1, 2) / 255
    pairs = list(itertools.combinations(range(5), 2))
    one, other = (images[[pair[side] for pair in pairs]] for side in (0, 1))
    found = perceptual_map(samples, look)
    assert found.shape == (32, 48)
    assert found.mean() == pytest.approx(float(lpips_like(look, one, other).mean()), rel=1e-4)


def test_perceptual_spread_lies_where_photographs_differ():
    samples = np.repeat(noisy(1, size=(32, 64)), 4, axis=0)
    samples[:, :, 40:] = noisy(4, seed=1, size=(32, 64))[:, :, 40:]
    exact = perceptual_map(samples, features("pixels"))
    assert exact[:, :40].max() == 0
    assert exact[:, 40:].min() > 0
    # places of coarse layers see far, but most of what they see is near
    found = perceptual_map(samples, features("scattering"))
    assert found[:, 48:].mean() > 5 * found[:, :16].mean()


def test_diversity_is_that_of_an_independent_version():
    """Three far groups, so that k-means can only find them; classes by boolean masks."""
    rng = np.random.default_rng(3)
    groups = [rng.integers(low, low + 20, (6, 16, 16, 3)) for low in (0, 110, 230)]
    samples = np.concatenate(groups).astype(np.uint8)
    classes = rng.integers(0, 3, (16, 16)).astype(np.uint8)
    found = diversity(samples, classes, 4, features("pixels"), clusters=3, repeats=200, seed=5)
    x = samples.astype(float) / 255
    totals, turns = np.zeros(4), 400
    for _ in range(turns):
        nine = np.stack([x[group * 6 + rng.integers(6)] for group in range(3)])
        spread = ((nine - nine.mean(0)) ** 2).mean(0).mean(-1)
        totals += [spread.mean(), *(spread[classes == index].mean() for index in range(3))]
    totals /= turns
    assert found.clustered.overall == pytest.approx(totals[0], rel=0.005)
    assert found.clustered.per_class[:3] == pytest.approx(totals[1:], rel=0.005)
    assert found.clustered.per_class[3] is None
    every = ((x - x.mean(0)) ** 2).mean(0).mean(-1)
    for index in range(3):
        expected = every[classes == index].mean()
        assert found.variance.per_class[index] == pytest.approx(expected)


def test_means_over_layouts_leave_absent_classes_out():
    one = Spread((1.0, None, None), 1.0)
    other = Spread((3.0, 5.0, None), 4.0)
    found = over_layouts([Diversity(one, one, one), Diversity(other, one, other)])
    assert found == Diversity(Spread((2.0, 5.0, None), 2.5), one, Spread((2.0, 5.0, None), 2.5))
    with pytest.raises(ValueError, match="no layouts"):
        over_layouts([])
