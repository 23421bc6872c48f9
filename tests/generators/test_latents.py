"""Paths between latents, and photographs from them."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from augflow.core.errors import ModelError
from augflow.core.seeding import Noise
from augflow.generators import latents
from augflow.generators.latents import transfer_image
from augflow.generators.sampling import sample_images
from tests.generators.conftest import VARIANTS, built, scenes

SHAPES = ((3, 4, 5), (6, 2, 2))
FLOW, COINS = VARIANTS["full_glow ours"], VARIANTS["pix2pix"]


def draws(*seeds):
    noise = Noise(seeds)
    return tuple(torch.from_numpy(noise.normal(*shape)) for shape in SHAPES)


def flat(parts):
    return torch.cat([part.flatten(1) for part in parts], 1).double()


def test_a_quarter_circle_is_walked_at_equal_angles():
    start = (torch.tensor([[2.0, 0.0]]), torch.zeros(1, 1))
    end = (torch.tensor([[0.0, 0.0]]), torch.full((1, 1), 4.0))
    found = latents.spherical(start, end, 1 / 3)
    length = 2 + 2 / 3
    expected = [math.cos(math.pi / 6) * length, 0.0, math.sin(math.pi / 6) * length]
    assert flat(found)[0].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_arcs_keep_the_length_of_draws_and_lines_shorten_it(share):
    start, end = draws(1, 2), draws(3, 4)
    ends = torch.stack([flat(start).norm(dim=1), flat(end).norm(dim=1)])
    arc = flat(latents.spherical(start, end, share)).norm(dim=1)
    line = flat(latents.linear(start, end, share)).norm(dim=1)
    assert torch.allclose(arc, (1 - share) * ends[0] + share * ends[1], rtol=1e-5)
    assert (line < arc).all()


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0, 0.0])
def test_without_an_arc_the_path_is_a_line(factor):
    start = draws(1)
    end = tuple(factor * part for part in start)
    found = latents.spherical(start, end, 0.25)
    expected = (1 - 0.25) + 0.25 * factor
    for part, given in zip(found, start, strict=True):
        assert torch.allclose(part, expected * given, atol=1e-6)


@pytest.mark.parametrize("kind", ["spherical", "linear"])
def test_paths_begin_and_end_at_the_ends_and_can_be_walked_back(kind):
    start, end = draws(1), draws(2)
    there = latents.path((start, end), 5, kind)
    back = latents.path((end, start), 5, kind)
    assert len(there) == 5
    assert there[0] is start
    assert there[-1] is end
    for a, b in zip(there, reversed(back), strict=True):
        assert torch.allclose(flat(a), flat(b), atol=1e-6)
    gaps = [float((flat(a) - flat(b)).norm()) for a, b in pairwise(there)]
    assert max(gaps) < 1.15 * min(gaps)
    assert [part.dtype for part in there[2]] == [torch.float32] * 2


@pytest.fixture(scope="module")
def flow():
    """A flow whose priors and couplings do something."""
    generator = built(FLOW)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter += 0.02 * torch.from_numpy(rng.normal(size=parameter.shape)).float()
    return generator.eval()


def decode(generator, given, layout):
    return latents.make_images(generator, layout, [latents.Known(one) for one in given])


def test_drawn_latents_give_the_photograph_of_their_seed(flow):
    layout = scenes(1).layout
    made = decode(flow, [latents.sample_latents(flow, 7, 0.8)], layout)[0]
    (expected,) = sample_images(flow, layout, [7], 0.8)
    assert np.array_equal(made.image, expected.image)
    assert made.log_p_bpd == expected.log_p_bpd


def test_encoded_latents_give_the_photograph_back_and_move_as_content_does(flow):
    content, other = scenes(2)[[0]], scenes(2)[[1]].layout
    given = latents.encode_latents(flow, content)
    (again,) = decode(flow, [given], content.layout)
    assert np.array_equal(again.image, content.image[0].permute(1, 2, 0).numpy())
    (moved,) = decode(flow, [given], other)
    assert np.array_equal(moved.image, transfer_image(flow, content, other, "eps").image)


def test_a_photograph_does_not_depend_on_what_else_is_painted(flow):
    layout = scenes(1).layout
    way = latents.path(
        (latents.sample_latents(flow, 1, 1.0), latents.sample_latents(flow, 2, 1.0)), 4, "spherical"
    )
    all_of_it = decode(flow, way, layout)
    (alone,) = decode(flow, way[2:3], layout)
    assert np.array_equal(all_of_it[2].image, alone.image)


def test_coins_have_no_path_and_no_encoding():
    generator = built(COINS).eval()
    with pytest.raises(ModelError, match="draws coins"):
        latents.sample_latents(generator, 0, 1.0)


def test_generators_without_likelihood_have_paths_all_the_same():
    generator = built(VARIANTS["imle"]).eval()
    ends = latents.sample_latents(generator, 1, 1.0), latents.sample_latents(generator, 2, 1.0)
    made = decode(generator, latents.path(ends, 3, "linear"), scenes(1).layout)
    assert [photo.log_p_bpd for photo in made] == [None] * 3
    assert not np.array_equal(made[0].image, made[2].image)
    with pytest.raises(ModelError, match="only a flow can"):
        latents.encode_latents(generator, scenes(1))
