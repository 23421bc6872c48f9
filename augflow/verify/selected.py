"""Are selected sets what their sources, their decisions and the judge make of them?"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.data.classes import IGNORE
from augflow.data.synthetic import (
    DECISIONS,
    SELECTION,
    Decision,
    SyntheticSet,
    read_decisions,
    read_rows,
    read_set,
)
from augflow.study.environment import Machines
from augflow.verify.findings import Check, Finding
from augflow.verify.workspace import Workspace, recorded_digest


def check_selected(space: Workspace) -> Check:
    """Photographs and labels of every selection against its source and its decisions."""
    check, project = Check("selected sets"), space.project
    for name, section in project.params.selections.items():
        folder, source = project.selected(name), project.synthetic(section.set)
        if not (check.has(folder) and check.has(source)):
            continue
        with check.reading(folder):
            decisions = read_decisions(folder)
            _check_decisions(check, space, name, decisions)
            _check_kept(check, folder, read_set(folder), read_set(source), decisions)
    return check


def check_again(space: Workspace, machines: Machines) -> Check:
    """The judge looks at every candidate again and decides; the same machine decides the same."""
    from augflow.stages.select import select

    check, project = Check("select, again"), space.project
    for name, section in project.params.selections.items():
        folder, source = project.selected(name), project.synthetic(section.set)
        judge = project.judge_of(section.judge)
        there = [check.has(path) for path in (folder, source, judge, project.prepared)]
        if not all(there):
            continue
        if not machines.here(folder):
            check.note("selections were made on another or an unknown machine: not decided again")
            continue
        with check.reading(folder), tempfile.TemporaryDirectory() as scratch:
            again = Path(scratch) / name
            chosen = project.data / section.reads if section.temperature == "chosen" else None
            select(
                name, section, source, project.prepared, judge, again,
                chosen=chosen, threads=project.params.threads,
                trust_config=project.trusts(judge),
            )  # fmt: skip
            compare_trees(check, folder, again)
    return check


def _check_decisions(check: Check, space: Workspace, name: str, decisions: list[Decision]) -> None:
    project = space.project
    section, folder = project.params.selections[name], project.selected(name)
    facts, where = io.read_json(folder / SELECTION), folder / SELECTION
    check.same(f"{where}: selection", name, facts["selection"])
    check.same(f"{where}: set", section.set, facts["set"])
    check.same(f"{where}: settings", section.model_dump(mode="json"), facts["settings"])
    judge = project.judge_of(section.judge)
    if check.has(judge):
        check.same(f"{where}: judge", recorded_digest(judge), facts["judge"])
    candidates = [row.name for row in read_rows(project.synthetic(section.set))]
    check.same(f"{folder / DECISIONS}: names", candidates, [one.name for one in decisions])


def _check_kept(
    check: Check, folder: Path, made: SyntheticSet, source: SyntheticSet, decisions: list[Decision]
) -> None:
    """Kept photographs are the source's, and labels are the source's or none."""
    kept = [one.name for one in decisions if one.kept]
    check.same(f"{folder}: photographs", kept, [row.name for row in made.rows])
    places = {row.name: n for n, row in enumerate(source.rows)}
    shares = {one.name: one.trusted for one in decisions}
    for n, row in enumerate(made.rows):
        place = places.get(row.name)
        if place is None:
            continue  # named above
        check.same(f"{folder / row.photo}: pixels", source.rows[place].digest, row.digest)
        before, after = source.classes[place], made.classes[n]
        labels = np.where(after == IGNORE, after, before)
        check.pixels(f"{folder}: labels of {row.name}", labels, after)
        known = np.count_nonzero(before != IGNORE)
        share = np.count_nonzero(after != IGNORE) / known if known else 0.0
        if abs(share - shares[row.name]) > 1e-6:
            where = f"{folder / DECISIONS}: {row.name}: trusted"
            check.add(Finding(where, f"{share:.6f}", f"{shares[row.name]:.6f}"))


def compare_trees(check: Check, folder: Path, again: Path) -> None:
    """Compares all files of a folder, by content, with those that were made again."""
    expected, got = io.digest_tree(again), io.digest_tree(folder)
    for name in sorted(expected.keys() | got.keys()):
        ours, theirs = expected.get(name), got.get(name)
        shown = [f"content {digest}" if digest else "no such file" for digest in (ours, theirs)]
        check.add(None if ours == theirs else Finding(str(folder / name), *shown))
