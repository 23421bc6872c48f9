"""What several checks look at, opened once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augflow.core import io, seeding
from augflow.data.classes import IGNORE
from augflow.data.scenes import Layout
from augflow.data.synthetic import SetRow, read_rows
from augflow.editing.compose import LayoutMaker, NewLayout
from augflow.generators.base import Generator
from augflow.stages.runner import recorded_machines
from augflow.stages.synthesize import layout_maker
from augflow.study.environment import ENVIRONMENT_FILE, Machines
from augflow.study.project import Project
from augflow.tools.latent_sources import Splits
from augflow.verify.check import GREY, Check, Sample
from augflow.verify.lock import Lock

if TYPE_CHECKING:
    from augflow.segmentation.mmseg_model import MmsegSegmenter


class Workspace:
    """The artefacts of a project's study.

    Everything raises DataError or ModelError where it cannot be read.
    """

    def __init__(self, project: Project, sample: Sample | None = None) -> None:
        """Opens nothing yet; `sample` says what is made again."""
        self.project, self.sample = project, sample or Sample()
        self.splits = Splits(project.prepared_folder)
        self.split, self.row_of = self.splits.split, self.splits.row_of
        self.generator = cache(self._generator)
        self.segmenter = cache(self._segmenter)
        self.class_pixels = cache(self._class_pixels)
        self.new_layout = cache(self._new_layout)
        self._maker = cache(self._layout_maker)

    @cached_property
    def lock(self) -> Lock:
        """What DVC has recorded."""
        return Lock.read(self.project.root)

    @cached_property
    def machines(self) -> Machines:
        """What of the study this machine makes again bit by bit."""
        return recorded_machines(self.project)

    @property
    def set_names(self) -> list[str]:
        """Synthetic and transferred sets."""
        return [*self.project.params.sets, *self.project.params.transfers]

    def rows(self, name: str) -> list[SetRow]:
        """The manifest of a set."""
        return read_rows(self.project.synthetic(name))

    def layout_of(self, name: str, row: SetRow) -> Layout:
        """The layout of an image of a set: a scene's, or a new one, made again.

        Raises:
            DataError: there is no such scene, or no such layout can be made.
        """
        if self.has_new_layouts(name):
            return self.new_layout(name, row.layout).layout
        return self.splits.scene(row.split, row.layout).layout

    def has_new_layouts(self, name: str) -> bool:
        """Whether the layouts of a set are new ones."""
        section = self.project.params.sets.get(name)
        return section is not None and section.new_layouts is not None

    def class_pixels_of(self, name: str, split: str) -> dict[str, np.ndarray]:
        """How many pixels of each class the layouts of a set have, (K,) int64, by name."""
        if not self.has_new_layouts(name):
            return self.class_pixels(split)
        count = self.split(split).table.count
        made = (self.new_layout(name, layout) for layout in {row.layout for row in self.rows(name)})
        return {new.name: _count(new.classes, count) for new in made}

    def draw(self, wanted: int | None, count: int, *names: str) -> list[int]:
        """So many of `count` things, or all of them, by the seed of the sample."""
        order = seeding.generator(self.sample.seed, "verify", *names).permutation(count)
        return sorted(int(place) for place in order[:wanted])

    def draw_items(self, count: int, *names: str) -> list[int]:
        """The items of a stage that are made again."""
        return self.draw(self.sample.items, count, *names)

    def draw_one(self, count: int, *names: str) -> list[int]:
        """One of what takes long to make again, or all of it where all is asked for."""
        return self.draw(self.sample.items and 1, count, *names)

    def draw_seeds(self, arm: str) -> list[int]:
        """The seeds of those networks of an arm that are looked at."""
        seeds = self.project.params.retrain.seeds
        return [seeds[place] for place in self.draw_one(len(seeds), "networks", arm)]

    def draw_rows(self, rows: Sequence[SetRow], *names: str) -> list[int]:
        """The images of a set that are made again, none without another one of its layout."""
        drawn = set(self.draw_items(len(rows), *names))
        for place in sorted(drawn):
            layout = (rows[place].split, rows[place].layout)
            others = [
                other
                for other, row in enumerate(rows)
                if other != place and (row.split, row.layout) == layout
            ]
            drawn.update(others[n] for n in self.draw(1, len(others), *names, rows[place].name))
        return sorted(drawn)

    def made_here(self, check: Check, artefact: Path) -> bool:
        """Whether this machine made an artefact; where nobody knows, that is what is absent."""
        if self.machines.facts(artefact) is None:
            check.lacks(unknown_machine(artefact))
        return self.machines.here(artefact)

    def made_elsewhere(self, check: Check, artefact: Path) -> bool:
        """Whether an artefact, made again, may differ as far as another machine's does."""
        here = self.made_here(check, artefact)
        if not here:
            check.note(f"within {GREY} grey values and the like where another machine made it")
        return not here

    def all_made_here(self, check: Check) -> bool:
        """Whether this machine made all of the study."""
        for artefact in self.machines.unknown():
            check.lacks(unknown_machine(artefact))
        return self.machines.all_here()

    def _class_pixels(self, split: str) -> dict[str, np.ndarray]:
        """How many pixels of each class a scene's class map holds, (K,) int64."""
        folder = self.split(split)
        maps = folder.scenes().layout.classes.numpy()
        return {
            name: _count(classes, folder.table.count)
            for name, classes in zip(folder.names, maps, strict=True)
        }

    def _new_layout(self, name: str, layout: str) -> NewLayout:
        return self._maker(name).from_name(layout)

    def _layout_maker(self, name: str) -> LayoutMaker:
        section = self.project.params.sets[name]
        return layout_maker(self.split(section.layouts), section)

    def _generator(self, name: str) -> Generator:
        from augflow import generators

        return generators.load_unchecked(self.project.generator(name))

    def _segmenter(self, folder: Path) -> MmsegSegmenter:
        from augflow.core.distributed import device
        from augflow.segmentation.mmseg_model import load_segmenter

        return load_segmenter(folder, self.project.trusts(folder)).to(device())


def unknown_machine(artefact: Path) -> str:
    """What is absent where nobody knows on which machine something was made."""
    return f"the machine of {artefact.as_posix()} in {ENVIRONMENT_FILE}"


def _count(classes: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(classes[classes != IGNORE], minlength=count)


def recorded_digest(folder: Path) -> str:
    """The digest of the weights of a saved generator or segmenter, as its `config.json` has it.

    Raises:
        DataError: missing or not JSON.
        KeyError: it records none.
    """
    record = io.read_json(folder / "config.json")
    return record["weights"] if "weights" in record else record["digest"]
