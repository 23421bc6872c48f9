"""`augflow transfer`: the content of one photograph in other layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from augflow.cli.options import (
    Append,
    Boundary,
    Generator,
    Labels,
    Layouts,
    Out,
    Overwrite,
    default_folder,
    older_set,
)


def transfer(
    content: Annotated[Path, typer.Option(help="The photograph whose content is taken.")],
    layouts: Layouts,
    content_layout: Annotated[
        Path | None, typer.Option(help="Its label map; else the one beside it.")
    ] = None,
    generator: Generator = None,
    latents: Annotated[
        Literal["z", "eps"],
        typer.Option(help="z: latents as they are; eps: as drawn under the priors."),
    ] = "z",
    boundary: Boundary = None,
    labels: Labels = "auto",
    out: Out = Path("transferred"),
    overwrite: Overwrite = False,
    append: Append = False,
) -> None:
    """Moves the content of a photograph into other layouts."""
    from augflow.tools.latent_sources import LatentSource
    from augflow.tools.synth import SHEET, synth_from

    rows = synth_from(
        LatentSource(content, content_layout, "--content-layout"),
        layouts,
        generator or default_folder("generator"),
        out,
        kind=latents,
        show_content=True,
        labels=labels,
        maps=boundary,
        older=older_set(overwrite, append),
    )
    typer.echo(f"{len(rows)} photographs in {out}; look at {out / SHEET}")
