"""What the networks of a study compute and hold, and how fast this machine is at it.

Operations and bytes are counted on torch's meta device with the code of the stages; speeds are
measured on a small real piece of each kind of work.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from augflow import generators
from augflow.core import seeding
from augflow.core.distributed import MicroBatch
from augflow.data.attributes import Attributes
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout, Scene
from augflow.generators.c_glow_predictor import CGlowPredictor, config_of
from augflow.generators.sampling import sample_at_temperatures
from augflow.metrics.scattering import Scattering
from augflow.segmentation.learner import SupervisedLearner
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter
from augflow.segmentation.params import SegmenterParams
from augflow.study import disk_usage
from augflow.study.params import AttributesParams, GeneratorParams, PredictorParams
from augflow.training.attribute_reader import AttributeLearner, AttributeReader
from augflow.training.batches import EVAL_BATCH
from augflow.training.learner import GeneratorLearner
from augflow.training.learners import LEARNERS
from augflow.training.meta_modes import META, MetaScalarMode, Operations, PeakBytes
from augflow.training.nearest import NearestLearner
from augflow.training.params import TrainingParams
from augflow.training.prediction import PredictionLearner

LIMIT = 10**11
"""A piece that is measured has at most about so many operations, else a smaller one is taken."""

_LIGHT = "import augflow.stages.synthesize"
_HEAVY = (
    "from augflow.segmentation.mmseg_config import read_config as r\n"
    "from augflow.segmentation.mmseg_model import MmsegSegmenter as M\n"
    "M(r('pspnet_small', 2), 'ab')"
)


class Network(Protocol):
    """Something that works: each kind of its work by a word, `train`, `predict`, ..."""

    def piece(self, kind: str, device: torch.device) -> Callable[[], object]:
        """A small real piece of a kind of its work."""


@dataclass(frozen=True)
class Cost:
    """Operations of convolutions and matrix products; the most bytes that tensors hold at once."""

    operations: int
    memory: int


def count(work: Callable[[], object], networks: Iterable[nn.Module], truth: bool = True) -> Cost:
    """What a piece of work on the meta device costs, without the bytes of some networks.

    See `MetaScalarMode` for `truth`.
    """
    apart = [t for one in networks for t in (*one.parameters(), *one.buffers())]
    with PeakBytes(META, apart) as held, MetaScalarMode(truth):
        work()
    return Cost(held.total, held.most)


@cache
def start_seconds(segmenting: bool) -> float:
    """How long it takes until a stage begins to work, with or without mmsegmentation.

    It is the processor's time, which other programs do not take.
    """
    words = [sys.executable, "-c", _HEAVY if segmenting else _LIGHT]
    before = os.times()
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603 - of fixed words
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def operations_per_second(network: Network, kind: str, device: torch.device) -> float:
    """The speed of a kind of work, a piece of which is done twice: to count, and by the clock.

    A single thread of the processor goes by the time that it has had, as other programs may run.
    """
    work = network.piece(kind, device)
    with Operations() as done:
        work()
    _finish(device)
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    start = clock()
    work()
    _finish(device)
    return done.total / (clock() - start)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def noise_scenes(count: int, size: tuple[int, int], classes: int) -> Scene:
    """Scenes of no meaning: a row of noise, and bands of classes, more from scene to scene.

    Of whatever size, they take the memory of a row and a column: all others are views of these.
    """
    rng, full = seeding.generator(0, "estimate"), (count, *size)
    image = torch.from_numpy(rng.integers(0, 256, (count, 3, 1, size[1]), dtype=np.uint8))
    bands = np.outer(1 + np.arange(count) % classes, np.arange(size[0])) // size[0]
    maps = torch.from_numpy(bands.astype(np.uint8))[:, :, None].expand(full)
    return Scene(image.expand(count, 3, *size), Layout(maps, torch.zeros(1, 1, 1).expand(full)))


class DryRunLearner(GeneratorLearner):
    """What a learner does otherwise on the meta device: it differentiates, and updates nothing."""

    def optimizer_step(
        self,
        network: str,
        parts: Sequence[MicroBatch],
        step: int,
        losses: Callable[[MicroBatch], dict[str, Tensor]],
        blame: Callable[[MicroBatch], object] | None = None,
    ) -> dict[str, float]:
        """Goes forward and back through all parts of a batch."""
        numbers = {"grad_norm": 0.0}
        for part in parts:
            values = losses(part)
            values["loss"].backward()
            numbers |= dict.fromkeys(values, 0.0)
        return numbers

    def update_ema(self, step: int) -> None:
        """Averages nothing."""

    def choose(self, epoch: int) -> None:
        """Chooses no noise; `Training.choosing` counts it."""

    def precision(self) -> AbstractContextManager[Any]:
        """Float32 always: that is the most that memory can take."""
        return nullcontext()


class Training:
    """A network that learns, as a stage begins with it, on the meta device.

    `step` tells what a step of a number costs, the choosing of candidates left out; `images` what
    so many images of a layout cost, its conditions included, for a generator.
    """

    def __init__(
        self,
        build: Callable[[], Any],
        kind: type[Any],
        params: TrainingParams,
        scenes: Scene,
        *given: Any,
    ) -> None:
        """`kind` is the learner's class; it takes what is `given` before the parameters."""
        self.params, self.scenes, self._build, self._kind = params, scenes, build, kind
        self._given = given
        with META:
            network = build()
        dry = type("DryRun", (DryRunLearner, kind), {})
        self.learner: Any = dry(network.to(META), *given, params)
        self.network = network
        self.step, self.images = cache(self._step), cache(self._images)
        with MetaScalarMode():
            self._begin(self.learner)

    def real_learner(self, device: torch.device) -> Any:
        """The same with numbers, before its first step."""
        learner = self._kind(self._build().to(device), *self._given, self.params)
        self._begin(learner)
        return learner

    def piece(self, kind: str, device: torch.device) -> Callable[[], object]:
        """A step on as many rows as do not take too long (`train`), or an image (`sample`)."""
        work = self.small_enough()
        learner = work.real_learner(device)
        if kind == "sample":
            made, layout = learner.generator.eval(), work.scenes.layout[:1]
            return lambda: sample_at_temperatures(made, layout, [1], [0.8])
        most = LIMIT * work.params.batch_size // max(work.step(0).operations, 1)
        scenes = work.scenes[: max(1, min(work.params.batch_size, most))]
        number = self.params.steps - 1 if hasattr(learner, "border") else 1
        return lambda: learner.step(scenes, np.random.default_rng(0), number)

    def small_enough(self) -> Training:
        """This, or the smallest generator of its system where even one row takes too long."""
        kind = type(self.network)
        rows = generators.SYSTEMS.items()
        name = next((name for name, row in rows if row.generator is kind), None)
        if name is None or self.step(0).operations <= LIMIT * self.params.batch_size:
            return self
        row = generators.SYSTEMS[name]
        preset = next(preset for preset in row.presets if preset.endswith("tiny"))
        size = generators.make_config(row.config, row.presets, preset, {}).model_dump()["size"]
        section = GeneratorParams(system=name, preset=preset, training=self.params)
        return generator(section, self.network.table, size)

    @cached_property
    def choosing(self) -> int:
        """Operations of choosing the nearest of some candidates, at the start of an epoch."""
        if not isinstance(self.learner, NearestLearner):
            return 0
        one = count(lambda: self.learner.distances(0, 0), [self.network])
        return one.operations * self.learner.config.set_size

    @cached_property
    def evaluation(self) -> Cost:
        """What is measured on `EVAL_BATCH` held-out scenes."""
        kind, scenes = self._kind, self.scenes[:EVAL_BATCH]
        return count(lambda: kind.evaluate(self.network, scenes, EVAL_BATCH), [self.network])

    @cached_property
    def steps(self) -> int:
        """Operations of all steps, which differ where a learner has two stages."""
        steps = self.params.steps
        border = min(getattr(self.learner, "border", steps), steps)
        later = steps - border  # the first of these sets actnorms besides
        kinds = ((border, 0), (min(later, 1), border), (max(later - 1, 0), steps - 1))
        epochs = -(-steps // self.learner.config.outer) if self.choosing else 0
        return sum(n * self.step(at).operations for n, at in kinds if n) + epochs * self.choosing

    @cached_property
    def memory(self) -> int:
        """Bytes at the peak: weights, moments, averages, and what a step or a measurement holds."""
        weights = disk_usage.tensors(self.learner.weights.values())
        average = disk_usage.tensors((self.learner.average or {}).values())
        numbers = {0, self.params.steps - 1} if hasattr(self.learner, "border") else {0}
        held = max(self.step(number).memory for number in numbers)
        return 3 * weights + average + max(held, 2 * weights + self.evaluation.memory)

    @property
    def sampling_memory(self) -> int:
        """Bytes that making images holds."""
        return disk_usage.tensors(self.network.parameters()) + self.images(2).memory

    def sampling(self, layouts: int, each: int) -> int:
        """Operations of so many images of each of so many layouts."""
        first, two = self.images(1).operations, self.images(2).operations
        return layouts * (first + (each - 1) * (two - first))

    def _begin(self, learner: Any) -> None:
        learner.on_fit_start(self.scenes)
        learner.initialise(self.scenes[: self.params.init_scenes])

    def _step(self, number: int) -> Cost:
        scenes, rng = self.scenes[: self.params.batch_size], np.random.default_rng(0)
        for p in self.learner.weights.values():
            p.grad = None
        return count(lambda: self.learner.step(scenes, rng, number), self.learner.networks.values())

    def _images(self, number: int) -> Cost:
        layout, seeds = self.scenes.layout[:1], list(range(number))
        return count(
            lambda: sample_at_temperatures(self.network, layout, seeds, [0.8]), [self.network]
        )


def generator(section: GeneratorParams, table: ClassTable, size: tuple[int, int]) -> Training:
    """A generator, as stage train makes it.

    Raises:
        ParamsError: no such system or preset, or a size that it cannot have.
    """
    config, params = generators.config_of(section, size), section.training
    kind = LEARNERS[generators.system(section.system).generator.learner]
    scenes = _scenes(params, size, table)
    return Training(
        lambda: generators.build(section.system, config, table, params.seed), kind, params, scenes
    )


def predictor(section: PredictorParams, table: ClassTable, size: tuple[int, int]) -> Training:
    """A predictor, as stage predict makes it."""
    given, params = {"samples": section.samples, **section.overrides}, section.training
    config, scenes = (
        config_of(section.preset, {"size": size, **given}),
        _scenes(params, size, table),
    )
    return Training(
        lambda: CGlowPredictor(config, table, params.seed), PredictionLearner, params, scenes
    )


def attribute_reader(
    section: AttributesParams, table: ClassTable, size: tuple[int, int]
) -> Training:
    """A reader of attributes, of made-up scenes."""
    params = TrainingParams(steps=section.steps, batch_size=section.batch_size)
    scenes = _scenes(params, size, table)
    names = Attributes.measure(scenes, table.names)
    return Training(
        lambda: AttributeReader(names, table.count, 0), AttributeLearner, params, scenes, names
    )


def _scenes(params: TrainingParams, size: tuple[int, int], table: ClassTable) -> Scene:
    return noise_scenes(max(EVAL_BATCH, params.batch_size, params.init_scenes), size, table.count)


class Segmenter:
    """A segmentation network on the meta device; `step` is what a step on so many rows costs."""

    def __init__(
        self, config: str, table: ClassTable, size: tuple[int, int], trust_config: bool = False
    ) -> None:
        """Builds it as stage retrain does.

        Raises:
            ParamsError: no such config.
            ModelError: mmseg cannot build it.
        """
        self.config = read_config(config, table.count, trust_config)
        self.table, self.size, self.step = table, size, cache(self._step)
        with META, MetaScalarMode():
            self._segmenter = MmsegSegmenter(self.config, table.names)
        self.network: nn.Module = self._segmenter.to(META).network
        self.weights = disk_usage.tensors(self.network.parameters())

    def real(self, device: torch.device) -> MmsegSegmenter:
        """The same with numbers."""
        return MmsegSegmenter(self.config, self.table.names).to(device)

    def piece(self, kind: str, device: torch.device) -> Callable[[], object]:
        """A step on two rows (`segment`) or a prediction (`predict`), of no larger a size."""
        segmenter, scene = self.real(device), noise_scenes(2, self.small_size(), self.table.count)
        if kind == "predict":
            return lambda: segmenter.predict(scene.image[:1].float() / 255)
        learner = SupervisedLearner(segmenter, SegmenterParams(steps=2, batch_size=2))
        return lambda: learner.step(scene, np.random.default_rng(0), 1)

    def small_size(self) -> tuple[int, int]:
        """Its size, or one that is so much smaller that a step does not take too long."""
        times = max(1, math.ceil(math.sqrt(self.step(2).operations / LIMIT)))
        height, width = (max(32, side // times) for side in self.size)
        return height, width

    @cached_property
    def prediction(self) -> Cost:
        """The class map of an image."""
        image = torch.zeros(1, 3, *self.size, device=META)
        return count(lambda: self._segmenter.predict(image), [self.network])

    def memory(self, rows: int) -> int:
        """Bytes at the peak of a training."""
        return 3 * self.weights + max(self.step(rows).memory, self.prediction.memory)

    def _step(self, rows: int) -> Cost:
        from torch.fx.experimental import _config

        scene = noise_scenes(rows, self.size, self.table.count).to(META)
        self.network.train()
        self.network.zero_grad()

        def learn() -> None:
            self._segmenter.loss(scene.image.float() / 255, scene.layout.classes).backward()

        # how many pixels a mask picks is not known here: all of them at most
        with _config.patch(meta_nonzero_assume_all_nonzero=True):  # type: ignore[attr-defined]
            return count(learn, [self.network], truth=False)


class Features:
    """The features by which images are compared."""

    def __init__(self, size: tuple[int, int]) -> None:
        """Of images of a size."""
        self.size, network = size, Scattering()
        image = torch.zeros(1, 3, *size, device=META)
        self.cost = count(lambda: network.to(META)(image), [network])

    def piece(self, kind: str, device: torch.device) -> Callable[[], object]:
        """Those of one image, on the processor."""
        network, image = Scattering(), noise_scenes(1, self.size, 1).image.float() / 255
        return torch.no_grad()(lambda: network(image))
