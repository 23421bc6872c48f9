"""`augflow transfer`: the content of one photograph in other layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from augflow.cli.options import (
    Append,
    Boundary,
    FitShape,
    Generator,
    Labels,
    Layouts,
    Out,
    Overwrite,
    default_folder,
    older_set,
    say_what_was_made,
)


def transfer(
    content: Annotated[Path, typer.Option(help="The photograph whose content is taken.")],
    layouts: Layouts,
    content_layout: Annotated[
        Path | None, typer.Option(help="Its label map; else the one beside it.")
    ] = None,
    generator: Generator = None,
    latents: Annotated[
        Literal["style", "z", "eps"],
        typer.Option(
            help="style: light and palette, all else is drawn; z, eps: all latents, as they are or "
            "as drawn under the priors: nearly the photograph itself."
        ),
    ] = "style",
    temp: Annotated[
        float,
        typer.Option(min=0, max=2, help="Temperature of what is drawn beside a style."),
    ] = 0.5,
    boundary: Boundary = None,
    labels: Labels = "auto",
    fit: FitShape = "crop",
    out: Out = Path("transferred"),
    overwrite: Overwrite = False,
    append: Append = False,
) -> None:
    """Moves the content of a photograph into other layouts."""
    from augflow.data.label_maps import SHEET
    from augflow.tools.latent_sources import LatentSource
    from augflow.tools.synth import synth_from

    rows = synth_from(
        LatentSource(content, content_layout, "--content-layout"),
        layouts,
        generator or default_folder("generator"),
        out,
        kind=latents,
        show_content=True,
        temperature=temp,
        labels=labels,
        fit=fit,
        maps=boundary,
        older=older_set(overwrite, append),
    )
    say_what_was_made(rows, out, SHEET)
