"""A study as far as it is known: its parameters, its scenes, its networks without their numbers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from augflow.core import io
from augflow.core.errors import ModelError
from augflow.core.hardware import peak_of, resident
from augflow.data import readers
from augflow.data.classes import ClassTable, table
from augflow.data.folds import folds
from augflow.data.params import DataParams, StreetsParams
from augflow.data.readers.folder import own_table
from augflow.data.readers.source import SPLITS, SourceSet
from augflow.data.scenes import prepared_facts
from augflow.editing.compose import numbers
from augflow.estimate import workloads
from augflow.estimate.workloads import META, Cost, Segmenter, Training, count
from augflow.metrics.scattering import Scattering
from augflow.segmentation.params import SegmenterParams
from augflow.stages.prepare import scene_sizes
from augflow.stages.synthesize import used_rows
from augflow.study import disk_usage
from augflow.study.params import Params, SetParams
from augflow.study.project import Project

_PREPARED = 4
"""So many scenes are prepared to learn how large they become and how long that takes."""


@dataclass(frozen=True)
class Scenes:
    """The scenes of a study.

    Attributes:
        names: by split.
        drives: of each scene, by split.
        files: what the files of one take.
        seconds: how long one takes to prepare, painting it included; None if nobody has looked.
        memory: bytes that this takes.
    """

    names: dict[str, tuple[str, ...]]
    drives: dict[str, tuple[str, ...]]
    files: disk_usage.SceneFiles
    seconds: float | None = None
    memory: int | None = None

    @property
    def count(self) -> int:
        """All of them."""
        return sum(map(len, self.names.values()))


class StudyContext:
    """What rows are worked out from.

    Attributes:
        project: the study's folder.
        params: its parameters.
        table: its classes.
        size: height and width of its scenes.
        scenes: those of its data, None where they are not there.
        base: bytes that a process has before it works.
    """

    def __init__(self, project: Project, timed: bool) -> None:
        """Reads parameters and data; some scenes are prepared by the clock if it is `timed`.

        Raises:
            DataError: the prepared folder is damaged.
            ParamsError: the parameters are wrong.
        """
        self.project, self.params, self.where = project, project.params, project.data
        self.table, self.size = _class_table(project), project.params.data.size
        self.scenes = find_scenes(project, timed)
        self._made: dict[str, Any] = {}
        self.segmenter(self.params.judge.config)  # imports all that stages do
        self.base = resident()

    def one_file(self, size: float = 1) -> disk_usage.Amount:
        """A file of so many bytes; one of few takes a block."""
        return disk_usage.one_file(size, self.where)

    def pixels(self, count: int | None) -> int:
        """Bytes of so many scenes in memory: images, classes and boundaries as float32."""
        return (count or 0) * self.size[0] * self.size[1] * (3 + 1 + 4)

    def count(self, split: str, one_in: int = 1) -> int | None:
        """How many scenes a split has, or every so many-th of it."""
        return None if self.scenes is None else -(-len(self.scenes.names[split]) // one_in)

    def folds(self, wanted: int, one_in: int) -> int:
        """How many folds there are of training scenes."""
        if self.scenes is None:
            return wanted
        return len(folds(self.scenes.drives["train"][::one_in], wanted, "estimate"))

    def of_held_out(self, wanted: int) -> int:
        """So many held-out scenes, or all there are."""
        there = self.count("val")
        return wanted if there is None else min(wanted, there)

    def set_of(self, name: str) -> SetParams:
        """A synthetic set, or the one that a selection is made from."""
        selection = self.params.selections.get(name)
        return self.params.sets[selection.set if selection else name]

    def layouts(self, params: SetParams) -> int | None:
        """How many layouts a set has."""
        if self.scenes is None:
            return None
        names = self.scenes.names[params.layouts]
        used = [names[row] for row in used_rows(len(names), params)]
        new = params.new_layouts
        return len(used) if new is None else len(list(numbers(used, new.ratio)))

    def images(self, params: SetParams) -> int | None:
        """How many images a set has."""
        layouts = self.layouts(params)
        return None if layouts is None else layouts * len(params.temperatures) * params.rounds

    def training(self, where: str) -> Training:
        """What a section trains: `generators.NAME`, `predictors.NAME` or `attributes`.

        Generators that differ in their share of the scenes alone are one.
        """
        part, _, name = where.partition(".")
        section = getattr(self.params, part)
        section = section[name] if name else section
        if part == "generators":
            section = section.model_copy(update={"one_in": 1})
        return self._once(
            f"{part} {section.model_dump_json()}",
            lambda: _TRAINED[part](section, self.table, self.size),
        )

    def segmenter(self, config: str) -> Segmenter | None:
        """A segmentation network; None where it cannot be gone through without numbers."""
        return self._once(f"segmenter {config}", lambda: self._segmenter(config))

    def features(self) -> Cost:
        """The features of an image."""
        network, image = Scattering(), torch.zeros(1, 3, *self.size, device=META)
        return self._once("features", lambda: count(lambda: network.to(META)(image), [network]))

    def subject(self, kind: str) -> Any:
        """What does a kind of work, as rows name them: `train SECTION`, `predict CONFIG`, ..."""
        verb, _, name = kind.partition(" ")
        if verb == "features":
            return self.size
        return self.segmenter(name) if verb in ("segment", "predict") else self.training(name)

    def _once(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _segmenter(self, config: str) -> Segmenter | None:
        trusted = {one.config for one in _sections(self.params) if one.trust_config}
        try:
            network = Segmenter(config, self.table, self.size, config in trusted)
            network.step(2)
        except (ModelError, NotImplementedError, RuntimeError, TypeError):
            return None  # a config of the user's own may do what needs numbers
        return network


_TRAINED: dict[str, Callable[..., Training]] = {
    "generators": workloads.generator,
    "predictors": workloads.predictor,
    "attributes": workloads.attribute_reader,
}


def find_scenes(project: Project, timed: bool) -> Scenes | None:
    """The scenes of a study, prepared ones or those of its data; None where there are none yet.

    Embedded scenes are known before they are painted; two are, into a folder of their own.

    Args:
        project: the study.
        timed: whether some scenes are prepared to see how long that takes.

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
        took: tuple[float | None, int | None] = (None, None)
        if timed and source is not None and source.scenes:
            start = time.perf_counter()
            scene_sizes(source, data.size, out, _PREPARED)
            each = (time.perf_counter() - start) / min(_PREPARED, len(source.scenes))
            took = painting + each, peak_of(lambda: scene_sizes(source, data.size, out, 1))
    names = {split: tuple(name for own, name, _ in listed if own == split) for split in SPLITS}
    drives = {split: tuple(drive for own, _, drive in listed if own == split) for split in SPLITS}
    return Scenes(names, drives, files, *took)


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
    data = project.params.data
    return own_table(data.classes or ()) if data.reader == "folder" else table(data.reader)


def _sections(params: Params) -> list[SegmenterParams]:
    """All sections that name a segmentation network."""
    choices = [choice.segmenter for choice in params.choices.values()]
    return [params.judge, *params.judges.values(), *choices, params.retrain.segmenter]
