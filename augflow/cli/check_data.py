"""`augflow check-data`: everything wrong with a data set, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from augflow.cli.options import wide_console
from augflow.core.errors import DataError, ParamsError, on_one_line

if TYPE_CHECKING:
    from augflow.data.checks import Report
    from augflow.data.params import DataParams
    from augflow.data.readers.source import Fault, SourceSet


PROJECT_FILE = Path("params.yaml")


def check_data(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", help="The data set; else that of --params, or of the project here."
        ),
    ] = None,
    reader: Annotated[
        str | None, typer.Option(help="Its layout, as data.reader; guessed when not given.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="What labels hold: label_ids or train_ids.")
    ] = None,
    params: Annotated[
        Path | None, typer.Option(help="A params.yaml whose section data is used.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--every", help="A row for every file, however many are alike.")
    ] = False,
) -> None:
    """Lists everything wrong with a data set and what to do; exits 0 when nothing is, else 2."""
    from augflow.data import checks, readers

    console = wide_console()
    source = readers.read(_parameters(console, folder, reader, labels, params))
    found = checks.check(source)
    faults, left_out = (
        rows if every else checks.summarise(rows) for rows in (found.faults, found.left_out)
    )
    _print_faults(console, source, [*faults, *left_out, *found.warnings], found)
    _print_facts(console, source, found)
    if found.faults:
        raise typer.Exit(2)


def _parameters(
    console: Console,
    folder: Path | None,
    reader: str | None,
    labels: str | None,
    file: Path | None,
) -> DataParams:
    from augflow.core.config import validate_section
    from augflow.data.params import DataParams
    from augflow.stages.check import require_possible
    from augflow.study.params import load

    if file is None and folder is None and PROJECT_FILE.exists():
        file = PROJECT_FILE
    content: dict = {}
    if file is not None:
        params = load(file)
        require_possible(params, file)
        content = params.data.model_dump()
    elif reader in (None, "folder", "label_studio"):
        content = _recognise(console, folder, reader)
    given = {"root": folder and str(folder), "reader": reader, "labels": labels}
    content |= {name: value for name, value in given.items() if value is not None}
    # the check reads files of any size; a size is only there because the section wants one
    content.setdefault("size", (8, 8))
    return validate_section(DataParams, content, "check-data")


def _recognise(console: Console, folder: Path | None, reader: str | None) -> dict[str, Any]:
    """How a folder is read that no parameters are given for; says what it is taken for."""
    from augflow.data.recognise import recognise

    if folder is None:
        raise ParamsError("check-data: nothing to check; name a folder, or a file with --params")
    found = recognise(folder)
    if reader not in (None, found.data.reader):
        raise DataError(
            f"{folder}: --reader {reader}, but it looks like {found.kind} ({found.why}); leave "
            "--reader out, or give a params.yaml with --params"
        )
    console.print(Text(f"taken for {found.kind}: {found.why}"))
    for note in found.notes:
        console.print(Text(f"note: {note}"))
    if found.data.classes:
        console.print(
            Text("classes are guessed from the labels; augflow init writes them for editing")
        )
    return found.data.model_dump()


def _print_faults(console: Console, source: SourceSet, rows: list[Fault], found: Report) -> None:
    if rows:
        table = Table()
        for column in ("", "where", "fault", "what to do"):
            table.add_column(column, overflow="fold")
        for row in rows:
            sign = _sign(source, row)
            cells = (on_one_line(text) for text in (row.where or "data set", row.what, row.remedy))
            table.add_row(sign, *(Text(cell) for cell in cells))
        console.print(table)
    count = len(found.faults)
    verdict = "no faults" if not count else f"{count} fault{'s' if count > 1 else ''}"
    left_out = len(found.left_out_facts())
    verdict += f"; {left_out} scene{'s' if left_out > 1 else ''} left out" if left_out else ""
    console.print(Text(f"{source.root}, read as {source.reader}: {verdict}"))


def _sign(source: SourceSet, row: Fault) -> Text:
    if not row.fatal:
        return Text("note", "yellow")
    if source.skip_faulty and row.where:
        return Text("left out", "yellow")
    return Text("fault", "bold red")


def _print_facts(console: Console, source: SourceSet, found: Report) -> None:
    if source.boundary_source == "instances":
        console.print("boundaries: from instance ids")
    else:
        console.print("boundaries: from class edges and connected components (no instance ids)")
    splits = list(found.counts)
    drives = {split: len({s.drive for s in source.of_split(split)}) for split in splits}
    table = Table("class", *splits)
    table.add_row("scenes (drives)", *(f"{found.counts[s]} ({drives[s]})" for s in splits))
    table.add_section()
    names = [*((row.train_id, row.name) for row in source.table.train_rows), (255, "ignored")]
    for index, name in names:
        shares = [found.pixels[s][index] / max(1, found.pixels[s].sum()) for s in splits]
        table.add_row(name, *(f"{share:.2%}" if share else "absent" for share in shares))
    console.print(table)
