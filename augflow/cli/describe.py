"""`augflow describe`: what a generator is made of, and what a training step costs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console
from rich.table import Table

from augflow.core.errors import ParamsError, suggest

if TYPE_CHECKING:
    from augflow.core.config import Memory as Mode
    from augflow.training.profile import Description, Memory

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def describe(
    system: Annotated[
        str,
        typer.Argument(
            help="full_glow, c_glow, dual_glow, c_flow, caflow, glow, cglow, "
            "caglow, crn, imle, pix2pix."
        ),
    ],
    preset: Annotated[str, typer.Option(help="One of its presets.")],
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Height and width; else the preset's.")
    ] = None,
    classes: Annotated[
        str, typer.Option(metavar="TABLE", help="The class table of the layouts.")
    ] = "cityscapes",
    batch: Annotated[int, typer.Option(min=1, help="Rows of the training step.")] = 1,
    memory: Annotated[
        str,
        typer.Option(metavar="MODE", help="training.memory: store, checkpoint or reversible."),
    ] = "store",
    fit: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Free memory, as 11GiB: how many rows fit at once?"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Exact numbers as JSON.")] = False,
) -> None:
    """Prints parameters, latent shapes, operations and peak memory of a training step."""
    from augflow.data.classes import table
    from augflow.training import profile

    known: dict[str, Mode] = {mode: mode for mode in get_args(profile.Mode)}
    if memory not in known:
        raise ParamsError(f"--memory: no {memory!r}; {suggest(memory, list(known))}")
    free = None if fit is None else memory_size(fit)
    asked = (system, preset, table(classes), None if size is None else sides(size))
    generator = profile.on_meta(*asked)
    found = profile.describe_generator(generator, system, preset, batch, known[memory])
    modes = profile.modes(generator)
    needed = {
        mode: found.memory if mode == memory else profile.step_memory(generator, batch, mode)
        for mode in modes
    }
    rows = {} if free is None else {m: profile.fitting_rows(generator, m, free) for m in modes}
    if as_json:
        by_mode = {m: {"activations": n.activations, "total": n.total} for m, n in needed.items()}
        fits = {} if free is None else {"fit": {"bytes": free, "rows": rows}}
        print(json.dumps({**found.facts(), "memory_by_mode": by_mode, **fits}, indent=2))
    else:
        _print(found)
        _print_modes(found, needed, rows, fit)


def sides(text: str) -> tuple[int, int]:
    """Height and width of `HxW`.

    Raises:
        ParamsError: not of that form.
    """
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) for part in parts):
        raise ParamsError(f"--size: expected height x width as 256x512, got {text!r}")
    return int(parts[0]), int(parts[1])


def memory_size(text: str, option: str = "--fit") -> int:
    """The bytes of a size with a binary unit, as `11GiB`; `option` is where it was given.

    Raises:
        ParamsError: not of that form.
    """
    form = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?(B|KiB|MiB|GiB|TiB)", text.strip())
    if form is None:
        raise ParamsError(f"{option}: expected a size as 11GiB or 512MiB, got {text!r}")
    return int(float(form[1]) * 1024 ** _UNITS.index(form[2]))


def _print(found: Description) -> None:
    from augflow.core.hardware import binary

    height, width = found.size
    table = Table(title=f"{found.system} {found.preset}, {height}x{width}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("parameters", short(found.parameters))
    for part, count in found.parts.items():
        table.add_row(f"  {part}", short(count))
    table.add_section()
    for number, shape in enumerate(found.latents, start=1):
        # a style is no level's: it has no height and width
        what = f"latents of level {number}" if len(shape) > 1 else "style of the image"
        table.add_row(what, " x ".join(map(str, shape)))
    table.add_section()
    table.add_row("operations of a training step", f"{short(found.flops)}FLOP")
    table.add_row("  forward", f"{short(found.flops_forward)}FLOP")
    table.add_section()
    memory = found.memory
    table.add_row("memory of a training step", binary(memory.total))
    for part in ("weights", "gradients", "moments", "activations"):
        label = {"moments": "Adam moments"}.get(part, part)
        table.add_row(f"  {label}", binary(getattr(memory, part)))
    console = Console()
    console.print(table)
    held = f"training.memory: {found.mode}"
    console.print(f"a training step at batch {found.batch} in float32, {held}")
    console.print("memory at its peak, gradients of rows before it in place")


def _print_modes(
    found: Description, needed: Mapping[Mode, Memory], rows: Mapping[Mode, int], fit: str | None
) -> None:
    """A row per mode, where there is a choice of modes or a size to fit in."""
    from augflow.core.hardware import binary
    from augflow.training.memory import USABLE
    from augflow.training.profile import MOST_ROWS

    console = Console()
    if len(needed) == 1:
        console.print("without the networks that only judge photographs")
    if len(needed) > 1 or fit:
        table = Table(title=f"memory at batch {found.batch}")
        columns = ("training.memory", "activations", "in all", *([f"rows in {fit}"] if fit else []))
        for column in columns:
            table.add_column(column, justify="left" if column == columns[0] else "right")
        for mode, memory in needed.items():
            cells = [mode, binary(memory.activations), binary(memory.total)]
            if fit:
                most = rows[mode] == MOST_ROWS
                cells.append(f"{rows[mode]} or more" if most else str(rows[mode]))
            table.add_row(*cells)
        console.print(table)
    if fit:
        console.print(
            f"rows: the largest training.micro_batch that fills at most {USABLE:.0%} of it"
        )


def short(count: int) -> str:
    """With a decimal prefix: 155.3 M."""
    power = 0
    while count >= 1000 ** (power + 1) and power < 4:
        power += 1
    return f"{count / 1000**power:.4g} {('', 'k', 'M', 'G', 'T')[power]}"
