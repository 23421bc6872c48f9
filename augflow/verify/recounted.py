"""Level 3: what a report says, counted again from the matrices of single photographs.

Nothing here is shared with what made the report: formulas are written out once more, intervals are
drawn from other random numbers. A mistake or a lie in either shows as a difference.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.study.project import Project
from augflow.verify import redrawn
from augflow.verify.findings import Check, Finding, around
from augflow.verify.pixel_counts import check_matrices

Row = dict[str, str]

MEASURES = ("pixel_accuracy", "class_accuracy", "class_iou")


@dataclass(frozen=True)
class Measured:
    """The scores of a matrix; None for a class that neither is there nor was predicted."""

    pixel_accuracy: float
    class_accuracy: float
    class_iou: float
    ious: list[float | None]


def check_claims(project: Project) -> Iterator[Check]:
    """The tables of the study's report from its scores, then its sentences from its tables."""
    folder = project.reports
    _items.cache_clear()  # of a folder of this name that was elsewhere, or other then
    for title, counted in (
        ("claims: matrices", check_matrices), ("claims: arms", _arms),
        ("claims: photographs", _photographs),
        ("claims: differences", _differences), ("claims: ranks", _ranks),
        ("claims: sentences", _sentences),
    ):  # fmt: skip
        check = Check(title)
        if check.has(folder / "claims.json"):
            with check.reading(folder):
                counted(check, folder)
        yield check


def measured(matrix: list[list[int]]) -> Measured:
    """Scores by the letter: a pixel, a class, a union at a time."""
    size = range(len(matrix))
    rows = [sum(matrix[i]) for i in size]
    columns = [sum(matrix[i][j] for i in size) for j in size]
    hits = [matrix[i][i] for i in size]
    unions = [rows[i] + columns[i] - hits[i] for i in size]
    accuracies = [hits[i] / rows[i] for i in size if rows[i]]
    ious = [hits[i] / unions[i] if unions[i] else None for i in size]
    known = [iou for iou in ious if iou is not None]
    return Measured(
        sum(hits) / sum(rows), sum(accuracies) / len(accuracies), sum(known) / len(known), ious
    )


def _summed(matrices: list[list[list[int]]]) -> list[list[int]]:
    return [[sum(cells) for cells in zip(*rows, strict=True)]
            for rows in zip(*matrices, strict=True)]  # fmt: skip


def _runs(folder: Path) -> dict[tuple[str, int], Measured]:
    path = folder / "scores" / "arms.json"
    runs = io.read_json(path)["runs"] if path.exists() else {}
    return {
        (run["arm"], run["seed"]): measured(_summed([item["confusion"] for item in run["items"]]))
        for run in runs.values()
    }


def _table(folder: Path, name: str) -> list[Row]:
    path = folder / "tables" / f"{name}.csv"
    return io.read_csv(path) if path.exists() else []


def _number(check: Check, where: str, expected: float | None, cell: str) -> None:
    """Compares with a cell, to the digits that cells have."""
    got = float(cell) if cell else None
    if expected is None or got is None:
        same = expected is got
    else:
        same = math.isclose(expected, got, rel_tol=1e-6, abs_tol=1e-8)
    check.add(None if same else Finding(where, str(expected), cell or "nothing"))


def _spread(values: list[float]) -> tuple[float, float | None]:
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def _arms(check: Check, folder: Path) -> None:
    runs = _runs(folder)
    rows = {(row["arm"], int(row["seed"])): row for row in _table(folder, "runs")}
    check.same("tables/runs.csv: rows", sorted(runs), sorted(rows))
    for key in runs.keys() & rows.keys():
        for kind in MEASURES:
            where = f"tables/runs.csv: {key[0]}, seed {key[1]}: {kind}"
            _number(check, where, getattr(runs[key], kind), rows[key][kind])
    by_arm: dict[str, list[Measured]] = defaultdict(list)
    for (arm, _), found in sorted(runs.items()):
        by_arm[arm].append(found)
    for row in _table(folder, "arms"):
        for kind in MEASURES:
            values = [getattr(found, kind) for found in by_arm[row["arm"]]]
            for name, value in zip(("mean", "std"), _spread(values), strict=True):
                where = f"tables/arms.csv: {row['arm']}: {kind}.{name}"
                _number(check, where, value, row[f"{kind}.{name}"])
    _arms_by_class(check, folder, by_arm)


def _arms_by_class(check: Check, folder: Path, by_arm: Mapping[str, list[Measured]]) -> None:
    if not by_arm:
        return
    names = io.read_json(folder / "scores" / "arms.json")["classes"]
    for row in _table(folder, "arms_per_class"):
        place = names.index(row["class"])
        found = [one.ious[place] for one in by_arm[row["arm"]]]
        known = [iou for iou in found if iou is not None]
        mean = _spread(known)[0] if known else None
        _number(check, f"tables/arms_per_class.csv: {row['arm']}, {row['class']}: iou.mean", mean,
                row["iou.mean"])  # fmt: skip


def _photographs(check: Check, folder: Path) -> None:
    for row in _table(folder, "temperature"):
        values = _rounds(folder, row["set"], float(row["temperature"]))
        for kind in MEASURES:
            spread = _spread([getattr(found, kind) for found in values])
            for name, value in zip(("mean", "std"), spread, strict=True):
                where = f"tables/temperature.csv: {row['set']} at {row['temperature']}: {kind}"
                _number(check, f"{where}.{name}", value, row[f"{kind}.{name}"])
    references = io.read_json(folder / "scores" / "references.json")["rows"]
    shown = _layouts(folder)
    for row in _table(folder, "references"):
        if row["row"] in references:
            items = [item for item in references[row["row"]]
                     if shown is None or item["layout"] in shown]  # fmt: skip
            found = measured(_summed([item["confusion"] for item in items]))
            for kind in MEASURES:
                where = f"tables/references.csv: {row['row']}: {kind}"
                _number(check, where, getattr(found, kind), row[kind])


def _layouts(folder: Path) -> set[str] | None:
    """The layouts that compared sets were made for; None where no set is compared."""
    sets = {row["set"] for row in _table(folder, "temperature")}
    found: set[str] = set()
    for name in sets:
        found |= {item["layout"] for item in _items(folder, name)}
    return found or None


@lru_cache(maxsize=1)
def _items(folder: Path, name: str) -> list[Any]:
    """The scored photographs of a set."""
    return list(io.read_json(folder / "scores" / f"{name}.json")["items"])


def _rounds(folder: Path, name: str, degree: float) -> list[Measured]:
    """The scores of each round of a set at a temperature."""
    rounds: dict[int, list[Any]] = defaultdict(list)
    for item in _items(folder, name):
        if item["temperature"] == degree:
            rounds[item["round"]].append(item["confusion"])
    return [measured(_summed(rounds[turn])) for turn in sorted(rounds)]


def _differences(check: Check, folder: Path) -> None:
    """Differences, ends of intervals, and what is said of them."""
    found_in = {name: _table(folder, name) for name in ("comparisons", "more_real")}
    rows = [(name, row) for name, listed in found_in.items() for row in listed]
    if not rows:
        return
    study = redrawn.Study.read(folder)
    count = 2 * len(rows)
    for name, row in rows:
        where = f"tables/{name}.csv: {row['arm']} against {row['against']}"
        found = study.compared(row["arm"], row["against"])
        _number(check, f"{where}: difference", found.difference, row["difference"])
        for end, value in (("low", found.low), ("high", found.high)):
            if value is None or not row[end]:
                _number(check, f"{where}: {end}", value.middle if value else None, row[end])
                continue
            slack = value.slack(count)
            off = abs(float(row[end]) - value.middle) > slack
            expected = f"{value.middle:.6f} ± {slack:.6f} of chance in drawing"
            check.add(Finding(f"{where}: {end}", expected, row[end]) if off else None)
        # of one seed or one scene nothing can be told
        whole = min(int(row["seeds"]), int(row["groups"])) > 1
        signs = {"gain": float(row["low"] or 0) > 0, "worse": float(row["high"] or 0) < 0}
        for word, there in signs.items():
            check.same(f"{where}: outcome says {word}", whole and there, row["outcome"] == word)
    _classes(check, folder, study)


def _classes(check: Check, folder: Path, study: redrawn.Study) -> None:
    """Differences of single classes, Holm's correction, and helps or hurts."""
    sizes = {(row["arm"], row["against"]): min(int(row["seeds"]), int(row["groups"]))
             for row in _table(folder, "comparisons")}  # fmt: skip
    pairs: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _table(folder, "comparisons_per_class"):
        pairs[row["arm"], row["against"]].append(row)
    for (arm, against), rows in pairs.items():
        where = f"tables/comparisons_per_class.csv: {arm} against {against}"
        differences = study.class_differences(arm, against)
        survivors = redrawn.surviving({row["class"]: row["p"] for row in rows if row["p"]})
        for row in rows:
            name = row["class"]
            _number(check, f"{where}: {name}", differences[name], row["difference"])
            if row["p"]:
                told = "yes" if name in survivors else "no"
                check.same(f"{where}: {name}: survives", told, row["survives"])
            signs = {"helps": float(row["low"] or 0) > 0, "hurts": float(row["high"] or 0) < 0}
            for word, there in signs.items():
                expected = there and name in survivors and sizes[arm, against] > 1
                check.same(f"{where}: {name}: outcome says {word}", expected,
                           row["outcome"] == word)  # fmt: skip


def _ranks(check: Check, folder: Path) -> None:
    """The best temperature of each system, and the order of systems by it."""
    degrees: dict[str, dict[float, float]] = defaultdict(dict)
    for row in _table(folder, "temperature"):
        degree = float(row["temperature"])
        values = [found.class_iou for found in _rounds(folder, row["set"], degree)]
        degrees[row["set"]][degree] = float(np.mean(values))
    systems = {row["set"]: row for row in _table(folder, "systems") if row["set"] in degrees}
    best = {name: max(found.values()) for name, found in degrees.items()}
    for name, row in systems.items():
        got = degrees[name].get(float(row["temperature"]), math.nan)
        where = f"tables/systems.csv: {name}: temperature {row['temperature']}"
        _number(check, f"{where} is the best: class IoU", best[name], f"{got:.8f}")
    expected = sorted(systems, key=lambda name: -best[name])
    got_order = sorted(systems, key=lambda name: -float(systems[name]["class_iou.mean"]))
    check.same("tables/systems.csv: order by class IoU", expected, got_order)


def _sentences(check: Check, folder: Path) -> None:
    """The pages word for word, written again from the evidence."""
    from augflow.report import evidence as evidences
    from augflow.report import page
    from augflow.report.tables import computed

    evidence = evidences.load(folder)
    tables = computed(evidence)
    for name, write in (("report.md", page.markdown_page), ("report.html", page.html_page)):
        expected = write(evidence, tables, folder).decode().splitlines()
        got = (folder / name).read_text(encoding="utf-8").splitlines()
        check.same(f"{name}: lines", len(expected), len(got))
        for number, (ours, theirs) in enumerate(zip(expected, got, strict=False), 1):
            if ours != theirs:
                check.add(Finding(f"{name}: line {number}", *around(ours, theirs)))
        check.compared += len(expected)
