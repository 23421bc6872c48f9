"""`augflow report`: what the study of the current folder found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    again: Annotated[
        Path | None,
        typer.Option(help="A finished report, to be written anew from its own evidence alone."),
    ] = None,
) -> None:
    """Writes tables, figures, pages and claims from the scores of the project.

    The same as `dvc repro report`, but without asking whether anything has changed.
    """
    if again is not None:
        from augflow.stages.report import render_again

        render_again(again)
        typer.echo(f"look at {again / 'report.html'}")
        return
    from augflow.stages.runner import run_stage
    from augflow.study.project import Project

    project = Project()
    project.require("score_references", project.prepared_folder, project.score("references"))
    run_stage(project, "report")
    typer.echo(f"look at {project.reports / 'report.html'}")
