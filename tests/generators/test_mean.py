"""Mean and factors: an exact map, the Gaussian it stands for, styles that keep their meaning."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from augflow.core.errors import ModelError
from augflow.core.seeding import Noise
from augflow.data.scenes import Layout
from augflow.generators import latents
from augflow.generators.mean import Affine, MeanConfig, MeanNetwork
from tests.generators.conftest import VARIANTS, built, scenes

SD = torch.tensor(0.2, dtype=torch.float64)
SIZE, FACTORS = (6, 8), 3
DIMS = 3 * SIZE[0] * SIZE[1]


@pytest.fixture
def affine():
    """Of two layouts, with factors larger and smaller than the noise."""
    rng = torch.Generator().manual_seed(0)
    drawn = torch.randn(2, FACTORS, DIMS, dtype=torch.float64, generator=rng)
    sizes = torch.tensor([0.3, 0.1, 0.01], dtype=torch.float64)
    mean = torch.rand(2, 3, *SIZE, dtype=torch.float64, generator=rng)
    return Affine(mean, sizes[:, None] * drawn, SD)


@pytest.fixture
def image():
    rng = torch.Generator().manual_seed(1)
    return torch.rand(2, 3, *SIZE, dtype=torch.float64, generator=rng)


def covariance(affine, row):
    scaled = affine.loadings[row].T / SD
    return SD**2 * (torch.eye(DIMS, dtype=torch.float64) + scaled @ scaled.T)


def test_restore_undoes_standardize(affine, image):
    seen = affine.standardize(image)
    torch.testing.assert_close(affine.restore(seen), image, atol=1e-13, rtol=0)
    same = affine.restore(seen, affine.style(seen))
    torch.testing.assert_close(same, image, atol=1e-13, rtol=0)


def test_the_log_determinant_is_the_jacobians(affine, image):
    for row in range(2):
        alone = affine.rows([row])
        jacobian = torch.autograd.functional.jacobian(
            lambda x, one=alone: one.standardize(x[None])[0], image[row]
        ).reshape(DIMS, DIMS)
        expected = torch.linalg.slogdet(jacobian)[1]
        torch.testing.assert_close(affine.log_det[row], expected)
        # what is standardised has the covariance of the noise alone
        left = jacobian @ covariance(affine, row) @ jacobian.T / SD**2
        torch.testing.assert_close(left, torch.eye(DIMS, dtype=torch.float64))


def test_nats_are_those_of_the_gaussian(affine, image):
    for row in range(2):
        normal = torch.distributions.MultivariateNormal(
            affine.mean[row].flatten(), covariance(affine, row)
        )
        expected = -normal.log_prob(image[row].flatten()) / DIMS - math.log(2 * math.pi) / 2
        torch.testing.assert_close(affine.nats(image)[row], expected)


def test_what_is_expected_of_factors_is_the_conditional_of_the_joint_gaussian(affine, image):
    mean, spread = affine.posterior(image)
    for row in range(2):
        loadings = affine.loadings[row].T
        gain = loadings.T @ torch.linalg.inv(covariance(affine, row))
        rest = (image[row] - affine.mean[row]).flatten()
        torch.testing.assert_close(mean[row], gain @ rest)
        torch.testing.assert_close(spread[row], torch.eye(3, dtype=torch.float64) - gain @ loadings)


def test_a_style_that_is_given_is_that_of_the_image(affine, image):
    style = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], dtype=torch.float64)
    made = affine.restore(affine.standardize(image), style)
    torch.testing.assert_close(affine.style(affine.standardize(made)), style)


def test_styles_of_draws_of_the_gaussian_are_standard_normal_and_near_what_was_drawn(affine):
    rng = torch.Generator().manual_seed(2)
    count = 4000
    drawn = torch.randn(count, FACTORS, dtype=torch.float64, generator=rng)
    noise = SD * torch.randn(count, DIMS, dtype=torch.float64, generator=rng)
    rows = affine.rows([0] * count)
    made = rows.mean + (torch.einsum("nk,nkd->nd", drawn, rows.loadings) + noise).view_as(rows.mean)
    style = rows.style(rows.standardize(made))
    torch.testing.assert_close(style.T.cov(), torch.eye(3, dtype=torch.float64), atol=0.08, rtol=0)
    strong = torch.corrcoef(torch.stack([style[:, 0], drawn[:, 0]]))[0, 1]
    assert strong > 0.99


def lit_scenes(count):
    """Layouts of two classes, and images whose light is one number an image, of variance 4."""
    rng = np.random.default_rng(0)
    classes = torch.from_numpy(rng.integers(0, 2, (count, *SIZE))).to(torch.uint8)
    light = torch.from_numpy(rng.normal(1.0, 2.0, count)).float()
    shade = torch.where(classes == 0, 0.05, 0.02)[:, None]
    image = 0.5 + light[:, None, None, None] * shade * torch.ones(1, 3, 1, 1)
    noise = torch.from_numpy(rng.normal(0, 0.01, image.shape)).float()
    return Layout(classes, torch.zeros(count, *SIZE)), image + noise, light


def test_factors_find_the_light_of_images_and_bring_it_to_unit_variance():
    torch.manual_seed(0)
    network = MeanNetwork(MeanConfig(mean=(8, 8), factors=1), SIZE, 2)
    layout, image, light = lit_scenes(64)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        network.loss(network(layout), image).backward()
        optimizer.step()
    before = network(layout).nats(image).mean()
    for _ in range(3):
        network.fit_factors([(layout, image)])
    with torch.no_grad():
        affine = network(layout)
        assert affine.nats(image).mean() <= before + 1e-6
        style = affine.style(affine.standardize(image))[:, 0]
        assert abs(float(torch.corrcoef(torch.stack([style, light]))[0, 1])) > 0.98
        assert 0.7 < float(style.std()) < 1.3
        assert abs(float(style.mean())) < 0.2
        # the same light in other layouts: brighter where it was brighter
        moved = affine.restore(affine.standardize(image), style[light.argmax()].expand(64, 1))
    assert (moved.mean((1, 2, 3)) > image.mean((1, 2, 3)) - 0.02).all()


def test_half_precision_of_networks_leaves_the_map_exact(affine, image):
    single = Affine(affine.mean.float(), affine.loadings.float(), SD.float())
    image = image.float()
    expected = single.nats(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        seen = single.standardize(image)
        torch.testing.assert_close(single.restore(seen), image, atol=1e-5, rtol=0)
        torch.testing.assert_close(single.nats(image), expected)


def test_factors_need_a_mean():
    with pytest.raises(ValidationError, match="factors is 2, but there is no mean"):
        MeanConfig(factors=2)


@pytest.fixture(scope="module")
def flow():
    """A flow with two factors, whose layers do something."""
    generator = built(VARIANTS["c_glow with factors"])
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter += 0.02 * torch.from_numpy(rng.normal(size=parameter.shape)).float()
    return generator.eval()


def test_a_style_is_drawn_in_full_at_any_temperature_but_none(flow):
    drawn = flow.draw(Noise([3]))
    assert drawn[-1].shape == (1, 2)
    warm, cold = flow.scale(drawn, 0.3), flow.scale(drawn, 0.0)
    assert torch.equal(warm[0], 0.3 * drawn[0])
    assert torch.equal(warm[-1], drawn[-1])
    assert all(not part.any() for part in cold)


def test_a_transferred_style_is_the_photographs_and_the_rest_is_the_seeds(flow):
    content, layout = scenes(2)[[0]], scenes(2)[[1]].layout
    moved = latents.content_latents(flow, content, "style", 5, 0.5)
    own = latents.encode_latents(flow, content)[-1]
    assert torch.equal(moved.style, own)
    conditions = flow.condition(layout)
    drawn = flow.scale(flow.draw(Noise([5])), 0.5)
    expected = flow.decode_latents((*drawn[:-1], own), conditions)
    seen = flow.encode_noise(expected, conditions)
    torch.testing.assert_close(seen[-1], own, atol=1e-4, rtol=1e-4)
    made = latents.transfer_image(flow, content, layout, "style", 5, 0.5).image
    other = latents.transfer_image(flow, content, layout, "style", 6, 0.5).image
    shown = expected.detach().clamp(0, 1)[0].permute(1, 2, 0).numpy()
    assert np.abs(made / 255 - shown).max() < 0.01
    assert not np.array_equal(made, other)


def test_a_flow_without_factors_has_no_style_to_move():
    generator = built(VARIANTS["full_glow with a mean"]).eval()
    with pytest.raises(ModelError, match="no style that could be told"):
        latents.content_latents(generator, scenes(1), "style")
