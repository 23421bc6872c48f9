"""`augflow report`: what the study of the current folder found."""

from __future__ import annotations

import typer


def report() -> None:
    """Writes tables, figures, pages and claims from the scores of the project.

    The same as `dvc repro report`, but without asking whether anything has changed.
    """
    from augflow.stages.runner import run_stage
    from augflow.study.project import Project

    project = Project()
    project.require("score_references", project.prepared_folder, project.score("references"))
    run_stage(project, "report")
    typer.echo(f"look at {project.reports / 'report.html'}")
