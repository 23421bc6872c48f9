"""Does a study still hold?

Level 0: everything is as recorded; 1: a little is made again; 2: all of it is made again; 3: what
the report says is counted again.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from augflow.verify.check import EXIT_CODES, Check, Finding, State, facts, markdown, state_of, write

if TYPE_CHECKING:
    from augflow.study.project import Project

Level = Literal[0, 1, 2, 3]

__all__ = [
    "EXIT_CODES",
    "Check",
    "Finding",
    "Level",
    "State",
    "facts",
    "markdown",
    "state_of",
    "verify",
    "write",
]


def verify(project: Project, level: Level = 0, jobs: int = 1) -> Iterator[Check]:
    """The checks of a study, each as soon as it is done; those with nothing to look at left out.

    Level 0 compares every artefact with what `dvc.lock`, manifests, params and claims say of it.
    Level 1 then makes `params.verify.items` items of each stage again from their recorded inputs
    and seeds, and `params.verify.trainings` networks; and compares: bit by bit on the machine that
    made them, elsewhere within `params.verify.tolerance`, or not at all where learning comes in.
    The others need the reports alone, and `dvc.lock` for what is not there. Level 2 runs the whole
    pipeline in a clean copy of the project; elsewhere numbers are compared within bands that a
    calibration measured. Level 3 counts the numbers of the report again, by other code, from the
    matrices of single images, and reads its sentences word for word.

    Args:
        project: of the study.
        level: how far the checks go.
        jobs: stages that level 2 runs side by side.

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
    """
    with _own_cache():
        for check in _checks(project, level, jobs):
            if check.compared or check.absent or check.notes:
                yield check


def _checks(project: Project, level: Level, jobs: int) -> Iterator[Check]:
    from augflow.verify.lock import check_lock
    from augflow.verify.machines import check_environment
    from augflow.verify.records import check_choices, check_models, check_selected
    from augflow.verify.replay import replay_checks
    from augflow.verify.reports import check_reports
    from augflow.verify.scores import check_scores
    from augflow.verify.sets import check_sets
    from augflow.verify.tolerances import check_rebuilt
    from augflow.verify.workspace import Workspace

    space = Workspace(project)
    if level >= 2:
        yield check_reports(space)
        if level == 2:
            yield check_rebuilt(project, jobs)
        else:
            yield from check_claims(project)
        return
    yield check_lock(project)
    for check in (
        check_models,
        check_sets,
        check_choices,
        check_selected,
        check_scores,
        check_reports,
    ):
        yield check(space)
    yield check_environment(project)
    if level == 1:
        yield from replay_checks(Workspace(project))


def check_claims(project: Project) -> Iterator[Check]:
    """The tables of the study's report from its scores, then its sentences from its tables."""
    from augflow.verify.reports import check_sentences

    folder, oracle = project.reports, _load_oracle()
    report = oracle.Report(folder)
    for title, count in oracle.PARTS.items():
        check = Check(f"claims: {title}")
        if check.has(folder / "claims.json"):
            with check.reading(folder):
                for where, expected, got, holds in count(report):
                    check.add(None if holds else Finding(where, expected, got))
        yield check
    check = Check("claims: sentences")
    if check.has(folder / "claims.json"):
        with check.reading(folder):
            check_sentences(check, folder)
    yield check


def _load_oracle() -> ModuleType:
    """`tests/oracles/recount.py`, which counts a report again and imports nothing of augflow."""
    from augflow.study.template import source

    path = source().root / "tests" / "oracles" / "recount.py"
    spec = spec_from_file_location("augflow_recount", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@contextmanager
def _own_cache() -> Iterator[None]:
    """Pixels are decoded from the files as they are; what was kept of them before is not asked."""
    name, before = "AUGFLOW_CACHE", os.environ.get("AUGFLOW_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ[name] = "off" if before == "off" else folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before
