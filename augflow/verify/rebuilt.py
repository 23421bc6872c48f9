"""Level 2: the whole study once more, from nothing, in a clean copy of the project."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from augflow.core import io
from augflow.core.errors import AugflowError
from augflow.study.environment import Machines
from augflow.study.project import Project
from augflow.verify import bands
from augflow.verify.cached import md5
from augflow.verify.clone import cleaned, recorded_outs, run_all
from augflow.verify.findings import Check, Finding
from augflow.verify.lock import recorded_digests

LOG = Path(".augflow") / "verify" / "rebuild.log"


def check_rebuilt(project: Project, jobs: int = 1) -> Check:
    """Makes everything again without caches, so many stages side by side, and compares.

    On the machine that made the study every file is compared by content, or an output that is not
    here by the digest that `dvc.lock` has of it. Elsewhere the numbers of the report are, within
    the bands that a calibration has measured; without one they cannot be.
    """
    check = Check("rebuild")
    if not (check.has(project.root / "dvc.lock") and check.has(project.reports / "claims.json")):
        return check
    here, widths = Machines(project).all_here(project), None
    if not here:
        with check.reading(project.root / bands.FILE):
            widths = bands.read(project)
        if widths is None:
            check.lacks(f"{bands.FILE} for this report (augflow verify --calibrate N measures it)")
            return check
    with check.reading(project.root), cleaned(project.root) as copy:
        stopped = run_all(copy, project.root / LOG, jobs=jobs)
        if stopped:
            check.add(Finding("dvc.yaml", "all stages to run", stopped))
        elif widths is None:
            check.note("every file by its content: this machine made the study")
            _compare_files(check, project, copy)
        else:
            check.note("numbers of the report, within measured bands: another machine made them")
            _compare_numbers(check, project, Project(copy), widths)
    return check


def _compare_files(check: Check, project: Project, copy: Path) -> None:
    digests, made = recorded_digests(project.root), recorded_outs(copy)
    gone = [out for out in recorded_outs(project.root) if out not in made]
    if gone:
        # of stages that the pipeline has no longer, which is for level 0 to say
        check.note(f"dvc.lock has {len(gone)} outputs that no stage makes: not compared")
    for out in made:
        check.same(f"{out.as_posix()} in dvc.lock", True, out.as_posix() in digests)
        if out.as_posix() not in digests:
            continue
        stored, fresh = (_contents(root, out) for root in (project.root, copy))
        if not stored:
            check.note("what is not here was compared with its digest in dvc.lock")
            again = md5(copy / out) if fresh else "none"
            where = f"{out.as_posix()} (dvc.lock)"
            check.same(where, f"md5 {again}", f"md5 {digests[out.as_posix()]}")
            continue
        for name in sorted(stored.keys() | fresh.keys()):
            expected, got = (side.get(name, "no such file") for side in (fresh, stored))
            check.same(name, expected, got)


def _contents(root: Path, out: Path) -> dict[str, str]:
    """Path relative to the project -> digest of content, for an output that is a file or folder."""
    place = root / out
    if not place.exists():
        return {}
    found = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    return {
        path.relative_to(root).as_posix(): f"content {_digest(path)}"
        for path in found
        if not path.name.startswith(".")
    }


def _digest(path: Path) -> str:
    try:
        return io.digest_file(path)
    except AugflowError as fault:
        return f"unreadable ({fault})"


def _compare_numbers(
    check: Check, project: Project, again: Project, widths: Mapping[str, float]
) -> None:
    stored, columns = bands.numbers(project.reports)
    fresh, _ = bands.numbers(again.reports)
    for name in sorted(stored.keys() | fresh.keys()):
        expected, got = fresh.get(name), stored.get(name)
        if expected is None or got is None:
            texts = ["no number" if value is None else f"{value:g}" for value in (expected, got)]
            check.add(Finding(f"{project.reports}: {name}", *texts))
            continue
        width = widths.get(".".join(columns[name]), 0.0)
        off = abs(expected - got) > width
        finding = Finding(f"{project.reports}: {name}", f"{expected:g} ± {width:g}", f"{got:g}")
        check.near(finding if off else None, expected == got)
