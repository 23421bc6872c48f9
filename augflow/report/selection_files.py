"""What selections and choices left, as far as a report needs it, checked as it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
from pydantic import Field

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.synthetic import REASONS, SELECTION, read_decisions
from augflow.report.records import Record, read
from augflow.study.params import Params

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class Selected(Record):
    """A selection in numbers.

    Attributes:
        dropped: photographs by the reason why they were.
        trusted: the mean share of labels that are kept in photographs that are.
        agreement: what the judge reads as the label says, the mean over the photographs that are
            kept, and over those that are not; None where there are none.
        heaviest: how often the most drawn photograph comes, relative to the mean.
    """

    selection: str
    set: str
    candidates: Count
    kept: Count
    dropped: dict[str, Count]
    trusted: Share
    agreement_kept: Share | None
    agreement_dropped: Share | None
    heaviest: float


class Degree(Record):
    """A temperature of a choice: class IoU on held-out training scenes, per seed."""

    temperature: float
    class_iou: Annotated[list[Share], Field(min_length=1)]


class Chosen(Record):
    """A choice: which temperature, and what networks trained at each read."""

    choice: str
    set: str
    temperature: float
    folds: Annotated[list[list[str]], Field(min_length=2)]
    steps: Count
    rows: Annotated[list[Degree], Field(min_length=1)]


def gather(params: Params, study: Path, out: Path) -> None:
    """Puts what selections and choices left into a folder of evidence, in short."""
    for name in params.selections:
        folder = study / "selected" / name
        if (folder / SELECTION).exists():
            io.write_json(out / "selections" / f"{name}.json", _in_short(name, folder))
    for name in params.choices:
        source = study / "chosen" / f"{name}.json"
        if source.exists():
            io.atomic_write(out / "choices" / f"{name}.json", source.read_bytes())


def _in_short(name: str, folder: Path) -> dict[str, object]:
    facts, decisions = io.read_json(folder / SELECTION), read_decisions(folder)
    kept = [one for one in decisions if one.kept]
    reasons = Counter(one.reason for one in decisions if not one.kept)
    weights = [one.weight or 0.0 for one in kept]
    agreement = {
        side: [one.agreement for one in decisions if one.kept is side] for side in (True, False)
    }
    return {
        "selection": name, "set": facts["set"], "judge": facts["judge"],
        "thresholds": facts["thresholds"], "candidates": len(decisions), "kept": len(kept),
        "dropped": {reason: reasons[reason] for reason in REASONS if reasons[reason]},
        "trusted": float(np.mean([one.trusted for one in kept])),
        "agreement_kept": _mean(agreement[True]), "agreement_dropped": _mean(agreement[False]),
        "heaviest": float(max(weights) / np.mean(weights)),
    }  # fmt: skip


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def selections(folder: Path, params: Params) -> Mapping[str, Selected]:
    """The selections of a folder of evidence, as `params` lists them and as far as they are there.

    Raises:
        DataError: a file is damaged, or is about another selection.
    """
    found = _all(Selected, folder / "selections", params.selections)
    for name, one in found.items():
        _require(folder / "selections" / f"{name}.json", name, one.selection)
        if one.kept + sum(one.dropped.values()) != one.candidates:
            raise DataError(
                f"{folder / 'selections' / name}.json: {one.kept} kept and "
                f"{sum(one.dropped.values())} dropped of {one.candidates}; run stage report again"
            )
    return found


def choices(folder: Path, params: Params) -> Mapping[str, Chosen]:
    """The choices of a folder of evidence, as `params` lists them and as far as they are there.

    Raises:
        DataError: a file is damaged, or is about another choice.
    """
    found = _all(Chosen, folder / "choices", params.choices)
    for name, one in found.items():
        _require(folder / "choices" / f"{name}.json", name, one.choice)
    return found


R = TypeVar("R", bound=Record)


def _all(kind: type[R], folder: Path, names: Iterable[str]) -> dict[str, R]:
    paths = {name: folder / f"{name}.json" for name in names}
    return {
        name: read(kind, path, "run stage report again")
        for name, path in paths.items()
        if path.exists()
    }


def _require(path: Path, expected: str, got: str) -> None:
    if got != expected:
        raise DataError(f"{path}: is about {got!r}, expected {expected!r}; run stage report again")
