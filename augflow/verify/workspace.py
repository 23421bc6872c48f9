"""What several checks look at, opened once."""

from __future__ import annotations

from collections.abc import Callable
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
from augflow.stages.synthesize import layout_maker
from augflow.study.project import Project
from augflow.tools.latent_sources import Splits
from augflow.verify.check import Check
from augflow.verify.lock import Lock

if TYPE_CHECKING:
    from augflow.segmentation.mmseg_model import MmsegSegmenter


class Workspace:
    """The artefacts of a project's study.

    `made_here` says which were made on this machine; none by default, `replay` looks them up.
    Everything raises DataError or ModelError where it cannot be read.
    """

    def __init__(self, project: Project) -> None:
        """Opens nothing yet."""
        self.project = project
        self.splits = Splits(project.prepared_folder)
        self.split, self.row_of = self.splits.split, self.splits.row_of
        self.generator = cache(self._generator)
        self.segmenter = cache(self._segmenter)
        self.class_pixels = cache(self._class_pixels)
        self.new_layout = cache(self._new_layout)
        self._maker = cache(self._layout_maker)
        self.made_here: Callable[[Path], bool] = lambda _: False

    @cached_property
    def lock(self) -> Lock:
        """What DVC has recorded."""
        return Lock.read(self.project.root)

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

    def sample(self, wanted: int, count: int, *names: str) -> list[int]:
        """So many of the items of a stage, drawn by the seed in section `verify` of params."""
        seed = self.project.params.verify.seed
        order = seeding.generator(seed, "verify", *names).permutation(count)
        return sorted(int(row) for row in order[:wanted])

    def choose_items(self, count: int, *names: str) -> list[int]:
        """The items of a stage that are made again."""
        return self.sample(self.project.params.verify.items, count, *names)

    def tolerance(self, check: Check, artefact: Path) -> float:
        """Grey values by which a remade artefact may differ: 0 on the machine that made it."""
        if self.made_here(artefact):
            return 0.0
        allowed = self.project.params.verify.tolerance
        check.note(f"within {allowed:g} grey values where made on another or an unknown machine")
        return allowed

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
