"""What is measured: the same work, done by the library, plainly, and by code from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from augflow import generators
from augflow.core import hardware, seeding
from augflow.core.config import Memory
from augflow.core.seeding import Noise
from augflow.data.classes import ClassTable, table
from augflow.data.scenes import Layout, Scene
from augflow.generators.presets import FULL_GLOW, FullGlowConfig, make_config
from augflow.training.learner import GeneratorLearner
from augflow.training.learners import learner_of
from augflow.training.params import TrainingParams
from benchmarks.plain import PlainFullGlow

Task = Literal["train", "first", "more", "sweep", "transfer"]

TEMPERATURES = tuple(n / 10 for n in range(11))
ROUNDS = 3
TRANSFERS = 16


@dataclass(frozen=True)
class Work:
    """A Full-Glow of a size and depth, and how many photographs go into a step.

    `preset`, what its training holds (`memory`), the networks' `precision` and the coupling scales'
    `floor` are the library's; others always do the paper's.
    """

    size: tuple[int, int]
    steps: tuple[int, ...]
    batch: int = 1
    preset: str = "config_a"
    width: int = 512
    condition_width: int = 128
    memory: Memory = "store"
    precision: Literal["float32", "bfloat16"] = "float32"
    floor: float | None = None


class Contender(Protocol):
    """Somebody who can do every task; a task returns how many photographs it was about."""

    def train(self) -> int:
        """One step of training."""
        ...

    def first(self) -> int:
        """A photograph for a layout that was not seen before."""
        ...

    def more(self) -> int:
        """Another photograph for the layout of the last one."""
        ...

    def sweep(self) -> int:
        """Eleven temperatures, three rounds, one layout."""
        ...

    def transfer(self) -> int:
        """One photograph's content in sixteen layouts."""
        ...


class Ours:
    """The library."""

    def __init__(self, work: Work) -> None:
        """Builds the generator, initialised from data."""
        hardware.keep_pages()
        self.work, self.drawn = work, 0
        overrides: dict[str, Any] = {"size": work.size, "steps": work.steps}
        if work.preset.startswith("config"):
            overrides |= {"width": work.width, "source_width": work.width,
                          "condition_width": work.condition_width}  # fmt: skip
        if work.floor is not None:
            overrides |= {"floor": work.floor, "actnorm": "log", "min_std": 0.02}
        config = make_config(FullGlowConfig, FULL_GLOW, work.preset, overrides)
        self.generator: Any = generators.build("full_glow", config, classes(), 0)
        self.learner.initialise(scenes(work.size, max(work.batch, 2)))
        self.conditions: Any = None

    @cached_property
    def learner(self) -> GeneratorLearner:
        """A learner as the paper's, at its learning rate."""
        params = TrainingParams(
            steps=1000, batch_size=self.work.batch, learning_rate=1e-4, memory=self.work.memory,
            precision=self.work.precision,
        )  # fmt: skip
        return learner_of(self.generator, params)

    def train(self) -> int:
        """See `Contender`."""
        self.drawn += 1
        scene = scenes(self.work.size, self.work.batch, self.drawn)
        self.learner.step(scene, seeding.generator(0, "step", self.drawn), self.drawn)
        return self.work.batch

    def first(self) -> int:
        """See `Contender`."""
        self.drawn += 1
        scene = scenes(self.work.size, 1, self.drawn)
        self.conditions = self.generator.condition(scene.layout)
        self._sample(range(self.drawn, self.drawn + 1), 0.8)
        return 1

    def more(self) -> int:
        """See `Contender`; as many at once as the batch."""
        if self.conditions is None:
            self.first()
        count = self.work.batch
        self._sample(range(self.drawn, self.drawn + count), 0.8)
        return count

    def sweep(self) -> int:
        """See `Contender`."""
        self.conditions = self.generator.condition(scenes(self.work.size, 1, 3).layout)
        for temperature in TEMPERATURES:
            for start in range(0, ROUNDS, self.work.batch):
                self._sample(range(start, min(start + self.work.batch, ROUNDS)), temperature)
        return len(TEMPERATURES) * ROUNDS

    def transfer(self) -> int:
        """See `Contender`; as many layouts at once as the batch."""
        content = scenes(self.work.size, 1, 4)
        there = self.generator.condition(content.layout)
        latents = self.generator.encode(content.image / 256, there)
        for start in range(0, TRANSFERS, self.work.batch):
            numbers = range(start, min(start + self.work.batch, TRANSFERS))
            layouts = [scenes(self.work.size, 1, 10 + number).layout for number in numbers]
            here = self.generator.condition(
                Layout(torch.cat([one.classes for one in layouts]),
                       torch.cat([one.boundary for one in layouts]))
            )  # fmt: skip
            many = [part.expand(len(numbers), *part.shape[1:]) for part in latents]
            self.generator.decode(many, here)
        return TRANSFERS

    def _sample(self, numbers: range, temperature: float) -> None:
        rows = self.conditions.rows([0] * len(numbers)) if len(numbers) > 1 else self.conditions
        self.generator.sample(rows, Noise(list(numbers)), temperature)


Pairs = Callable[[int], tuple[Tensor, Tensor]]
"""A number -> the layout in colours and the photograph of a scene, (1, 3, H, W) in [0, 1]."""


class OneByOne:
    """Contenders at batch 1 that keep nothing of a layout: every photograph is a first one."""

    model: nn.Module

    def __init__(self, work: Work, pairs: Pairs | None = None) -> None:
        """Remembers the work, and how many layouts there were; `pairs` are its scenes."""
        self.work, self.drawn = work, 0
        self.pairs = pairs or (lambda number: pair(work.size, number))

    def train(self) -> int:
        """See `Contender`."""
        raise NotImplementedError

    def sample(self, colours: Tensor, temperature: float) -> None:
        """Makes one photograph for a layout (1, 3, H, W)."""
        raise NotImplementedError

    def first(self) -> int:
        """See `Contender`."""
        self.drawn += 1
        return self.more()

    def more(self) -> int:
        """See `Contender`; the layout is read again."""
        self.sample(self.pair(self.drawn)[0], 0.8)
        return 1

    def sweep(self) -> int:
        """See `Contender`."""
        colours = self.pair(3)[0]
        for temperature in TEMPERATURES:
            for _ in range(ROUNDS):
                self.sample(colours, temperature)
        return len(TEMPERATURES) * ROUNDS

    def pair(self, number: int) -> tuple[Tensor, Tensor]:
        """The layout in colours and the photograph of a scene."""
        return self.pairs(number)


class Plain(OneByOne):
    """`PlainFullGlow`, with torch's own optimizer as it comes."""

    model: PlainFullGlow

    def __init__(self, work: Work, pairs: Pairs | None = None) -> None:
        """Builds the model, initialised from data."""
        super().__init__(work, pairs)
        torch.manual_seed(0)
        self.model = PlainFullGlow(work.size, work.steps, work.width, work.condition_width)
        with torch.no_grad():
            self.model.loss(*self.pair(0))

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """Adam, at the paper's learning rate."""
        return torch.optim.Adam(self.model.parameters(), lr=1e-4)

    def train(self) -> int:
        """See `Contender`."""
        self.drawn += 1
        self.optimizer.zero_grad()
        self.model.loss(*self.pair(self.drawn)).backward()
        self.optimizer.step()
        return 1

    def transfer(self) -> int:
        """See `Contender`; the content is encoded again for every layout."""
        colours, image = self.pair(4)
        for number in range(TRANSFERS):
            self.model.transfer(image, colours, self.pair(10 + number)[0])
        return TRANSFERS

    def sample(self, colours: Tensor, temperature: float) -> None:
        """See `OneByOne`."""
        self.model.sample(colours, self.model.noise(temperature))


def classes() -> ClassTable:
    """The class table of the made-up layouts."""
    return table("cityscapes")


def scenes(size: tuple[int, int], count: int, seed: int = 0) -> Scene:
    """Made-up scenes: layouts of rectangles, photographs of one colour each and some noise."""
    rng = np.random.default_rng(seed)
    maps, photos = [], []
    for _ in range(count):
        ids = np.zeros(size, np.uint8)
        for _ in range(20):
            top, left = (int(rng.integers(0, side)) for side in size)
            height, width = (int(rng.integers(1, side)) for side in size)
            ids[top : top + height, left : left + width] = rng.integers(0, 19)
        looks = rng.integers(30, 220, (19, 3))
        photo = looks[ids] + rng.normal(0, 12, (*size, 3))
        maps.append(ids)
        photos.append(photo.clip(0, 255).astype(np.uint8).transpose(2, 0, 1))
    layout = Layout(torch.from_numpy(np.stack(maps)), torch.zeros(count, *size))
    return Scene(torch.from_numpy(np.stack(photos)), layout)


def pair(size: tuple[int, int], seed: int) -> tuple[Tensor, Tensor]:
    """The first of `scenes` as code from elsewhere wants it: palette colours, and a photograph.

    Shapes:
        returns: both (1, 3, H, W) in [0, 1].
    """
    scene = scenes(size, 1, seed)
    colours = torch.from_numpy(classes().palette[scene.layout.classes.numpy()])
    return colours.permute(0, 3, 1, 2).float() / 255, scene.image.float() / 255


CONTENDERS: dict[str, Callable[[Work], Contender]] = {"ours": Ours, "plain": Plain}
