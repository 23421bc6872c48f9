"""How far the numbers of a report move between machines: measured by making the study again."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from augflow.core import io
from augflow.core.errors import DataError, ModelError
from augflow.metrics.student import quantile
from augflow.study.project import Project
from augflow.verify.clone import cleaned, run_all

if TYPE_CHECKING:
    from augflow.report.table import Claim

FILE = "calibration.json"
"""Beside `dvc.lock`, as it belongs to no stage's output."""

CHANCE = 0.01
"""Of a study that holds, made again elsewhere, so large a share may leave the bands."""

_CAPABILITIES = ("default", "avx2")
"""Instruction sets that torch can be held to, from the least on; unset is the most there is."""

Column = tuple[str, str]
"""A table and one of its columns."""


@dataclass(frozen=True)
class Condition:
    """What a study is made again under, in place of another machine."""

    threads: int
    capability: str | None

    def environment(self) -> dict[str, str]:
        """The variables that set the instruction set; torch and oneDNN have one each."""
        if self.capability is None:
            return {}
        least = {"default": "SSE41", "avx2": "AVX2"}[self.capability]
        return {"ATEN_CPU_CAPABILITY": self.capability, "ONEDNN_MAX_CPU_ISA": least}

    def facts(self) -> dict[str, Any]:
        """The condition as plain JSON."""
        return {"threads": self.threads, "capability": self.capability or "all"}


def conditions(threads: int) -> Iterator[Condition]:
    """Other threads and instruction sets than the study's, endlessly; those nearest come first."""
    more = threads
    while True:
        for capability in (*reversed(_CAPABILITIES), None):
            if not (more == threads and capability is None):
                yield Condition(more, capability)
        more += 1


def calibrate(project: Project, count: int, jobs: int = 1) -> Path:
    """Makes a study again so many times under other conditions, and stores how far numbers moved.

    Every claim of a table belongs to the group of its column. Half the width of a column's band is
    the quantile of Student's t for the deviations of the column, at the chance `CHANCE` shared
    among its claims, times their root mean square and `sqrt(1 + 1 / count)`, a prediction interval
    about the recorded number; and no less than the largest deviation.

    Args:
        project: a study whose report is there.
        count: how often.
        jobs: stages that run side by side.

    Returns:
        The file, `calibration.json`; other studies in it stay.

    Raises:
        DataError: there is no report, or a file of that name that is none of these.
        ModelError: a run stopped: names its log.
    """
    path = project.root / FILE
    known = _stored(path)
    stored, columns = numbers(project.reports)
    moved: dict[Column, list[float]] = defaultdict(list)
    used = []
    given = conditions(project.params.threads)
    for number, condition in zip(range(count), given, strict=False):
        fresh = _made_under(project, condition, number, jobs)
        used.append(condition.facts())
        for name, value in stored.items():
            if name in fresh:
                moved[columns[name]].append(fresh[name] - value)
    sizes: dict[Column, int] = defaultdict(int)
    for name in stored:
        sizes[columns[name]] += 1
    widths = {
        f"{table}.{column}": half_width(moved[table, column], size, count)
        for (table, column), size in sizes.items()
        if moved[table, column]
    }
    content = {"runs": used, "claims": _digest(stored), "bands": widths}
    io.write_json(path, {**known, project.params.study: content})
    return path


def half_width(moved: Sequence[float], claims: int, runs: int) -> float:
    """Half the width of a band, from the deviations of a column with so many claims."""
    spread = math.sqrt(sum(d * d for d in moved) / len(moved))
    t = quantile(1 - CHANCE / (2 * claims), max(1, len(moved)))
    return max(t * spread * math.sqrt(1 + 1 / runs), *map(abs, moved))


def read(project: Project) -> Mapping[str, float] | None:
    """The bands of a study by `TABLE.COLUMN`; None where they were not measured for its report.

    Raises:
        DataError: the file is not one that `calibrate` wrote.
    """
    found = _stored(project.root / FILE).get(project.params.study)
    if found is None or found["claims"] != _digest(numbers(project.reports)[0]):
        return None
    bands: Mapping[str, float] = found["bands"]
    return bands


def numbers(report: Path) -> tuple[dict[str, float], dict[str, Column]]:
    """The claims of a report's tables, computed from its evidence, and the column of each.

    Raises:
        DataError: there is no report, or its evidence is damaged.
    """
    from augflow.report import evidence as evidences
    from augflow.report.tables import computed

    if not (report / "claims.json").exists():
        raise DataError(f"{report}: no report; run `dvc repro` first")
    values, columns = {}, {}
    for table in computed(evidences.load(report)).values():
        for row in table.rows:
            for column in row.cells:
                claim: Claim | None = table.claim(row, column)
                if claim is not None and math.isfinite(claim.value):
                    values[claim.id], columns[claim.id] = float(claim.value), (table.name, column)
    return values, columns


def _made_under(project: Project, condition: Condition, number: int, jobs: int) -> dict[str, float]:
    log = project.root / ".augflow" / "verify" / f"calibrate_{number}.log"
    with cleaned(project.root) as copy:
        path = copy / "params.yaml"
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump({**params, "threads": condition.threads}, sort_keys=False))
        stopped = run_all(copy, log, condition.environment(), jobs)
        if stopped:
            raise ModelError(
                f"calibration {number + 1}, threads {condition.threads}, instruction set "
                f"{condition.capability or 'all'}: {stopped}"
            )
        return numbers(Project(copy).reports)[0]


def _stored(path: Path) -> dict[str, Any]:
    """What was measured, by study."""
    if not path.exists():
        return {}
    found = io.read_json(path)
    whole = isinstance(found, dict) and all(
        isinstance(one, dict) and {"claims", "bands"} <= one.keys() for one in found.values()
    )
    if not whole:
        raise DataError(f"{path}: no bands of studies; delete it and calibrate again")
    return found


def _digest(values: Mapping[str, float]) -> str:
    return io.digest_bytes(io.json_bytes(dict(values)))
