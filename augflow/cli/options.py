"""Options that several commands share, and what stands for them where they are not given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from augflow.core.errors import ParamsError

if TYPE_CHECKING:
    from augflow.data.synthetic import SetRow

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
FitShape = Annotated[
    Literal["crop", "pad", "stretch"],
    typer.Option(
        "--fit",
        help="Layouts of another shape than the generator's: their middle, all of them with a "
        "margin of no class, or squashed as prepared scenes are.",
    ),
]
Frames = Annotated[bool, typer.Option("--frames", help="Also write an animated picture (PNG).")]
Out = Annotated[Path, typer.Option(help="Folder to write.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what an earlier run wrote there.")
]
Append = Annotated[
    bool,
    typer.Option("--append", help="Add to the set that is there: further layouts, seeds, ..."),
]
TrustConfig = Annotated[
    bool,
    typer.Option(
        "--trust-config",
        help="Saved networks may name modules and files, which run or are opened: you have read "
        "their config.json. Else what trust_config in params.yaml says.",
    ),
]


def default_folder(kind: Literal["generator", "predictor"]) -> Path:
    """The folder of the first generator or predictor of the project in the current folder.

    Where there is no project, or it is of painted streets and has trained none yet, it is the
    generator that comes with augflow; says so.

    Raises:
        ParamsError: there is no project here, or it has no predictor.
    """
    from augflow.study.project import PACKAGED, Project

    if kind == "generator" and not Path("params.yaml").exists():
        return _say_packaged("no project here", PACKAGED)
    require_project(f"give the {kind}'s folder with --{kind}")
    project = Project()
    names = list(getattr(project.params, f"{kind}s"))
    if not names:
        raise ParamsError(
            f"params.yaml: {kind}s: names none; add one, or give a folder with --{kind}"
        )
    folder = Path(getattr(project, kind)(names[0]))
    painted = project.params.data.reader == "streets"
    if kind == "generator" and painted and not folder.exists():
        return _say_packaged(f"{folder} is not trained yet", PACKAGED)
    return folder


def _say_packaged(why: str, folder: Path) -> Path:
    typer.echo(f"{why}: painting with augflow's own generator of painted streets", err=True)
    return folder


def require_project(instead: str) -> None:
    """Goes on where the current folder is a project's.

    Raises:
        ParamsError: it is not; says what to do instead.
    """
    if not Path("params.yaml").exists():
        raise ParamsError(f"no params.yaml here: {instead}")


def older_set(overwrite: bool, append: bool) -> Literal["refuse", "overwrite", "append"]:
    """What becomes of a set that is in the folder to write.

    Raises:
        ParamsError: it is to be replaced and added to.
    """
    if overwrite and append:
        raise ParamsError("--overwrite and --append: leave one of them out")
    return "overwrite" if overwrite else "append" if append else "refuse"


def refuse_options(given: Mapping[str, object], why: str) -> None:
    """Goes on where none of some options is given; `why` says what is wrong with them, as `{}`.

    Raises:
        ParamsError: some are given.
    """
    there = [option for option, value in given.items() if value is not None and value is not False]
    if there:
        raise ParamsError(why.format(", ".join(there)))


def no_temperature(temp: float | None, why: str) -> None:
    """Goes on where no temperature is given, as nothing is drawn.

    Raises:
        ParamsError: one is given.
    """
    if temp is not None:
        raise ParamsError(
            f"--temp {temp:g}: {why}, whose latents are taken as they are; leave --temp out"
        )


def wide_console() -> Console:
    """A console that wraps on a terminal and keeps each row on one line elsewhere."""
    console = Console()
    return console if console.is_terminal else Console(width=1000)


def say_what_was_made(rows: Sequence[SetRow], out: Path, look_at: str) -> None:
    """The last line of a command that has written a set: how much, what, where."""
    layouts = len({row.layout for row in rows})
    typer.echo(
        f"{_count(len(rows), 'photograph')} of {_count(layouts, 'layout')} in {out}, with label "
        f"maps and manifest.csv; look at {out / look_at}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
