"""What selections decided about the photographs of a set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.synthetic import DECISIONS, SELECTION, Decision, read_decisions
from augflow.tools.provenance.home import SELECTED, Home


@dataclass(frozen=True)
class Selection:
    """A selection: of which set, by which rules, and what became of each candidate.

    Attributes:
        settings: the section of `params.yaml`.
        thresholds: the numbers that were worked out from the candidates.
        decisions: by the candidates' names, in the order of their manifest.
    """

    name: str
    folder: Path
    set: str
    judge: str
    settings: Mapping[str, Any]
    thresholds: Mapping[str, Any]
    decisions: Mapping[str, Decision]


def read_selection(folder: Path) -> Selection | None:
    """The selection that a set is the result of, None where it is none.

    Raises:
        DataError: one of the two files is missing, or they cannot be read.
    """
    if not (folder / SELECTION).is_file():
        return None
    content = io.read_json(folder / SELECTION)
    decisions = {one.name: one for one in read_decisions(folder)}
    try:
        return Selection(
            folder.name, folder, content["set"], content["judge"], content["settings"] or {},
            content["thresholds"] or {}, decisions,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as fault:
        raise DataError(
            f"{folder}: {SELECTION} and {DECISIONS} are not those of a selection "
            f"({type(fault).__name__}: {fault}); run select again"
        ) from fault


def selections_of(home: Home, name: str) -> list[Selection]:
    """All selections of a set that lie in its study, by name.

    Raises:
        DataError: one cannot be read.
    """
    if home.data is None:
        return []
    folders = sorted(path.parent for path in (home.data / SELECTED).glob(f"*/{SELECTION}"))
    found = [read_selection(folder) for folder in folders]
    return [one for one in found if one is not None and one.set == name]
