"""`augflow edit-layout`: objects added, moved, removed or recoloured in label maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from augflow.cli.options import Labels, Out, Overwrite, default_folder, require_project
from augflow.core.errors import ParamsError

if TYPE_CHECKING:
    from augflow.data.classes import ClassTable


def edit_layout(
    layout: Annotated[Path, typer.Option(help="A label map (PNG), or a folder of them.")],
    edits: Annotated[Path, typer.Option(help="YAML list: add, paste, move, remove, recolour.")],
    out: Out,
    generator: Annotated[
        Path | None,
        typer.Option(help="A trained generator whose classes count; else the project's first."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="A class table, where there is no generator."),
    ] = None,
    boundary: Annotated[
        Path | None,
        typer.Option(
            help="16-bit instance ids or boundary map of the layout, or a folder of them."
        ),
    ] = None,
    labels: Labels = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Edits label maps and their boundaries: `augflow synth --layouts OUT --boundary OUT` reads on.

    Places are row and column, sizes height and width, as fractions of the picture's; an object is
    the one under a point, or all or the largest of a class.
    """
    from augflow.data.label_maps import PREVIEW
    from augflow.tools.edit_layout import edit_layout as edit

    names = edit(
        layout,
        edits,
        out,
        _table(generator, classes),
        labels=labels,
        maps=boundary,
        overwrite=overwrite,
    )
    typer.echo(f"{len(names)} layouts in {out}; look at {out / f'{names[0]}{PREVIEW}.png'}")


def _table(generator: Path | None, classes: str | None) -> ClassTable:
    from augflow.data.classes import table
    from augflow.tools.edit_layout import table_of

    if classes is not None and generator is not None:
        raise ParamsError("--classes and --generator: give one of them, each says the classes")
    if classes is not None:
        return table(classes)
    if generator is None:
        require_project("say the classes with --classes or --generator")
    return table_of(generator or default_folder("generator"))
