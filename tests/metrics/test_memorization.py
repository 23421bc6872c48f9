"""Distances to training photographs: 0 for a copy, and nearer than real ones where memorised."""

import numpy as np
import pytest
import torch

from augflow.metrics.memorization import QUANTILES, Nearest, TrainNeighbours, fraction_closer
from streetscenes import street_scene

SIZE = (48, 72)


@pytest.fixture(scope="module")
def photos():
    """Twenty-four painted street scenes, (24, 3, 48, 72)."""
    scenes = [street_scene(7, f"aldenburg_{n:06d}_000000", SIZE).image for n in range(24)]
    return torch.from_numpy(np.stack(scenes)).permute(0, 3, 1, 2).contiguous()


@pytest.fixture(scope="module")
def around(photos):
    return TrainNeighbours(photos[:16].split(5))


def noisy(photos):
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 6, photos.shape))
    return (photos + noise).round().clamp(0, 255).to(torch.uint8)


def test_the_nearest_is_that_of_a_plain_search_with_training_photographs_a_unit_apart(
    around, photos
):
    found = around.nearest([photos[16:]])
    points = around._embed(around._layers([photos[16:]])).numpy()
    apart = np.linalg.norm(points[:, None] - around._points.numpy()[None], axis=2)
    assert found.places.tolist() == apart.argmin(1).tolist()
    assert found.distances == pytest.approx(apart.min(1), rel=1e-4)
    within = torch.cdist(around._points, around._points).square()
    assert float(within.sum()) / (16 * 15) == pytest.approx(2, rel=1e-3)
    assert TrainNeighbours([photos[:1]]).nearest([photos[:2]]).distances[1] > 0


def test_distances_do_not_depend_on_batches_and_are_zero_for_a_training_photograph(around, photos):
    copies = around.nearest([photos[3:6], photos[10:12]])
    assert copies.places.tolist() == [3, 4, 5, 10, 11]
    assert copies.distances == pytest.approx(0, abs=1e-5)
    whole, pieces = around.nearest([photos[16:]]), around.nearest(photos[16:].split(3))
    assert pieces.distances == pytest.approx(whole.distances, rel=1e-5)
    assert pieces.places.tolist() == whole.places.tolist()


def test_memorised_photographs_are_nearer_than_real_ones(around, photos):
    real = around.nearest([photos[16:]])
    memorised = around.nearest([noisy(photos[:8])])
    assert memorised.places.tolist() == list(range(8))
    assert fraction_closer(memorised, real, 0.0) == 1
    assert fraction_closer(real, real, 0.0) == 0


def test_shares_are_those_counted_on_paper():
    real = Nearest(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.zeros(5, int))
    made = Nearest(np.array([0.5, 1.5, 2.5, 3.5]), np.zeros(4, int))
    assert fraction_closer(made, real, 0.0) == 0.25
    assert fraction_closer(made, real, 0.5) == 0.75
    assert real.quantiles()[0] == 1
    assert real.quantiles()[QUANTILES.index(0.5)] == 3
    assert real.quantiles()[-1] == 5
