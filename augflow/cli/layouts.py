"""`augflow layouts`: new label maps in which thin classes are thicker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from augflow.cli.options import Labels, Out, Overwrite, refuse_options, require_project

if TYPE_CHECKING:
    from augflow.data.classes import ClassTable
    from augflow.tools.new_layouts import Made


def layouts(
    boost: Annotated[
        str, typer.Option(metavar="CLASSES", help="Classes to make thicker, parted by commas.")
    ],
    out: Out,
    ratio: Annotated[float, typer.Option(help="New layouts for each of those there are.")] = 1.0,
    layouts: Annotated[
        Path | None, typer.Option(help="Folder of label maps; else the project's training scenes.")
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(help="16-bit instance ids or boundary maps of the layouts, a folder."),
    ] = None,
    labels: Labels = "auto",
    classes: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="Their class table; else that of the project."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Makes label maps out of those there are: `augflow synth --layouts OUT` fills them.

    Layouts are mirrored, stretched and joined, and objects of the classes to boost are pasted in,
    where and as large as such objects stand.
    """
    from augflow.core.config import validate_section
    from augflow.data.label_maps import SHEET
    from augflow.data.params import NewLayoutsParams
    from augflow.tools.new_layouts import BOUNDARY, layouts_of_folder, layouts_of_scenes

    names = [name.strip() for name in boost.split(",") if name.strip()]
    params = validate_section(
        NewLayoutsParams, {"boost": names, "ratio": ratio, "seed": seed}, "layouts"
    )
    if layouts is None:
        given = {"--maps": maps, "--classes": classes, "--labels": labels != "auto"}
        refuse_options(given, "{}: says what a folder of label maps holds; give it with --layouts")
        made = layouts_of_scenes(_prepared_folder(), params, out, overwrite=overwrite)
    else:
        made = layouts_of_folder(
            layouts, params, out, _table(classes), labels=labels, maps=maps, overwrite=overwrite
        )
    _print(made)
    typer.echo(
        f"{made.after[made.classes[0]].layouts} layouts in {out}; look at {out / SHEET}\n"
        f"augflow synth --layouts {out} --boundary {out / BOUNDARY} fills them"
    )


def _prepared_folder() -> Path:
    from augflow.study.project import Project

    require_project("give a folder of label maps with --layouts")
    project = Project()
    project.require("prepare", project.prepared_folder)
    return project.prepared_folder


def _table(classes: str | None) -> ClassTable:
    from augflow.data.classes import table
    from augflow.data.scenes import saved_table

    if classes is not None:
        return table(classes)
    require_project("say the classes of the label maps with --classes")
    return saved_table(_prepared_folder() / "dataset.json")


def _print(made: Made) -> None:
    """Shares of pixels and objects per layout, before and after, a row per class."""
    columns = ("class", "pixels", "pixels, new", "objects per layout", "objects per layout, new")
    table = Table()
    for column in columns:
        table.add_column(column, justify="left" if column == "class" else "right")
    for name in made.classes:
        old, new = made.before[name], made.after[name]
        table.add_row(
            name,
            f"{old.share:.2%}",
            f"{new.share:.2%}",
            f"{old.objects_each:.2f}",
            f"{new.objects_each:.2f}",
        )
    Console().print(table)
