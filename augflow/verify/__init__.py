"""Does a study still hold?

Level 0: everything is as recorded; 1: a little is made again; 2: all of it is made again; 3: what
the report says is counted again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal

from augflow.verify.findings import EXIT_CODES, Check, Finding, State, state_of
from augflow.verify.written import facts, markdown, write

if TYPE_CHECKING:
    from augflow.study.project import Project

Level = Literal[0, 1, 2, 3]

__all__ = [
    "EXIT_CODES", "Check", "Finding", "Level", "State", "facts", "markdown", "state_of",
    "verify", "write",
]  # fmt: skip


def verify(project: Project, level: Level = 0, jobs: int = 1) -> Iterator[Check]:
    """The checks of a study, each as soon as it is done; those with nothing to look at left out.

    Level 0 compares every artefact with what `dvc.lock`, manifests, params and claims say of it.
    Level 1 then makes `params.verify.items` items of each stage again from their recorded inputs
    and seeds, and `params.verify.trainings` networks; and compares: bit by bit on the machine that
    made them, elsewhere within `params.verify.tolerance`, or not at all where learning comes in.
    The others need the reports alone, and `dvc.lock` for what is not there. Level 2 runs the whole
    pipeline in a clean copy of the project; elsewhere numbers are compared within bands that a
    calibration measured. Level 3 counts the numbers of the report again, by other code, from the
    matrices of single photographs, and reads its sentences word for word.

    Args:
        project: of the study.
        level: how far the checks go.
        jobs: stages that level 2 runs side by side.

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
    """
    groups = {
        0: (_intact,), 1: (_intact, _replayed),
        2: (_reported, partial(_rebuilt, jobs=jobs)), 3: (_reported, _recounted),
    }  # fmt: skip
    with _own_cache():
        for group in groups[level]:
            yield from (c for c in group(project) if c.compared or c.absent or c.notes)


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


def _intact(project: Project) -> Iterator[Check]:
    from augflow.verify.chosen import check_choices
    from augflow.verify.lock import check_lock
    from augflow.verify.machines import check_environment
    from augflow.verify.models import check_models
    from augflow.verify.reports import check_reports
    from augflow.verify.scores import check_scores
    from augflow.verify.selected import check_selected
    from augflow.verify.sets import check_sets
    from augflow.verify.workspace import Workspace

    space = Workspace(project)
    yield check_lock(project)
    for check in (
        check_models, check_sets, check_choices, check_selected, check_scores, check_reports,
    ):  # fmt: skip
        yield check(space)
    yield check_environment(project)


def _replayed(project: Project) -> Iterator[Check]:
    from augflow.core import seeding
    from augflow.study.environment import Machines
    from augflow.verify import (
        chosen,
        remade_looks,
        remade_numbers,
        remade_photos,
        remade_scenes,
        selected,
        trained_again,
    )
    from augflow.verify.workspace import Workspace

    seeding.deterministic(project.params.verify.seed, project.params.threads)
    space, machines = Workspace(project), Machines(project)
    for check in (
        remade_scenes.check_scenes, remade_numbers.check_training, remade_photos.check_photos,
        remade_photos.check_transfers, chosen.check_again, selected.check_again,
        remade_numbers.check_matrices, remade_looks.check_leaks, remade_looks.check_costs,
        remade_looks.check_diversity, remade_looks.check_attributes, remade_looks.check_explored,
        trained_again.check_trainings, remade_numbers.check_report,
    ):  # fmt: skip
        yield check(space, machines)


def _reported(project: Project) -> Iterator[Check]:
    from augflow.verify.reports import check_reports
    from augflow.verify.workspace import Workspace

    yield check_reports(Workspace(project))


def _rebuilt(project: Project, jobs: int) -> Iterator[Check]:
    from augflow.verify.rebuilt import check_rebuilt

    yield check_rebuilt(project, jobs)


def _recounted(project: Project) -> Iterator[Check]:
    from augflow.verify.recounted import check_claims

    yield from check_claims(project)
