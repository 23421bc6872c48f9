"""`augflow synth`: labelled photographs for a folder of label maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from augflow.cli.options import (
    TEMPERATURE,
    Append,
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
    refuse_options,
    say_what_was_made,
)
from augflow.core.errors import ParamsError

With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="ATTRIBUTE",
        help="What photographs shall be: dark or bright (CAGlow). May be given again.",
    ),
]
Without = Annotated[
    list[str] | None, typer.Option("--without", metavar="ATTRIBUTE", help="What they shall not be.")
]


def synth(
    layouts: Layouts,
    temp: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=2,
            help="Temperature of the noise; 0.8 where not given. The latents of a photograph "
            "(--latent-from) have none.",
        ),
    ] = None,
    generator: Generator = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Photographs per layout; 1 where not given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the noise; 0 where not given.")] = None,
    same_noise: Annotated[
        bool, typer.Option("--same-noise", help="The same noise, and so style, for all layouts.")
    ] = False,
    latent_from: Annotated[
        str | None,
        typer.Option(
            metavar="IMG|seed:N",
            help="Latents for all layouts: those of a photograph, or of a manifest's seed.",
        ),
    ] = None,
    latent_layout: Annotated[
        Path | None, typer.Option(help="The photograph's label map; else the one beside it.")
    ] = None,
    has: With = None,
    lacks: Without = None,
    boundary: Boundary = None,
    labels: Labels = "auto",
    fit: FitShape = "crop",
    frames: Frames = False,
    out: Out = Path("synthetic"),
    overwrite: Overwrite = False,
    append: Append = False,
) -> None:
    """Makes labelled photographs for label maps: photos, labels, a manifest, a contact sheet."""
    from augflow.data.label_maps import SHEET
    from augflow.tools.latent_sources import latent_source
    from augflow.tools.synth import synth as make
    from augflow.tools.synth import synth_from

    options: dict[str, Any] = {
        "temperature": TEMPERATURE if temp is None else abs(temp),  # -0 is 0
        "frames": frames,
        "labels": labels,
        "fit": fit,
        "maps": boundary,
        "attributes": asked_for(has or (), lacks or ()),
        "older": older_set(overwrite, append),
    }

    def folder() -> Path:
        return generator or default_folder("generator")

    if latent_from is not None:
        refuse_options(
            {"--samples": samples, "--seed": seed, "--same-noise": same_noise},
            "--latent-from and {}: the latents are given and the same for all layouts; leave one "
            "of them out",
        )
        end = latent_source(latent_from, latent_layout, "--latent-from", "--latent-layout")
        if end.seed is None:
            no_temperature(temp, "--latent-from is a photograph")
        rows = synth_from(end, layouts, folder(), out, **options)
    elif latent_layout is not None:
        raise ParamsError("--latent-layout: give the photograph it belongs to with --latent-from")
    else:
        noise: dict[str, Any] = {"samples": samples or 1, "seed": seed or 0}
        rows = make(layouts, folder(), out, same_noise=same_noise, **noise, **options)
    say_what_was_made(rows, out, SHEET)


def asked_for(has: Sequence[str], lacks: Sequence[str]) -> dict[str, bool]:
    """The attributes of `--with` and `--without`.

    Raises:
        ParamsError: one is asked for and not.
    """
    both = sorted(set(has) & set(lacks))
    if both:
        raise ParamsError(f"--with {both[0]} and --without {both[0]}: leave one of them out")
    return {**dict.fromkeys(has, True), **dict.fromkeys(lacks, False)}
