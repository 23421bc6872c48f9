"""What arms cost: arithmetic, counted where it is done, of all that an arm's networks come from.

Operations are products and sums of convolutions and matrix products, forward and backward. They do
not depend on the machine, so that reports stay equal; time does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from augflow import generators
from augflow.core import hardware, seeding
from augflow.data.folds import folds
from augflow.data.scenes import SceneFolder
from augflow.generators.sampling import image_seed, sample_at_temperatures
from augflow.segmentation.learner import SupervisedLearner
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter
from augflow.segmentation.params import SegmenterParams
from augflow.stages.synthesize import layout_names
from augflow.stages.train import initialise
from augflow.study.params import ArmParams, GeneratorParams, Params, SetParams
from augflow.study.results import Cost, Costs
from augflow.training import loop
from augflow.training.learner import GeneratorLearner
from augflow.training.learners import learner_of
from augflow.training.meta_modes import Operations

log = logging.getLogger("augflow")


def costs(params: Params, prepared: Path, out: Path, threads: int | None = None) -> None:
    """Counts what every arm costs and writes it.

    Of each kind of work one piece is done and counted, and multiplied by how often the study does
    it: a step on a batch, the photographs of a layout, a look at a photograph. Every network is
    built anew for that; what it has learned does not change what it costs.
    """
    seeding.deterministic(0, threads)
    hardware.keep_pages()
    counter = _Counter(params, prepared)
    arms = {name: counter.arm(section) for name, section in params.arms.items()}
    Costs(steps=params.retrain.segmenter.steps, arms=arms).write(out)
    log.info("costs of %d arms counted", len(arms))


class _Counter:
    """Counts each kind of work once."""

    def __init__(self, params: Params, prepared: Path) -> None:
        self.params = params
        self.scenes = cache(lambda one_in: SceneFolder(prepared, "train", one_in))
        self.generator = cache(self._generator)
        self.step, self.look = cache(self._step), cache(self._look)

    def arm(self, arm: ArmParams) -> Cost:
        """What one network of an arm costs."""
        own = self._training(self.params.retrain.segmenter)
        if arm.synthetic_source is None:
            return Cost(training=own, generator=0, photographs=0, judge=0, choice=0)
        selection = self.params.selections.get(arm.synthetic_source)
        name = selection.set if selection else arm.synthetic_source
        learning, making = self.generator(name)
        judge = choice = 0
        if selection:
            judge = self._judge(selection.judge) + self._candidates(name) * self._glance(
                self.params.judges[selection.judge]
            )
            if selection.temperature == "chosen":
                choice = self._choice(Path(selection.reads).stem)
        return Cost(
            training=own, generator=learning, photographs=making, judge=judge, choice=choice
        )

    def _generator(self, name: str) -> tuple[int, int]:
        """The training of a set's generator, and the making of its photographs."""
        section = self.params.sets[name]
        model = self.params.generators[section.generator]
        learner = _learner(model, self.scenes(model.one_in))
        return _learning(learner, model, self.scenes(model.one_in)), self._making(learner, section)

    def _making(self, learner: GeneratorLearner, section: SetParams) -> int:
        # arms have sets of training layouts alone
        scenes = self.scenes(1)
        layout = scenes.scenes([0]).layout
        drawn = [
            image_seed(section.seed, "costs", number) for number in range(section.draws_per_layout)
        ]
        one = _operations(
            lambda: sample_at_temperatures(learner.generator, layout, drawn, section.temperatures)
        )
        return one * len(layout_names(scenes, section))

    def _candidates(self, name: str) -> int:
        section = self.params.sets[name]
        each = len(section.temperatures) * section.rounds
        return each * len(layout_names(self.scenes(1), section))

    def _training(self, params: SegmenterParams) -> int:
        return params.steps * self.step(params.config, params.trust_config, params.batch_size)

    def _glance(self, params: SegmenterParams) -> int:
        return self.look(params.config, params.trust_config)

    def _judge(self, name: str) -> int:
        section = self.params.judges[name]
        scenes = self.scenes(section.one_in)
        more = len(folds(scenes.drives, section.folds, name)) if section.folds > 1 else 0
        return (1 + more) * self._training(section) + len(scenes) * self._glance(section)

    def _choice(self, name: str) -> int:
        section = self.params.choices[name]
        made = self.params.sets[section.set]
        scenes = self.scenes(made.one_in)
        count = len(folds(scenes.drives, section.folds, name))
        each = count * self._training(section.segmenter)
        looked = len(scenes) * self._glance(section.segmenter)
        return len(made.temperatures) * len(section.seeds) * (each + looked)

    def _step(self, config: str, trust_config: bool, batch: int) -> int:
        scenes = self.scenes(1)
        params = SegmenterParams(config=config, steps=1, batch_size=batch)
        learner = SupervisedLearner(self._network(config, trust_config), params)
        scene = scenes.scenes(loop.batch_rows(0, 0, batch, len(scenes)))
        return _operations(lambda: learner.step(scene, np.random.default_rng(0), 0))

    def _look(self, config: str, trust_config: bool) -> int:
        network, image = self._network(config, trust_config), self.scenes(1).scenes([0]).image
        return _operations(lambda: network.predict(image.float() / 255))

    def _network(self, config: str, trust_config: bool) -> MmsegSegmenter:
        table = self.scenes(1).table
        network = read_config(config, table.count, trust_config)
        return MmsegSegmenter(network, table.names)


def _learner(params: GeneratorParams, scenes: SceneFolder) -> GeneratorLearner:
    """A learner of a new generator, as stage train begins with it."""
    config = generators.config_of(params, scenes.size)
    generator = generators.build(params.system, config, scenes.table)
    learner = learner_of(generator, params.training)
    initialise(learner, scenes, params.training)
    return learner


def _learning(learner: GeneratorLearner, params: GeneratorParams, scenes: SceneFolder) -> int:
    """All steps of a generator's training.

    The first step of every outer epoch of IMLE chooses noise besides, and a CAGlow learns two ways,
    one after the other; for all others a step is as good as another.
    """
    size, steps = params.training.batch_size, params.training.steps

    def count(step: int) -> int:
        scene = scenes.scenes(loop.batch_rows(0, step, size, len(scenes)))
        return _operations(lambda: learner.step(scene, np.random.default_rng(step), step))

    border = getattr(learner, "border", None)
    if border is not None:
        later = max(steps - border, 0)  # the first of these sets actnorms besides
        parts = ((steps - later, 0), (min(later, 1), border), (later - 1, steps - 1))
        return sum(n * count(at) for n, at in parts if n > 0)
    outer = getattr(learner.generator.config, "outer", None)
    if outer is None or outer == 1:
        return steps * count(0)
    epochs = -(-steps // outer)
    first = count(0)
    return epochs * first + (steps - epochs) * count(1)


def _operations(work: Callable[[], object]) -> int:
    with Operations() as done:
        work()
    return done.total
