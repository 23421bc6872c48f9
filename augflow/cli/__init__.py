"""The command line: one file per command; heavy imports wait until a command runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer

from augflow.cli.errors import report_faults
from augflow.core import __version__

# in the order of use; each is `augflow.cli.<module>` with a function of that name
COMMANDS = (
    "init",
    "check_data",
    "params",
    "estimate",
    "repro",
    "train",
    "import_weights",
    "edit_layout",
    "layouts",
    "synth",
    "interpolate",
    "transfer",
    "explain",
    "replay",
    "export",
    "check_leaks",
    "predict",
    "select",
    "score",
    "report",
    "verify",
    "describe",
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Label maps in, labelled photographs out, and evidence of whether training on them helps.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"augflow {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command that the arguments name."""
    app()


def _one_line_faults(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with report_faults():
            return command(*args, **kwargs)

    return wrapper


for _name in COMMANDS:
    _command = getattr(import_module(f"augflow.cli.{_name}"), _name)
    app.command(_name.replace("_", "-"))(_one_line_faults(_command))
