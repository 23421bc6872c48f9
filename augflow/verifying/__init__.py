"""Does a study still hold? Level 0: everything is as recorded; level 1: a little is made again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from augflow.verifying.environment import record
from augflow.verifying.findings import EXIT_CODES, Check, Finding, State, state_of

if TYPE_CHECKING:
    from augflow.project import Project

__all__ = ["EXIT_CODES", "Check", "Finding", "State", "record", "state_of", "verify"]


def verify(project: Project, level: Literal[0, 1] = 0) -> Iterator[Check]:
    """The checks of a study, each as soon as it is done; those with nothing to look at left out.

    Level 0 compares every artefact with what `dvc.lock`, manifests, params and claims say of it.
    Level 1 then makes `params.verify.items` items of each stage again from their recorded inputs
    and seeds, and compares: bit by bit on the machine that made them, elsewhere within
    `params.verify.tolerance`.

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
    """
    checks = [_intact(project)]
    if level:
        checks.append(_replayed(project))
    for group in checks:
        yield from (c for c in group if c.compared or c.absent or c.notes)


def _intact(project: Project) -> Iterator[Check]:
    from augflow.verifying.environment import check_environment
    from augflow.verifying.lock import check_lock
    from augflow.verifying.models import check_models
    from augflow.verifying.reports import check_reports
    from augflow.verifying.scores import check_scores
    from augflow.verifying.selected import check_selected
    from augflow.verifying.sets import check_sets
    from augflow.verifying.workspace import Workspace

    space = Workspace(project)
    yield check_lock(project)
    for check in (check_models, check_sets, check_selected, check_scores, check_reports):
        yield check(space)
    yield check_environment(project)


def _replayed(project: Project) -> Iterator[Check]:
    from augflow import seeds
    from augflow.verifying import remade_numbers, remade_photos, remade_scenes, selected
    from augflow.verifying.environment import Machines
    from augflow.verifying.workspace import Workspace

    seeds.deterministic(project.params.verify.seed, project.params.threads)
    space, machines = Workspace(project), Machines(project)
    for check in (
        remade_scenes.check_scenes, remade_numbers.check_training, remade_photos.check_photos,
        remade_photos.check_transfers, selected.check_again,
        remade_numbers.check_matrices, remade_numbers.check_report,
    ):  # fmt: skip
        yield check(space, machines)
