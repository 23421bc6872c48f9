"""`augflow import-weights`: a checkpoint of the papers' public code as a generator of ours."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Origin(StrEnum):
    """Whose code wrote the checkpoint."""

    glow2 = "glow2"
    pix2pix = "pix2pix"


class Filter(StrEnum):
    """How a boundary map was made smaller."""

    bicubic = "bicubic"
    nearest = "nearest"
    bilinear = "bilinear"


class Maps(StrEnum):
    """The version of boundary map that a network learned with."""

    v1 = "v1"
    v2 = "v2"


def import_weights(
    file: Annotated[Path, typer.Argument(help="The checkpoint (.pt, .pth).")],
    origin: Annotated[
        Origin,
        typer.Option("--from", help="Whose: MoeinSorkhei/glow2 (Full-Glow) or junyanz's pix2pix."),
    ],
    out: Annotated[Path, typer.Option(help="The generator's folder to write.")],
    classes: Annotated[
        str, typer.Option(metavar="TABLE", help="The class table of the layouts.")
    ] = "cityscapes",
    size: Annotated[
        str, typer.Option(metavar="HxW", help="Height and width of the photographs.")
    ] = "256x256",
    boundary: Annotated[
        Maps,
        typer.Option(help="glow2 with boundary maps: v1, or v2 if it learned with --do_ceil."),
    ] = Maps.v1,
    boundary_filter: Annotated[
        Filter,
        typer.Option(help="glow2: how Pillow resized them: bicubic, nearest before its version 7."),
    ] = Filter.bicubic,
) -> None:
    """Reads weights of the papers' code: `augflow synth --generator OUT` uses them.

    Only tensors are read, never code; names and shapes that do not fit are listed.
    """
    from augflow.cli.describe import sides
    from augflow.data.classes import table
    from augflow.tools.import_weights import import_weights as read

    generator = read(
        origin.value, file, out, table(classes), sides(size), boundary=boundary.value,
        boundary_filter=boundary_filter.value,
    )  # fmt: skip
    count = sum(p.numel() for p in generator.parameters())
    typer.echo(f"{count / 1e6:.1f} M parameters in {out}; augflow synth --generator {out}")
