"""CGlow: Gaussians of the classes as priors, and a classifier of the latents."""

import math

import pytest
import torch

from augflow import generators
from augflow.core import seeding
from augflow.data.classes import table
from augflow.data.scenes import Layout
from augflow.generators.base import class_accuracy, class_fractions, class_loss
from augflow.generators.cglow import CGlowConfig
from augflow.training.learners import learner_of
from augflow.training.params import TrainingParams
from tests.generators.conftest import GLOW_SMALL, SIZE, scenes


def cglow(**changes):
    return generators.build("cglow", CGlowConfig(**GLOW_SMALL, **changes), table("idd_lite"))


def flat(index):
    return Layout(torch.full((1, *SIZE), index, dtype=torch.uint8), torch.zeros(1, *SIZE))


def means(generator, layout):
    """The mean of each level's prior where nothing was kept."""
    found = []
    levels, _ = generator.plan(layout).params()
    for prior, level in zip(generator.target.priors, levels, strict=True):
        h, w = SIZE[0] >> (len(found) + 1), SIZE[1] >> (len(found) + 1)
        kept = torch.zeros(1, prior.conv.weight.shape[1] - prior.features, h, w)
        like = torch.zeros(1, prior.conv.weight.shape[0] // 2, h, w)
        found.append(prior(kept, level.prior, like)[0])
    return found


def test_a_prior_holds_the_mean_that_its_class_was_given():
    generator = cglow(priors="all")
    count = generator.table.count
    for prior in generator.target.priors:
        kept = prior.conv.weight.shape[1] - count - 1
        with torch.no_grad():  # the centre weight of class 3 and class 6, for the first latent
            prior.conv.weight[0, kept + 3, 1, 1] = 2.0
            prior.conv.weight[0, kept + 6, 1, 1] = -1.0
    for index, expected in ((3, 2.0), (6, -1.0), (0, 0.0)):
        for mean in means(generator, flat(index)):
            assert torch.allclose(mean[:, 0], torch.tensor(expected))
            assert torch.equal(mean[:, 1:], torch.zeros_like(mean[:, 1:]))


def test_the_top_option_leaves_the_other_priors_without_the_layout():
    generator = cglow()
    assert [prior.features for prior in generator.target.priors] == [0, generator.table.count + 1]
    assert list(generator.classifiers) == ["1"]


def test_shares_of_a_cell_are_those_of_its_pixels_and_unknown_ones_count_as_nothing():
    classes = torch.tensor([[[0, 0, 1, 255], [0, 2, 255, 255]]], dtype=torch.uint8)
    (shares,) = class_fractions(classes, 3, 1)
    assert torch.equal(shares[0, :, 0], torch.tensor([[0.75, 0.0], [0.0, 0.25], [0.25, 0.0]]))


def test_the_classification_loss_is_worked_out_on_paper():
    shares = torch.tensor([0.75, 0.25, 0.0, 0.5]).reshape(1, 2, 1, 2)  # cells (.75, 0), (.25, .5)
    logits = torch.tensor([0.0, 0.0, 0.0, math.log(3)]).reshape(1, 2, 1, 2)
    expected = (0.75 * math.log(2) + 0.25 * math.log(4) + 0.5 * math.log(4 / 3)) / 1.5
    assert float(class_loss(logits, shares)) == pytest.approx(expected, rel=1e-5)
    assert class_accuracy(logits, shares) == pytest.approx((0.75 + 0.5) / 1.5)


def test_a_fresh_classifier_costs_the_weighted_logarithm_of_the_classes():
    generator, scene = cglow(priors="all", class_weight=0.2), scenes(3)
    image = (scene.image.float() + 0.5) / 256
    extra = generator.terms(image, scene.layout, torch.zeros(3, 0, *SIZE)).extra
    expected = 0.2 * math.log(generator.table.count)
    assert float(extra["classification"].detach()) == pytest.approx(expected, rel=1e-5)


def test_training_makes_the_layout_worth_bits_and_the_classes_readable():
    torch.set_num_threads(1)
    generator, scene = cglow(priors="all", class_weight=0.5), scenes(16)
    learner = learner_of(generator, TrainingParams(steps=60, learning_rate=3e-3))
    learner.initialise(scene)
    before = learner.measure_held_out(scene)["val_classes"]
    for step in range(60):
        rows = [(4 * step + n) % 16 for n in range(4)]
        learner.step(scene[rows], seeding.generator(0, step), step)
    assert learner.measure_held_out(scene)["val_classes"] > max(before, 0.6)
    image = (scene.image.float() + 0.5) / 256
    own = generator.bits_per_dim(image, generator.condition(scene.layout)).mean()
    wrong = generator.condition(scene.layout[[*range(1, 16), 0]])
    assert generator.bits_per_dim(image, wrong).mean() > own + 0.02
