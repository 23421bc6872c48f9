"""`augflow interpolate`: photographs along a path between two latents."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from augflow.cli.synth import (
    TEMPERATURE,
    Boundary,
    Frames,
    Generator,
    LabelKind,
    Labels,
    Layouts,
    default_generator,
    no_temperature,
)


class PathForm(StrEnum):
    """How to get from one latent to another."""

    spherical = "spherical"
    linear = "linear"


def interpolate(
    layouts: Layouts,
    start: Annotated[
        str, typer.Option("--from", metavar="IMG|seed:N", help="A photograph, or seed:N.")
    ],
    end: Annotated[
        str, typer.Option("--to", metavar="IMG|seed:N", help="A photograph, or seed:N.")
    ],
    steps: Annotated[int, typer.Option(min=2, help="Photographs, both ends included.")] = 9,
    path: Annotated[
        PathForm,
        typer.Option(help="spherical: draws keep their length; linear: a straight line."),
    ] = PathForm.spherical,
    temp: Annotated[
        float | None,
        typer.Option(min=0, max=2, help="Temperature of the seeds' draws; 0.8 where not given."),
    ] = None,
    from_layout: Annotated[
        Path | None, typer.Option(help="Label map of --from; else the one beside the photograph.")
    ] = None,
    to_layout: Annotated[
        Path | None, typer.Option(help="Label map of --to; else the one beside the photograph.")
    ] = None,
    generator: Generator = None,
    boundary: Boundary = None,
    labels: Labels = LabelKind.auto,
    frames: Frames = False,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("interpolated"),
) -> None:
    """Makes photographs along a path between two latents, for each layout.

    Photographs are encoded under their own layouts, which flows alone can do; seeds are those of a
    manifest's column seed, or any.
    """
    from augflow.tools.contents import end_of
    from augflow.tools.interpolate import Way
    from augflow.tools.interpolate import interpolate as make
    from augflow.tools.synth import STRIPS

    ends = (
        end_of(start, from_layout, "--from", "--from-layout"),
        end_of(end, to_layout, "--to", "--to-layout"),
    )
    if all(one.seed is None for one in ends):
        no_temperature(temp, "both ends are photographs")
        degree = 1.0
    else:
        degree = TEMPERATURE if temp is None else temp
    rows = make(
        Way(*ends, steps, path.value, degree), layouts, generator or default_generator(), out,
        frames=frames, labels=labels.value, maps=boundary,
    )  # fmt: skip
    typer.echo(f"{len(rows)} photographs in {out}; look at {out / STRIPS}")
