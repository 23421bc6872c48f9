"""`augflow synth`: labelled photographs for a folder of label maps."""

from __future__ import annotations

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


Layouts = Annotated[Path, typer.Option(help="Folder of label maps: ids or colours, PNG.")]
Generator = Annotated[
    Path | None, typer.Option(help="Folder of a trained generator; else the project's first.")
]
Boundary = Annotated[
    Path | None, typer.Option(help="Folder of boundary maps or 16-bit instance ids of the layouts.")
]
Labels = Annotated[LabelKind, typer.Option(help="What the label maps hold.")]


def synth(
    layouts: Layouts,
    temp: Annotated[float, typer.Option(min=0, max=2, help="Temperature.")] = 0.8,
    generator: Generator = None,
    samples: Annotated[int, typer.Option(min=1, help="Photographs per layout.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    boundary: Boundary = None,
    labels: Labels = LabelKind.auto,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("synthetic"),
) -> None:
    """Makes labelled photographs for label maps: photos, labels, a manifest, a contact sheet."""
    from augflow.stages.synth import SHEET
    from augflow.stages.synth import synth as make

    rows = make(
        layouts, generator or default_generator(), out, temperature=temp, samples=samples,
        seed=seed, labels=labels.value, maps=boundary,
    )  # fmt: skip
    typer.echo(f"{len(rows)} photographs in {out}; look at {out / SHEET}")


def default_generator() -> Path:
    """The first generator of the project in the current folder.

    Raises:
        ParamsError: there is no project here.
    """
    from augflow.errors import ParamsError
    from augflow.project import Project

    if not Path("params.yaml").exists():
        raise ParamsError("no params.yaml here: give the generator's folder with --generator")
    project = Project()
    return project.generator(next(iter(project.params.generators)))
