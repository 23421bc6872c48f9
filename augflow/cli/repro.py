"""`augflow repro`: the whole study, and how far it has come."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from augflow.cli.estimate import duration
from augflow.core.errors import AugflowError

if TYPE_CHECKING:
    from rich.progress import Progress

    from augflow.tools.repro import RunningStage, State

_QUIET = 60.0
"""Seconds from one line about a running stage to the next, where there is no terminal."""


class StageFaultError(AugflowError):
    """A stage has ended with a fault."""


def repro(
    jobs: Annotated[
        int,
        typer.Option(min=1, help="Stages that run at once; each has a core's worth of work."),
    ] = 2,
) -> None:
    """Makes all of a study that is not up to date, several stages at once, as `dvc repro` would.

    Stopped or killed and started again, it goes on. What each stage says is in .augflow/logs.
    """
    from augflow.study.project import Project
    from augflow.tools.repro import LOGS, Repro, headline

    start, root, state = time.monotonic(), Path(), None
    with Repro(root, jobs) as run, _display() as show:
        for state in run:
            show(state)
    if state is not None and state.failed:
        told = [
            f"{name}: {fault} (all it said: {LOGS / name}.log)"
            for name, fault in state.failed.items()
        ]
        raise StageFaultError("; ".join(told))
    report = Project(root).reports
    made = 0 if state is None else len(state.done)
    typer.echo(f"{made} stages made in {duration(time.monotonic() - start)}, all is up to date")
    if answer := headline(report):
        typer.echo(f"verdict: {answer}")
        typer.echo(f"page: {report / 'report.html'}")


@contextmanager
def _display() -> Iterator[Callable[[State], None]]:
    """What shows how far a study has come: bars on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty():
        with _bars() as show:
            yield show
    else:
        yield _Lines()


class _Lines:
    """A line where a stage begins or ends, and one a minute about each that runs."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}
        self._ended: set[str] = set()

    def __call__(self, state: State) -> None:
        """Says what is new."""
        for number, (name, seconds) in enumerate(state.done.items(), start=1):
            if name not in self._ended:
                self._ended.add(name)
                made = f"{name}: made in {duration(seconds)}"
                self._say(f"[{number}/{state.total}] {made}{_left(state)}")
        for name, fault in state.failed.items():
            if name not in self._ended:
                self._ended.add(name)
                self._say(f"{name}: failed: {fault}")
                if state.running:
                    others = ", ".join(stage.name for stage in state.running)
                    self._say(f"no other stage is begun; waiting for {others}")
        for stage in state.running:
            self._say_of(stage)

    def _say_of(self, stage: RunningStage) -> None:
        last = self._begun.get(stage.name)
        if last is None:
            self._begun[stage.name] = time.monotonic()
            self._say(f"{stage.name}: begun")
        elif time.monotonic() - last > _QUIET:
            self._begun[stage.name] = time.monotonic()
            steps = stage.steps()
            how_far = f"step {steps[0]} of {steps[1]}, " if steps else ""
            self._say(f"{stage.name}: {how_far}{duration(stage.seconds)} so far")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


@contextmanager
def _bars() -> Iterator[Callable[[State], None]]:
    """A bar for the study and one for each stage that runs, and the newest page of samples."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.text import Text

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
    ended: set[str] = set()
    with Live(console=Console(stderr=True), refresh_per_second=4, transient=True) as live:

        def show(state: State) -> None:
            for name, seconds in state.done.items():
                if name not in ended:
                    ended.add(name)
                    live.console.print(Text(f"{name}: made in {duration(seconds)}"))
            bars = Progress(*columns, console=live.console)
            told = f"{len(state.done)} of {state.total} stages{_left(state)}"
            bars.add_task("study", total=state.total, completed=len(state.done), told=told)
            for stage in state.running:
                _add_bar(bars, stage)
            faults = [Text(f"{name}: failed: {fault}") for name, fault in state.failed.items()]
            picture = [Text(f"newest samples: {state.picture}")] if state.picture else []
            live.update(Group(bars, *faults, *picture))

        yield show


def _add_bar(bars: Progress, stage: RunningStage) -> None:
    steps, so_far = stage.steps(), duration(stage.seconds)
    done, total = steps or (0, None)
    told = f"step {done} of {total}, {so_far}" if steps else so_far
    bars.add_task(f"  {stage.name}", total=total, completed=done, told=told)


def _left(state: State) -> str:
    return "" if state.left is None else f", about {duration(state.left)} left"
