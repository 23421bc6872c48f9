"""`augflow replay`: the same photograph once more from its record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from augflow.core.errors import ParamsError


def replay(
    photo: Annotated[Path, typer.Argument(metavar="IMG", help="A photograph of a synthetic set.")],
    generator: Annotated[
        Path | None, typer.Option(help="Folder of its generator; else the project's, by digest.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the new pixels are written, PNG.")
    ] = None,
) -> None:
    """Makes a photograph again; exits 0 when all pixels are equal, 1 when not, 2 when it cannot.

    Pixels are equal on the machine that made them; elsewhere a few may differ by rounding.
    """
    from augflow.core import io
    from augflow.tools.replay import replay as replayed

    if out is not None and (out.suffix != ".png" or out.resolve() == photo.resolve()):
        raise ParamsError(f"--out {out}: expected a PNG beside the photograph, not over it")
    if out is not None and out.exists():
        raise ParamsError(f"--out {out}: is there already; give another name, or remove it first")
    found = replayed(photo, generator)
    if out is not None:
        io.write_png(out, found.image)
    if found.equal:
        typer.echo(f"{photo}: equal")
    else:
        typer.echo(
            f"{photo}: different, by up to {found.largest} grey values at {found.share:.2%} "
            "of the pixels"
        )
    if found.changed:
        both = "neither those made again nor the file's"
        same = "those made again" if found.as_recorded else both
        typer.echo(f"the file was changed: the pixels that its manifest records are {same}")
    raise typer.Exit(0 if found.equal else 1)
