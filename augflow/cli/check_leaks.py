"""`augflow check-leaks`: is a validation scene in anything that is trained on?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from augflow.cli.options import wide_console

if TYPE_CHECKING:
    from augflow.stages.leaks import Findings, Leak


def check_leaks(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write all of it to a JSON file.")
    ] = None,
) -> None:
    """Lists what validation scenes share with what is trained on; exits 0 if nothing, else 1.

    Looks at the prepared scenes of the project and at all sets that are there. A second table says
    how near the sets come to training photographs, beside unseen real photographs.
    """
    from augflow.stages.leaks import find_leaks, trained_sets
    from augflow.study.project import Project

    project = Project()
    project.require("prepare", project.prepared_folder)
    names = [*project.params.sets, *project.params.transfers]
    sets = {name: project.synthetic(name) for name in names if project.synthetic(name).exists()}
    trained_on = trained_sets(project.params) & set(sets)
    found = find_leaks(project.prepared_folder, sets, trained_on, threads=project.params.threads)
    if out is not None:
        found.record.write(out)
    _print_leaks(found.leaks)
    _print_distances(found)
    for name in sorted(trained_sets(project.params) - set(sets)):
        typer.echo(f"{name}: not there yet, so not looked at")
    if found.leaks:
        raise typer.Exit(1)


def _print_leaks(leaks: tuple[Leak, ...]) -> None:
    if leaks:
        table = Table("trained on", "name", "validation scene", "shares", "likeness", "mirrored")
        for leak in leaks:
            known = leak.likeness is not None
            table.add_row(
                Text(leak.pool),
                Text(leak.name),
                Text(leak.val),
                leak.shares,
                f"{leak.likeness:.2f}" if known else "",
                "yes" if leak.mirrored else "",
            )
        wide_console().print(table)
    count = len(leaks)
    typer.echo("no leaks" if not count else f"{count} leak{'s' if count > 1 else ''}")


def _print_distances(found: Findings) -> None:
    record = found.record.content()
    columns = ["least", *(f"{quantile:.0%}" for quantile in record["quantiles"][1:-1]), "most"]
    table = Table(
        "distance to training", *columns, "nearer than any val", "nearer than 1 % of val", "copies"
    )
    table.add_row("val", *_numbers(record["val"]["distances"]), "", "", "")
    for name, row in record["sets"].items():
        table.add_row(
            Text(name),
            *_numbers(row["distances"]),
            f"{row['nearer_than_any_val']:.1%}",
            f"{row['nearer_than_1_percent_of_val']:.1%}",
            str(len(row["copies"])),
        )
    wide_console().print(table)


def _numbers(values: list[float]) -> list[str]:
    return [f"{value:.3f}" for value in values]
