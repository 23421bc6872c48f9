"""Runs scripts of the pipeline in forked processes, which need not import everything again.

    python -m tests.faults.server

Asked on stdin, answers on stdout, JSON a line. Asked `{"id", "root", "script", "words", "fault"}`
it answers `{"id", "pid"}` at once and, at the end, `{"id", "code", "seconds", "cpu", "said",
"log"}`.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import selectors
import signal
import sys
import time
import traceback
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.injected import Changes, Fault

HOME = Path(__file__).parents[2]
_THIRD = ("torch._dynamo", "mmseg.models", "mmengine.config", "mmengine.logging",
          "mmseg.structures", "albumentations", "matplotlib.backends.backend_agg",
          "matplotlib.layout_engine", "pandas", "jinja2", "sklearn.cluster", "scipy.stats",
          "matplotlib.figure", "matplotlib.style", "matplotlib.projections", "augflow.cli.errors",
          "augflow.data.readers", "streetscenes", "augflow.core.distributed", "augflow.verify",
          "PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin",
          "rich.console", "rich.progress", "safetensors.torch", "lightning_fabric")  # fmt: skip


@dataclass
class _Child:
    """A running process and what it has said so far, on stderr and in its log."""

    id: int
    pid: int
    due: float | None
    signal: int
    begun: float = field(default_factory=time.monotonic)
    heard: dict[str, bytearray] = field(default_factory=lambda: defaultdict(bytearray))
    open: int = 2


def main() -> None:
    """Serves until stdin ends, then ends whatever still runs."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    _import_all()
    selector, children = selectors.DefaultSelector(), {}
    selector.register(0, selectors.EVENT_READ, None)
    try:
        _serve(selector, children, answers)
    finally:
        for child in children.values():
            os.kill(child.pid, signal.SIGKILL)


def _serve(selector: selectors.BaseSelector, children: dict[int, _Child], answers: object) -> None:
    asked = bytearray()
    while True:
        for key, _ in selector.select(_wait(children.values())):
            got = os.read(key.fd, 65536)
            if key.data is not None:
                _hear(selector, children, answers, key, got)
                continue
            if not got:
                return
            asked += got
            *lines, rest = bytes(asked).split(b"\n")
            asked = bytearray(rest)
            for line in lines:
                child = _start(selector, json.loads(line), answers.fileno())
                children[child.pid] = child
                answers.write(json.dumps({"id": child.id, "pid": child.pid}) + "\n")
        for child in children.values():
            if child.due is not None and time.monotonic() >= child.due:
                child.due = None
                os.kill(child.pid, child.signal)


def _wait(children: object) -> float | None:
    due = [child.due for child in children if child.due is not None]
    return max(0.0, min(due) - time.monotonic()) if due else None


def _hear(selector, children, answers, key, got: bytes) -> None:
    pid, kind = key.data
    child = children[pid]
    child.heard[kind] += got
    if got:
        return
    selector.unregister(key.fd)
    os.close(key.fd)
    child.open -= 1
    if child.open:
        return
    _, status, used = os.wait4(pid, 0)
    del children[pid]
    log = [json.loads(line) for line in child.heard["log"].decode().splitlines()]
    answers.write(json.dumps({
        "id": child.id, "code": os.waitstatus_to_exitcode(status),
        "seconds": time.monotonic() - child.begun, "cpu": used.ru_utime + used.ru_stime,
        "said": child.heard["said"].decode(errors="replace"), "log": log,
    }) + "\n")  # fmt: skip


def _start(selector: selectors.BaseSelector, asked: dict[str, object], answers: int) -> _Child:
    fault = Fault.read(asked["fault"]) if asked["fault"] else None
    said, log = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            for opened in (answers, said[0], log[0], *(fd for fd in selector.get_map() if fd)):
                os.close(opened)
            _run(asked, fault, said[1], log[1])
        finally:
            os._exit(70)
    timed = fault is not None and fault.timed
    due = time.monotonic() + fault.at if timed else None
    child = _Child(asked["id"], pid, due, fault.signal if timed else 0)
    for (reading, writing), kind in ((said, "said"), (log, "log")):
        os.close(writing)
        selector.register(reading, selectors.EVENT_READ, (pid, kind))
    return child


def _run(asked: dict[str, object], fault: Fault | None, said: int, log: int) -> None:
    """What a process of its own would do with the script; does not return."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number, opened in enumerate((nothing, nothing, said)):
        os.dup2(opened, number)
    os.chdir(asked["root"])
    sys.argv = [asked["script"], *asked["words"]]
    code = 0
    try:
        Changes(Path.cwd(), fault, log).watch()
        runpy.run_path(str(HOME / "pipelines" / asked["script"]), run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(code)


def _import_all() -> None:
    """Everything that stages import, so that no process has to; nothing is computed with it."""
    stages = sorted(path.stem for path in (HOME / "augflow" / "stages").glob("*.py"))
    for name in (*_THIRD, "augflow.study.project", *(f"augflow.stages.{stem}" for stem in stages)):
        if not name.endswith("__init__"):
            importlib.import_module(name)


if __name__ == "__main__":
    main()
