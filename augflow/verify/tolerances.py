"""Is a study that is made again the same, or within how far numbers move between machines?"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import count as count_up
from itertools import islice
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from augflow.core import io
from augflow.core.errors import DataError, ModelError
from augflow.metrics.student import quantile
from augflow.report.statistics import GAIN, WORSE
from augflow.stages.runner import recorded_machines
from augflow.study.project import Project
from augflow.verify.check import Check, Finding, contents
from augflow.verify.lock import Lock, md5
from augflow.verify.rebuild import clean_copy, recorded_outs, run_all
from augflow.verify.workspace import unknown_machine

CALIBRATION_FILE = "calibration.json"
"""Beside `dvc.lock`, as it belongs to no stage's output."""

CHANCE = 0.01
"""Of a study that holds, made again elsewhere, so large a share may leave the bands."""

CEILINGS = {
    r"(arms|comparisons|more_real)\..*(iou|accuracy|difference|low|high|detectable).*": 0.04,
    r".*(steps|seeds?|parameters|folds|scenes|groups|photo(graph)?s|rounds|layouts|samples)": 0.0,
    r".*(distance|perceptual)": 0.5,
    r".*": 0.25,
}
"""The widest band that tells anything, by the kind of column, the first that fits: what a verdict
rests on, what is counted and does not move, distances, and shares and bits.

A rebuild of streets under AVX2 had bands of 0.035 at most of the first kind, where a gain is worth
0.03, and of 0.24 for the accuracy of single classes. p-values and what is kept of a set moved so
far that nothing can be told from them.
"""

_DECISIVE = next(iter(CEILINGS))

_JUDGED = ("comparisons", "more_real")
"""Tables with a verdict in each row: by the side of 0 on which its interval lies."""

_INSTRUCTION_SETS: tuple[dict[str, str], ...] = (
    {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    {},
)
"""The variables that hold torch and oneDNN to one; without them it is the most there is."""

_LOGS = Path(".augflow") / "verify"

Column = tuple[str, str]
"""A table and one of its columns."""


def check_rebuilt(project: Project, jobs: int = 1) -> Check:
    """Makes everything again without caches, so many stages side by side, and compares.

    On the machine that made the study every file is compared by content, or an output that is not
    here by the digest that `dvc.lock` has of it. Elsewhere the numbers of the report are, within
    the bands that a calibration has measured; without one they cannot be.
    """
    check = Check("rebuild")
    if not check.has(project.root / "dvc.lock", project.reports / "claims.json.gz"):
        return check
    machines = recorded_machines(project)
    for artefact in machines.unknown():
        check.lacks(unknown_machine(artefact))
    widths = None if machines.all_here() else _sound_bands(check, project)
    if check.absent or check.violations:
        return check
    with check.reading(project.root), clean_copy(project.root) as copy:
        stopped = run_all(copy, project.root / _LOGS / "rebuild.log", jobs=jobs)
        if stopped:
            check.add(Finding("dvc.yaml", "all stages to run", stopped))
        elif widths is None:
            check.note("every file by its content: this machine made the study")
            _compare_files(check, project.root, copy)
        else:
            check.note("numbers of the report, within measured bands: another machine made them")
            _compare_numbers(check, project, Project(copy), widths)
    return check


def _sound_bands(check: Check, project: Project) -> Mapping[str, float] | None:
    """The bands of a study; what they lack is noted as absent."""
    with check.reading(project.root / CALIBRATION_FILE):
        widths = bands(project)
        if widths is None:
            check.lacks(
                f"{CALIBRATION_FILE} for this report (augflow verify --calibrate N measures it)"
            )
        for column, ceiling in wide_columns(widths or {}).items():
            if re.fullmatch(_DECISIVE, column):
                check.lacks(f"a band of {column} in {CALIBRATION_FILE} of {ceiling:g} at most")
        return widths
    return None


def check_bands(project: Project) -> Check:
    """Which columns have bands too wide to tell anything, and which verdicts bands may turn."""
    path, check = project.root / CALIBRATION_FILE, Check(f"bands ({CALIBRATION_FILE})")
    with check.reading(path):
        measured = _read_bands(path).get(project.params.study, {"bands": {}})["bands"]
        check.compared, wide = len(measured), wide_columns(measured)
        if wide:
            check.note(f"too wide to tell anything at level 2 elsewhere: {', '.join(wide)}")
        for table in _JUDGED:
            rows = _verdicts(project, table)
            unsure = {name: row for name, row in rows.items() if _may_turn(row, table, measured)}
            told = [
                f"{name} ({row['outcome']})"
                for name, row in unsure.items()
                if row["outcome"] in (GAIN, WORSE)
            ]
            if unsure:
                check.note(
                    f"{len(unsure)} of {len(rows)} verdicts of {table} may be others within bands "
                    f"at level 2 elsewhere{': ' if told else ''}{', '.join(told)}"
                )
    return check


def _verdicts(project: Project, table: str) -> dict[str, dict[str, str]]:
    """The rows of a table of the report, as it is written, by the arms that each compares."""
    path = project.reports / "tables" / f"{table}.csv"
    rows = io.read_csv(path) if path.exists() else []
    return {f"{row['arm']} against {row['against']}": row for row in rows}


def _may_turn(row: Mapping[str, str], table: str, widths: Mapping[str, float]) -> bool:
    """Whether an end of a comparison's interval may come to the other side of 0 in its band."""
    ends = {f"{table}.{name}": row[name] for name in ("low", "high") if row[name]}
    return any(abs(float(end)) <= widths.get(name, 0) for name, end in ends.items())


def wide_columns(widths: Mapping[str, float]) -> dict[str, float]:
    """The columns whose bands are wider than their ceilings, or no widths, with the ceilings."""
    ceilings = {
        column: next(most for kind, most in CEILINGS.items() if re.fullmatch(kind, column))
        for column in sorted(widths)
    }
    return {
        column: ceiling
        for column, ceiling in ceilings.items()
        if not 0 <= widths[column] <= ceiling
    }


def _compare_files(check: Check, root: Path, copy: Path) -> None:
    digests, made = Lock.read(root).outs, recorded_outs(copy)
    gone = [out for out in recorded_outs(root) if out not in made]
    if gone:
        # of stages that the pipeline has no longer, which is for level 0 to say
        check.note(f"dvc.lock has {len(gone)} outputs that no stage makes: not compared")
    for out in made:
        digest = digests.get(out.as_posix())
        check.same(f"{out.as_posix()} in dvc.lock", True, digest is not None)
        if digest is None:
            continue
        if contents(root, out):
            check.each("", contents(copy, out), contents(root, out), "no such file")
            continue
        check.note("what is not here was compared with its digest in dvc.lock")
        again = md5(copy / out) if contents(copy, out) else "none"
        check.same(f"{out.as_posix()} (dvc.lock)", f"md5 {again}", f"md5 {digest}")


def _compare_numbers(
    check: Check, project: Project, again: Project, widths: Mapping[str, float]
) -> None:
    stored, columns = numbers(project.reports)
    fresh, others = numbers(again.reports)
    columns, wide = {**others, **columns}, wide_columns(widths)
    if wide:
        check.note(f"not compared, as their bands are too wide: {', '.join(wide)}")
    for name in sorted(stored.keys() | fresh.keys()):
        if ".".join(columns[name]) in wide:
            continue
        expected, got = fresh.get(name), stored.get(name)
        if expected is None or got is None:
            texts = ["no number" if value is None else f"{value:g}" for value in (expected, got)]
            check.add(Finding(f"{project.reports}: {name}", *texts))
            continue
        width = widths.get(".".join(columns[name]), 0.0)
        off = abs(expected - got) > width
        finding = Finding(f"{project.reports}: {name}", f"{expected:g} ± {width:g}", f"{got:g}")
        check.add(finding if off else None, expected == got)
    for table in _JUDGED:
        anew = _verdicts(again, table)
        for name, row in _verdicts(project, table).items():
            told = anew.get(name, row)["outcome"]
            if told != row["outcome"]:
                check.note(f"another verdict here, {name}: {told}, recorded: {row['outcome']}")


def conditions(threads: int) -> Iterator[tuple[int, dict[str, str]]]:
    """Other threads and instruction sets than the study's, endlessly; those nearest come first."""
    for more in count_up(threads):
        yield from ((more, one) for one in _INSTRUCTION_SETS if one or more > threads)


def _name(instructions: dict[str, str]) -> str:
    return instructions.get("ATEN_CPU_CAPABILITY", "all")


def calibrate(project: Project, count: int, jobs: int = 1) -> Path:
    """Makes a study again so many times under other conditions, and stores how far numbers moved.

    Every claim of a table belongs to the group of its column. Half the width of a column's band is
    the quantile of Student's t for the deviations of the column, at the chance `CHANCE` shared
    among its claims, times their root mean square and `sqrt(1 + 1 / count)`, a prediction interval
    about the recorded number; and no less than the largest deviation. Returns `calibration.json`,
    in which other studies stay.

    Raises:
        DataError: there is no report, or a file of that name that is none of these.
        ModelError: a run stopped: names its log.
    """
    path = project.root / CALIBRATION_FILE
    known = _read_bands(path)
    stored, columns = numbers(project.reports)
    moved: dict[Column, list[float]] = defaultdict(list)
    used = list(islice(conditions(project.params.threads), count))
    for number, (threads, instructions) in enumerate(used):
        fresh = _numbers_under(project, threads, instructions, number, jobs)
        for name, value in stored.items():
            if name in fresh:
                moved[columns[name]].append(fresh[name] - value)
    of_column = [columns[name] for name in stored]
    widths = {
        ".".join(column): half_width(deviations, of_column.count(column), count)
        for column, deviations in moved.items()
    }
    runs = [{"threads": threads, "capability": _name(one)} for threads, one in used]
    content = {"runs": runs, "claims": _digest(stored), "bands": widths}
    io.write_json(path, {**known, project.params.study: content})
    return path


def half_width(moved: Sequence[float], claims: int, runs: int) -> float:
    """Half the width of a band, from the deviations of a column with so many claims."""
    spread = math.sqrt(sum(d * d for d in moved) / len(moved))
    t = quantile(1 - CHANCE / (2 * claims), max(1, len(moved)))
    return max(t * spread * math.sqrt(1 + 1 / runs), *map(abs, moved))


def bands(project: Project) -> Mapping[str, float] | None:
    """The bands of a study by `TABLE.COLUMN`; None where they were not measured for its report.

    Raises:
        DataError: the file is not one that `calibrate` wrote.
    """
    found = _read_bands(project.root / CALIBRATION_FILE).get(project.params.study)
    if found is None or found["claims"] != _digest(numbers(project.reports)[0]):
        return None
    return dict(found["bands"])


def numbers(report: Path) -> tuple[dict[str, float], dict[str, Column]]:
    """The claims of a report's tables, computed from its evidence, and the column of each.

    Raises:
        DataError: there is no report, or its evidence is damaged.
    """
    from augflow.report import evidence as evidences
    from augflow.report.tables import compute_tables

    if not (report / "claims.json.gz").exists():
        raise DataError(f"{report}: no report; run `dvc repro` first")
    values, columns = {}, {}
    for table in compute_tables(evidences.load(report)).values():
        for row in table.rows:
            for column in table.columns:
                claim = table.claim(row, column)
                if claim is not None and math.isfinite(claim.value):
                    values[claim.id], columns[claim.id] = float(claim.value), (table.name, column)
    return values, columns


def _numbers_under(
    project: Project, threads: int, instructions: dict[str, str], number: int, jobs: int
) -> dict[str, float]:
    with clean_copy(project.root) as copy:
        params = YAML().load(copy / "params.yaml")
        YAML().dump({**params, "threads": threads}, copy / "params.yaml")
        log = project.root / _LOGS / f"calibrate_{number}.log"
        stopped = run_all(copy, log, instructions, jobs)
        if stopped:
            raise ModelError(
                f"calibration {number + 1}, threads {threads}, instruction set "
                f"{_name(instructions)}: {stopped}"
            )
        return numbers(Project(copy).reports)[0]


def _read_bands(path: Path) -> dict[str, Any]:
    """What was measured, by study."""
    found = io.read_json(path) if path.exists() else {}
    whole = isinstance(found, dict) and all(
        isinstance(one, dict) and {"claims", "bands"} <= one.keys() for one in found.values()
    )
    if not whole:
        raise DataError(f"{path}: no bands of studies; delete it and calibrate again")
    return dict(found)


def _digest(values: Mapping[str, float]) -> str:
    return io.digest_bytes(io.json_bytes(dict(values)))
