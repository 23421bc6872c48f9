"""The Frechet distance: by hand, against torch-fidelity, and of images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from augflow.metrics.features import features
from augflow.metrics.frechet import frechet_distance, pooled_features


def normal(count, width, seed, shift=0.0, scale=1.0):
    draw = torch.Generator().manual_seed(seed)
    mixed = torch.randn(width, width, generator=draw, dtype=torch.float64)
    return torch.randn(count, width, generator=draw, dtype=torch.float64) @ mixed * scale + shift


@pytest.mark.parametrize(("rows", "others"), [(200, 150), (12, 9)])
def test_it_is_torch_fidelitys_whether_or_not_covariances_have_full_rank(rows, others):
    a, b = normal(rows, 16, 0), normal(others, 16, 1, shift=0.3, scale=1.4)
    theirs = fid_statistics_to_metric(
        fid_features_to_statistics(a), fid_features_to_statistics(b), False
    )["frechet_inception_distance"]
    assert frechet_distance(a, b) == pytest.approx(theirs, rel=1e-4)


def test_in_one_dimension_it_is_that_of_means_and_deviations():
    a = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    b = torch.tensor([[1.0], [7.0]], dtype=torch.float64)
    # means 1 and 4, deviations sqrt(2) and sqrt(18)
    assert frechet_distance(a, b) == pytest.approx(9 + (math.sqrt(18) - math.sqrt(2)) ** 2)


def test_a_set_has_no_distance_to_itself_and_the_same_both_ways():
    a, b = normal(40, 8, 0), normal(30, 8, 3, scale=2.0)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6 * float(a.var()))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


@pytest.mark.parametrize("shape", [(1, 4), (5, 3)])
def test_a_single_row_and_other_features_are_refused(shape):
    with pytest.raises(ValueError, match="two rows or more of equal length"):
        frechet_distance(normal(6, 4, 0), torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize("name", ["pixels", "scattering", "random_vgg"])
def test_blurred_images_are_further_away_than_other_images_of_the_same_kind(name):
    look, rng = features(name), np.random.default_rng(0)
    images = torch.from_numpy(rng.random((24, 3, 32, 48))).float()
    images = torch.nn.functional.avg_pool2d(images, 3, 1, 1)
    real, more = images[:12], images[12:]
    blurred = torch.nn.functional.avg_pool2d(more, 5, 1, 2) * 0.8
    pooled = [pooled_features(look, (255 * one).to(torch.uint8)) for one in (real, more, blurred)]
    assert pooled[0].dtype == torch.float64
    near, far = (frechet_distance(pooled[0], one) for one in pooled[1:])
    assert near < far


def test_an_image_has_the_features_that_it_has_alone():
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (5, 3, 32, 48), generator=draw, dtype=torch.uint8)
    look = features("scattering")
    together = pooled_features(look, images)
    assert torch.equal(together[3:4], pooled_features(look, images[3:4]))
    layers = look(images[3:4] / 255)
    assert together.shape == (5, sum(layer.shape[1] for layer in layers))
    assert together[3, 0] == pytest.approx(layers[0][0, 0].mean().item())
