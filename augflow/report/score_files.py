"""The score files of a study, read and checked against the classes, the judge and the params."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from augflow.core import io
from augflow.core.errors import AugflowError, DataError
from augflow.data.classes import ClassTable
from augflow.metrics.confusion import Scores, scores
from augflow.report.records import Record
from augflow.study.params import Params

Counts = list[Annotated[int, Field(ge=0)]]


class Item(Record):
    """One scored photograph.

    Shapes:
        confusion: (K, K) counts of pixels, rows ground truth, columns prediction.
    """

    name: str
    layout: str = ""
    round: int = 0
    temperature: float | None = None
    confusion: list[Counts]


Items = Annotated[list[Item], Field(min_length=1)]


class SetScores(Record):
    """What the judge saw in a synthetic set."""

    classes: list[str]
    judge: str
    temperatures: list[float]
    items: Items

    @cached_property
    def rounds(self) -> dict[float | None, list[Scores]]:
        """Scores of each round of each temperature, the photographs' matrices summed first."""
        return {
            degree: [pooled(found[turn]) for turn in sorted(found)]
            for degree, found in self.groups.items()
        }

    @cached_property
    def groups(self) -> dict[float | None, dict[int, list[Item]]]:
        """Temperature -> round -> the items whose matrices are summed together."""
        grouped: dict[float | None, dict[int, list[Item]]] = {}
        for item in self.items:
            grouped.setdefault(item.temperature, {}).setdefault(item.round, []).append(item)
        return grouped


class ReferenceRows(Record):
    """Ceiling and floors: real photographs, flat mean colours, photographs of other layouts."""

    real: Items
    flat: Items
    wrong: Items


class References(Record):
    """What the judge saw in photographs that no generator made."""

    classes: list[str]
    judge: str
    rows: ReferenceRows


class Run(Record):
    """One retrained network on real validation photographs."""

    arm: str
    seed: int
    steps: int
    items: Items


class ArmScores(Record):
    """All retrained networks."""

    classes: list[str]
    runs: dict[str, Run]


def pooled(items: Sequence[Item]) -> Scores:
    """Scores of some photographs, their matrices summed first."""
    return scores(np.sum([np.array(item.confusion, np.int64) for item in items], axis=0))


@dataclass(frozen=True)
class ScoreFiles:
    """All score files of a study."""

    sets: dict[str, SetScores]
    references: References
    arms: ArmScores | None


def load(folder: Path, params: Params, table: ClassTable) -> ScoreFiles:
    """Reads a folder of score files.

    Raises:
        DataError: files are missing, damaged, or do not belong together; every fault is listed.
    """
    faults: list[str] = []
    names = [*params.sets, *params.transfers]
    found = {name: _optional(SetScores, folder / f"{name}.json", faults) for name in names}
    sets = {name: scores for name, scores in found.items() if scores is not None}
    references = _optional(References, folder / "references.json", faults)
    arms = _optional(ArmScores, folder / "arms.json", faults)
    for name in (*params.report.sweep, "references"):
        if not (folder / f"{name}.json").exists():
            faults.append(f"{folder}/{name}.json: no such file; run the score stage for {name}")
    for name, classes, groups in _groups(sets, references, arms):
        faults += [f"{folder}/{name}.json: {fault}" for fault in _misfits(table, classes, groups)]
    if references is not None:
        faults += [f"{folder}/{name}.json: {fault}; score it again" for name, scores in sets.items()
                   for fault in _strays(name, scores, references.judge, params)]  # fmt: skip
    if faults or references is None:
        raise DataError("; ".join(dict.fromkeys(faults)))
    return ScoreFiles(sets, references, arms if arms and arms.runs else None)


R = TypeVar("R", bound=Record)


def _optional(record: type[R], path: Path, faults: list[str]) -> R | None:
    """The record in a file, None where there is no such file; faults go on the list."""
    if not path.exists():
        return None
    try:
        return record.model_validate(io.read_json(path))
    except ValidationError as found:
        for error in found.errors()[:3]:
            place = ".".join(str(part) for part in error["loc"])
            faults.append(f"{path}: {place}: {error['msg']}; score it again")
    except AugflowError as fault:
        faults.append(str(fault))
    return None


def _groups(
    sets: dict[str, SetScores], references: References | None, arms: ArmScores | None
) -> Iterator[tuple[str, list[str], list[list[Item]]]]:
    """Per file: its name, its classes, and the items whose matrices are summed together."""
    for name, seen in sets.items():
        yield name, seen.classes, [g for found in seen.groups.values() for g in found.values()]
    if references is not None:
        rows = references.rows
        yield "references", references.classes, [rows.real, rows.flat, rows.wrong]
    if arms is not None:
        yield "arms", arms.classes, [run.items for run in arms.runs.values()]


def _misfits(table: ClassTable, classes: list[str], groups: Sequence[list[Item]]) -> list[str]:
    if tuple(classes) != table.names:
        return [f"classes {', '.join(classes)} are not those of the prepared data "
                f"({', '.join(table.names)}); score it again"]  # fmt: skip
    k = table.count
    faults = [
        f"confusion of {item.name}: expected {k} rows of {k} counts; score it again"
        for items in groups
        for item in items
        if len(item.confusion) != k or any(len(row) != k for row in item.confusion)
    ]
    for items in groups:
        if not any(any(row) for item in items for row in item.confusion):
            names = f"{items[0].name} .. {items[-1].name}"
            faults.append(f"not one pixel of {names} was scored; check the class maps")
    return faults[:3]


def _strays(name: str, scores: SetScores, judge: str, params: Params) -> list[str]:
    """What tells that a set was scored for another study: judge or temperatures."""
    faults = []
    if scores.judge != judge:
        faults.append(f"judge {scores.judge} is not the references' judge {judge}")
    if name not in params.sets:
        return faults
    wanted = params.sets[name].temperatures
    if tuple(scores.temperatures) != wanted:
        faults.append(f"temperatures {_listed(scores.temperatures)} are not those of params "
                      f"({_listed(wanted)})")  # fmt: skip
    absent = [degree for degree in wanted if degree not in scores.groups]
    if absent:
        faults.append(f"no photograph of temperature {_listed(absent)}")
    strange = [degree for degree in scores.groups if degree not in wanted]
    if strange:
        faults.append(f"photographs of temperature {_listed(strange)}, not in params")
    return faults


def _listed(degrees: Sequence[float | None]) -> str:
    return ", ".join("unknown" if degree is None else f"{degree:g}" for degree in degrees)
