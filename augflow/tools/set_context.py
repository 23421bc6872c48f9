"""What is on record of a synthetic image: its set, the study around it, judge and selections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.synthetic import (
    FACTS,
    MANIFEST,
    SELECTION,
    Decision,
    SetFacts,
    SetRow,
    read_decisions,
    read_facts,
    read_rows,
)
from augflow.study.params import SetParams, TransferParams
from augflow.study.project import PACKAGED, Project
from augflow.study.results import Result, SetScores

SYNTHETIC, SELECTED = "synthetic", "selected"


@dataclass(frozen=True)
class GeneratorRecord:
    """A saved generator, as its `config.json` describes it.

    Attributes:
        name: that of its folder.
        preset: empty where it does not say.
    """

    name: str
    folder: Path
    system: str
    preset: str
    digest: str


@dataclass(frozen=True)
class SetContext:
    """The surroundings of a set.

    Attributes:
        data: `data/<study>` that the set lies in; None for a set that lies elsewhere.
        project: the project above the set, else that of the current folder, else None.
    """

    data: Path | None
    project: Project | None

    @property
    def study(self) -> str:
        """The study's name; empty where it is not known."""
        return "" if self.data is None else self.data.name

    @property
    def prepared_folder(self) -> Path | None:
        """The prepared scenes that the set's layouts come from, where they are there."""
        folder = None if self.data is None else self.data / "prepared"
        return folder if folder is not None and (folder / "dataset.json").is_file() else None

    def section(self, name: str) -> SetParams | TransferParams | None:
        """What `params.yaml` says of a set, where it is about this study."""
        project = self.project
        if project is None or self.data is None or project.data.resolve() != self.data.resolve():
            return None
        return project.params.sets.get(name) or project.params.transfers.get(name)

    def generators(self) -> Iterator[GeneratorRecord]:
        """Those of the set's study, those of the project's own, and the one that is packaged."""
        homes: dict[Path, Path] = {}
        for home in (self.data, self.project.data if self.project else None):
            if home is not None:
                homes.setdefault(home.resolve(), home)
        for home in homes.values():
            for path in sorted((home / "generators").glob("*/config.json")):
                yield read_generator_record(path.parent)
        yield read_generator_record(PACKAGED)

    def generator(self, digest: str) -> GeneratorRecord | None:
        """The generator with that digest, None where there is none."""
        return next((found for found in self.generators() if found.digest == digest), None)

    def scores(self, name: str) -> Path | None:
        """The file of scores by that name, in the data or in what was reported of it."""
        if self.data is None:
            return None
        reported = self.data.parent.parent / "reports" / self.study / "scores" / f"{name}.json.gz"
        found = (self.data / "scores" / f"{name}.json", reported)
        return next((path for path in found if path.is_file()), None)


def set_context(folder: Path) -> SetContext:
    """The surroundings of a set's folder."""
    whole = folder.absolute()
    data = whole.parent.parent if whole.parent.name in (SYNTHETIC, SELECTED) else None
    roots = (*whole.parents, Path.cwd())
    root = next((path for path in roots if (path / "params.yaml").is_file()), None)
    project = None if root is None else Project(display_path(root))
    return SetContext(None if data is None else display_path(data), project)


def read_generator_record(folder: Path) -> GeneratorRecord:
    """What a saved generator says of itself."""
    record: dict[str, Any] = io.read_json(folder / "config.json")
    preset = record.get("facts", {}).get("preset", "")
    system, digest = record.get("system", ""), record.get("weights", "")
    return GeneratorRecord(folder.name, folder, str(system), str(preset), str(digest))


def display_path(path: Path) -> Path:
    """A path as people read it: from the current folder where it lies below that."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


@dataclass(frozen=True)
class LocatedImage:
    """An image of a set.

    Attributes:
        path: its file, as it was given.
        folder: the set's folder.
        row: its line in the manifest.
    """

    path: Path
    folder: Path
    facts: SetFacts
    row: SetRow


def find_image(path: Path) -> LocatedImage:
    """The set of an image, found by walking up to a `set.json`, and its row.

    Raises:
        DataError: no such file, it is in no set, or the set's manifest does not list it.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give a photograph of a synthetic set")
    whole = path.absolute()
    root = next((parent for parent in whole.parents if (parent / FACTS).is_file()), None)
    if root is None:
        raise DataError(
            f"{path}: is in no set: no folder above it holds {FACTS}; give a photograph that "
            "augflow has made, where it was written"
        )
    folder = display_path(root)
    rows = read_rows(folder)
    place = whole.relative_to(root).as_posix()
    row = next((row for row in rows if row.photo == place), None)
    if row is None:
        raise DataError(
            f"{path}: {folder / MANIFEST} does not list it; give one of its {len(rows)} "
            f"photographs, as {folder / rows[0].photo}"
        )
    return LocatedImage(path, folder, read_facts(folder), row)


def read_judged_set(path: Path) -> SetScores:
    """The scores of a set.

    Raises:
        DataError: the file is damaged.
    """
    found = SetScores.read(path)
    count = len(found.classes)
    for item in found.items:
        if [len(row) for row in item.confusion] != [count] * count:
            raise DataError(
                f"{path}: confusion of {item.name}: expected {count} rows of {count} counts; "
                "score it again"
            )
    return found


class Selection(Result):
    """A selection: of which set, by which rules, and what became of each candidate.

    Attributes:
        name: that of its folder.
        settings: the section of `params.yaml`.
        thresholds: the numbers that were worked out from the candidates.
        decisions: by the candidates' names, in the order of their manifest.
    """

    remedy = "run select again"

    name: str = ""
    set: str
    judge: str
    settings: dict[str, Any]
    thresholds: dict[str, Any]
    decisions: dict[str, Decision] = Field(default_factory=dict)


def read_selection(folder: Path) -> Selection | None:
    """The selection that a set is the result of, None where it is none.

    Raises:
        DataError: one of the two files is missing, or they cannot be read.
    """
    if not (folder / SELECTION).is_file():
        return None
    decisions = {one.name: one for one in read_decisions(folder)}
    found = Selection.read(folder / SELECTION)
    return found.model_copy(update={"name": folder.name, "decisions": decisions})


def selections_of(context: SetContext, name: str) -> list[Selection]:
    """All selections of a set that lie in its study, by name."""
    if context.data is None:
        return []
    folders = sorted(path.parent for path in (context.data / SELECTED).glob(f"*/{SELECTION}"))
    found = [read_selection(folder) for folder in folders]
    return [one for one in found if one is not None and one.set == name]
