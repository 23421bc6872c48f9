"""`augflow score`: segmenters look at synthetic and real photographs of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from augflow.cli.trust import TrustConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from augflow.stages.runner import run_stage
    from augflow.study.project import Project


def score(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[SET|references|arms]", help="What to score; else everything there is."
        ),
    ] = None,
    trust_config: TrustConfig = False,
) -> None:
    """Scores a synthetic set, the references, or the retrained arms; confusions per photograph.

    The same as the score stages of `dvc repro`, but without asking whether anything has changed.
    """
    from augflow.study.project import Project

    project = Project(trust_config=trust_config)
    known = _scorers(project)
    for part in known if name is None else [_known(name, known)]:
        known[part]()
        typer.echo(f"{part}: scored, in {project.score(part)}")


def _scorers(project: Project) -> dict[str, Callable[[], None]]:
    """What can be scored, and how; what it reads is asked for before it is read."""

    def references() -> None:
        project.require("judge", project.prepared, project.judge_folder)
        run_stage(project, "score_references")

    def one_set(name: str) -> Callable[[], None]:
        def scored() -> None:
            project.require("judge", project.prepared, project.judge_folder)
            project.require(f"synthesize@{name}", project.synthetic(name))
            run_stage(project, "score", name)

        return scored

    def arms() -> None:
        project.require("retrain", project.prepared, *project.segmenters.values())
        run_stage(project, "score_arms")

    scorers = {"references": references, **{name: one_set(name) for name in project.params.sets}}
    return {**scorers, "arms": arms} if project.params.arms else scorers


def _known(name: str, known: dict[str, Callable[[], None]]) -> str:
    from augflow.core.errors import ParamsError, nearest

    if name not in known:
        raise ParamsError(f"nothing to score by the name {name!r}; {nearest(name, sorted(known))}")
    return name
