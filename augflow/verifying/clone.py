"""A project made again from nothing: its files without its results, in a folder beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from augflow.errors import DataError
from augflow.params import load

_RESULTS = {"dvc.lock", "environment.json", "calibration.json", "reports"}
_NOT_OURS = {".augflow", ".dvc", ".git", ".venv", "__pycache__"}


@contextmanager
def cleaned(root: Path) -> Iterator[Path]:
    """Yields a copy of a project's files beside it, without results, caches and lock.

    Files are those that git tracks, or would if it were asked to, where the project is in a
    repository; else all. Photographs of the user's that lie inside the project are linked. The copy
    is gone afterwards.

    Raises:
        DataError: there is no pipeline, or no folder can be made beside the project.
    """
    root = root.resolve()
    if not (root / "dvc.yaml").exists():
        raise DataError(f"{root / 'dvc.yaml'}: no such file; run this in a project's folder")
    outs = recorded_outs(root)
    with _beside(root) as copy:
        for name in _files(root):
            inside = any(name.is_relative_to(out) for out in outs)
            if not inside and name.parts[0] not in _RESULTS | _NOT_OURS:
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, copy / name)
        _link_photographs(root, copy, outs)
        yield copy


@contextmanager
def _beside(root: Path) -> Iterator[Path]:
    """A folder as deep as another, so that relative paths out of it lead where they did."""
    try:
        scratch = tempfile.TemporaryDirectory(prefix=f".{root.name}-again-", dir=root.parent)
    except OSError as fault:
        raise DataError(
            f"{root.parent}: no folder can be made in it ({fault.strerror}), where the study is to "
            "be made again; move the project to where you may write"
        ) from fault
    with scratch as name:
        yield Path(name)


def recorded_outs(root: Path) -> list[Path]:
    """The outputs that `dvc.lock` lists, relative to the project."""
    path = root / "dvc.lock"
    if not path.exists():
        return []
    stages = yaml.safe_load(path.read_text(encoding="utf-8")).get("stages", {})
    return sorted({Path(out["path"]) for stage in stages.values() for out in stage.get("outs", [])})


def run_all(copy: Path, log: Path, environment: Mapping[str, str] | None = None) -> str | None:
    """Runs the whole pipeline of a clean copy, without caches; why it stopped, None where it ended.

    Args:
        copy: the folder, see `cleaned`.
        log: where all output goes.
        environment: what differs from this process's.
    """
    paths = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    own = {"PYTHONPATH": str(copy)} if (copy / "augflow").is_dir() else {}
    given = {
        **os.environ, "DVC_NO_ANALYTICS": "1", "PATH": os.pathsep.join(paths), **own,
        **(environment or {}),
    }  # fmt: skip
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        for word, options in (("init", ["--no-scm", "--quiet"]), ("repro", ["--no-run-cache"])):
            ran = subprocess.run(  # noqa: S603 (words of our own)
                [sys.executable, "-m", "dvc", word, *options], cwd=copy, env=given, stdout=stream,
                stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
            if ran.returncode:
                return f"dvc {word} ended with exit code {ran.returncode}; see {log}"
    return None


def _files(root: Path) -> Iterator[Path]:
    """The files of a project, relative to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=root, capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0 and listed.stdout:
        names = [Path(os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name]
        yield from (name for name in names if (root / name).is_file())
        return
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if path.is_file() and not _NOT_OURS & set(name.parts):
            yield name


def _link_photographs(root: Path, copy: Path, outs: list[Path]) -> None:
    place = Path(load(root / "params.yaml").data.root)
    inside = not place.is_absolute() and ".." not in place.parts
    if inside and place not in outs and (root / place).exists() and not (copy / place).exists():
        (copy / place).parent.mkdir(parents=True, exist_ok=True)
        (copy / place).symlink_to(root / place)
