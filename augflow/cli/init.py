"""`augflow init`: a new project from a preset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    preset: Annotated[
        str,
        typer.Option(
            help="streets, smoke, cityscapes_256, cityscapes_128, camvid, "
            "idd_lite, idd_lite_configurations, idd_lite_shares, kitti, folder."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The photographs; not for streets and smoke.")
    ] = None,
    target: Annotated[
        Path, typer.Argument(metavar="[TARGET]", help="The project's folder, new or empty.")
    ] = Path(),
) -> None:
    """Writes a project that `dvc repro` runs: dvc.yaml, params.yaml, pipelines, folders."""
    from augflow.study.template import create

    params = create(preset, data, target)
    next_step = "dvc repro" if target.resolve() == Path.cwd() else f"cd {target} && dvc repro"
    if params.data.reader == "folder":
        typer.echo(f"fill in data.classes in {target / 'params.yaml'}")
    typer.echo(f"study {params.study}, photographs at {params.data.root}; go on with: {next_step}")
