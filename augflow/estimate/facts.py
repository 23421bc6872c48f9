"""What is known of a study's scenes before it is made, or after some of it is."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from augflow.core import io
from augflow.core.errors import DataError
from augflow.core.hardware import peak_of
from augflow.data import readers
from augflow.data.classes import ClassTable, table
from augflow.data.params import DataParams, StreetsParams
from augflow.data.readers.folder import own_table
from augflow.data.readers.source import SPLITS, SourceSet
from augflow.data.scenes import prepared_facts
from augflow.stages.prepare import painted_sizes, scene_sizes
from augflow.study import image_sizes, sizes
from augflow.study.project import Project
from augflow.study.sizes import NOTHING

_LOOKED_AT = 4
"""So many scenes are prepared to learn how large they become and how long that takes."""


@dataclass(frozen=True)
class Scenes:
    """The scenes of a study.

    Attributes:
        names: by split.
        drives: of each scene, by split.
        pictures: what the files of one take.
        raw: what the files of one take that augflow paints.
        seconds: how long one takes to prepare, painting it included; None if nobody has looked.
        memory: bytes that this takes.
    """

    names: dict[str, tuple[str, ...]]
    drives: dict[str, tuple[str, ...]]
    pictures: image_sizes.Pictures
    raw: sizes.Amount = NOTHING
    seconds: float | None = None
    memory: int | None = None

    @property
    def count(self) -> int:
        """All of them."""
        return sum(map(len, self.names.values()))


def table_of(project: Project) -> ClassTable:
    """The classes of a study, from its data where they are prepared, else as its reader has them.

    Raises:
        DataError: the prepared folder is damaged.
        ParamsError: `data.classes` makes no table.
    """
    if (project.prepared / "dataset.json").exists():
        return prepared_facts(project.prepared)[0]
    data = project.params.data
    return own_table(data.classes or ()) if data.reader == "folder" else table(data.reader)


def scenes_of(project: Project, timed: bool) -> Scenes | None:
    """The scenes of a study, prepared ones or those of its data; None where there are none yet.

    Embedded scenes are known before they are painted; two are, into a folder of their own.

    Args:
        project: the study.
        timed: whether some scenes are prepared to see how long that takes.

    Raises:
        DataError: the prepared folder is damaged.
    """
    if (project.prepared / "dataset.json").exists():
        rows = io.read_csv(project.prepared / "scenes.csv")
        found = {split: [row for row in rows if row["split"] == split] for split in SPLITS}
        return Scenes(
            {split: tuple(row["name"] for row in own) for split, own in found.items()},
            {split: tuple(row["drive"] for row in own) for split, own in found.items()},
            image_sizes.pictures(project.prepared), _painted(project),
            *_preparing(project, _readable(project.params.data) if timed else None),
        )  # fmt: skip
    if project.params.data.reader == "streets":
        return _embedded(project, timed)
    source = _readable(project.params.data)
    return None if source is None else _raw(project, source, timed)


def _readable(params: DataParams) -> SourceSet | None:
    """The data; None where there are none yet."""
    try:
        return readers.read(params)
    except DataError:
        if Path(params.root).exists():
            raise
        return None


def _raw(project: Project, source: SourceSet, timed: bool) -> Scenes:
    listed = {split: source.of_split(split) for split in SPLITS}
    return Scenes(
        {split: tuple(scene.name for scene in own) for split, own in listed.items()},
        {split: tuple(scene.drive for scene in own) for split, own in listed.items()},
        scene_sizes(source, project.params.data.size, project.prepared), NOTHING,
        *_preparing(project, source if timed else None),
    )  # fmt: skip


def _preparing(project: Project, source: SourceSet | None) -> tuple[float | None, int | None]:
    """Seconds and bytes of memory that preparing a scene takes."""
    if source is None or not source.scenes:
        return None, None
    size, out = project.params.data.size, project.prepared
    start = time.perf_counter()
    scene_sizes(source, size, out, _LOOKED_AT)
    seconds = (time.perf_counter() - start) / min(_LOOKED_AT, len(source.scenes))
    return seconds, peak_of(lambda: scene_sizes(source, size, out, 1))


def _embedded(project: Project, timed: bool) -> Scenes:
    """Those that `prepare` will paint."""
    from streetscenes import write_streets
    from streetscenes.export import names

    data = project.params.data
    streets = data.streets or StreetsParams()
    counts = {"train": streets.train, "val": streets.val}
    listed = {split: names(split, count) for split, count in counts.items()}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        write_streets(Path(folder), {"train": 1, "val": 1}, streets.size, streets.seed)
        painting = (time.perf_counter() - start) / 2
        source = readers.read(data.model_copy(update={"root": folder}))
        found = scene_sizes(source, data.size, project.prepared)
        seconds, memory = _preparing(project, source if timed else None)
    return Scenes(
        {split: tuple(name for _, name in own) for split, own in listed.items()},
        {split: tuple(city for city, _ in own) for split, own in listed.items()},
        found, _painted(project), None if seconds is None else seconds + painting, memory,
    )  # fmt: skip


def _painted(project: Project) -> sizes.Amount:
    data = project.params.data
    if data.reader != "streets":
        return NOTHING
    return painted_sizes(data.streets or StreetsParams(), Path(data.root))
