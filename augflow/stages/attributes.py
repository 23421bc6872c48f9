"""Whether attributes come out in photographs as asked for, and whether the others then stay."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from augflow import generators
from augflow.core import hardware, seeding
from augflow.core.errors import DataError
from augflow.core.seeding import Noise
from augflow.data.attributes import LIGHT, STATES, Attributes, areas
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout, SceneFolder, evenly
from augflow.editing.apply import apply_edits
from augflow.editing.edit_schema import Edit
from augflow.flows.density import quantize
from augflow.generators import weights_digest
from augflow.generators.base import Generator
from augflow.generators.sampling import condition_on, image_seed
from augflow.metrics.attributes import accuracy, change, variance
from augflow.study.params import AttributesParams
from augflow.study.results import AttributeReadings, AttributeScores, GeneratorAttributes
from augflow.training import loop
from augflow.training.attribute_reader import AttributeLearner, AttributeReader
from augflow.training.params import TrainingParams

log = logging.getLogger("augflow")

AREA = (0.01, 0.35)
"""Only classes that cover such a share of a layout are recoloured: to be seen, not to fill it."""

State = tuple[float, float] | None
"""The light asked for, one of `STATES`, or None."""


def attributes(
    params: AttributesParams,
    folders: Mapping[str, Path],
    prepared: Path,
    out: Path,
    *,
    threads: int,
) -> None:
    """Trains a reader of attributes on real photographs, and has it look at synthetic ones.

    Every generator makes photographs of the same held-out layouts from the same seeds. Those that
    take attributes are asked for each light in turn. Then one condition after the other is changed:
    the light, where it can be asked for, and classes of the layout.

    References:
        Liu et al. 2019, "Conditional Adversarial Generative Flow" (CAGlow), section 4.3.
    """
    hardware.keep_pages()
    seeding.deterministic(params.seed, threads)
    train, held_out = SceneFolder(prepared, "train"), SceneFolder(prepared, "val")
    names = Attributes.measure(train.scenes(), train.table.names)
    reader = trained_reader(train, names, params)
    judge = _Judge(params, reader, names, held_out)
    results = {}
    for name, folder in folders.items():
        results[name] = judge.look(generators.load_unchecked(folder))
        log.info("%s: attributes right %.1f %%", name, 100 * results[name].accuracy)
    AttributeScores(
        names=list(names.names),
        layouts=judge.names_of_layouts,
        samples=params.samples,
        temperature=params.temperature,
        real=judge.look_at_photographs(),
        generators=results,
    ).write(out)


def trained_reader(
    train: SceneFolder, names: Attributes, params: AttributesParams
) -> AttributeReader:
    """A reader that has learned from the training photographs, a function of them and the seed."""
    reader = AttributeReader(names, train.table.count, seeding.derive(params.seed, "reader"))
    schedule = TrainingParams(
        steps=params.steps,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        decay_from=0.5,
        seed=params.seed,
    )
    learner = AttributeLearner(reader, names, schedule)
    loop.fit(
        learner,
        train,
        steps=params.steps,
        batch_size=params.batch_size,
        seed=params.seed,
        columns=learner.columns,
        names=train.names,
        log_every=params.steps,
    )
    return reader.eval()


@dataclass(frozen=True)
class _Asked:
    """A layout, the light asked for, and the numbers of the attributes that are new in either."""

    layout: Layout
    state: State
    touched: frozenset[int]


@dataclass(frozen=True)
class _Judge:
    """The reader, the held-out layouts it looks at, and how photographs are made for them."""

    params: AttributesParams
    reader: AttributeReader
    names: Attributes
    held_out: SceneFolder

    @property
    def rows(self) -> list[int]:
        """The layouts, spread evenly over the held-out ones."""
        return evenly(len(self.held_out), self.params.layouts)

    @property
    def names_of_layouts(self) -> list[str]:
        """Their names."""
        return [self.held_out.names[row] for row in self.rows]

    def look_at_photographs(self) -> AttributeReadings:
        """The reader's own accuracy, on all real held-out photographs."""
        scenes = self.held_out.scenes()
        found = self.reader.read(scenes.image)[:, None]
        wanted = self.names.of(scenes).double().numpy()[:, None]
        return AttributeReadings(**self._scores(found, wanted))

    def look(self, generator: Generator) -> GeneratorAttributes:
        """Accuracy, variance and changes of a generator's photographs."""
        light = LIGHT if set(LIGHT) <= set(generator.attributes) else ()
        found = [self._of_layout(generator, row, bool(light)) for row in self.rows]
        scores = self._scores(*(np.stack(part) for part in zip(*found, strict=True)))
        moves = [self._changes(generator, row, bool(light)) for row in self.rows]
        weights = weights_digest(generator.state_dict())
        return GeneratorAttributes(
            weights=weights, light=bool(light), changes=_means(moves), **scores
        )

    def _of_layout(
        self, generator: Generator, row: int, light: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """What is read in the photographs of a layout, and what was asked for, (S, A) each."""
        layout = self.held_out.scenes([row]).layout
        own = self.names.of_layout(layout)[0].double().numpy()
        found, wanted = [], []
        for number in range(self.params.samples):
            state: State = STATES[number % len(STATES)] if light else None
            photos = self._photos(generator, layout, row, [number], state)
            found.append(self.reader.read(photos)[0])
            wanted.append(np.concatenate([state or (math.nan, math.nan), own]))
        return np.stack(found), np.stack(wanted)

    def _changes(self, generator: Generator, row: int, light: bool) -> list[float | None]:
        """By how much the other attributes move at each change."""
        name, layout = self.held_out.names[row], self.held_out.scenes([row]).layout
        moves: list[float | None] = []
        before: np.ndarray | None = None
        for asked in self._plan(layout, name, light):
            photos = self._photos(
                generator, asked.layout, row, range(self.params.samples), asked.state
            )
            after = self.reader.read(photos)
            if before is not None:
                others = [n not in asked.touched for n in range(len(self.names.names))]
                moves.append(change(before, after, np.array(others)))
            before = after
        return moves + [None] * (self.params.changes - len(moves))

    def _plan(self, layout: Layout, name: str, light: bool) -> list[_Asked]:
        """What is asked for before any change, and after each: the light first if it can be."""
        plan = [_Asked(layout, STATES[0] if light else None, frozenset())]
        if light:
            plan.append(_Asked(layout, STATES[-1], frozenset(range(len(LIGHT)))))
        count = self.params.changes - len(plan) + 1
        steps = recolour_layouts(
            layout, self.held_out.table, count, seeding.derive(self.params.seed, "changes", name)
        )
        return plan + [
            _Asked(changed, plan[-1].state, self._of_classes(pair)) for changed, pair in steps
        ]

    def _of_classes(self, pair: tuple[int, int]) -> frozenset[int]:
        """The numbers of the attributes that two classes have."""
        return frozenset(len(LIGHT) + n for n, c in enumerate(self.names.classes) if c in pair)

    def _photos(
        self, generator: Generator, layout: Layout, row: int, numbers: Iterable[int], state: State
    ) -> torch.Tensor:
        """Photographs of one layout, each made by itself, (S, 3, H, W) uint8."""
        told = {name: bool(value) for name, value in zip(LIGHT, state or (), strict=False)}
        conditions = condition_on(generator, layout, told)
        name = self.held_out.names[row]
        noises = [Noise([image_seed(self.params.seed, name, number)]) for number in numbers]
        degree = self.params.temperature
        return torch.cat(
            [quantize(generator.sample(conditions, noise, degree)) for noise in noises]
        )

    def _scores(self, found: np.ndarray, wanted: np.ndarray) -> dict[str, Any]:
        """Shapes: found, wanted: (L, S, A)."""
        flat = (-1, len(self.names.names))
        each = accuracy(found.reshape(flat), wanted.reshape(flat))
        layout = each[len(LIGHT) :]
        return {
            "accuracy": float(np.nanmean(each)),
            "accuracy_layout": float(np.nanmean(layout)) if layout.size else None,
            "accuracy_each": [None if math.isnan(value) else float(value) for value in each],
            "variance": variance(found, wanted),
        }


def recolour_layouts(
    layout: Layout, table: ClassTable, count: int, seed: int
) -> list[tuple[Layout, tuple[int, int]]]:
    """Layouts with more and more classes turned into another, and which was turned into which.

    Classes that cover too little or too much are left alone, so there may be fewer than `count`.
    """
    made: list[tuple[Layout, tuple[int, int]]] = []
    gone: set[int] = set()
    for number in range(count):
        shares = areas(layout, table.count)[0].numpy()
        fit = [c for c in range(table.count) if AREA[0] <= shares[c] <= AREA[1] and c not in gone]
        if not fit:
            break
        draw = seeding.generator(seed, "change", number)
        old = int(draw.choice(fit))
        new = int(draw.choice([c for c in range(table.count) if c != old]))
        edit = {"recolour": {"object": {"class": table.names[old]}, "to": table.names[new]}}
        try:
            layout = apply_edits(layout, table, [Edit.model_validate(edit)])[0]
        except DataError:
            break
        gone |= {old, new}
        made.append((layout, (old, new)))
    return made


def _means(moves: Sequence[Sequence[float | None]]) -> list[float | None]:
    """The mean over layouts at each change, None where no layout has one."""
    columns = [
        [value for value in column if value is not None] for column in zip(*moves, strict=True)
    ]
    return [float(np.mean(column)) if column else None for column in columns]
