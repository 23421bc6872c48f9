"""What lies around a set: its study's data, the project's parameters, the generators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augflow.core import io
from augflow.study.params import SetParams, TransferParams
from augflow.study.project import Project
from augflow.tools.provenance.located import shown

SYNTHETIC, SELECTED = "synthetic", "selected"


@dataclass(frozen=True)
class Maker:
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
class Home:
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
    def prepared(self) -> Path | None:
        """The prepared scenes that the set's layouts come from, where they are there."""
        folder = None if self.data is None else self.data / "prepared"
        return folder if folder is not None and (folder / "dataset.json").is_file() else None

    def section(self, name: str) -> SetParams | TransferParams | None:
        """What `params.yaml` says of a set, where it is about this study."""
        project = self.project
        if project is None or self.data is None or not _same(project.data, self.data):
            return None
        return project.params.sets.get(name) or project.params.transfers.get(name)

    def makers(self) -> Iterator[Maker]:
        """All generators of the set's study, then those of the project's own study."""
        homes = [self.data, self.project.data if self.project else None]
        seen: set[Path] = set()
        for home in homes:
            if home is None or home.resolve() in seen:
                continue
            seen.add(home.resolve())
            for path in sorted((home / "generators").glob("*/config.json")):
                yield maker_of(path.parent)

    def maker(self, digest: str) -> Maker | None:
        """The generator with that digest, None where there is none."""
        return next((maker for maker in self.makers() if maker.digest == digest), None)

    def scores(self, name: str) -> Path | None:
        """The file of scores by that name, in the data or in what was reported of it."""
        if self.data is None:
            return None
        places = (self.data, self.data.parent.parent / "reports" / self.study)
        found = (place / "scores" / f"{name}.json" for place in places)
        return next((path for path in found if path.is_file()), None)


def home_of(folder: Path) -> Home:
    """The surroundings of a set's folder.

    Raises:
        ParamsError: the project's `params.yaml` is wrong.
    """
    whole = folder.absolute()
    data = whole.parent.parent if whole.parent.name in (SYNTHETIC, SELECTED) else None
    roots = (*whole.parents, Path.cwd())
    root = next((path for path in roots if (path / "params.yaml").is_file()), None)
    project = None if root is None else Project(shown(root))
    return Home(None if data is None else shown(data), project)


def maker_of(folder: Path) -> Maker:
    """What a saved generator says of itself.

    Raises:
        DataError: `config.json` is missing or not JSON.
    """
    record: dict[str, Any] = io.read_json(folder / "config.json")
    facts = record.get("facts", {})
    return Maker(
        folder.name, folder, str(record.get("system", "")), str(facts.get("preset", "")),
        str(record.get("weights", "")),
    )  # fmt: skip


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
