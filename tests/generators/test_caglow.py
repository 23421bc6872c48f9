"""CAGlow: two stages, an encoder into the flow's latents, and its losses."""

import math

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.core import seeding
from augflow.core.seeding import Noise
from augflow.data.classes import table
from augflow.generators.caglow import CAGlowConfig, Findings, Lambdas
from augflow.generators.latents import transfer_image
from augflow.training import latent_adversarial as losses
from augflow.training import loop
from augflow.training.learners import learner_of
from augflow.training.params import TrainingParams
from tests.generators.conftest import ENCODER, GLOW_SMALL, scenes

NAMES = [str(n) for n in range(16)]


def made(steps=12, spectral=True, **weights):
    torch.set_num_threads(1)
    config = CAGlowConfig(**GLOW_SMALL, **ENCODER, spectral=spectral, weights=weights)
    generator = generators.build("caglow", config, table("idd_lite"))
    params = TrainingParams(steps=steps, batch_size=4, learning_rate=3e-3, ema=0.9, flip=True)
    learner = learner_of(generator, params)
    scene = scenes(16)
    learner.on_fit_start(scene)
    learner.initialise(scene)
    return learner, scene


def fit(steps, until=None, run=None, **weights):
    learner, scene = made(steps, **weights)
    loop.fit(
        learner, scene, steps=until or steps, batch_size=4, seed=1, columns=learner.columns,
        names=NAMES, run=run, save_every=3,
    )  # fmt: skip
    return learner, scene


def weights_of(learner, *parts):
    own = {name: p for name, p in learner.generator.named_parameters()}
    return {name: p.detach().clone() for name, p in own.items() if name.startswith(parts)}


def changed(before, after):
    return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}


@pytest.fixture(scope="module")
def trained():
    """Flow, encoder and block after 200 steps on scenes of two classes."""
    return fit(200, latents=1.0, encoder=0.02, matching=0.1)


def image_of(scene):
    return (scene.image.float() + 0.5) / 256


def test_stage_one_trains_the_flow_alone_and_stage_two_all_else():
    learner, scene = made(steps=8)
    everything = ("target", "target_params", "encoder", "block")
    start = weights_of(learner, *everything)
    for step in range(4):
        learner.step(scene[list(range(4))], seeding.generator(0, step), step)
    between = weights_of(learner, *everything)
    assert changed(start, between) == {"target", "target_params"}
    averages = {name: value.clone() for name, value in learner.average.items()}
    for step in range(4, 8):
        learner.step(scene[list(range(4))], seeding.generator(0, step), step)
        now = weights_of(learner, *everything)
        frozen = {n: v for n, v in now.items() if n.startswith(("target.", "target_params."))}
        assert all(torch.equal(value, averages[name]) for name, value in frozen.items())
    assert {"encoder", "block"} <= changed(between, now)


def test_each_stage_has_its_own_warm_up_and_decay():
    learner, _ = made(steps=8)
    learner.params = learner.params.model_copy(update={"warmup_steps": 2, "decay_from": 0.5})
    rates = [learner.set_rate(step) / 3e-3 for step in range(8)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.5] * 2)


def test_a_run_stopped_at_the_border_ends_with_equal_bits(tmp_path):
    whole, _ = fit(10)
    fit(10, until=6, run=tmp_path / "run")
    resumed, _ = fit(10, run=tmp_path / "run")
    ours, theirs = whole.state(), resumed.state()
    assert ours.keys() == theirs.keys()
    assert not [key for key in ours if not torch.equal(ours[key], theirs[key])]


def findings(real=(0.0,), classes=(0.0, 0.0), attributes=(0.0, 0.0), codes=(0.0,)):
    cell = torch.tensor(classes).reshape(1, -1, 1, 1)
    return Findings(
        (torch.tensor(real).reshape(1, 1, 1, -1),), (cell,), torch.tensor([attributes]),
        torch.tensor([codes]), (),
    )  # fmt: skip


def logit(p):
    return math.log(p / (1 - p))


def test_equation_10_is_minus_the_logarithm_of_what_the_discriminator_thinks():
    fake = findings(real=(logit(0.25), logit(0.5)))
    expected = -(math.log(0.25) + math.log(0.5)) / 2
    assert float(losses.encoder_loss(fake)) == pytest.approx(expected, rel=1e-5)


def test_equation_11_rewards_telling_fakes_from_real_ones():
    real, fake = findings(real=(logit(0.8),)), findings(real=(logit(0.3),))
    loss = float(losses.discriminator_loss(real, fake))
    assert loss == pytest.approx(-math.log(0.8) - math.log(0.7), rel=1e-5)
    better = findings(real=(logit(0.1),))
    assert float(losses.discriminator_loss(real, better)) < loss


def test_equation_12_is_the_cross_entropy_of_classes_and_attributes():
    found = findings(classes=(0.0, math.log(3)), attributes=(logit(0.9), logit(0.2)))
    shares = torch.tensor([0.5, 0.5]).reshape(1, 2, 1, 1)
    classes = -(math.log(0.25) + math.log(0.75)) / 2
    attributes = -(math.log(0.9) + math.log(0.8)) / 2
    loss = losses.classifier_loss(found, [shares], torch.tensor([[1.0, 0.0]]))
    assert float(loss) == pytest.approx(classes + attributes, rel=1e-5)


def test_equation_13_is_the_mean_squared_error_of_the_codes():
    found = findings(codes=(0.5, -0.5))
    loss = losses.decoder_loss(found, torch.tensor([[1.0, 0.5]]))
    assert float(loss) == pytest.approx((0.25 + 1) / 2)


def test_equation_14_is_half_the_squared_distance_of_features():
    real, fake = [torch.tensor([[1.0, 2.0]]), torch.zeros(1, 3)], [torch.zeros(1, 2)] * 1
    fake.append(torch.full((1, 3), 2.0))
    expected = (0.5 * (1 + 4) / 2 + 0.5 * 4) / 2
    assert float(losses.matching_loss(real, fake)) == pytest.approx(expected)


def test_equation_15_weighs_each_loss_by_its_lambda():
    lambdas = Lambdas(encoder=2.0, decoder=0.5)
    parts = {"encoder": torch.tensor(3.0), "decoder": torch.tensor(4.0)}
    assert float(lambdas.total(parts)) == pytest.approx(2 * 3 + 0.5 * 4)


def test_the_latents_term_is_the_gaussians_cross_entropy():
    real = [torch.tensor([1.0, 3.0]).reshape(1, 2, 1, 1), torch.full((1, 1, 1, 1), 2.0)]
    wide = (torch.zeros(1, 2, 1, 1), torch.full((1, 2, 1, 1), math.log(2)))
    exact = (torch.full((1, 1, 1, 1), 2.0), torch.zeros(1, 1, 1, 1))
    expected = (0.5 * (0.25 + 2.25) / 2 + math.log(2)) / 2
    assert float(losses.latent_loss(real, [wide, exact])) == pytest.approx(expected, rel=1e-5)


def test_an_untrained_encoder_hands_its_noise_on():
    generator, scene = made()[0].generator, scenes(2)
    conditions = generator.condition(scene.layout)
    latents = generator.draw(Noise([1, 2]))
    plain = generators.build("glow", _plain(generator.config), generator.table)
    plain.load_state_dict(
        {k: v for k, v in generator.state_dict().items() if k.startswith(("target.", "target_p"))}
    )
    expected = plain.decode_latents(latents[:2], plain.condition(scene.layout))
    assert torch.allclose(generator.decode_latents(latents, conditions), expected, atol=1e-5)


def _plain(config):
    from augflow.generators.presets import GlowConfig

    return GlowConfig(**{k: v for k, v in config if k in GlowConfig.model_fields})


def test_noise_told_from_a_photograph_makes_it_again_after_training(trained):
    learner, scene = trained
    with learner.ema_weights() as generator:
        conditions, image = generator.condition(scene.layout), image_of(scene)
        latents = generator.encode_noise(image, conditions)
        assert [tuple(part.shape[1:]) for part in latents] == list(generator.latent_shapes())
        back = generator.decode_latents(latents, conditions)
    assert float((back - image).abs().max()) < 0.5 / 256


def test_carried_latents_keep_the_photograph_and_carried_noise_follows_the_layout(trained):
    learner, scene = trained
    with learner.ema_weights() as generator:
        same = transfer_image(generator, scene[[0]], scene[[1]].layout, "z").image
        moved = transfer_image(generator, scene[[0]], scene[[1]].layout, "eps").image
    own = scene.image[0].permute(1, 2, 0).numpy()
    assert np.abs(same.astype(int) - own).max() <= 1
    assert np.abs(moved.astype(int) - own).mean() > 2


def test_the_classifier_reads_classes_from_latents_and_the_layout_is_worth_bits(trained):
    learner, scene = trained
    numbers = learner.measure_held_out(scene)
    areas = torch.bincount(scene.layout.classes.flatten().long()).double()
    assert numbers["val_classes"] > float(areas.max() / areas.sum())
    assert numbers["val_bpd_given"] < numbers["val_bpd"] - 0.02


def test_asking_for_light_changes_the_sample_and_asking_for_what_was_drawn_does_not(trained):
    learner, scene = trained
    with learner.ema_weights() as generator:
        layout = scene[[0]].layout
        dark, bright = (
            generator.sample(generator.condition(layout, {name: True}), Noise([7]), 0.8)
            for name in ("dark", "bright")
        )
        drawn = generator.sample(generator.condition(layout), Noise([7]), 0.8)
    assert (dark - bright).abs().mean() > 1e-3
    either = [float((drawn - one).abs().max()) for one in (dark, bright)]
    neither = generator.sample(
        generator.condition(layout, {"dark": False, "bright": False}), Noise([7]), 0.8
    )
    assert min(*either, float((drawn - neither).abs().max())) < 0.2


def test_light_that_is_not_asked_for_is_drawn_as_often_as_it_was_seen():
    learner, _ = made()
    generator = learner.generator
    shares = generator.shares.tolist()
    assert shares == pytest.approx([5 / 16, 6 / 16, 5 / 16], abs=1 / 16 + 1e-6)
    ranks = torch.from_numpy(Noise(range(600)).normal(1))
    state = generator._state(ranks, generator.shares.expand(600, -1))
    assert state.mean(0).tolist() == pytest.approx([shares[0], shares[2]], abs=0.06)
