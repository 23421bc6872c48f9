"""Every flow: exact inverse and log-determinant, rows free of their batch; after training too."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

from augflow.core import seeding
from augflow.core.seeding import Noise
from augflow.flows.transforms import AffineCoupling
from augflow.training import loop
from augflow.training.likelihood import LikelihoodLearner, held_out_bits
from augflow.training.params import TrainingParams
from tests.generators.conftest import FLOWS, VARIANTS, built, fitted, scenes

CHEAP = TrainingParams(steps=200, batch_size=4, learning_rate=2e-3, warmup_steps=20, clip_norm=10.0)


@pytest.fixture(scope="module", params=FLOWS.keys())
def trained(request):
    """Each variant after 200 training steps, in double precision."""
    torch.set_num_threads(1)
    generator = built(VARIANTS[request.param])
    scene = fitted(scenes(16), generator.size)
    learner = LikelihoodLearner(generator, CHEAP)
    learner.on_fit_start(scene)
    learner.initialise(scene[list(range(8))])
    before = held_out_bits(generator, scene)
    loop.fit(
        learner, scene, steps=CHEAP.steps, batch_size=4, seed=1, columns=("loss",),
        names=[str(n) for n in range(16)],
    )  # fmt: skip
    return generator, scene, before


def image_of(scene):
    return (scene.image.double() + 0.5) / 256


def test_decode_undoes_encode(trained):
    generator, scene, _ = trained
    generator.double()
    image = image_of(scene)
    conditions = generator.condition(scene.layout)
    back = generator.decode(generator.encode(image, conditions), conditions)
    torch.testing.assert_close(back, image, atol=1e-7, rtol=0)
    again = generator.decode_latents(generator.encode_noise(image, conditions), conditions)
    torch.testing.assert_close(again, image, atol=1e-7, rtol=0)
    generator.float()


def test_round_trip_stays_below_a_grey_value_in_single_precision(trained):
    generator, scene, _ = trained
    image = image_of(scene).float()
    conditions = generator.condition(scene.layout)
    back = generator.decode(generator.encode(image, conditions), conditions)
    assert float((back - image).abs().max()) < 0.5 / 256


@pytest.mark.parametrize("name", FLOWS)
def test_log_prob_follows_from_the_jacobian(name):
    generator = built(FLOWS[name])
    scene = fitted(scenes(8), generator.size)
    learner = LikelihoodLearner(generator, CHEAP)
    learner.initialise(scene)
    for step in range(5):
        learner.step(scene, seeding.generator(0, step), step)
    generator.double()
    one = scene[[2]]
    conditions = generator.condition(one.layout)
    image = image_of(one)

    def flat(pixels):
        if hasattr(generator, "target_latents"):  # its likelihood is that of the flow alone
            noise = undecorated(generator, "target_latents")(pixels)
        else:
            noise = undecorated(generator, "encode_noise")(pixels, conditions)
        # a style stands beside the latents of the levels, which are all of the image
        return torch.cat([part.flatten() for part in noise if part.dim() > 2])

    # a variational dequantization moves the photograph within its bins first
    moved, gain = generator.dequantization(image) if generator.is_upper_bound else (image, 0.0)
    jacobian = torch.autograd.functional.jacobian(flat, moved.detach(), vectorize=False)
    square = jacobian.reshape(image.numel(), image.numel())
    noise = flat(moved)
    normal = -0.5 * (noise @ noise + image.numel() * np.log(2 * np.pi))
    # standardised latents: their log-determinant already holds the priors' scales
    expected = normal + torch.linalg.slogdet(square)[1] + gain
    density = generator.log_prob(image, conditions) + generator.dims * np.log(256)
    torch.testing.assert_close(density, expected.reshape(1), rtol=1e-8, atol=1e-6)


def undecorated(generator, name):
    """A method of a generator with gradients left on."""
    return functools.partial(getattr(type(generator), name).__wrapped__, generator)


def test_log_probabilities_of_a_batch_are_those_of_its_rows(trained):
    generator, scene, _ = trained
    part = scene[[3, 4, 5]]
    image = image_of(part).float()
    whole = generator.log_prob(image, generator.condition(part.layout))
    for n in range(3):
        alone = generator.log_prob(image[[n]], generator.condition(part[[n]].layout))
        torch.testing.assert_close(whole[[n]], alone, rtol=1e-4, atol=0.05)


def test_training_lowers_the_bits(trained):
    generator, scene, before = trained
    assert held_out_bits(generator, scene) < before - 0.5


def test_the_layout_decides_what_a_conditional_flow_makes(trained):
    generator, scene, _ = trained
    if generator.likelihood == "unconditional":
        pytest.skip("an unconditional flow ignores the layout")
    cold = generator.sample(generator.condition(scene.layout), Noise(range(len(scene))), 0.0)
    assert (cold[0] - cold[1]).abs().mean() > 1e-3


def test_boundary_maps_reach_the_parameters(trained):
    generator, scene, _ = trained
    if getattr(generator.config, "boundary", "none") == "none":
        pytest.skip("a variant without boundary maps")
    layout = scene.layout
    blank = type(layout)(layout.classes, torch.zeros_like(layout.boundary))
    image = image_of(scene).float()
    with_maps, without = (
        generator.log_prob(image, generator.condition(v)) for v in (layout, blank)
    )
    assert (with_maps - without).abs().max() > 1e-3


def test_a_mean_learns_alone_first_and_shifts_photographs_without_a_determinant():
    generator = built(VARIANTS["full_glow with a mean"])
    scene = fitted(scenes(8), generator.size)
    learner = LikelihoodLearner(generator, CHEAP.model_copy(update={"mean_steps": 3}))
    learner.on_fit_start(scene)
    learner.initialise(scene)
    flow = [p for name, p in generator.named_parameters() if not name.startswith("mean.")]
    before = [p.detach().clone() for p in flow]
    said = [learner.step(scene, seeding.generator(0, step), step) for step in range(3)]
    assert all(torch.equal(p, was) for p, was in zip(flow, before, strict=True))
    assert said[2]["mean_loss"] < said[0]["mean_loss"]
    last = learner.step(scene, seeding.generator(0, 3), 3)
    assert {"bpd_target", "mean_loss"} < last.keys()
    assert not all(torch.equal(p, was) for p, was in zip(flow, before, strict=True))

    conditions = generator.condition(scene.layout)
    image = image_of(scene).float()
    bits = generator.bits_per_dim(image, conditions)
    affine = replace(conditions.affine, mean=conditions.affine.mean + 0.1)
    moved = replace(conditions, affine=affine)
    torch.testing.assert_close(generator.bits_per_dim(image + 0.1, moved), bits)
    cold = generator.decode(generator.encode(image, conditions), conditions)
    assert generator.mean is not None
    torch.testing.assert_close(conditions.affine.mean, generator.mean(scene.layout).mean)
    torch.testing.assert_close(cold, image, atol=1e-3, rtol=0)


def test_a_symmetric_coupling_scale_keeps_its_logarithm_within_the_bound():
    coupling = AffineCoupling(bound=0.7)
    raw = torch.linspace(-50, 50, 101)
    log_s = coupling.log_scale(raw)
    assert float(log_s.abs().max()) <= 0.7
    torch.testing.assert_close(log_s, -log_s.flip(0))
    torch.testing.assert_close(coupling.log_scale(torch.tensor(1e-3)), torch.tensor(1e-3))
    assert coupling.gain_is_bounded
    assert not AffineCoupling().gain_is_bounded
