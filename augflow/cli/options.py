"""Options that several commands share, and what stands for them where they are not given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.console import Console

TEMPERATURE = 0.8

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
Labels = Annotated[
    Literal["auto", "train_ids", "label_ids", "colours"],
    typer.Option(help="What the label maps hold."),
]
Frames = Annotated[bool, typer.Option("--frames", help="Also write an animated picture (PNG).")]
Out = Annotated[Path, typer.Option(help="Folder to write.")]
TrustConfig = Annotated[
    bool,
    typer.Option(
        "--trust-config",
        help="Saved networks may name modules and files, which run or are opened: you have read "
        "their config.json. Else what trust_config in params.yaml says.",
    ),
]


def default_generator() -> Path:
    """The first generator of the project in the current folder.

    Raises:
        ParamsError: there is no project here.
    """
    from augflow.study.project import Project

    require_project("give the generator's folder with --generator")
    project = Project()
    return project.generator(next(iter(project.params.generators)))


def require_project(instead: str) -> None:
    """Goes on where the current folder is a project's.

    Raises:
        ParamsError: it is not; says what to do instead.
    """
    from augflow.core.errors import ParamsError

    if not Path("params.yaml").exists():
        raise ParamsError(f"no params.yaml here: {instead}")


def no_temperature(temp: float | None, why: str) -> None:
    """Goes on where no temperature is given, as nothing is drawn.

    Raises:
        ParamsError: one is given.
    """
    from augflow.core.errors import ParamsError

    if temp is not None:
        raise ParamsError(
            f"--temp {temp:g}: {why}, whose latents are taken as they are; leave --temp out"
        )


def wide_console() -> Console:
    """A console that wraps on a terminal and keeps each row on one line elsewhere."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=1000)
