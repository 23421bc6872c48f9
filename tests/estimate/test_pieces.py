"""What is counted on the meta device is what real work takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.data.classes import table
from augflow.estimate import clock
from augflow.estimate.pieces import LOOKED_AT, Maker, Network, made_up
from augflow.generators.sampling import sampled_at
from augflow.segmentation.learner import SupervisedLearner
from augflow.segmentation.mmseg_model import MmsegSegmenter
from augflow.segmentation.params import SegmenterParams
from augflow.study.params import GeneratorParams
from augflow.training.learners import learner_of
from augflow.training.operations import Operations
from augflow.training.peak import PeakBytes
from tests.mini_network import MINI

SIZE = (32, 48)
STREETS = table("streets")
FLOW = {"steps": [1, 1], "width": 8}
MAKERS = {
    "full_glow": {**FLOW, "source_width": 4, "condition_width": 4, "head_hidden": [4, 4, 4]},
    "glow": FLOW,
    "caglow": {**FLOW, "encoder_widths": [4, 4], "block_widths": [4, 4]},
    "crn": {"widths": [4, 4], "outputs": 2},
    "imle": {"widths": [4, 4], "noise": 2, "style": 3, "encoder_width": 4, "set_size": 3,
             "candidates": 2, "outer": 4},
    "pix2pix": {"width": 4, "patch": 16},
}  # fmt: skip


def maker(system):
    params = GeneratorParams(
        system=system, preset="tiny", overrides=MAKERS[system],
        training={"steps": 6, "batch_size": 2, "init_scenes": 2},
    )  # fmt: skip
    return Maker(params, STREETS, SIZE)


def real(made):
    built = generators.built(made.section.system, made.network.config, STREETS)
    learner = learner_of(built, made.params)
    scenes = made_up(LOOKED_AT, SIZE, STREETS.count)
    learner.attend(scenes)
    learner.initialise(scenes[:2])
    return learner, scenes


def counted(work):
    with Operations() as done:
        work()
    return done.total


@pytest.mark.parametrize("system", MAKERS)
def test_operations_are_those_of_real_work(system):
    made = maker(system)
    learner, scenes = real(made)
    rng = np.random.default_rng(0)
    first = counted(lambda: learner.step(scenes[:2], rng, 0))
    assert made.step(2, 0).operations + made.choosing_at(0) == first
    assert made.step(2, 1).operations == counted(lambda: learner.step(scenes[:2], rng, 1))
    generator = learner.generator.eval()
    photo = counted(lambda: sampled_at(generator, scenes.layout[:1], [1], [0.8]))
    assert made.photograph.operations == photo
    two = counted(lambda: sampled_at(generator, scenes.layout[:1], [1, 2], [0.8]))
    assert made.photographs(3, 2) == 3 * two


def test_a_training_is_its_steps_what_is_measured_and_pages():
    made = maker("full_glow")
    longer = maker("full_glow")
    longer.params = made.params.model_copy(update={"steps": 12})
    assert longer.operations(0) - made.operations(0) == 6 * made.step(2).operations
    assert made.operations(8) > made.operations(4) > made.operations(0)


def test_memory_of_a_step_is_that_of_a_real_one():
    made = maker("full_glow")
    learner, scenes = real(made)
    apart = [*learner.generator.parameters(), *learner.generator.buffers()]
    with PeakBytes(torch.device("cpu"), apart) as held:
        learner.step(scenes[:2], np.random.default_rng(0), 0)
    # besides, the real one holds the batch, its noise, and moments
    weights = 4 * sum(p.numel() for p in learner.generator.parameters())
    assert held.most - 3 * weights < made.step(2).memory < 1.2 * held.most


@pytest.fixture
def network(tmp_path):
    path = tmp_path / "mini.py"
    path.write_text(MINI)
    return Network(str(path), STREETS, SIZE)


def test_operations_of_a_network_are_those_of_real_work(network):
    config = network.segmenter.config
    segmenter = MmsegSegmenter(config, STREETS.names)
    learner = SupervisedLearner(segmenter, SegmenterParams(steps=2, batch_size=3))
    scene = made_up(3, SIZE, STREETS.count)
    rng = np.random.default_rng(0)
    assert network.step(3).operations == counted(lambda: learner.step(scene, rng, 0))
    image = scene.image[:1].float() / 255
    assert network.look.operations == counted(lambda: segmenter.predict(image))


def test_rates_are_measured_on_real_work(network):
    made = maker("glow")
    for rate in (clock.training_rate(made), clock.photograph_rate(made),
                 clock.network_rate(network, 2), clock.look_rate(network)):  # fmt: skip
        assert 0 < rate < float("inf")


def test_what_would_take_long_is_measured_on_something_smaller(network, monkeypatch):
    made = maker("glow")
    monkeypatch.setattr(clock, "best", lambda: made.step(1).operations / 100)
    assert clock.rows_within(made.step(1).operations, 4) is None
    assert clock.smaller(made).step(1).operations != made.step(1).operations
    monkeypatch.setattr(clock, "best", lambda: network.at((32, 32)).step(2).operations / 2)
    assert clock._within(network, 2).size == (32, 32)


def test_a_learner_of_two_stages_is_counted_in_both():
    made = maker("caglow")
    learner, scenes = real(made)
    rng = np.random.default_rng(0)
    every = sum(counted(lambda step=step: learner.step(scenes[:2], rng, step)) for step in range(6))
    assert 0 < learner.border < 6
    assert made._learning() == every


def test_choosing_the_nearest_counts_once_an_epoch():
    made = maker("imle")
    learner, scenes = real(made)
    rng = np.random.default_rng(0)
    every = sum(counted(lambda step=step: learner.step(scenes[:2], rng, step)) for step in range(6))
    assert made._learning() == every
