"""`augflow select`: what of the project's synthetic sets is fit to train on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from augflow.cli.options import TrustConfig
from augflow.core.errors import ParamsError

if TYPE_CHECKING:
    from augflow.data.synthetic import Decision
    from augflow.study.project import Project


def select(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[SELECTION]", help="One of params.yaml's; else all of them."),
    ] = None,
    trust_config: TrustConfig = False,
) -> None:
    """Decides which photographs of a set, and which of their pixels, are fit to train on.

    The same as `dvc repro select@SELECTION`, but without asking whether anything has changed. What
    was decided about each photograph, and why, stands in `selection.csv` of the selected set.
    """
    from augflow.stages.runner import run_stage
    from augflow.study.project import Project

    project = Project(trust_config=trust_config)
    names = list(project.params.selections) if name is None else [name]
    if not names:
        raise ParamsError("params.yaml: selections: there are none; add a section")
    found = {}
    for one in names:
        _require(project, one)
        found[one] = run_stage(project, "select", one)
    _print(project, found)


def _require(project: Project, name: str) -> None:
    """What a selection reads, asked for before it is read."""
    section = project.params.selections.get(name)
    if section is None:
        return  # an unknown name is refused, with the known ones, where it is selected
    project.require("prepare", project.prepared_folder)
    project.require(f"judges@{section.judge}", project.judge_of(section.judge))
    project.require(f"synthesize@{section.set}", project.synthetic(section.set))
    if section.temperature == "chosen":
        project.require("choose", project.data / section.reads)


def _print(project: Project, found: Mapping[str, Sequence[Decision]]) -> None:
    from augflow.data.synthetic import REASONS

    table = Table(title="photographs kept, and why others were not")
    for column in ("selection", "of", "kept", "labels kept", "dropped for"):
        words = column in ("selection", "dropped for")
        table.add_column(column, justify="left" if words else "right")
    for name, decisions in found.items():
        reasons = Counter(one.reason for one in decisions)
        shares = [one.trusted for one in decisions if one.kept]
        dropped = ", ".join(f"{one} {reasons[one]}" for one in REASONS if reasons[one])
        table.add_row(
            name,
            str(len(decisions)),
            str(reasons[""]),
            f"{sum(shares) / max(len(shares), 1):.0%}",
            dropped,
        )
    Console().print(table)
    for name in found:
        typer.echo(f"{name}: selected, in {project.selected_folder(name)}")
