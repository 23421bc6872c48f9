"""`augflow interpolate`: photographs along a path between two latents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from augflow.cli.options import (
    TEMPERATURE,
    Boundary,
    FitShape,
    Frames,
    Generator,
    Labels,
    Layouts,
    Out,
    Overwrite,
    default_folder,
    no_temperature,
    older_set,
    say_what_was_made,
)


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
        Literal["spherical", "linear"],
        typer.Option(help="spherical: draws keep their length; linear: a straight line."),
    ] = "spherical",
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
    labels: Labels = "auto",
    fit: FitShape = "crop",
    frames: Frames = False,
    out: Out = Path("interpolated"),
    overwrite: Overwrite = False,
) -> None:
    """Makes photographs along a path between two latents, for each layout.

    Photographs are encoded under their own layouts, which flows alone can do; seeds are those of a
    manifest's column seed, or any.
    """
    from augflow.tools.latent_sources import latent_source
    from augflow.tools.synth import STRIPS, InterpolationSpec
    from augflow.tools.synth import interpolate as make

    ends = (
        latent_source(start, from_layout, "--from", "--from-layout"),
        latent_source(end, to_layout, "--to", "--to-layout"),
    )
    if all(one.seed is None for one in ends):
        no_temperature(temp, "both ends are photographs")
        degree = 1.0
    else:
        degree = TEMPERATURE if temp is None else abs(temp)  # -0 is 0
    rows = make(
        InterpolationSpec(*ends, steps, path, degree),
        layouts,
        generator or default_folder("generator"),
        out,
        frames=frames,
        labels=labels,
        fit=fit,
        maps=boundary,
        older=older_set(overwrite, append=False),
    )
    say_what_was_made(rows, out, STRIPS)
