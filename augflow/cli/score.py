"""`augflow score`: segmenters look at synthetic and real photographs of the project."""

from __future__ import annotations

from typing import Annotated

import typer

from augflow.cli.options import TrustConfig
from augflow.core.errors import ParamsError, suggest


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
    from augflow.stages.runner import run_stage
    from augflow.study.project import Project

    project = Project(trust_config=trust_config)
    sets = project.params.sets
    stages = {"references": ("score_references", ""), **{one: ("score", one) for one in sets}}
    if project.params.arms:
        stages["arms"] = ("score_arms", "")
    if name is not None and name not in stages:
        known = suggest(name, sorted(stages))
        raise ParamsError(f"nothing to score by the name {name!r}; {known}")
    for part in stages if name is None else [name]:
        stage, key = stages[part]
        if stage == "score_arms":
            project.require("retrain", project.prepared_folder, *project.segmenters.values())
        else:
            project.require("judge", project.prepared_folder, project.judge_folder)
        if key:
            project.require(f"synthesize@{key}", project.synthetic(key))
        run_stage(project, stage, key)
        typer.echo(f"{part}: scored, in {project.score(part)}")
