"""`augflow synth`: labelled photographs for a folder of label maps."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LabelKind(StrEnum):
    """What label maps hold."""

    auto = "auto"
    train_ids = "train_ids"
    label_ids = "label_ids"
    colours = "colours"


Layouts = Annotated[
    Path, typer.Option(help="A label map (ids or colours, PNG), or a folder of them.")
]
Generator = Annotated[
    Path | None, typer.Option(help="Folder of a trained generator; else the project's first.")
]
Boundary = Annotated[
    Path | None,
    typer.Option(help="Boundary maps or 16-bit instance ids of the layouts: a folder, or a file."),
]
Labels = Annotated[LabelKind, typer.Option(help="What the label maps hold.")]
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
Frames = Annotated[
    bool, typer.Option("--frames", help="Also write a video (MP4) and an animated picture (PNG).")
]

TEMPERATURE = 0.8


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
    labels: Labels = LabelKind.auto,
    frames: Frames = False,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("synthetic"),
) -> None:
    """Makes labelled photographs for label maps: photos, labels, a manifest, a contact sheet."""
    from augflow.core.errors import ParamsError
    from augflow.tools.contents import end_of
    from augflow.tools.synth import SHEET, synth_from
    from augflow.tools.synth import synth as make

    asked = asked_for(has or (), lacks or ())
    if latent_from is not None:
        _no_choice_of_noise(samples, seed, same_noise)
        end = end_of(latent_from, latent_layout, "--latent-from", "--latent-layout")
        if end.seed is None:
            no_temperature(temp, "--latent-from is a photograph")
        rows = synth_from(
            end, layouts, generator or default_generator(), out, frames=frames,
            temperature=TEMPERATURE if temp is None else temp, labels=labels.value, maps=boundary,
            attributes=asked,
        )  # fmt: skip
    elif latent_layout is not None:
        raise ParamsError("--latent-layout: give the photograph it belongs to with --latent-from")
    else:
        rows = make(
            layouts, generator or default_generator(), out, frames=frames, same_noise=same_noise,
            temperature=TEMPERATURE if temp is None else temp, samples=samples or 1,
            seed=seed or 0, labels=labels.value, maps=boundary, attributes=asked,
        )  # fmt: skip
    typer.echo(f"{len(rows)} photographs in {out}; look at {out / SHEET}")


def asked_for(has: Sequence[str], lacks: Sequence[str]) -> dict[str, bool]:
    """The attributes of `--with` and `--without`.

    Raises:
        ParamsError: one is asked for and not.
    """
    from augflow.core.errors import ParamsError

    both = sorted(set(has) & set(lacks))
    if both:
        raise ParamsError(f"--with {both[0]} and --without {both[0]}: leave one of them out")
    return {**dict.fromkeys(has, True), **dict.fromkeys(lacks, False)}


def no_temperature(temp: float | None, why: str) -> None:
    """Refuses a temperature where nothing is drawn.

    Raises:
        ParamsError: one is given.
    """
    from augflow.core.errors import ParamsError

    if temp is not None:
        raise ParamsError(
            f"--temp {temp:g}: {why}, whose latents are taken as they are; leave --temp out"
        )


def _no_choice_of_noise(samples: int | None, seed: int | None, same_noise: bool) -> None:
    from augflow.core.errors import ParamsError

    given = {"--samples": samples is not None, "--seed": seed is not None,
             "--same-noise": same_noise}  # fmt: skip
    clashing = [option for option, there in given.items() if there]
    if clashing:
        raise ParamsError(
            f"--latent-from and {', '.join(clashing)}: the latents are given and the same for all "
            "layouts; leave one of them out"
        )


def default_generator() -> Path:
    """The first generator of the project in the current folder.

    Raises:
        ParamsError: there is no project here.
    """
    from augflow.core.errors import ParamsError
    from augflow.study.project import Project

    if not Path("params.yaml").exists():
        raise ParamsError("no params.yaml here: give the generator's folder with --generator")
    project = Project()
    return project.generator(next(iter(project.params.generators)))
