"""Rarity, the batches it makes, and the masks it weighs a loss with."""

import math

import numpy as np
import pytest
import torch

from augflow.data.rarity import (
    Rarity,
    class_colours,
    largest_classes,
    rarity,
    rarity_mask,
    rebalanced_batch,
)
from augflow.data.scenes import Layout, Scene


def scene(classes, colours):
    """Photographs whose class p is painted with colours[n][p]."""
    classes = np.asarray(classes, np.uint8)
    image = np.zeros((*classes.shape, 3), np.uint8)
    for n, row in enumerate(colours):
        for index, colour in row.items():
            image[n][classes[n] == index] = colour
    maps = torch.from_numpy(classes)
    pixels = torch.from_numpy(image).permute(0, 3, 1, 2).contiguous()
    return Scene(pixels, Layout(maps, torch.zeros(maps.shape)))


LEFT = [[0, 0, 1, 255], [0, 0, 1, 255]]
ONLY = [[0, 0, 0, 0], [0, 0, 0, 0]]


@pytest.fixture
def scenes():
    """Class 0 is red twice and blue once; class 1 is seen once; class 2 never."""
    red, blue = (200, 0, 0), (0, 0, 200)
    return scene([LEFT, ONLY, ONLY], [{0: red, 1: (9, 9, 9)}, {0: red}, {0: blue}])


def test_mean_colours_are_those_of_the_pixels():
    found = scene([LEFT], [{0: (255, 0, 51), 1: (0, 102, 0), 255: (77, 77, 77)}])
    image = found.image.clone()
    image[0, 0, 0, 0] = 251
    means = class_colours(Scene(image, found.layout), 3)[0]
    assert means[0] == pytest.approx([254 / 255, 0, 0.2])
    assert means[1] == pytest.approx([0, 0.4, 0])
    assert np.isnan(means[2]).all()


def test_rarity_is_one_over_the_density(scenes):
    found = rarity(scenes, 3)
    # deviations from the class means: red 200/3 off in red and blue, blue 400/3; class 1 none
    squares = (2 * 2 * (200 / 3) ** 2 + 2 * (400 / 3) ** 2) / 255**2
    width = math.sqrt(squares / (3 * 4)) * 3 ** (-1 / 7)
    assert found.bandwidth == pytest.approx(width)
    peak = (2 * math.pi) ** -1.5 / width**3
    far = math.exp(-2 * (200 / 255) ** 2 / (2 * width**2))
    expected = [[3 / (peak * (2 + far)), 1 / peak, 0], [3 / (peak * (2 + far)), 0, 0],
                [3 / (peak * (1 + 2 * far)), 0, 0]]  # fmt: skip
    assert found.scores == pytest.approx(np.array(expected), rel=1e-9)
    assert found.scores[2, 0] > found.scores[0, 0]


def test_equal_colours_are_equally_common_and_finite():
    found = rarity(scene([ONLY] * 5, [{0: (10, 20, 30)}] * 5), 2)
    assert found.bandwidth == pytest.approx(1 / 255)
    assert np.isfinite(found.log_scores[:, 0]).all()
    assert np.ptp(found.log_scores[:, 0]) < 1e-9


def test_no_score_of_a_class_is_more_than_the_photographs_times_another():
    draw = np.random.default_rng(0)
    colours = [{0: tuple(draw.integers(0, 5, 3))} for _ in range(19)] + [{0: (255, 255, 255)}]
    logs = rarity(scene([ONLY] * 20, colours), 1).log_scores[:, 0]
    assert logs.argmax() == 19
    assert np.ptp(logs) <= math.log(20) + 1e-9


def test_largest_classes_are_ordered_by_area():
    maps = [[[0, 1, 1, 2], [3, 3, 3, 255]], [[4, 5, 5, 5], [5, 255, 255, 255]]]
    found = scene(maps, [{}, {}])
    assert largest_classes(found, 7) == (5, 3, 1, 0, 2)
    assert largest_classes(found, 7, 2) == (5, 3)
    assert largest_classes(found, 7, 9) == (5, 3, 1, 0, 2, 4)


def given(scores, largest):
    with np.errstate(divide="ignore"):
        return Rarity(np.log(np.array(scores, float)), largest, 0.1)


def test_batch_gives_each_class_an_equal_portion():
    """Photograph p is the only one with class p, so that rows name the class they stand for."""
    rows = rebalanced_batch(given(np.eye(5), (0, 1, 2, 3, 4)), 400, np.random.default_rng(0))
    assert np.bincount(rows).tolist() == [80] * 5


def test_what_does_not_divide_goes_to_changing_classes():
    rng, extra = np.random.default_rng(0), np.zeros(5, int)
    for _ in range(60):
        counts = np.bincount(rebalanced_batch(given(np.eye(5), tuple(range(5))), 7, rng))
        assert sorted(counts) == [1, 1, 1, 2, 2]
        extra += counts - 1
    assert (extra > 10).all()


def test_batch_draws_in_proportion_to_rarity():
    rows = rebalanced_batch(given([[3], [1], [0], [4]], (0,)), 8000, np.random.default_rng(0))
    assert np.bincount(rows) / 8000 == pytest.approx([3 / 8, 1 / 8, 0, 1 / 2], abs=0.02)


def test_scores_beyond_floating_point_do_no_harm():
    huge = Rarity(np.array([[5000.0, -np.inf], [4000.0, -4000.0]]), (0, 1), 0.1)
    rows = rebalanced_batch(huge, 10, np.random.default_rng(0))
    assert rows.tolist() == [0] * 5 + [1] * 5
    mask = rarity_mask(huge.log_scores[1], np.array([[0, 1]], np.uint8))
    assert mask.tolist() == [[1, pytest.approx(1e-6)]]


def test_mask_is_rarity_over_the_largest_present():
    # class 2 is rarer still, but not in the map; unlabelled pixels count as the commonest class
    row = given([[2, 8, 99]], ()).log_scores[0]
    mask = rarity_mask(row, np.array([[0, 1], [255, 0]], np.uint8))
    assert mask.tolist() == [[0.25, 1], [0.25, 0.25]]
    assert mask.dtype == np.float32
    assert (rarity_mask(np.array([0.0]), np.full((2, 3), 255, np.uint8)) == 1).all()


def test_classes_without_a_score_are_refused():
    with pytest.raises(ValueError, match="no class"):
        rebalanced_batch(given([[0]], ()), 4, np.random.default_rng(0))
    with pytest.raises(ValueError, match="not all have a score"):
        rarity_mask(np.array([0.0, -np.inf]), np.array([[0, 1]], np.uint8))
