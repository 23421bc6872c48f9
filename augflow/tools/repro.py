"""A whole study: stages that do not wait for each other run side by side, each with its log.

DVC runs each of them, as `dvc repro` would one after the other; what is up to date is left alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from augflow.core import io, signals
from augflow.core.errors import AugflowError, DataError, ParamsError, on_one_line
from augflow.study.names import misfit, write_names
from augflow.study.project import RUNS, Project

LOGS = Path(".augflow") / "logs"
"""What each stage says, in STAGE.log."""
_TIMES = "seconds.json"
"""How long each stage took when it last ran, beside the logs."""
_STEP = re.compile(r"^step (\d+)/(\d+)", re.MULTILINE)
_PAGES = (f"{RUNS}/*/samples/*.png", "data/*/generators/*/samples/*.png")
"""Pages of samples of trainings that run, and of those that have ended."""
_PAUSE = 0.25
"""Seconds between two looks at what runs."""


@dataclass(frozen=True)
class Pipeline:
    """The stages that are not up to date; those that most others wait for, one by one, come first.

    `needs` are, for each of them, those of them that it waits for.
    """

    needs: Mapping[str, frozenset[str]]

    @property
    def stages(self) -> tuple[str, ...]:
        """Their names, as `train@full_glow`."""
        return tuple(self.needs)


def read_pipeline(root: Path) -> Pipeline:
    """What of the study of a project folder is to be made; names are made to fit its parameters.

    Raises:
        ParamsError: the parameters are wrong, or there is no project here.
        DataError: DVC cannot read it; says why.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from networkx import ancestors, topological_sort

    project = Project(root)
    if not (root / "params.yaml").exists():
        raise ParamsError("no params.yaml here: go to a project's folder, or make one (init)")
    if misfit(root, project.params):
        write_names(root, project.params)
    try:
        with Repo(str(root)) as repo:
            changed, graph, listed = set(repo.status()), repo.index.graph, repo.index.stages
    except DvcException as fault:
        raise DataError(f"{root}: DVC: {on_one_line(fault, 300)}; put that right first") from fault
    stale = {stage for stage in graph if stage.addressing in changed}
    stale |= {later for stage in stale for later in ancestors(graph, stage)}
    changed = {stage.addressing for stage in stale}
    after: dict[object, int] = {}  # so many stages wait for it, one after the other
    for stage in topological_sort(graph):
        later = [after[one] for one in graph.predecessors(stage) if one in stale]
        after[stage] = 1 + max(later, default=-1)
    order = sorted((stage for stage in listed if stage in stale), key=lambda one: -after[one])
    needs = {
        stage.addressing: frozenset(one.addressing for one in graph.successors(stage)) & changed
        for stage in order
    }
    return Pipeline(needs)


class RunningStage:
    """A stage that DVC runs, in a session of its own: a terminal's Ctrl-C goes to us alone."""

    def __init__(self, root: Path, name: str) -> None:
        """Starts it."""
        self.name, self.log = name, root / LOGS / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._start = time.monotonic()
        words = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        own = {"PATH": path, signals.STARTER: str(os.getpid())}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the stage's name is a checked one
                words, cwd=root, env={**os.environ, **own}, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._asked: set[int] = set()

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._start

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def said(self) -> str:
        """The end of what it has said so far."""
        with self.log.open("rb") as stream:
            stream.seek(max(0, self.log.stat().st_size - 4096))
            return stream.read().decode(errors="replace")

    def steps(self) -> tuple[int, int] | None:
        """Steps done and to do of the training that it is at; None of what has no steps."""
        found = _STEP.findall(self.said())
        return (int(found[-1][0]), int(found[-1][1])) if found else None

    def stop(self) -> None:
        """Asks all that DVC runs to stop; DVC itself then ends, and no file of its is half-written.

        To be called until it has ended, as DVC may have been about to start the stage.
        """
        with suppress(psutil.Error):
            for process in psutil.Process(self._process.pid).children(recursive=True):
                if process.pid not in self._asked:
                    self._asked.add(process.pid)
                    process.terminate()


@dataclass(frozen=True)
class State:
    """How far a study has come.

    Attributes:
        total: how many stages are to be made.
        done: those that are made, with the seconds that each took.
        running: those that run.
        failed: those that ended with a fault, by what they said last.
        left: seconds until all is made, None while nobody can say.
        picture: the newest page of samples of a generator that learns.
    """

    total: int
    done: Mapping[str, float]
    running: tuple[RunningStage, ...]
    failed: Mapping[str, str]
    left: float | None
    picture: Path | None


class Repro:
    """Makes what of a study is not up to date, so many stages at once.

    As a context it leaves no process behind: what still runs at its end is asked to stop, keeps
    what it has done, and is waited for. In it, iteration gives the state several times a second.
    """

    def __init__(self, root: Path, jobs: int) -> None:
        """Looks at what is to be made, see `read_pipeline`."""
        self.root, self.jobs, self.pipeline = root, jobs, read_pipeline(root)
        self._times: dict[str, float] = {}
        with suppress(AugflowError):  # it is not there yet, or no use
            self._times = dict(io.read_json(root / LOGS / _TIMES))
        self._done: dict[str, float] = {}
        self._failed: dict[str, str] = {}
        self._running: list[RunningStage] = []

    def __enter__(self) -> Self:
        """Nothing has been started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops what runs; asked again to stop meanwhile, it goes on waiting for it."""
        while any(stage.exit_code is None for stage in self._running):
            with suppress(KeyboardInterrupt):
                for stage in self._running:
                    stage.stop()
                time.sleep(_PAUSE)

    def __iter__(self) -> Iterator[State]:
        """Runs the stages; after one that failed no other is begun."""
        while True:
            self._collect()
            waiting = self._waiting()
            while waiting and len(self._running) < self.jobs:
                self._running.append(RunningStage(self.root, waiting.pop(0)))
            yield self._state()
            if not self._running:
                return
            time.sleep(_PAUSE)

    def _waiting(self) -> list[str]:
        """The stages that can begin."""
        begun = {*self._done, *self._failed, *(stage.name for stage in self._running)}
        needs = self.pipeline.needs.items()
        ready = [name for name, needed in needs if name not in begun and needed <= {*self._done}]
        return [] if self._failed else ready

    def _collect(self) -> None:
        """Takes down those that have ended."""
        for stage in [one for one in self._running if one.exit_code is not None]:
            self._running.remove(stage)
            if stage.exit_code:
                self._failed[stage.name] = _fault(stage.said())
                continue
            self._done[stage.name] = self._times[stage.name] = round(stage.seconds, 1)
            io.write_json(self.root / LOGS / _TIMES, self._times)

    def _state(self) -> State:
        return State(
            total=len(self.pipeline.stages),
            done=dict(self._done),
            running=tuple(self._running),
            failed=dict(self._failed),
            left=self._left(),
            picture=newest_picture(self.root),
        )

    def _left(self) -> float | None:
        """By how long stages took before, and those of their kind; shared out evenly."""
        if not self._times:
            return None
        begun = {*self._done, *self._failed, *(stage.name for stage in self._running)}
        seconds = [self._expected(name) for name in self.pipeline.stages if name not in begun]
        seconds += [self._left_of(stage) for stage in self._running]
        return max(sum(seconds) / self.jobs, *seconds, 0.0)

    def _left_of(self, stage: RunningStage) -> float:
        done, steps = stage.steps() or (0, 0)
        if done:
            return stage.seconds * (steps - done) / done
        return max(self._expected(stage.name) - stage.seconds, 0.0)

    def _expected(self, name: str) -> float:
        kind = name.partition("@")[0]
        alike = [t for other, t in self._times.items() if other.partition("@")[0] == kind]
        known = alike or list(self._times.values())
        return self._times.get(name, sum(known) / len(known))


def newest_picture(root: Path) -> Path | None:
    """The page of samples that was written last by a training that runs or has ended."""
    pages = [
        *(root / RUNS).glob("*/samples/*.png"),
        *root.glob("data/*/generators/*/samples/*.png"),
    ]
    times = []
    for page in pages:
        with suppress(OSError):  # it has been moved in between
            times.append((page.stat().st_mtime, page))
    return max(times)[1] if times else None


def headline(report: Path) -> str | None:
    """The answer of a report folder in one line, as its `report.md` has it in bold."""
    if not (report / "report.md").exists():
        return None
    lines = (report / "report.md").read_text(encoding="utf-8").splitlines()
    bold = (line for line in lines if line.startswith("**") and line.endswith("**"))
    found = next(bold, None)
    return None if found is None else re.sub(r"\\(.)", r"\1", found.strip("*"))


def _fault(said: str) -> str:
    """The line in which a stage says what was wrong, else the last one that is not DVC's own."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("augflow: ")]
    stage = [line for line in lines if not line.startswith("ERROR: failed to reproduce")]
    return (own or stage or lines or ["it said nothing"])[-1].removeprefix("augflow: ")
