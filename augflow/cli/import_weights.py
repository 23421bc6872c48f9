"""`augflow import-weights`: a checkpoint of the papers' public code as a generator of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from augflow.cli.describe import sides
from augflow.cli.options import Overwrite


def import_weights(
    file: Annotated[Path, typer.Argument(help="The checkpoint (.pt, .pth).")],
    origin: Annotated[
        Literal["glow2", "pix2pix"],
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
        Literal["v1", "v2"],
        typer.Option(help="glow2 with boundary maps: v1, or v2 if it learned with --do_ceil."),
    ] = "v1",
    boundary_filter: Annotated[
        Literal["bicubic", "nearest", "bilinear"],
        typer.Option(help="glow2: how Pillow resized them: bicubic, nearest before its version 7."),
    ] = "bicubic",
    overwrite: Overwrite = False,
) -> None:
    """Reads weights of the papers' code: `augflow synth --generator OUT` uses them.

    Only tensors are read, never code; names and shapes that do not fit are listed.
    """
    from augflow.data.classes import table
    from augflow.tools.import_weights import import_weights as read

    generator = read(
        origin,
        file,
        out,
        table(classes),
        sides(size),
        boundary=boundary,
        boundary_filter=boundary_filter,
        overwrite=overwrite,
    )
    count = sum(p.numel() for p in generator.parameters())
    typer.echo(f"{count / 1e6:.1f} M parameters in {out}; augflow synth --generator {out}")
