"""A process that does tasks when told to, and says how long each took and how much it held.

Every contender has a process of its own: what one does to the C allocator does not help another,
and the peak of its memory is its own. Requests and answers are lines of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.contenders import CONTENDERS, Contender, Task, Work


@dataclass(frozen=True)
class Turn:
    """One task done once.

    `seconds` by the clock on the wall, `cpu` of all threads; `peak_mib` is the largest the process
    has been so far.
    """

    seconds: float
    cpu: float
    photographs: int
    peak_mib: float


class Worker:
    """The parent's handle of such a process.

    Raises:
        RuntimeError: the process ended before it answered.
    """

    def __init__(self, name: str, work: Work, threads: int, reference: str = "") -> None:
        """Starts it, and waits until its model is built."""
        self.name, self.work = name, work
        told = json.dumps({"name": name, "work": asdict(work), "threads": threads,
                           "reference": reference})  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", told], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        answer = self._answer()
        self.parameters, self.built_mib = int(answer["parameters"]), float(answer["held_mib"])

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Ends the process."""
        self.process.kill()
        self.process.wait()

    def turn(self, task: Task) -> Turn:
        """Has a task done once."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"task": task}) + "\n")
        self.process.stdin.flush()
        return Turn(**self._answer())

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError(f"{self.name}: its process ended ({self.process.wait()}); see above")


def main(told: dict[str, Any]) -> None:
    """Builds the contender, then does what comes in until nothing more does."""
    import torch

    torch.set_num_threads(int(told["threads"]))
    given = told["work"]
    work = Work(**{**given, "size": tuple(given["size"]), "steps": tuple(given["steps"])})
    contender = _contender(told["name"], work, told["reference"])
    model: Any = getattr(contender, "generator", None) or getattr(contender, "model", None)
    parameters = sum(p.numel() for p in model.parameters())
    _say({"parameters": parameters, "held_mib": _held_mib("VmRSS")})
    for line in sys.stdin:
        task = json.loads(line)["task"]
        wall, cpu = time.perf_counter(), time.process_time()
        photographs = getattr(contender, task)()
        seconds, used = time.perf_counter() - wall, time.process_time() - cpu
        _say(asdict(Turn(seconds, used, photographs, _held_mib("VmHWM"))))


def _held_mib(kind: str) -> float:
    """What this program holds (`VmRSS`), or the most that it has held (`VmHWM`).

    The kernel's `ru_maxrss` starts at what the parent held when it made the process; this does not.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    (held,) = [line.split()[1] for line in lines if line.startswith(f"{kind}:")]
    return int(held) / 1024


def _contender(name: str, work: Work, reference: str) -> Contender:
    if name == "reference":
        from benchmarks.reference import Reference

        return Reference(work, reference)
    return CONTENDERS[name](work)


def _say(content: dict[str, Any]) -> None:
    print(json.dumps(content), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
