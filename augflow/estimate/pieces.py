"""Pieces of work on torch's meta device: what they compute, and what memory they take.

The code that runs is that of the stages; only numbers are not there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from augflow import generators
from augflow.core import seeding
from augflow.core.distributed import Part
from augflow.data.attributes import Attributes
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout, Scene
from augflow.generators.c_glow_predictor import CGlowPredictor, config_of
from augflow.generators.likelihood import LikelihoodGenerator
from augflow.generators.sampling import sampled_at, transferred
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter
from augflow.stages.train import CURVE_SCENES, SAMPLE_TEMPERATURES, SAMPLED_LAYOUTS
from augflow.study import sizes
from augflow.study.params import AttributesParams, GeneratorParams, PredictorParams
from augflow.training.attribute_reader import AttributeLearner, AttributeReader
from augflow.training.batches import HELD_OUT
from augflow.training.learners import LEARNERS
from augflow.training.meta_modes import META, Dry
from augflow.training.nearest import NearestLearner
from augflow.training.operations import Operations
from augflow.training.params import TrainingParams
from augflow.training.peak import PeakBytes
from augflow.training.prediction import PredictionLearner

LOOKED_AT = HELD_OUT
"""So many scenes are made up."""


@dataclass(frozen=True)
class Piece:
    """A piece of work.

    Attributes:
        operations: products and sums of convolutions and matrix products.
        memory: the most bytes that tensors hold at once, those of networks left out.
    """

    operations: int
    memory: int

    def times(self, count: float) -> int:
        """The operations of so many pieces."""
        return round(count * self.operations)


def piece(work: Callable[[], object], networks: Iterable[nn.Module], truth: bool = True) -> Piece:
    """What a piece of work on the meta device is; see `Dry` for `truth`."""
    apart = [t for one in networks for t in (*one.parameters(), *one.buffers())]
    with Operations() as done, PeakBytes(META, apart) as held, Dry(truth):
        work()
    return Piece(done.total, held.most)


def made_up(count: int, size: tuple[int, int], classes: int) -> Scene:
    """Scenes of no meaning: noise, and bands of classes, more of them from scene to scene."""
    rng = seeding.generator(0, "estimate")
    image = torch.from_numpy(rng.integers(0, 256, (count, 3, *size), dtype=np.uint8))
    bands = np.outer(1 + np.arange(count) % classes, np.arange(size[0])) // size[0]
    maps = np.broadcast_to(bands[:, :, None], (count, *size)).astype(np.uint8)
    return Scene(image, Layout(torch.from_numpy(maps.copy()), torch.zeros(count, *size)))


class Rehearsed:
    """What a learner does otherwise on the meta device: it differentiates, and updates nothing."""

    def descend(
        self, network: str, parts: Sequence[Part], step: int,
        losses: Callable[[Part], dict[str, Tensor]], culprit: Callable[[Part], str],
    ) -> dict[str, float]:  # fmt: skip
        """Goes forward and back through all parts of a batch."""
        numbers: dict[str, float] = {}
        for part in parts:
            values = losses(part)
            values["loss"].backward()
            numbers |= dict.fromkeys(values, 0.0)
        return {**numbers, "grad_norm": 0.0}

    def follow(self, step: int) -> None:
        """Averages nothing."""

    def choose(self, epoch: int) -> None:
        """Chooses no noise; see `Trained.choosing`."""

    def precision(self) -> AbstractContextManager[Any]:
        """Float32 always: that is the most that memory can take."""
        return nullcontext()


class Trained:
    """A network and its learner on the meta device.

    Attributes:
        learner: goes through steps without updates.
        step: a step on so many rows, without what `choosing` counts; and the step's number.
        params: of its training.
        scenes: made-up ones.
    """

    def __init__(self, network: Any, kind: type, params: TrainingParams, scenes: Scene) -> None:
        """Makes the learner, and has it look at the scenes as stages do."""
        self.network, self.params, self.scenes = network, params, scenes
        self.step = cache(self._step)
        self.learner: Any = type("Rehearsal", (Rehearsed, kind), {})(network, params)
        first = _repeated(scenes, params.init_scenes)

        def begin() -> None:
            self.learner.attend(scenes)
            self.learner.initialise(first)

        self.beginning = piece(begin, self.networks)

    @property
    def networks(self) -> list[nn.Module]:
        """All that have weights, the network first."""
        return [self.network, *self.learner.networks.values()]

    @property
    def weights(self) -> int:
        """Bytes of the network's own weights."""
        return sizes.tensors(self.network.parameters())

    def _step(self, rows: int, number: int = 1) -> Piece:
        """A step on so many rows, without what `choosing` counts."""
        scene, rng = _repeated(self.scenes, rows), np.random.default_rng(0)
        for p in self.learner.weights.values():
            p.grad = None
        return piece(lambda: self.learner.step(scene, rng, number), self.networks)

    @cached_property
    def choosing(self) -> Piece:
        """The candidates of one place, where a learner chooses the nearest of some."""
        return piece(lambda: self.learner.distances(0, 0), self.networks)

    def choosing_at(self, step: int) -> int:
        """Operations of choosing the nearest of some candidates, if a step begins with it."""
        if not isinstance(self.learner, NearestLearner) or step % self.learner.config.outer:
            return 0
        return self.choosing.times(self.learner.config.set_size)

    @cached_property
    def looked_at(self) -> Piece:
        """What is measured on made-up held-out scenes."""
        kind = type(self.learner)
        return piece(lambda: kind.evaluate(self.network, self.scenes, LOOKED_AT), self.networks)

    def operations(self, held_out: int) -> int:
        """Those of a whole training, with what is measured on so many held-out scenes."""
        params = self.params
        measured = -(-params.steps // params.eval_every) * min(held_out, CURVE_SCENES) + held_out
        pages = -(-params.steps // params.sample_every)
        return (
            self._learning() + self.beginning.operations
            + self.looked_at.times(measured / LOOKED_AT) + pages * self._page()
        )  # fmt: skip

    def memory(self) -> int:
        """Bytes at the peak: weights, gradients, moments, averages, and what a step holds."""
        weights = sizes.tensors(self.learner.weights.values())
        rows = self.params.batch_size
        held = max(one.memory for one in self._kinds(rows))
        looking = weights + self.looked_at.memory + self.weights
        average = sizes.tensors((self.learner.average or {}).values())
        buffers = sum(sizes.tensors(one.buffers()) for one in self.networks[:1])
        return 3 * weights + buffers + average + max(held, looking, self.beginning.memory)

    def _learning(self) -> int:
        params = self.params
        first, last = self._kinds(params.batch_size)
        border = getattr(self.learner, "border", 0)
        chosen = sum(map(self.choosing_at, range(params.steps)))
        return first.times(border) + last.times(params.steps - border) + chosen

    def _kinds(self, rows: int) -> tuple[Piece, Piece]:
        """The first and the last step, which differ where a learner has two stages."""
        border = getattr(self.learner, "border", None)
        if border is None:
            return self.step(rows), self.step(rows)
        return self.step(rows, 0), self.step(rows, max(self.params.steps - 1, border))

    def _page(self) -> int:
        """A page of samples."""
        raise NotImplementedError


class Maker(Trained):
    """A generator of a study, and what is done with it."""

    def __init__(self, params: GeneratorParams, table: ClassTable, size: tuple[int, int]) -> None:
        """Builds it as stage train does.

        Raises:
            ParamsError: no such system or preset, or a size that it cannot have.
        """
        config = generators.config_of(params, size)
        with META:
            generator = generators.built(params.system, config, table, params.training.seed)
        generator.to(META)
        kind = LEARNERS[generators.system(params.system).maker.learner]
        scenes = made_up(LOOKED_AT, size, table.count)
        super().__init__(generator, kind, params.training, scenes)
        self.section, self.table = params, table

    @property
    def likelihood(self) -> bool:
        """Whether photographs have bits."""
        return isinstance(self.network, LikelihoodGenerator)

    @cached_property
    def photograph(self) -> Piece:
        """A photograph of a layout, its conditions included."""
        return piece(lambda: sampled_at(self.network, self.layout, [1], [0.8]), self.networks)

    @cached_property
    def further(self) -> Piece:
        """One more photograph of the same layout."""
        two = piece(lambda: sampled_at(self.network, self.layout, [1, 2], [0.8]), self.networks)
        return Piece(two.operations - self.photograph.operations, two.memory)

    def photographs(self, layouts: int, each: int) -> int:
        """Operations of so many photographs of each of so many layouts."""
        return layouts * (self.photograph.operations + (each - 1) * self.further.operations)

    @cached_property
    def moved(self) -> Piece:
        """A photograph's content in another layout."""
        content = self.scenes[:1]
        return piece(lambda: transferred(self.network, content, self.layout, "z"), self.networks)

    @property
    def layout(self) -> Layout:
        """A made-up layout."""
        return self.scenes.layout[:1]

    def _page(self) -> int:
        return self.further.times(SAMPLED_LAYOUTS * len(SAMPLE_TEMPERATURES))


class Predicting(Trained):
    """A predictor of a study."""

    def __init__(self, params: PredictorParams, table: ClassTable, size: tuple[int, int]) -> None:
        """Builds it as stage predict does."""
        with META:
            predictor = CGlowPredictor(
                config_of(
                    params.preset, {"size": size, "samples": params.samples, **params.overrides}
                ),
                table,
                params.training.seed,
            )
        scenes = made_up(LOOKED_AT, size, table.count)
        super().__init__(predictor.to(META), PredictionLearner, params.training, scenes)
        self.samples = params.samples

    def prediction(self, samples: int) -> Piece:
        """The class map of a photograph."""
        image = torch.zeros(1, 3, *self.network.size, device=META)
        return piece(lambda: self.network.predict(image, samples), self.networks)

    def scoring(self, held_out: int) -> int:
        """Operations of looking at held-out photographs."""
        return sum(held_out * self.prediction(n).operations for n in {1, self.samples})

    def _page(self) -> int:
        return SAMPLED_LAYOUTS * sum(self.prediction(n).operations for n in (1, self.samples))


class Reader:
    """The network that reads attributes."""

    def __init__(self, params: AttributesParams, table: ClassTable, size: tuple[int, int]) -> None:
        """Measures attributes on made-up scenes."""
        self.scenes = made_up(params.batch_size, size, table.count)
        self.names = Attributes.measured(made_up(LOOKED_AT, size, table.count), table.names)
        self.params = TrainingParams(steps=params.steps, batch_size=params.batch_size)
        self.classes = table.count

    def learner(self, device: torch.device) -> Any:
        """What trains a new one on a device."""
        kinds = (Rehearsed, AttributeLearner) if device == META else (AttributeLearner,)
        with torch.device(device):
            reader = AttributeReader(self.names, self.classes, 0)
        return type("ReaderLearner", kinds, {})(reader.to(device), self.names, self.params)

    @cached_property
    def step(self) -> Piece:
        """A step of its training."""
        learner, rng = self.learner(META), np.random.default_rng(0)
        return piece(lambda: learner.step(self.scenes, rng, 0), [learner.generator])

    @property
    def memory(self) -> int:
        """Bytes at the peak of its training."""
        weights = sizes.tensors(self.learner(META).generator.parameters())
        return 3 * weights + self.step.memory


class Network:
    """A segmentation network on the meta device.

    Attributes:
        step: a step on so many rows.
    """

    def __init__(
        self, config: str, table: ClassTable, size: tuple[int, int], trust_config: bool = False
    ) -> None:
        """Builds it as stage retrain does.

        Raises:
            ParamsError: no such config.
            ModelError: mmseg cannot build it.
        """
        read = read_config(config, table.count, trust_config)
        with META, Dry():
            self.segmenter = MmsegSegmenter(read, table.names)
        self.segmenter.to(META)
        self.size, self.classes = size, table.count
        self.step = cache(self._step)

    @property
    def weights(self) -> int:
        """Bytes of its weights."""
        return sizes.tensors(self.segmenter.network.parameters())

    def _step(self, rows: int) -> Piece:
        from torch.fx.experimental import _config

        scene = made_up(rows, self.size, self.classes)
        network = self.segmenter.network.train()
        network.zero_grad()

        def learned() -> None:
            self.segmenter.loss(scene.image.float() / 255, scene.layout.classes).backward()

        # how many pixels a mask picks is not known here: all of them at most
        with _config.patch(meta_nonzero_assume_all_nonzero=True):  # type: ignore[attr-defined]
            return piece(learned, [network], truth=False)

    @cached_property
    def look(self) -> Piece:
        """A look at a photograph."""
        image = made_up(1, self.size, self.classes).image.float() / 255
        return piece(lambda: self.segmenter.predict(image), [self.segmenter.network])

    def memory(self, rows: int) -> int:
        """Bytes at the peak of a training."""
        held = max(self.step(rows).memory, self.weights + self.look.memory)
        return 3 * self.weights + held

    def at(self, size: tuple[int, int]) -> Network:
        """The same network at another size."""
        other = copy.copy(self)
        other.size, other.step = size, cache(other._step)
        other.__dict__.pop("look", None)
        return other


def _repeated(scenes: Scene, count: int) -> Scene:
    """So many scenes, some of them again where there are fewer."""
    return scenes[[row % len(scenes) for row in range(count)]]
