"""`augflow estimate`: what a study will take in time, memory and disk, before any of it is done."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from augflow.cli.describe import memory_size, short

if TYPE_CHECKING:
    from augflow.estimate import Estimate, StageRow, Total


def estimate(
    as_json: Annotated[bool, typer.Option("--json", help="Exact numbers as JSON.")] = False,
    timing: Annotated[
        bool,
        typer.Option(
            "--timing/--no-timing",
            help="Do small pieces of the work to see how fast this machine is; else no seconds.",
        ),
    ] = True,
    jobs: Annotated[
        int, typer.Option(min=1, help="Stages that run at once, as JOBS of `make repro`.")
    ] = 1,
    disk: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Free room of a disk to ask about, as 500GiB; else here."
        ),
    ] = None,
) -> None:
    """Prints what each stage of the project takes; exits 2 if the disk cannot hold it."""
    from augflow.estimate import estimate_study
    from augflow.study.project import Project

    free = None if disk is None else memory_size(disk, "--disk")
    found = estimate_study(Project(), timed=timing, jobs=jobs, free=free)
    if as_json:
        print(json.dumps(found.facts(), indent=2))
    else:
        _print(found, timing, jobs)
    found.check_disk_space()


def _print(found: Estimate, timing: bool, jobs: int) -> None:
    from augflow.core.hardware import binary

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    table = Table(title=f"{found.study}: an estimate")
    table.add_column("stage")
    for column in ("operations", "time", "memory", "disk", "DVC cache", "to resume"):
        table.add_column(column, justify="right")
    table.add_column("")
    for row in found.rows:
        table.add_row(*_cells(row, found.copies))
    table.add_section()
    for name, total in (("all", found.total), ("not made yet", found.left)):
        table.add_row(name, *_total_cells(total))
    console.print(table)
    for text in _how(found, timing, jobs):
        console.print(text, soft_wrap=True)
    for disk in found.disks:
        needed, free = binary(disk.needed), binary(disk.free)
        console.print(f"{disk.folder}: {needed} to be written to its disk, {free} free")
    for text in found.missing:
        console.print(f"not known: {text}", soft_wrap=True)


def _cells(row: StageRow, copies: bool) -> list[str]:
    from augflow.core.hardware import binary

    disk = "?" if row.disk is None else binary(row.disk.size)
    cached = "?" if row.disk is None else binary(row.in_cache(copies))
    return [
        row.stage,
        "?" if row.operations is None else short(row.operations),
        duration(row.seconds),
        "?" if row.memory is None else binary(row.memory),
        f"over {disk}" if row.least else disk,
        cached if row.cached else "",
        binary(row.state) if row.state else "",
        "made" if row.made else "",
    ]


def _total_cells(total: Total) -> list[str]:
    from augflow.core.hardware import binary

    sizes = (total.memory, total.disk, total.cache, total.resume)
    return [short(total.operations), duration(total.seconds), *map(binary, sizes)]


def _how(found: Estimate, timing: bool, jobs: int) -> list[str]:
    """How the numbers were made."""
    at_once = "the stage that takes most" if jobs == 1 else f"the {jobs} stages that take most"
    lines = [
        "operations: products and sums of convolutions and matrix products, counted on the "
        "study's own networks and code; nothing is learned for it",
        f"memory: of a process at its peak, in float32; of all stages, {at_once}",
        "disk: weights are counted, photographs and maps measured on scenes; to resume: states of "
        f"trainings, gone when they are done; of all stages, {at_once}",
    ]
    if timing:
        lines.append(
            "time: an estimate, by how fast this machine did small pieces of the same work just "
            "now; without DVC's own work, pages of samples, comparing images (leaks, "
            "diversity) and the report; "
            "stages one after the other"
        )
    if not found.copies:
        lines.append("DVC links files to its cache here, which takes no second copy")
    return lines


def duration(seconds: float | None) -> str:
    """A time as people say it: 45 s, 12 min, 3.5 h, 12 days."""
    if seconds is None:
        return "?"
    for unit, size, most in (("s", 1, 90), ("min", 60, 90 * 60), ("h", 3600, 48 * 3600)):
        if seconds < most:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds / 86400:.3g} days"
