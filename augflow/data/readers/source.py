"""Records of a raw data set: the files that a reader finds, the scenes they make, and faults."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from augflow.core import io
from augflow.core.errors import DataError, on_one_line
from augflow.data.classes import ClassTable

SPLITS = ("train", "val")
Kind = Literal["photo", "labels", "instances"]
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg")
_IMAGE_SUFFIXES = (*PHOTO_SUFFIXES, ".bmp", ".gif", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Fault:
    """One row of the list of what is wrong; warnings (`fatal` is false) do not stop `prepare`.

    `where` is a path below the root of the data set; empty where the whole set is meant. `scene` is
    the name of the scene that it spoils, where that is known.
    """

    where: str
    what: str
    remedy: str
    fatal: bool = True
    scene: str = field(default="", compare=False)

    def line(self, root: Path) -> str:
        """The fault as one line of an error."""
        place = f"{root}/{self.where}" if self.where else root.as_posix()
        return on_one_line(f"{place}: {self.what}; {self.remedy}")


@dataclass(frozen=True)
class Found:
    """One file of a raw data set: of which scene, what it holds, and its path below the root.

    `split` is the published one, `drive` the recording it was taken on. Where a file of labels is
    the mask of one object, `label` is the name of its class.
    """

    name: str
    kind: Kind
    split: str
    drive: str
    path: Path
    label: str = ""


@dataclass(frozen=True)
class Listing:
    """What one reader knows of a folder before the files are paired.

    `instance_factor` is f where instance ids are coded `f * class + n`; None where any number may
    stand for an instance. `expected` describes the place of label files in words for messages.
    """

    table: ClassTable
    expected: str
    instance_factor: int | None
    found: tuple[Found, ...]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class SourceScene:
    """A photograph with its label files, as paths below the root of the data set.

    Where each file holds the mask of one object, `masks` are all of them, each with the name of its
    class, and `labels` is the first.
    """

    name: str
    split: str
    drive: str
    photo: Path
    labels: Path
    instances: Path | None
    masks: tuple[tuple[str, Path], ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the scene."""
        masks = (path for _, path in self.masks if path != self.labels)
        return (self.photo, self.labels, *masks, *filter(None, (self.instances,)))


@dataclass(frozen=True)
class SourceSet:
    """A raw data set: whole scenes by split and name, and the faults of the rest.

    `expected_counts` and `skip_faulty` are those of `DataParams`.
    """

    reader: str
    root: Path
    table: ClassTable
    labels: Literal["label_ids", "train_ids"]
    instance_factor: int | None
    scenes: tuple[SourceScene, ...]
    faults: tuple[Fault, ...]
    expected_counts: Mapping[str, int] | None = None
    skip_faulty: bool = False

    @property
    def boundary_source(self) -> Literal["instances", "components"]:
        """Where boundaries come from: instance ids, or class edges and connected components."""
        known = bool(self.scenes) and all(scene.instances for scene in self.scenes)
        return "instances" if known else "components"

    def of_split(self, split: str) -> tuple[SourceScene, ...]:
        """The scenes of a split."""
        return tuple(scene for scene in self.scenes if scene.split == split)

    def digest(self) -> str:
        """SHA-256 of the scenes: split, name and drive, and the paths and bytes of their files.

        Raises:
            DataError: a file cannot be read.
        """
        scenes = sorted(self.scenes, key=lambda scene: (scene.split, scene.name))
        facts = [
            [scene.split, scene.name, scene.drive, path.as_posix(), _file_digest(self.root / path)]
            for scene in scenes
            for path in scene.files
        ]
        return hashlib.sha256(io.json_bytes(facts)).hexdigest()


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as fault:
        reason = fault.strerror or fault
        raise DataError(
            f"{on_one_line(path)}: cannot be read ({reason}); restore the file"
        ) from fault


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, sorted; hidden files and files of other kinds are left out."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def folders_in(folder: Path) -> list[Path]:
    """The folders of a folder, sorted, without hidden ones."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def name_fault(path: Path, expected: str) -> Fault:
    """The fault of a photograph whose name the layout does not know."""
    return Fault(
        path.as_posix(), f"is not named {expected}", "rename it, or move it out of the data set"
    )
