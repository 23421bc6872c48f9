"""`augflow describe`: what a generator is made of, and what a training step costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from augflow.describing import Description


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
    as_json: Annotated[bool, typer.Option("--json", help="Exact numbers as JSON.")] = False,
) -> None:
    """Prints parameters, latent shapes, operations and memory of a training step at batch 1."""
    from augflow.classes import table
    from augflow.describing import describe as describe_system

    found = describe_system(system, preset, table(classes), None if size is None else sides(size))
    if as_json:
        print(json.dumps(found.facts(), indent=2))
    else:
        _print(found)


def sides(text: str) -> tuple[int, int]:
    """Height and width of `HxW`.

    Raises:
        ParamsError: not of that form.
    """
    from augflow.errors import ParamsError

    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) for part in parts):
        raise ParamsError(f"--size: expected height x width as 256x512, got {text!r}")
    return int(parts[0]), int(parts[1])


def _print(found: Description) -> None:
    from rich.console import Console
    from rich.table import Table

    height, width = found.size
    table = Table(title=f"{found.system} {found.preset}, {height}x{width}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("parameters", _short(found.parameters))
    for part, count in found.parts.items():
        table.add_row(f"  {part}", _short(count))
    table.add_section()
    for number, shape in enumerate(found.latents, start=1):
        table.add_row(f"latents of level {number}", " x ".join(map(str, shape)))
    table.add_section()
    table.add_row("operations of a training step", f"{_short(found.flops)}FLOP")
    table.add_row("  forward", f"{_short(found.flops_forward)}FLOP")
    table.add_section()
    memory = found.memory
    table.add_row("memory of a training step", _bytes(memory.total))
    for part in ("weights", "gradients", "moments", "activations"):
        label = {"moments": "Adam moments", "activations": "saved activations"}.get(part, part)
        table.add_row(f"  {label}", _bytes(getattr(memory, part)))
    console = Console()
    console.print(table)
    console.print("a training step at batch 1 in float32, without recomputation")


def _short(count: int) -> str:
    """With a decimal prefix: 155.3 M."""
    return _scaled(count, 1000, ("", "k", "M", "G", "T"))


def _bytes(count: int) -> str:
    """With a binary unit: 4.67 GiB."""
    return _scaled(count, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def _scaled(count: int, base: int, units: tuple[str, ...]) -> str:
    power = 0
    while count >= base ** (power + 1) and power < len(units) - 1:
        power += 1
    return f"{count / base**power:.4g} {units[power]}"
