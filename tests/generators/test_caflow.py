"""CAFLOW: the factorization of equations 7 to 9, its functions, bounds and losses."""

import math

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.core import seeding
from augflow.data.classes import table
from augflow.flows.autoregressive import AutoRegressive
from augflow.flows.blocks import Block, BlockParams, BlockShape
from augflow.flows.density import discrete_log_prob
from augflow.flows.transforms import CouplingParams, SoftClampedAffine, squeeze
from augflow.generators.caflow import CAFLOW, CAFlowConfig
from augflow.generators.latents import transfer_image
from augflow.generators.presets import make_config
from augflow.training.learners import learner_of
from augflow.training.likelihood import LikelihoodLearner
from augflow.training.params import TrainingParams
from tests.generators.conftest import fitted, scenes

SMALL = {
    "size": (8, 16), "levels": 3, "source_steps": 1, "target_steps": 1, "conditional_steps": 1,
    "source_width": 6, "target_width": 6, "conditional_width": 6, "min_std": 0.02, "last": "keep",
}  # fmt: skip


def made(**changes):
    """A small CAFLOW with weights far from their first values."""
    config = CAFlowConfig(**{**SMALL, **changes})
    generator = generators.build("caflow", config, table("idd_lite"), 0)
    scene = fitted(scenes(4), config.size)
    learner = LikelihoodLearner(generator, TrainingParams(steps=3, batch_size=4))
    learner.initialise(scene)
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in generator.parameters():
            p += 0.03 * torch.randn(p.shape, generator=noise)
    return generator.double(), scene


def latents_of(generator, scene):
    """Conditions d_j, latents l_i and all functions' parameters of one scene."""
    image = (scene.image.double() + 0.5) / 256
    with torch.no_grad():
        known, _ = generator.read_layout(scene.layout)
        latents, _ = generator.target.encode(image, generator.target.params())
    return image, known, latents


def jacobian_log_det(function, x):
    jacobian = torch.autograd.functional.jacobian(function, x.detach(), vectorize=False)
    return torch.linalg.slogdet(jacobian.reshape(x.numel(), x.numel()))[1]


@pytest.mark.parametrize("share", [False, True])
def test_the_log_density_is_the_sum_of_equation_9(share):
    """Every term worked out alone: Jacobians by autograd, one function at a time."""
    generator, scene = made(share=share)
    one = scene[[1]]
    image, known, latents = latents_of(generator, one)
    target, between = generator.target.params(), generator.between

    def photographs(x):
        parts, _ = generator.target.encode(x, target)
        return torch.cat([part.flatten() for part in parts])

    total = jacobian_log_det(photographs, image)
    for i in range(3):
        rest = latents[i]
        for j in range(i, -1, -1):
            block = between.block(i, j)
            params, beside = block.params(known[j]), latents[j] if j < i else None
            total = total + jacobian_log_det(
                lambda x, b=block, p=params, beside=beside: b(x, p, beside)[0], rest
            )
            out = block(rest, params, beside)[0].detach()
            rest, z = out.chunk(2, 1) if j > 0 else (None, out)
            total = total + torch.distributions.Normal(0.0, 1.0).log_prob(z).sum()
    conditions = generator.condition(one.layout)
    expected = discrete_log_prob(total, generator.dims)
    torch.testing.assert_close(generator.log_prob(image, conditions)[0], expected)


def test_latents_of_higher_levels_decide_nothing_below_and_those_of_lower_levels_do():
    """Equation 8: P(L_i | L_{i-1} .. L_0, D_i .. D_0), and nothing of D_{i+1}."""
    generator, scene = made()
    _, known, latents = latents_of(generator, scene)
    between = generator.between

    def components(known, latents):
        with torch.no_grad():
            return torch.stack(between.encode(latents, between.params(known)).log_probs)

    before = components(known, latents)
    for changed in range(3):
        others = [d + 0.5 * (level == changed) for level, d in enumerate(known)]
        moved = (components(others, latents) - before).abs().amax(1)
        assert (moved[:changed] == 0).all()
        assert (moved[changed:] > 1e-6).all()
        others = [x + 0.5 * (level == changed) for level, x in enumerate(latents)]
        moved = (components(known, others) - before).abs().amax(1)
        assert (moved[:changed] == 0).all()
        assert (moved[changed:] > 1e-6).all()


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_functions_are_counted_as_in_appendix_d(levels):
    """n (n + 1) / 2 functions of their own, 2 n - 1 with shared weights."""

    def count(shared):
        latents = [24 * 2 ** (levels - level) for level in range(levels)]
        with torch.device("meta"):
            flows = AutoRegressive(
                latents, latents, BlockShape(0, 1, 4), torch.Generator(), shared=shared,
                squeeze_last=True,
            )  # fmt: skip
        return len(flows.blocks)

    assert count(shared=False) == levels * (levels + 1) // 2
    assert count(shared=True) == 2 * levels - 1


def test_shared_functions_are_set_from_all_levels_that_use_them():
    generator, scene = made(share=True)
    assert generator.between.block(1, 0) is generator.between.block(2, 0)
    assert generator.between.block(0, 0) is not generator.between.block(1, 0)
    image = (scene.image.double() + 0.5) / 256
    planes = torch.full((4, 3, 8, 16), 0.5, dtype=torch.float64)
    generator.initialise(image, scene.layout, planes)
    latents, _ = generator.target.encode(image, generator.target.params())
    params = generator.params(scene.layout, planes)
    seen = []
    block = generator.between.block(2, 0)
    hook = block.register_forward_hook(lambda m, args, out: seen.append(args))
    generator.between.encode(latents, params.functions)
    hook.remove()
    x, given, _ = seen[0]
    # what the first transition's actnorm puts out, levels 1 and 2 in one batch
    first = given.level.steps[0].actnorm(block._squeeze(x))
    assert len(first) == 8
    std, mean = torch.std_mean(first.detach(), dim=(0, 2, 3))
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-6, rtol=0)
    torch.testing.assert_close(std, torch.ones_like(std), atol=1e-5, rtol=0)


def test_scales_stay_within_exp_2():
    raw = 1e6 * torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).double()
    y, _ = SoftClampedAffine(2.0)(torch.ones_like(raw), CouplingParams(raw, torch.zeros_like(raw)))
    assert y.log().abs().max() <= 2


def test_transition_steps_mix_channels_before_the_first_coupling():
    """At first a block is linear; two transitions and a step hold three matrices."""
    generator, _ = made()
    for block in (generator.source.blocks[0], generator.between.block(2, 1)):
        assert block.learned.scale.shape[0] == 2 + 1
    shape = BlockShape(inputs=2, steps=1, width=4)
    rng = torch.Generator().manual_seed(0)
    block = Block(shape, rng).double()
    params = block.params()
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64, generator=rng)
    matrices = [step.conv.weight[0] for step in params.level.steps]
    expected = torch.einsum("ab,bc,cd,ndyx->nayx", *reversed(matrices), squeeze(x))
    torch.testing.assert_close(block(x, BlockParams(params.level))[0], expected)


def test_content_moves_alike_by_either_kind_of_latents():
    generator, scene = made()
    generator = generator.float()
    moved = [
        transfer_image(generator, scene[[0]], scene[[1]].layout, kind).image
        for kind in ("z", "eps")
    ]
    np.testing.assert_array_equal(*moved)
    same = transfer_image(generator, scene[[0]], scene[[0]].layout, "z").image
    original = scene.image[0].permute(1, 2, 0).numpy().astype(int)
    assert np.abs(same.astype(int) - original).max() <= 1


def test_a_proposed_place_stays_in_its_bin_and_knows_its_density():
    generator, scene = made(dequantization="variational", size=(4, 8), levels=1)
    one = scene[[0]]
    shares = 0.05 + 0.9 * torch.rand(one.image.shape, generator=torch.Generator().manual_seed(2))
    image = (one.image.double() + shares.double()) / 256
    moved, gain = generator.dequantization(image)
    assert torch.equal((moved * 256).floor(), (image * 256).floor())
    assert (moved - image).abs().max() > 1e-5
    expected = jacobian_log_det(lambda x: generator.dequantization(x)[0], image)
    torch.testing.assert_close(gain[0], expected)
    assert generator.is_upper_bound
    density = generator.log_density(moved, generator.condition(one.layout)) + gain
    torch.testing.assert_close(
        generator.log_prob(image, generator.condition(one.layout)),
        discrete_log_prob(density, generator.dims),
    )


def test_proposals_are_uniform_before_training():
    config = CAFlowConfig(**{**SMALL, "size": (32, 32)}, dequantization="variational")
    generator = generators.build("caflow", config, table("idd_lite"), 0)
    image = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        moved, gain = generator.dequantization(image)
    share = torch.histc(moved * 256 % 1, 10, 0, 1) / moved.numel()
    torch.testing.assert_close(share, torch.full((10,), 0.1), atol=0.005, rtol=0)
    torch.testing.assert_close(gain, torch.zeros(16), atol=0.05, rtol=0)


def test_the_released_loss_is_nats_over_the_product_of_dimensions():
    """And so small that its gradients fall below Adam's epsilon."""
    scene = fitted(scenes(4), (8, 16))
    losses, numbers = {}, {}
    for scale in ("per_dim", "product"):
        config = CAFlowConfig(**SMALL, loss_scale=scale, source_weight=0.01)
        generator = generators.build("caflow", config, table("idd_lite"), 0)
        learner = learner_of(generator, TrainingParams(steps=2, batch_size=4))
        learner.initialise(scene)
        row = learner.step(scene, seeding.generator(0, "step"), 0)
        losses[scale] = row["loss"]
        numbers[scale] = row["bpd_target"], row["bpd_source"]
    dims = 3 * 8 * 16
    target, source = (bits * dims * math.log(2) for bits in numbers["product"])
    assert numbers["product"] == pytest.approx(numbers["per_dim"], rel=1e-6)
    assert losses["product"] == pytest.approx((target + 0.01 * source) / dims**2, rel=1e-5)
    assert losses["per_dim"] == pytest.approx(
        numbers["per_dim"][0] + 0.01 * numbers["per_dim"][1], rel=1e-5
    )


def test_presets_are_those_of_appendix_b():
    depths = {
        name: (c.levels, c.source_steps, c.target_steps, c.conditional_steps, c.dequantization)
        for name in CAFLOW
        for c in [make_config(CAFlowConfig, CAFLOW, name, {})]
    }
    assert depths["colorization"] == (3, 24, 24, 12, "uniform")
    assert depths["super_resolution"] == (3, 16, 32, 12, "variational")
    assert depths["inpainting"] == (3, 30, 30, 16, "uniform")
    released = make_config(CAFlowConfig, CAFLOW, "released", {})
    assert released.target_steps == released.source_steps
    assert (released.transitions, released.conditional_transitions) == (2, 1)
    assert released.loss_scale == "product"
