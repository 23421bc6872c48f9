"""Learning against a discriminator: losses by hand, turns, resuming, jitter."""

import math

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.core import seeding
from augflow.data.classes import table
from augflow.data.scenes import Layout, Scene
from augflow.generators.pix2pix import Pix2PixConfig
from augflow.training.adversarial import AdversarialLearner, random_jitter
from augflow.training.params import TrainingParams
from tests.generators.conftest import SIZE, scenes


def learner(norm="batch", **changes):
    torch.set_num_threads(1)
    config = Pix2PixConfig(
        size=SIZE, downs=3, width=8, dropout=(1,), patch=16, patch_width=8, norm=norm,
        test_statistics="running" if norm == "batch" else "image", jitter=2,
    )  # fmt: skip
    generator = generators.build("pix2pix", config, table("idd_lite"))
    settings = {"steps": 12, "batch_size": 2, "learning_rate": 2e-4, "flip": True, **changes}
    params = TrainingParams(**settings, betas=(0.5, 0.999))
    return AdversarialLearner(generator, params)


def fixed_judge(made, on_real, on_fake):
    """A discriminator that knows photographs (all positive) from fakes (all negative)."""

    def judge(pairs):
        real = (pairs[:, -3:].mean((1, 2, 3)) > 0)[:, None, None, None]
        return torch.where(real, torch.tensor(on_real), torch.tensor(on_fake)).expand(-1, 1, 2, 3)

    made.discriminator.forward = judge


def test_losses_are_those_worked_out_by_hand():
    made = learner()
    fixed_judge(made, math.log(3), math.log(1 / 4))  # probabilities 3/4 and 1/5
    planes = torch.zeros(2, 3, *SIZE)
    real, fake = torch.full((2, 3, *SIZE), 0.5), torch.full((2, 3, *SIZE), -0.25)
    loss = made.discriminator_loss(planes, real, fake)
    assert float(loss) == pytest.approx(0.5 * (-math.log(3 / 4) - math.log(4 / 5)), rel=1e-5)
    loss, distance = made.generator_loss(planes, real, fake)
    assert float(distance) == pytest.approx(0.75)
    assert float(loss) == pytest.approx(-math.log(1 / 5) + 100 * 0.75, rel=1e-5)


def test_a_step_is_one_adam_step_of_each_against_those_losses():
    """The same step from torch's own optimizers and explicit gradients."""
    ours, theirs = learner(), learner()
    scene = scenes(2)
    ours.step(scene, seeding.generator(0, "step"), 0)

    rng = seeding.generator(0, "step")
    from augflow.training.batches import random_flip, uniform

    moved = random_jitter(random_flip(scene, rng), 2, rng)
    g, d = theirs.generator, theirs.discriminator
    coins = [uniform((2, *shape), rng) for shape in g.latent_shapes()]
    planes = g.condition(moved.layout).values
    real = (moved.image.float() + 0.5) / 128 - 1
    fake = 2 * g.paint_together(coins, g.condition(moved.layout)) - 1
    first = torch.optim.Adam(d.parameters(), 2e-4, betas=(0.5, 0.999))
    second = torch.optim.Adam(g.parameters(), 2e-4, betas=(0.5, 0.999))
    bce = torch.nn.BCEWithLogitsLoss()
    on_real, on_fake = (d(torch.cat([planes, v], 1)) for v in (real, fake.detach()))
    ones, zeros = torch.ones_like(on_real), torch.zeros_like(on_fake)
    loss = 0.5 * bce(on_real, ones) + 0.5 * bce(on_fake, zeros)
    d.zero_grad()
    loss.backward()
    first.step()
    judged = d(torch.cat([planes, fake], 1))
    loss = bce(judged, ones) + 100 * (fake - real).abs().mean()
    g.zero_grad()
    loss.backward()
    second.step()
    for one, other in ((ours.generator, g), (ours.discriminator, d)):
        for (name, p), (_, q) in zip(one.named_parameters(), other.named_parameters(), strict=True):
            torch.testing.assert_close(p, q, msg=name, rtol=1e-4, atol=1e-6)


def test_the_discriminator_follows_the_seed_of_the_training():
    first, again, other = (
        next(learner(seed=seed).discriminator.parameters()) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_learning_brings_the_photographs_nearer():
    made = learner("instance", steps=40, learning_rate=2e-3)
    scene = scenes(8)
    before = made.measure_held_out(scene)["val_distance"]
    for step in range(40):
        numbers = made.step(scene, seeding.generator(0, step), step)
    assert made.measure_held_out(scene)["val_distance"] < 0.9 * before
    assert set(numbers) | {"val_distance"} == set(made.columns)


def test_the_held_out_distance_is_in_grey_values_and_does_not_depend_on_batches():
    class Grey(torch.nn.Linear):
        def condition(self, layout):
            return layout

        def sample(self, conditions, noise, temperature):
            return torch.full((len(conditions), 3, *SIZE), 100.5 / 256)

    scene = scenes(20)
    level = torch.arange(20, dtype=torch.uint8)[:, None, None, None].expand(20, 3, *SIZE) + 100
    found = AdversarialLearner.evaluate(Grey(1, 1), Scene(level, scene.layout))
    assert found["val_distance"] == pytest.approx(np.arange(20).mean(), abs=1e-3)


def test_jitter_moves_photograph_and_layout_together():
    classes = torch.zeros(16, *SIZE, dtype=torch.uint8)
    classes[:, 4:12, 6:18] = 3
    image = (classes[:, None] * 60).expand(-1, 3, -1, -1).contiguous()
    scene = Scene(image, Layout(classes, (classes == 3).float()))
    moved = random_jitter(scene, 4, seeding.generator(0, "jitter"))
    assert moved.image.shape == scene.image.shape
    assert set(moved.layout.classes.unique().tolist()) == {0, 3}
    inside = moved.layout.classes == 3
    assert ((moved.image[:, 0] > 90) == inside).float().mean() > 0.96
    assert ((moved.layout.boundary > 0.5) == inside).float().mean() > 0.96
    areas = inside.sum((1, 2)).float()
    assert areas.min() > classes[0].count_nonzero()
    assert len({tuple(row.flatten().tolist()) for row in inside}) > 4
