"""`augflow transfer`: the content of one photograph in other layouts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from augflow.cli.synth import Boundary, Generator, LabelKind, Labels, Layouts, default_generator


class Latents(StrEnum):
    """What is carried from one layout to another."""

    z = "z"
    eps = "eps"


def transfer(
    content: Annotated[Path, typer.Option(help="The photograph whose content is taken.")],
    layouts: Layouts,
    content_layout: Annotated[
        Path | None, typer.Option(help="Its label map; else the one beside it.")
    ] = None,
    generator: Generator = None,
    latents: Annotated[
        Latents, typer.Option(help="z: latents as they are; eps: as drawn under the priors.")
    ] = Latents.z,
    boundary: Boundary = None,
    labels: Labels = LabelKind.auto,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("transferred"),
) -> None:
    """Moves the content of a photograph into other layouts."""
    from augflow.tools.synth import SHEET, transfer_content

    rows = transfer_content(
        content, content_layout, layouts, generator or default_generator(), out,
        latents=latents.value, labels=labels.value, maps=boundary,
    )  # fmt: skip
    typer.echo(f"{len(rows)} photographs in {out}; look at {out / SHEET}")
