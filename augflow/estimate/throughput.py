"""How fast this machine is at each kind of work, measured on a small real piece of it."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch

from augflow import generators
from augflow.core import distributed
from augflow.estimate import workloads
from augflow.estimate.study_context import StudyContext
from augflow.estimate.workloads import Segmenter, Training, noise_scenes
from augflow.generators.sampling import sample_at_temperatures
from augflow.metrics.scattering import Scattering
from augflow.segmentation.learner import SupervisedLearner
from augflow.segmentation.params import SegmenterParams
from augflow.study.params import GeneratorParams
from augflow.training.meta_modes import Operations

LIMIT = 10**11
"""A piece that is measured has at most about so many operations, else a smaller one is taken."""

_LIGHT = "import augflow.stages.synthesize"
_HEAVY = (
    "from augflow.segmentation.mmseg_config import read_config as r\n"
    "from augflow.segmentation.mmseg_model import MmsegSegmenter as M\n"
    "M(r('pspnet_small', 2), 'ab')"
)


@cache
def start_seconds(segmenting: bool) -> float:
    """How long it takes until a stage begins to work, with or without mmsegmentation."""
    words = [sys.executable, "-c", _HEAVY if segmenting else _LIGHT]
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603 - of fixed words
    return time.perf_counter() - start


def operations_per_second(work: Callable[[], object], device: torch.device) -> float:
    """The speed of a piece of work, which is done twice: once to count, once by the clock."""
    with Operations() as done:
        work()
    _finish(device)
    start = time.perf_counter()
    work()
    _finish(device)
    return done.total / (time.perf_counter() - start)


class Throughput:
    """Operations per second of each kind of work of a study; each is measured once."""

    def __init__(self, context: StudyContext) -> None:
        """Nothing is measured yet."""
        self.context, self.device = context, distributed.device()
        self._measured = cache(self._measure)

    def rate(self, kind: str) -> float:
        """The speed of a kind of work, as rows name them: `train NAME`, `features`, ..."""
        return self._measured(kind.partition(" ")[0], self.context.subject(kind))

    def _measure(self, verb: str, subject: Any) -> float:
        return operations_per_second(_PIECES[verb](subject, self.device), self.device)


def _step(work: Training, device: torch.device) -> Callable[[], object]:
    """A step, on as many rows as do not take too long."""
    work = _small_enough(work)
    each = work.step(0).operations // work.params.batch_size
    scenes = work.scenes[: max(1, min(work.params.batch_size, LIMIT // max(each, 1)))]
    learner = work.real_learner(device)
    return lambda: learner.step(scenes, np.random.default_rng(0), 1)


def _image(work: Training, device: torch.device) -> Callable[[], object]:
    work = _small_enough(work)
    generator, layout = work.real_learner(device).generator.eval(), work.scenes.layout[:1]
    return lambda: sample_at_temperatures(generator, layout, [1], [0.8])


def _segmenter_step(work: Segmenter, device: torch.device) -> Callable[[], object]:
    learner = SupervisedLearner(work.real(device), SegmenterParams(steps=2, batch_size=2))
    scene = noise_scenes(2, _small_size(work), work.table.count)
    return lambda: learner.step(scene, np.random.default_rng(0), 1)


def _prediction(work: Segmenter, device: torch.device) -> Callable[[], object]:
    segmenter = work.real(device)
    image = noise_scenes(1, _small_size(work), work.table.count).image.float() / 255
    return lambda: segmenter.predict(image)


def _features(size: tuple[int, int], _: torch.device) -> Callable[[], object]:
    network, image = Scattering(), noise_scenes(1, size, 1).image.float() / 255
    return torch.no_grad()(lambda: network(image))


_PIECES: dict[str, Callable[[Any, torch.device], Callable[[], object]]] = {
    "train": _step,
    "sample": _image,
    "segment": _segmenter_step,
    "predict": _prediction,
    "features": _features,
}


def _small_enough(work: Training) -> Training:
    """A generator, or the smallest of its system where even one row takes too long."""
    kind = type(work.network)
    name = next((name for name, row in generators.SYSTEMS.items() if row.generator is kind), None)
    if name is None or work.step(0).operations <= LIMIT * work.params.batch_size:
        return work
    row = generators.SYSTEMS[name]
    preset = next(preset for preset in row.presets if preset.endswith("tiny"))
    size = generators.make_config(row.config, row.presets, preset, {}).model_dump()["size"]
    section = GeneratorParams(system=name, preset=preset, training=work.params)
    return workloads.generator(section, work.network.table, size)


def _small_size(work: Segmenter) -> tuple[int, int]:
    """A network's size, or one that is so much smaller that a step does not take too long."""
    times = max(1, math.ceil(math.sqrt(work.step(2).operations / LIMIT)))
    height, width = (max(32, side // times) for side in work.size)
    return height, width


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
