"""What selections decided about the photographs of a set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augflow import files
from augflow.errors import DataError
from augflow.tracing.home import SELECTED, Home

FACTS, DECISIONS = "selection.json", "selection.csv"


@dataclass(frozen=True)
class Decision:
    """What was decided about one candidate.

    Attributes:
        reason: why it was dropped, empty where it was kept.
        weight: how often it is drawn relative to others, None where it was dropped.
        agreement: the share of labelled pixels that the judge reads as the layout says.
        trusted: the share of labelled pixels whose label was kept.
    """

    name: str
    kept: bool
    reason: str
    weight: float | None
    agreement: float | None
    trusted: float | None


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
    if not (folder / FACTS).is_file():
        return None
    content, lines = files.read_json(folder / FACTS), files.read_csv(folder / DECISIONS)
    try:
        decisions = {line["name"]: _decision(line) for line in lines}
        return Selection(
            folder.name, folder, content["set"], content["judge"], content["settings"] or {},
            content["thresholds"] or {}, decisions,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as fault:
        raise DataError(
            f"{folder}: {FACTS} and {DECISIONS} are not those of a selection "
            f"({type(fault).__name__}: {fault}); run select again"
        ) from fault


def selections_of(home: Home, name: str) -> list[Selection]:
    """All selections of a set that lie in its study, by name.

    Raises:
        DataError: one cannot be read.
    """
    if home.data is None:
        return []
    folders = sorted(path.parent for path in (home.data / SELECTED).glob(f"*/{FACTS}"))
    found = [read_selection(folder) for folder in folders]
    return [one for one in found if one is not None and one.set == name]


def _decision(line: dict[str, str]) -> Decision:
    kept = {"true": True, "false": False}[line["kept"].lower()]
    weight, agreement, trusted = (
        float(line[column]) if line[column] else None
        for column in ("weight", "agreement", "trusted")
    )
    return Decision(line["name"], kept, line["reason"], weight, agreement, trusted)
