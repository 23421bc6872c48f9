"""Is the working tree what `dvc.lock` says: code, parameters, outputs, and no stage left behind?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from augflow.verify.cached import Cache, differences, md5
from augflow.verify.declared import check_declared
from augflow.verify.findings import Check, Finding

if TYPE_CHECKING:
    from augflow.study.project import Project

_LOCK, _PARAMS = "dvc.lock", "params.yaml"


class _NoStatusError(Exception):
    """DVC cannot say how the project stands."""


@dataclass(frozen=True)
class _Records:
    """What `dvc.lock` says of paths: digests of outputs, and of what each stage read."""

    stages: Mapping[str, Any]
    outs: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> _Records:
        stages = yaml.safe_load(path.read_text(encoding="utf-8")).get("stages", {})
        outs = {
            out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])
        }
        return cls(stages, outs)

    def read_by(self, stage: str, path: str) -> str:
        """The digest of what a stage read at a path."""
        entries = self.stages[stage].get("deps", [])
        return next((entry["md5"] for entry in entries if entry["path"] == path), "nothing")

    def below(self, path: str) -> set[str]:
        """The outputs that a path lies in, or that lie in it."""
        this = PurePosixPath(path)
        return {
            out for out in self.outs
            if this.is_relative_to(out) or PurePosixPath(out).is_relative_to(this)
        }  # fmt: skip

    def count(self) -> int:
        """How many commands, paths and sections of parameters are recorded."""
        return sum(
            1 + len(stage.get("deps", [])) + len(stage.get("outs", []))
            + sum(len(names) for names in stage.get("params", {}).values())
            for stage in self.stages.values()
        )  # fmt: skip


@dataclass
class _Differences:
    """What DVC reports, sorted; a path with the stages that read it."""

    commands: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    params: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    deps: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    outs: dict[str, str] = field(default_factory=dict)


def check_lock(project: Project) -> Check:
    """Compares code, parameters and outputs with `dvc.lock`.

    DVC finds the paths; it is given an empty state database, so that every file is read anew and an
    edit that keeps size and date is seen. An output that differs is looked at file by file.
    """
    check = Check("pipeline (dvc.lock)")
    if not check.has(project.root / _LOCK):
        return check
    try:
        with check.reading(project.root / _LOCK):
            records = _Records.read(project.root / _LOCK)
            found = _sorted(_status(project.root), records)
            check.compared += records.count()
            _add(check, project, records, found)
            check_declared(check, project, records.stages)
    except _NoStatusError as fault:
        check.lacks(str(fault))
    return check


def recorded_digests(root: Path) -> dict[str, str]:
    """The digest of every output that `dvc.lock` lists, by its path in the project."""
    path = root / _LOCK
    return dict(_Records.read(path).outs) if path.exists() else {}


def _status(root: Path) -> dict[str, list[Any]]:
    if not (root / ".dvc").is_dir():
        raise _NoStatusError(f"{root / '.dvc'} (dvc init makes it)")
    with tempfile.TemporaryDirectory() as state:
        ran = subprocess.run(
            [sys.executable, "-m", "dvc", "status", "--json"], cwd=root, capture_output=True,
            env={**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": state},
            text=True, check=False,
        )  # fmt: skip
    if ran.returncode:
        reason = " ".join(ran.stderr.split())[-300:] or f"exit code {ran.returncode}"
        raise _NoStatusError(f"an answer of dvc status ({reason})")
    return json.loads(ran.stdout)


def _sorted(status: Mapping[str, list[Any]], records: _Records) -> _Differences:
    found = _Differences()
    for stage, entries in status.items():
        if stage not in records.stages:
            found.unrecorded.append(stage)
            continue
        for entry in entries:
            if entry == "changed command":
                found.commands.append(stage)
            elif isinstance(entry, dict):
                found.outs |= entry.get("changed outs", {})
                _sort_deps(entry.get("changed deps", {}), stage, found)
    return found


def _sort_deps(deps: Mapping[str, Any], stage: str, found: _Differences) -> None:
    for path, how in deps.items():
        if path == _PARAMS:
            found.params[stage] += list(how) if isinstance(how, dict) else [""]
        else:
            found.deps[path, how].append(stage)


def _add(check: Check, project: Project, records: _Records, found: _Differences) -> None:
    for stage in found.unrecorded:
        check.add(Finding(f"dvc.yaml: {stage}", f"to be in {_LOCK}", "a stage that was not run"))
    for stage in found.commands:
        check.add(Finding(f"dvc.yaml: {stage}", records.stages[stage]["cmd"], "another command"))
    for finding in _params(project.root / _PARAMS, records, found.params):
        check.add(finding)
    touched = _add_outs(check, project.root, records, found.outs)
    for (path, how), stages in sorted(found.deps.items()):
        if how == "deleted" and PurePosixPath(path) == PurePosixPath(project.params.data.root):
            check.lacks(path)
        else:
            _add_dep(check, path, how, stages, records, touched)


def _params(path: Path, records: _Records, changed: Mapping[str, list[str]]) -> Iterator[Finding]:
    """One finding per value that is another one than some stages ran with."""
    current = leaves(yaml.safe_load(path.read_text(encoding="utf-8")))
    stages: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for stage, names in changed.items():
        recorded = leaves(records.stages[stage].get("params", {}).get(_PARAMS, {}))
        for name in sorted({*current, *recorded}):
            if any(name == section or name.startswith(f"{section}.") for section in names):
                expected, got = recorded.get(name, "nothing"), current.get(name, "nothing")
                if expected != got:
                    stages[name, expected, got].append(stage)
    for (name, expected, got), ran in stages.items():
        yield Finding(f"{path}: {name}", f"{expected}, with which {_few(ran)} ran", got)


def leaves(content: object, prefix: str = "") -> dict[str, str]:
    """Dotted name -> value, as YAML would write it."""
    if not isinstance(content, dict):
        return {prefix: json.dumps(content)}
    found: dict[str, str] = {}
    for key, value in content.items():
        found |= leaves(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def _add_outs(check: Check, root: Path, records: _Records, outs: Mapping[str, str]) -> set[str]:
    """The outputs that are absent or of other bytes; DVC also lists those it has no copy of."""
    touched = set()
    cache = Cache(_cache_folder(root)) if outs else None
    for path in sorted(outs):
        if not (root / path).exists():
            check.lacks(path)
        elif cache is None or md5(root / path) == records.outs[path]:
            continue
        else:
            for finding in differences(root / path, records.outs[path], cache):
                check.add(finding)
        touched.add(path)
    return touched


def _cache_folder(root: Path) -> Path:
    from dvc.config import Config

    folder = root / ".dvc"
    return folder / Config(str(folder.resolve()))["cache"].get("dir", "cache")


def _add_dep(
    check: Check, path: str, how: str, stages: list[str], records: _Records, touched: set[str]
) -> None:
    recorded = {stage: records.read_by(stage, path) for stage in stages}
    if path in records.outs:
        # whether the output is what its own stage left is looked at with the outputs
        stale = [stage for stage, digest in recorded.items() if digest != records.outs[path]]
        if stale and path not in touched:
            what = f"what {_few(stale)} read (md5 {recorded[stale[0]]})"
            check.add(Finding(path, what, f"what was made since (md5 {records.outs[path]})"))
    elif records.below(path):
        if not records.below(path) & touched:
            check.add(Finding(path, f"what {_few(stages)} read", "other files"))
    else:
        got = "no such path" if how == "deleted" else "other content"
        what = f"what {_few(stages)} ran with (md5 {recorded[stages[0]]})"
        check.add(Finding(path, what, got))


def _few(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
