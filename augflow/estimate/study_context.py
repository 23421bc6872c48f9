"""A study as far as it is known: its parameters, its scenes, its networks without their numbers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from augflow.core import io
from augflow.core.config import Section
from augflow.core.errors import ModelError
from augflow.core.hardware import DiskUsage
from augflow.data import readers
from augflow.data.classes import ClassTable
from augflow.data.folds import folds
from augflow.data.params import DataParams, StreetsParams
from augflow.data.readers.source import SourceSet
from augflow.data.scenes import prepared_facts
from augflow.editing.compose import numbers
from augflow.estimate import networks
from augflow.estimate.networks import Features, Segmenter, Training
from augflow.segmentation.params import SegmenterParams
from augflow.stages.prepare import scene_sizes
from augflow.stages.synthesize import used_rows
from augflow.study import disk_usage
from augflow.study.params import AttributesParams, Params, SetParams
from augflow.study.project import Project

_PREPARED = 4
"""So many scenes are prepared to learn how large they become and how long that takes."""


@dataclass(frozen=True)
class Scenes:
    """The scenes of a study: split, name and drive of each, and what the files of one take.

    `seconds` is how long one takes to prepare, painting included; None if nobody has looked.
    """

    listed: Sequence[tuple[str, str, str]]
    files: disk_usage.SceneFiles
    seconds: float | None = None

    def names(self, split: str) -> list[str]:
        """The scenes of a split."""
        return [name for own, name, _ in self.listed if own == split]

    def drives(self, split: str) -> list[str]:
        """The drive of each scene of a split."""
        return [drive for own, _, drive in self.listed if own == split]


class NoScenesError(Exception):
    """What was asked for depends on scenes, which are not there."""


class StudyContext:
    """What rows are worked out from: parameters, classes, scenes (`found`, where they are there).

    `base` are the bytes that a process has before it works.
    """

    def __init__(self, project: Project, timed: bool) -> None:
        """Reads parameters and data; some scenes are prepared by the clock if it is `timed`.

        Raises:
            DataError: the prepared folder is damaged.
            ParamsError: the parameters are wrong.
        """
        self.project, self.params, self.where = project, project.params, project.data
        self.table, self.size = _class_table(project), project.params.data.size
        self.found = _find_scenes(project, timed)
        self._made: dict[str, Any] = {}
        self.segmenter(self.params.judge.config)  # imports all that stages do
        self.base = int(psutil.Process().memory_info().rss)

    @property
    def scenes(self) -> Scenes:
        """The scenes.

        Raises:
            NoScenesError: there are none yet.
        """
        if self.found is None:
            raise NoScenesError
        return self.found

    def one_file(self, size: float = 1) -> DiskUsage:
        """A file of so many bytes; one of few takes a block."""
        return disk_usage.one_file(size, self.where)

    def pixels(self, count: int) -> int:
        """Bytes of so many scenes in memory: images, classes and boundaries as float32."""
        return count * self.size[0] * self.size[1] * (3 + 1 + 4)

    def count(self, split: str, one_in: int = 1) -> int:
        """How many scenes a split has, or every so many-th of it."""
        return len(self.scenes.names(split)[::one_in])

    def folds(self, wanted: int, one_in: int) -> int:
        """How many folds there are of training scenes."""
        return len(folds(self.scenes.drives("train")[::one_in], wanted, "estimate"))

    def set_of(self, name: str) -> SetParams:
        """A synthetic set, or the one that a selection is made from."""
        selection = self.params.selections.get(name)
        return self.params.sets[selection.set if selection else name]

    def layouts(self, params: SetParams) -> int:
        """How many layouts a set has."""
        names = self.scenes.names(params.layouts)
        used = [names[row] for row in used_rows(len(names), params)]
        new = params.new_layouts
        return len(used) if new is None else len(list(numbers(used, new.ratio)))

    def images(self, params: SetParams) -> int:
        """How many images a set has."""
        return self.layouts(params) * len(params.temperatures) * params.rounds

    def generator(self, name: str) -> Training:
        """A generator; those that differ in their share of the scenes alone are one."""
        section = self.params.generators[name].model_copy(update={"one_in": 1})
        return self._once(networks.generator, section)

    def predictor(self, name: str) -> Training:
        """A predictor."""
        return self._once(networks.predictor, self.params.predictors[name])

    def reader(self, section: AttributesParams) -> Training:
        """What reads attributes."""
        return self._once(networks.attribute_reader, section)

    def segmenter(self, config: str) -> Segmenter | None:
        """A segmentation network; None where it cannot be gone through without numbers."""
        if config not in self._made:
            trusted = {one.config for one in _sections(self.params) if one.trust_config}
            self._made[config] = _segmenter(config, self.table, self.size, config in trusted)
        return self._made[config]

    @cached_property
    def features(self) -> Features:
        """What compares images."""
        return Features(self.size)

    def _once(self, make: Callable[..., Training], section: Section) -> Training:
        key = f"{make.__name__} {section.model_dump_json()}"
        if key not in self._made:
            self._made[key] = make(section, self.table, self.size)
        return self._made[key]


def _segmenter(
    config: str, table: ClassTable, size: tuple[int, int], trusted: bool
) -> Segmenter | None:
    try:
        network = Segmenter(config, table, size, trusted)
        network.step(2)
    except (ModelError, RuntimeError, TypeError):
        if not Path(config).is_file():
            raise
        return None  # a config of the user's own may do what needs numbers
    return network


def _find_scenes(project: Project, timed: bool) -> Scenes | None:
    """The scenes of a study, prepared ones or those of its data; None where there are none yet.

    Embedded scenes are known before they are painted; two are, into a folder of their own. Where
    it is `timed`, some scenes are prepared to see how long that takes.

    Raises:
        DataError: the data or the prepared folder are damaged.
    """
    data, out = project.params.data, project.prepared_folder
    prepared = (out / "dataset.json").exists()
    with tempfile.TemporaryDirectory() as folder:
        source, painting = None, 0.0
        if data.reader == "streets":
            source, painting = _paint_streets(data, Path(folder))
        elif Path(data.root).exists() and (timed or not prepared):
            source = readers.read(data)
        if source is None and not prepared:
            return None
        listed = list(_iter_scenes(project, source, prepared))
        files = (
            disk_usage.scene_files(out)
            if prepared or source is None
            else scene_sizes(source, data.size, out, _PREPARED)
        )
        if not timed or source is None or not source.scenes:
            return Scenes(listed, files)
        start = time.perf_counter()
        scene_sizes(source, data.size, out, _PREPARED)
        each = (time.perf_counter() - start) / min(_PREPARED, len(source.scenes))
        return Scenes(listed, files, painting + each)


def _iter_scenes(
    project: Project, source: SourceSet | None, prepared: bool
) -> Iterator[tuple[str, str, str]]:
    """Split, name and drive of all scenes."""
    streets = project.params.data.streets or StreetsParams()
    if prepared:
        rows = io.read_csv(project.prepared_folder / "scenes.csv")
        yield from ((row["split"], row["name"], row["drive"]) for row in rows)
    elif project.params.data.reader == "streets":
        from streetscenes.export import names

        for split, count in (("train", streets.train), ("val", streets.val)):
            yield from ((split, name, city) for city, name in names(split, count))
    elif source is not None:
        yield from ((scene.split, scene.name, scene.drive) for scene in source.scenes)


def _paint_streets(data: DataParams, folder: Path) -> tuple[SourceSet, float]:
    """Two embedded scenes in a folder, and the seconds that one takes."""
    from streetscenes import write_streets

    streets, start = data.streets or StreetsParams(), time.perf_counter()
    write_streets(folder, {"train": 1, "val": 1}, streets.size, streets.seed)
    seconds = (time.perf_counter() - start) / 2
    return readers.read(data.model_copy(update={"root": str(folder)})), seconds


def _class_table(project: Project) -> ClassTable:
    """The classes of a study, from its data where they are prepared, else as its reader has them.

    Raises:
        DataError: the prepared folder is damaged.
        ParamsError: `data.classes` makes no table.
    """
    if (project.prepared_folder / "dataset.json").exists():
        return prepared_facts(project.prepared_folder)[0]
    return readers.class_table(project.params.data)


def _sections(params: Params) -> list[SegmenterParams]:
    """All sections that name a segmentation network."""
    choices = [choice.segmenter for choice in params.choices.values()]
    return [params.judge, *params.judges.values(), *choices, params.retrain.segmenter]
