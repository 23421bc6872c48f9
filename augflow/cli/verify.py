"""`augflow verify`: whether a study still holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from augflow.verifying import Check

_MOST = 20
"""Lines of one check that are printed; the JSON file holds all."""


def verify(
    level: Annotated[
        int,
        typer.Option(min=0, max=1, help="0: all is as recorded; 1: a little is also made again."),
    ] = 0,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where all findings are written, too.")
    ] = None,
) -> None:
    """Checks a study; exits 0 when it holds, 1 when it does not, 2 when it cannot be checked."""
    from rich.console import Console

    from augflow import files
    from augflow.project import Project
    from augflow.verifying import EXIT_CODES, state_of
    from augflow.verifying import verify as verified

    console = Console()
    found = verified(Project(), 1 if level else 0)
    checks = _as_table(console, found) if console.is_terminal else _as_lines(found)
    state = state_of(checks)
    hint = "; dvc repro makes what is absent" if state == "cannot be checked" else ""
    console.print(f"level {level}: {state}{hint}", style="bold", highlight=False)
    if json is not None:
        content = {"level": level, "state": state, "checks": [check.facts() for check in checks]}
        files.write_json(json, content)
    raise typer.Exit(EXIT_CODES[state])


def _as_table(console: Console, found: Iterable[Check]) -> list[Check]:
    from rich.table import Table
    from rich.text import Text

    colours = {"holds": "green", "does not hold": "bold red", "cannot be checked": "yellow"}
    table = Table("check", "", "compared", "not as recorded", "absent")
    checks = []
    with console.status("verifying") as status:
        for check in found:
            checks.append(check)
            status.update(f"verifying: {check.title} is done")
            numbers = (check.compared, len(check.violations), len(check.absent))
            state = Text(check.state, colours[check.state])
            table.add_row(check.title, state, *(str(number) for number in numbers))
    console.print(table)
    for check in checks:
        for line in _details(check):
            console.print(Text(f"{check.title}: {line}"))
    return checks


def _as_lines(found: Iterable[Check]) -> list[Check]:
    """A line per check as soon as it is done, and one per finding."""
    checks = []
    for check in found:
        checks.append(check)
        print(f"{check.title}: {check.state} ({check.compared} compared)", flush=True)
        for line in _details(check):
            print(f"  {line}", flush=True)
    return checks


def _details(check: Check) -> list[str]:
    lines = [str(violation) for violation in check.violations]
    if len(lines) > _MOST:
        lines = [*lines[:_MOST], f"and {len(lines) - _MOST} more, see --json"]
    if check.absent:
        more = f" and {len(check.absent) - 3} more" if len(check.absent) > 3 else ""
        lines.append(f"absent: {', '.join(check.absent[:3])}{more}")
    return [*lines, *check.notes]
