"""`augflow init`: a new project from a preset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from augflow.data.params import CountsParams


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
    from augflow.study import params as parameters
    from augflow.study.template import create, source

    published = parameters.load(source().preset(preset)).data.counts
    params = create(preset, data, target)
    next_step = "dvc repro" if target.resolve() == Path.cwd() else f"cd {target} && dvc repro"
    if params.data.reader == "folder":
        typer.echo(f"fill in data.classes in {target / 'params.yaml'}")
    if published is not None and params.data.counts != published:
        typer.echo(
            f"data.counts: {_text(params.data.counts)}; the published set has {_text(published)}"
        )
    typer.echo(f"study {params.study}, photographs at {params.data.root}; go on with: {next_step}")


def _text(counts: CountsParams | None) -> str:
    if counts is None:
        return "not known, as files have faults (augflow check-data lists them)"
    return f"{counts.train} train and {counts.val} val scenes"
