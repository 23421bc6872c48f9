"""`augflow train`: the generators of the project in the current folder learn."""

from __future__ import annotations

from typing import Annotated

import typer


def train(
    generator: Annotated[
        str | None, typer.Argument(help="One of params.yaml's generators; else all of them.")
    ] = None,
) -> None:
    """Trains generators on the prepared scenes; goes on where a killed training stopped.

    The same as `dvc repro train@GENERATOR`, but without asking whether anything has changed.
    """
    from augflow.project import Project

    project = Project()
    names = list(project.params.generators) if generator is None else [generator]
    project.require("prepare", project.prepared)
    for name in names:
        project.train(name)
        typer.echo(f"{name}: trained, in {project.generator(name)}")
