"""Level 2: the whole study once more, from nothing, in a clean copy of the project beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from augflow.core.errors import DataError
from augflow.study.params import load
from augflow.verify.lock import Lock

if TYPE_CHECKING:
    from dvc.stage import PipelineStage as Stage

_POLL = 0.1
"""Seconds between two looks at whether a stage has ended."""

_RESULTS = {"dvc.lock", "environment.json", "calibration.json", "reports"}
_NOT_OURS = {".augflow", ".dvc", ".git", ".venv", "__pycache__"}


def recorded_outs(root: Path) -> list[Path]:
    """The outputs that `dvc.lock` lists, relative to the project."""
    return sorted(map(Path, Lock.read(root).outs))


@contextmanager
def clean_copy(root: Path) -> Iterator[Path]:
    """Yields a copy of a project's files beside it, without results, caches and lock.

    Files are those that git tracks, or would if it were asked to, where the project is in a
    repository; else all. The user's images that lie inside the project are linked. The copy is as
    deep as the project, so that relative paths out of it lead where they did, and gone afterwards.

    Raises:
        DataError: there is no pipeline, or no folder can be made beside the project.
    """
    root = root.resolve()
    if not (root / "dvc.yaml").exists():
        raise DataError(f"{root / 'dvc.yaml'}: no such file; run this in a project's folder")
    outs = recorded_outs(root)
    try:
        scratch = tempfile.TemporaryDirectory(prefix=f".{root.name}-again-", dir=root.parent)
    except OSError as fault:
        raise DataError(
            f"{root.parent}: no folder can be made in it ({fault.strerror}), where the study is to "
            "be made again; move the project to where you may write"
        ) from fault
    with scratch as place:
        copy = Path(place)
        for name in _files(root):
            inside = any(name.is_relative_to(out) for out in outs)
            if not inside and name.parts[0] not in _RESULTS | _NOT_OURS:
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, copy / name)
        _link_images(root, copy, outs)
        yield copy


def _files(root: Path) -> Iterator[Path]:
    """The files of a project, relative to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=root,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        names = [Path(os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name]
        yield from (name for name in names if (root / name).is_file())
        return
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and not _NOT_OURS & set(name.parts):
            yield name


def _link_images(root: Path, copy: Path, outs: list[Path]) -> None:
    place = Path(load(root / "params.yaml").data.root)
    inside = not place.is_absolute() and ".." not in place.parts
    if inside and place not in outs and (root / place).exists() and not (copy / place).exists():
        (copy / place).parent.mkdir(parents=True, exist_ok=True)
        (copy / place).symlink_to(root / place)


def run_all(
    copy: Path, log: Path, environment: Mapping[str, str] | None = None, jobs: int = 1
) -> str | None:
    """Runs the whole pipeline of a clean copy, without caches; why it stopped, None where it ended.

    All output goes to `log`; `environment` is what differs from this process's.
    """
    paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    known = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    code = [str(copy), *known] if (copy / "augflow").is_dir() else known
    given = {
        **os.environ,
        "DVC_NO_ANALYTICS": "1",
        "PATH": os.pathsep.join(paths),
        "PYTHONPATH": os.pathsep.join(code),
        **(environment or {}),
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:

        def dvc(*words: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen(  # noqa: S603 (words of our own)
                [sys.executable, "-P", "-m", "dvc", *words],  # no module of the project's for DVC's
                cwd=copy,
                env=given,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

        def one(stage: str) -> subprocess.Popen[bytes]:
            return dvc("--wait-for-lock", "repro", "--no-run-cache", "--single-item", stage)

        def alone(*words: str) -> int:
            return _side_by_side({"": ()}, lambda _: dvc(*words), 1)

        ended = alone("init", "--no-scm", "--quiet")
        if ended:
            return f"dvc init ended with exit code {ended}; see {log}"
        ended = _side_by_side(_order(copy), one, jobs) if jobs > 1 else 0
        ended = ended or alone("repro", "--no-run-cache")  # what has run does not run again
        return f"dvc repro ended with exit code {ended}; see {log}" if ended else None


def _order(copy: Path) -> dict[str, list[str]]:
    """The stages of a pipeline by name, with those that each has to wait for.

    There are none where DVC cannot read the pipeline: it says so itself when it is run.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    def name(stage: Stage) -> str:
        return f"{os.path.relpath(stage.path, copy)}:{stage.name}"

    try:
        with Repo(str(copy)) as repo:
            graph = repo.index.graph
            runs = [stage for stage in graph if not stage.is_data_source]
            return {
                name(stage): [name(one) for one in graph.successors(stage) if one in runs]
                for stage in runs
            }
    except DvcException:
        return {}


def _side_by_side(
    needed: Mapping[str, Sequence[str]], start: Callable[[str], subprocess.Popen[bytes]], jobs: int
) -> int:
    """Runs every stage as soon as those that it waits for have ended, so many at once.

    When this is left before the end, by a signal too, all that runs is ended first. Returns the
    exit code of the first stage that failed, after which none is begun; 0 if none has.
    """
    order, failed = TopologicalSorter(needed), 0
    order.prepare()
    ready: list[str] = []
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        while order.is_active() and (running or not failed):
            ready += sorted(order.get_ready())
            while ready and len(running) < jobs and not failed:
                running[ready[0]] = start(ready[0])
                ready.pop(0)
            time.sleep(_POLL)
            for stage, process in list(running.items()):
                code = process.poll()
                if code is not None:
                    del running[stage]
                    order.done(stage)
                    failed = failed or code
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
    return failed
