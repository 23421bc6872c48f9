"""Stages in processes that are forked from one which has imported everything, and their ends."""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.forkserver
import os
import runpy
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread

import pytest

from tests.faults.injected import Changes, Fault, Operation
from tests.faults.study import HOME, STAGES

_IMPORTED = [
    "pytest", "tests.faults.runs", "torch._dynamo", "mmseg.models", "mmengine.config",
    "mmengine.logging", "mmseg.structures", "albumentations", "matplotlib.backends.backend_agg",
    "matplotlib.layout_engine", "pandas", "jinja2", "sklearn.cluster", "scipy.stats",
    "matplotlib.figure", "matplotlib.style", "matplotlib.projections", "augflow.cli.errors",
    "augflow.data.readers", "streetscenes", "augflow.core.distributed", "augflow.verify",
    "PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin",
    "rich.console", "rich.progress", "safetensors.torch", "lightning_fabric",
    "augflow.study.project",
]  # fmt: skip
"""What stages import beside their own files; nothing is computed with it."""


@dataclass(frozen=True)
class Ended:
    """A run that has ended.

    Attributes:
        code: its exit code, or minus the signal that ended it.
        said: what it wrote on stderr.
        log: what it did to files, and what it waited for to be on the disk.
    """

    code: int
    said: str = ""
    log: tuple[Operation, ...] = ()

    @property
    def lines(self) -> list[str]:
        """What it said to the user of why it ended."""
        return [line for line in self.said.splitlines() if line.startswith("augflow: ")]


class Runs:
    """Starts stages."""

    def __init__(self) -> None:
        """The process that others are forked from is started; it imports until the first run."""
        self._context = multiprocessing.get_context("forkserver")
        stages = sorted(path.stem for path in (HOME / "augflow" / "stages").glob("[!_]*.py"))
        self._context.set_forkserver_preload(
            [*_IMPORTED, *(f"augflow.stages.{stem}" for stem in stages)]
        )
        paths = os.pathsep.join([str(HOME), *filter(None, [os.environ.get("PYTHONPATH")])])
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {
                "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
                "OMP_WAIT_POLICY": "PASSIVE", "NO_ALBUMENTATIONS_UPDATE": "1", "PYTHONPATH": paths,
            }.items():  # fmt: skip
                patch.setenv(name, value)
            multiprocessing.forkserver.ensure_running()

    def start(self, root: Path, stage: str, fault: Fault | None = None) -> Started:
        """Starts a stage in a project folder."""
        # through pipes, as a limit on the size of files would cut what goes to a file
        pipes = [self._context.Pipe(duplex=False) for _ in ("said", "log")]
        words, ends = STAGES[stage][0].split(), [end for _, end in pipes]
        process = self._context.Process(target=_run, args=(root, words, fault, *ends), daemon=True)
        process.start()
        for end in ends:
            end.close()
        return Started(process, *(Drain(source) for source, _ in pipes))

    def run(self, root: Path, stage: str, fault: Fault | None = None) -> Ended:
        """Runs a stage to its end."""
        return self.start(root, stage, fault).wait()


class Drain(Thread):
    """Takes what comes out of a pipe until nobody holds its other end."""

    def __init__(self, source: Connection) -> None:
        """Begins at once."""
        super().__init__(daemon=True)
        self._source, self._content = source, bytearray()
        self.start()

    def run(self) -> None:
        """Reads to the end."""
        while more := os.read(self._source.fileno(), 65536):
            self._content += more

    def text(self) -> str:
        """All of it; a process that was left behind is not waited for."""
        self.join(10)
        return self._content.decode(errors="replace")


@dataclass(frozen=True)
class Started:
    """A run that may not have ended yet."""

    process: BaseProcess
    said: Drain
    log: Drain

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self.process.pid

    def wait(self) -> Ended:
        """Waits for its end."""
        self.process.join()
        log = tuple(tuple(json.loads(line)) for line in self.log.text().splitlines())
        return Ended(self.process.exitcode, self.said.text(), log)


def _run(
    root: Path, words: list[str], fault: Fault | None, said: Connection, log: Connection
) -> None:
    """What a process of its own would do with the script; does not return."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number, opened in enumerate((nothing, nothing, said.fileno())):
        os.dup2(opened, number)
    os.chdir(root)
    sys.argv = words
    code = 0
    try:
        Changes(Path.cwd(), fault, log.fileno()).watch()
        runpy.run_path(str(HOME / "pipelines" / words[0]), run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(code)
