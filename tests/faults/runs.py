"""Runs of stages, through one server: what they ended with, said and changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.injected import Fault, Operation
from tests.faults.study import HOME, STAGES


@dataclass(frozen=True)
class Ended:
    """A run that has ended.

    Attributes:
        code: its exit code, or minus the signal that ended it.
        seconds: how long it took.
        cpu: for how long of it a processor worked.
        said: what it wrote on stderr.
        log: what it did to files, and what it waited for to be on the disk.
    """

    code: int
    seconds: float
    cpu: float
    said: str
    log: tuple[Operation, ...]

    @property
    def lines(self) -> list[str]:
        """What it said to the user of why it ended."""
        return [line for line in self.said.splitlines() if line.startswith("augflow: ")]


class Runs:
    """Starts stages; a context that ends them all."""

    def __init__(self) -> None:
        """The server is started; it imports until the first run."""
        kept = {name: value for name, value in os.environ.items() if name != "AUGFLOW_CACHE"}
        paths = os.pathsep.join([str(HOME), *filter(None, [kept.get("PYTHONPATH")])])
        one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server"], cwd=HOME,
            env={**kept, **one, "OMP_WAIT_POLICY": "PASSIVE", "NO_ALBUMENTATIONS_UPDATE": "1",
                 "PYTHONPATH": paths},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._count = 0
        self._answers: dict[tuple[int, str], dict[str, object]] = {}

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *fault: object) -> None:
        with suppress(BrokenPipeError):
            self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def start(self, root: Path, stage: str, fault: Fault | None = None) -> Started:
        """Starts a stage in a project folder."""
        script, *words = STAGES[stage][0].split()
        self._count += 1
        asked = {"id": self._count, "root": str(root), "script": script, "words": words,
                 "fault": str(fault) if fault else None}  # fmt: skip
        try:
            self._server.stdin.write(json.dumps(asked) + "\n")
            self._server.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(f"the server of runs has ended ({self._server.wait()})") from None
        return Started(self, self._count, int(self.answer(self._count, "pid")["pid"]))

    def run(self, root: Path, stage: str, fault: Fault | None = None) -> Ended:
        """Runs a stage to its end."""
        return self.start(root, stage, fault).wait()

    def answer(self, number: int, kind: str) -> dict[str, object]:
        """The server's answer to a request, `pid` or `code`."""
        while (number, kind) not in self._answers:
            line = self._server.stdout.readline()
            if not line:
                raise RuntimeError(f"the server of runs has ended ({self._server.wait()})")
            answer = json.loads(line)
            self._answers[answer["id"], "pid" if "pid" in answer else "code"] = answer
        return self._answers.pop((number, kind))


@dataclass(frozen=True)
class Started:
    """A run that may not have ended yet."""

    runs: Runs
    number: int
    pid: int

    def wait(self) -> Ended:
        """Waits for its end."""
        answer = self.runs.answer(self.number, "code")
        log = tuple(tuple(words) for words in answer["log"])
        return Ended(answer["code"], answer["seconds"], answer["cpu"], answer["said"], log)
