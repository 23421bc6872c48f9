"""How fast this machine is at each kind of work, measured on a small real piece of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from augflow import generators
from augflow.core import devices
from augflow.estimate.pieces import LOOKED_AT, Maker, Network, Predicting, Reader, made_up
from augflow.generators.c_glow_predictor import CGlowPredictor
from augflow.generators.sampling import sampled_at
from augflow.metrics.scattering import Scattering
from augflow.segmentation.learner import SupervisedLearner
from augflow.segmentation.mmseg_model import MmsegSegmenter
from augflow.segmentation.params import SegmenterParams
from augflow.training.learners import learner_of
from augflow.training.prediction import PredictionLearner

ABOUT = 0.5
"""Seconds that a measured piece shall take at most, by what the machine does at its best."""

_PATIENCE = 4
"""A piece that takes so many times as long is made smaller."""

_LIGHT = "import augflow.stages.synthesize"
_HEAVY = (
    "from augflow import segmenters as s; s.MmsegSegmenter(s.read_config('pspnet_small', 2), 'ab')"
)


@cache
def best() -> float:
    """Operations per second of a convolution: the most that can be hoped for."""
    image, weight = torch.randn(1, 64, 64, 64), torch.randn(64, 64, 3, 3)
    operations = 2 * 64 * 64 * 9 * 64 * 64
    return operations / seconds(lambda: F.conv2d(image, weight, padding=1), 8)


def seconds(
    work: Callable[[], object], times: int = 1, device: torch.device | None = None
) -> float:
    """How long a piece of work takes once it has been done before."""
    work()
    _finished(device)
    start = time.perf_counter()
    for _ in range(times):
        work()
    _finished(device)
    return (time.perf_counter() - start) / times


@cache
def starting(segmenting: bool) -> float:
    """How long it takes until a stage begins to work, with or without mmsegmentation."""
    words = [sys.executable, "-c", _HEAVY if segmenting else _LIGHT]
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603 - of fixed words
    return time.perf_counter() - start


def training_rate(maker: Maker) -> float:
    """Operations per second of a generator's training, on the device that trains it."""
    fits = rows_within(maker.step(1).operations, maker.params.batch_size)
    if fits is None:
        return training_rate(smaller(maker))
    device = devices.device()
    scenes = made_up(LOOKED_AT, maker.network.size, maker.table.count)
    learner = learner_of(_built(maker).to(device), maker.params)
    learner.attend(scenes)
    learner.initialise(scenes[:2])
    operations = maker.step(fits).operations + maker.choosing_at(1)
    return operations / _step_seconds(learner, scenes[:fits], device)


def photograph_rate(maker: Maker) -> float:
    """Operations per second of a generator that makes photographs."""
    if rows_within(maker.photograph.operations, 1) is None:
        return photograph_rate(smaller(maker))
    generator = _built(maker).eval()
    layout = made_up(1, maker.network.size, maker.table.count).layout
    return maker.photograph.operations / seconds(lambda: sampled_at(generator, layout, [1], [0.8]))


def predictor_rate(predicting: Predicting) -> float:
    """Operations per second of a predictor's training."""
    rows = rows_within(predicting.step(1).operations, predicting.params.batch_size) or 1
    device = devices.device()
    network = predicting.network
    real = CGlowPredictor(network.config, network.table, predicting.params.seed).to(device)
    scenes = made_up(LOOKED_AT, network.size, network.table.count)
    learner = PredictionLearner(real, predicting.params)
    learner.initialise(scenes[:2])
    return predicting.step(rows).operations / _step_seconds(learner, scenes[:rows], device)


def network_rate(network: Network, batch: int) -> float:
    """Operations per second of a segmentation network's training."""
    network = _within(network, 2)
    rows = rows_within(network.step(2).operations / 2, max(batch, 2)) or 2
    device = devices.device()
    real = MmsegSegmenter(network.segmenter.config, network.segmenter.names).to(device)
    learner = SupervisedLearner(real, SegmenterParams(steps=2, batch_size=rows))
    scene = made_up(max(rows, 2), network.size, network.classes)
    return network.step(len(scene)).operations / _step_seconds(learner, scene, device)


def look_rate(network: Network) -> float:
    """Operations per second of a segmentation network that looks at photographs."""
    network = _within(network, 1)
    device = devices.device()
    real = MmsegSegmenter(network.segmenter.config, network.segmenter.names).to(device)
    image = made_up(1, network.size, network.classes).image.float() / 255
    return network.look.operations / seconds(lambda: real.predict(image), 2, device)


def reader_rate(reader: Reader) -> float:
    """Operations per second of the training of a reader of attributes."""
    learner = reader.learner(torch.device("cpu"))
    return reader.step.operations / _step_seconds(learner, reader.scenes, torch.device("cpu"))


def features_rate(operations: int, size: tuple[int, int]) -> float:
    """Operations per second of features, given those of `LOOKED_AT` photographs."""
    network, images = Scattering(), made_up(LOOKED_AT, size, 1).image.float() / 255
    with torch.no_grad():
        return operations / seconds(lambda: network(images))


def rows_within(operations: float, most: int) -> int | None:
    """How many rows up to `most` can be worked through in about `ABOUT`; None if not one."""
    room = ABOUT * best()
    if operations > _PATIENCE * room:
        return None
    return max(1, min(most, int(room / max(operations, 1))))


def smaller(maker: Maker) -> Maker:
    """A generator of the same system that is small enough to be run here."""
    presets = generators.system(maker.section.system).presets
    name = next(preset for preset in presets if preset.endswith("tiny"))
    section = maker.section.model_copy(update={"preset": name, "overrides": {}})
    row = generators.system(section.system)
    size = generators.configured(row.config, row.presets, name, {}).model_dump()["size"]
    return Maker(section, maker.table, tuple(size))


def _within(network: Network, rows: int) -> Network:
    """A network at half the size, and half of that, until that many rows can be run here."""
    while network.step(2).operations * rows / 2 > _PATIENCE * ABOUT * best():
        height, width = (max(32, side // 2) for side in network.size)
        if (height, width) == network.size:
            break
        network = network.at((height, width))
    return network


def _built(maker: Maker) -> Any:
    """The generator with weights."""
    network = maker.network
    return generators.built(maker.section.system, network.config, maker.table).to("cpu")


def _step_seconds(learner: Any, scene: Any, device: torch.device) -> float:
    rng = np.random.default_rng(0)
    return seconds(lambda: learner.step(scene, rng, 1), 2, device)


def _finished(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize()
