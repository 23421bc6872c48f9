"""Does a study still hold?

Level 0: everything is as recorded; 1: a little is made again; 2: all of it is made again; 3: what
the report says is counted again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from augflow.verify.check import (
    EXIT_CODES,
    Check,
    Finding,
    Sample,
    State,
    facts,
    markdown,
    state_of,
    write,
)

if TYPE_CHECKING:
    from augflow.study.project import Project

Level = Literal[0, 1, 2, 3]

__all__ = [
    "EXIT_CODES",
    "Check",
    "Finding",
    "Level",
    "Sample",
    "State",
    "facts",
    "markdown",
    "state_of",
    "verify",
    "write",
]


def verify(
    project: Project, level: Level = 0, jobs: int = 1, sample: Sample | None = None
) -> Iterator[Check]:
    """The checks of a study, each as soon as it is done; those with nothing to look at left out.

    Level 0 compares every artefact with what `dvc.lock`, manifests, params and claims say of it.
    Level 1 then makes what `sample` draws of each stage again from its recorded inputs and seeds,
    and as many networks as it says; and compares: bit by bit on the machine that made them,
    elsewhere within `verify.tolerances`, or not at all where learning comes in. The others need the
    reports alone, and `dvc.lock` for what is not there. Level 2 runs the whole pipeline in a clean
    copy, so many `jobs` side by side; elsewhere numbers are compared within bands that a
    calibration measured. Level 3 counts the numbers of the report again, by other code, from the
    matrices of single images, and reads its sentences word for word.

    Raises:
        ParamsError: `params.yaml` is missing or wrong.
    """
    for check in _checks(project, level, jobs, sample):
        if check.compared or check.absent or check.notes:
            yield check


def _checks(project: Project, level: Level, jobs: int, sample: Sample | None) -> Iterator[Check]:
    import cv2

    from augflow.verify.check import check_kinds
    from augflow.verify.declared import check_shipped
    from augflow.verify.lock import check_lock
    from augflow.verify.pictures import check_pictures
    from augflow.verify.records import (
        check_choices,
        check_environment,
        check_models,
        check_raw_files,
        check_selected,
    )
    from augflow.verify.replay import replay_checks
    from augflow.verify.reports import check_claims, check_reports
    from augflow.verify.scores import check_scores
    from augflow.verify.sets import check_sets
    from augflow.verify.tolerances import check_bands, check_rebuilt
    from augflow.verify.workspace import Workspace

    cv2.setNumThreads(1)  # on small pictures its threads wait for each other most of the time
    kinds = check_kinds(project)
    if kinds.violations:
        yield kinds
        return  # all that follows would open them
    space = Workspace(project)
    if level >= 2:
        yield check_shipped(project)
        yield check_pictures(project)
        yield check_reports(space)
        if level == 2:
            yield check_rebuilt(project, jobs)
        else:
            yield from check_claims(project)
        return
    yield check_lock(project)
    yield check_raw_files(space)
    yield check_models(space)
    yield check_sets(space)
    yield check_pictures(project)
    yield check_choices(space)
    yield check_selected(space)
    yield check_scores(space)
    yield check_reports(space)
    yield check_environment(project)
    yield check_bands(project)
    if level == 1:
        yield from replay_checks(Workspace(project, sample))
