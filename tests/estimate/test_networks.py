"""What is counted on the meta device is what real work takes; speeds are measured on real work."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augflow.data.classes import table
from augflow.estimate import networks
from augflow.estimate.networks import (
    Features,
    Segmenter,
    attribute_reader,
    generator,
    noise_scenes,
    operations_per_second,
)
from augflow.generators.sampling import sample_at_temperatures
from augflow.segmentation.learner import SupervisedLearner
from augflow.segmentation.params import SegmenterParams
from augflow.study.params import AttributesParams, GeneratorParams
from augflow.training.meta_modes import Operations, PeakBytes
from tests.mini_network import MINI

SIZE = (32, 48)
CPU = torch.device("cpu")
STREETS = table("streets")
FLOW = {"steps": [1, 1], "width": 8}
SYSTEMS = {
    "full_glow": {**FLOW, "source_width": 4, "condition_width": 4, "head_hidden": [4, 4, 4]},
    "glow": FLOW,
    "caglow": {**FLOW, "encoder_widths": [4, 4], "block_widths": [4, 4]},
    "crn": {"widths": [4, 4], "outputs": 2},
    "imle": {
        **{"widths": [4, 4], "noise": 2, "style": 3, "encoder_width": 4},
        **{"set_size": 3, "candidates": 2, "outer": 4},
    },
    "pix2pix": {"width": 4, "patch": 16},
}


def work_of(system, steps=6):
    training = {"steps": steps, "batch_size": 2, "init_scenes": 2}
    overrides = SYSTEMS[system]
    params = GeneratorParams(system=system, preset="tiny", overrides=overrides, training=training)
    return generator(params, STREETS, SIZE)


@pytest.mark.parametrize("system", ["full_glow", "caglow", "imle"])
def test_a_billion_steps_are_counted_with_as_many_passes_as_a_few(system, monkeypatch):
    passes, real = [], networks.count
    monkeypatch.setattr(networks, "count", lambda *given, **more: (
        passes.append(given), real(*given, **more))[1])  # fmt: skip
    told = []
    for steps in (8, 10**9):
        passes.clear()
        work = work_of(system, steps)
        told.append((work.steps > 0, work.memory, len(passes)))
    assert told[0] == told[1]


def counted(work):
    with Operations() as done:
        work()
    return done.total


@pytest.mark.parametrize("system", SYSTEMS)
def test_operations_are_those_of_real_work(system):
    work = work_of(system)
    learner, rng = work.real_learner(CPU), np.random.default_rng(0)
    steps = [
        counted(lambda step=step: learner.step(work.scenes[:2], rng, step)) for step in range(6)
    ]
    assert work.steps == sum(steps)
    assert work.step(0).operations + work.choosing == steps[0]
    made, layout = learner.generator.eval(), work.scenes.layout[:1]
    two = counted(lambda: sample_at_temperatures(made, layout, [1, 2], [0.8]))
    assert work.images(1).operations == counted(
        lambda: sample_at_temperatures(made, layout, [1], [0.8])
    )
    assert work.sampling(3, 2) == 3 * two


def test_memory_of_a_step_is_that_of_a_real_one():
    work = work_of("full_glow")
    learner, last = work.real_learner(CPU), work.params.steps - 1
    apart = [*learner.generator.parameters(), *learner.generator.buffers()]
    with PeakBytes(CPU, apart) as held:
        learner.step(work.scenes[:2], np.random.default_rng(0), last)
    # besides, the real one holds the batch, its noise, and moments
    weights = 4 * sum(p.numel() for p in learner.generator.parameters())
    assert held.most - 3 * weights < work.step(last).memory < 1.2 * held.most
    assert work.memory >= 3 * weights + work.step(last).memory


@pytest.fixture
def segmenter(tmp_path):
    path = tmp_path / "mini.json"
    path.write_text(MINI)
    return Segmenter(str(path), STREETS, SIZE)


def test_operations_of_a_segmenter_are_those_of_real_work(segmenter):
    real = segmenter.real(CPU)
    learner = SupervisedLearner(real, SegmenterParams(steps=2, batch_size=3))
    scene, rng = noise_scenes(3, SIZE, STREETS.count), np.random.default_rng(0)
    assert segmenter.step(3).operations == counted(lambda: learner.step(scene, rng, 0))
    image = scene.image[:1].float() / 255
    assert segmenter.prediction.operations == counted(lambda: real.predict(image))


def test_speeds_are_measured_on_real_work(segmenter):
    reader = attribute_reader(AttributesParams(generators=("a",), steps=3), STREETS, SIZE)
    works = [
        ("train", work_of("glow")),
        ("train", reader),
        ("sample", work_of("glow")),
        ("segment", segmenter),
        ("predict", segmenter),
        ("features", Features(SIZE)),
    ]
    for kind, work in works:
        assert 0 < operations_per_second(work, kind, CPU) < float("inf")


def test_what_would_take_long_is_measured_on_something_smaller(segmenter, monkeypatch):
    work = work_of("glow")
    assert work.small_enough() is work
    assert segmenter.small_size() == SIZE
    monkeypatch.setattr(networks, "LIMIT", work.step(0).operations // 100)
    smaller = work.small_enough()
    assert smaller.step(0).operations != work.step(0).operations
    monkeypatch.setattr(networks, "LIMIT", segmenter.step(2).operations - 1)
    assert segmenter.small_size() == (32, 32)
