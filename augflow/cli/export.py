"""`augflow export`: a set as a data set that drops into other people's training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    which: Annotated[
        str, typer.Argument(metavar="SET", help="A set or selection of the project, or a folder.")
    ],
    form: Annotated[
        str, typer.Option("--format", help="cityscapes, mmseg, folder or coco_panoptic.")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write, new or empty.")],
    real: Annotated[
        bool,
        typer.Option(
            "--real/--no-real",
            help="Also the real training scenes; for mmseg the held-out ones, too.",
        ),
    ] = False,
) -> None:
    """Writes photographs with labels, a manifest and a card that says what the data set is."""
    from augflow.tools.export import CARD
    from augflow.tools.export import export as exported
    from augflow.tools.formats import SYNTHETIC

    placed = exported(which, form, out, real=real)
    made = sum(one.part == SYNTHETIC for one in placed)
    beside = f" and {len(placed) - made} real scenes" if len(placed) > made else ""
    typer.echo(f"{made} synthetic photographs{beside} in {out}; read {out / CARD}")
