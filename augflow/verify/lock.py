"""Is the working tree what `dvc.lock` says: code, parameters, outputs, and no stage left behind?"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from augflow.core import io
from augflow.core.errors import DataError
from augflow.core.images import is_lossless
from augflow.study.project import CHECKED
from augflow.verify.check import Check, Finding, line_finding, pixel_finding
from augflow.verify.declared import check_declared, resolve_stages

if TYPE_CHECKING:
    from augflow.study.project import Project

LOCK, PARAMS = "dvc.lock", "params.yaml"


@dataclass(frozen=True)
class Lock:
    """What `dvc.lock` says: of every stage, and the digests of all outputs by path."""

    stages: Mapping[str, Any]
    outs: Mapping[str, str]

    @classmethod
    def read(cls, root: Path) -> Lock:
        """The lock of a project; empty where there is none."""
        path = root / LOCK
        content = YAML(typ="safe").load(path) if path.exists() else {}
        stages = content.get("stages", {})
        outs = {o["path"]: o["md5"] for stage in stages.values() for o in stage.get("outs", [])}
        return cls(stages, outs)

    def read_by(self, stage: str, path: str) -> str:
        """The digest of what a stage read at a path."""
        entries = self.stages[stage].get("deps", [])
        return next((entry["md5"] for entry in entries if entry["path"] == path), "nothing")

    def around(self, path: str) -> set[str]:
        """The outputs that a path lies in, or that lie in it."""
        this = PurePosixPath(path)
        return {
            out
            for out in self.outs
            if this.is_relative_to(out) or PurePosixPath(out).is_relative_to(this)
        }

    def count(self) -> int:
        """How many commands, paths and sections of parameters are recorded."""
        return sum(
            1
            + len(stage.get("deps", []))
            + len(stage.get("outs", []))
            + sum(map(len, stage.get("params", {}).values()))
            for stage in self.stages.values()
        )


def check_lock(project: Project) -> Check:
    """Compares code, parameters and outputs with `dvc.lock`.

    DVC finds the paths; it is given an empty state database, so that every file is read anew and an
    edit that keeps size and date is seen. An output that differs is looked at file by file.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    check, root = Check("pipeline (dvc.lock)"), project.root
    if not check.has(root / LOCK):
        return check
    if not (root / ".dvc").is_dir():
        check.lacks(f"{root / '.dvc'} (dvc init makes it)")
        return check
    with check.reading(root / LOCK), tempfile.TemporaryDirectory() as state:
        lock, place = Lock.read(root), str(root.resolve())
        try:
            with chdir(root), Repo(place, config={"core": {"site_cache_dir": state}}) as repo:
                status, stages = repo.status(), resolve_stages(repo, check)
                cache = Path(repo.cache.local.path).parents[1]
        except DvcException as fault:
            check.lacks(f"an answer of dvc status ({' '.join(str(fault).split())[-300:]})")
            return check
        check.compared += lock.count()
        _add_status(check, project, lock, status, cache)
        check_declared(check, project, stages, lock.stages)
    return check


def _add_status(
    check: Check, project: Project, lock: Lock, status: Mapping[str, list[Any]], cache: Path
) -> None:
    """What DVC reports of each stage."""
    for stage in sorted(status.keys() - lock.stages.keys()):
        check.add(Finding(f"dvc.yaml: {stage}", f"to be in {LOCK}", "a stage that was not run"))
    known = {stage: entries for stage, entries in status.items() if stage in lock.stages}
    for stage, entries in known.items():
        if "changed command" in entries:
            ran = lock.stages[stage]["cmd"]
            check.add(Finding(f"dvc.yaml: {stage}", ran, "another command"))
    changed = [
        (stage, entry)
        for stage, entries in known.items()
        for entry in entries
        if isinstance(entry, dict)
    ]
    outs = [path for _, entry in changed for path in entry.get("changed outs", {})]
    deps: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for stage, entry in changed:
        for path, how in entry.get("changed deps", {}).items():
            deps[path].append((stage, how))
    deps.pop(PARAMS, None)  # looked at value by value
    deps.pop(CHECKED.as_posix(), None)
    _add_params(check, project, lock.stages)
    touched = _add_outs(check, project.root, lock, outs, cache)
    for path, readers in sorted(deps.items()):
        deleted = readers[0][1] == "deleted"
        if deleted and PurePosixPath(path) == PurePosixPath(project.params.data.root):
            check.lacks(path)
        else:
            _add_dep(check, path, deleted, [stage for stage, _ in readers], lock, touched)


def _add_params(check: Check, project: Project, recorded: Mapping[str, Any]) -> None:
    """One finding per value that is another one than some stages ran with.

    A value that is not given is its default.
    """
    current = leaves(project.params.model_dump(mode="json"))
    stages: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for stage, content in recorded.items():
        sections = content.get("params", {}).get(CHECKED.as_posix(), {})
        ran = leaves(sections)
        for name in sorted({*current, *ran}):
            if any(name == section or name.startswith(f"{section}.") for section in sections):
                expected, got = ran.get(name, "nothing"), current.get(name, "nothing")
                if expected != got:
                    stages[name, expected, got].append(stage)
    for (name, expected, got), which in stages.items():
        where = f"{project.root / PARAMS}: {name}"
        check.add(Finding(where, f"{expected}, with which {_few(which)} ran", got))


def leaves(content: object, prefix: str = "") -> dict[str, str]:
    """Dotted name -> value, as YAML would write it."""
    if not isinstance(content, dict):
        return {prefix: json.dumps(content, sort_keys=True)}
    found: dict[str, str] = {}
    for key, value in content.items():
        found |= leaves(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def _add_outs(check: Check, root: Path, lock: Lock, outs: Iterable[str], cache: Path) -> set[str]:
    """The outputs that are absent or of other bytes; DVC also lists those it has no copy of."""
    touched = set()
    for path in sorted(outs):
        if not (root / path).exists():
            check.lacks(path)
        elif md5(root / path) == lock.outs[path]:
            continue
        else:
            for finding in differences(root / path, lock.outs[path], cache):
                check.add(finding)
        touched.add(path)
    return touched


def _add_dep(
    check: Check, path: str, deleted: bool, stages: list[str], lock: Lock, touched: set[str]
) -> None:
    recorded = {stage: lock.read_by(stage, path) for stage in stages}
    if path in lock.outs:
        # whether the output is what its own stage left is looked at with the outputs
        stale = [stage for stage, digest in recorded.items() if digest != lock.outs[path]]
        if stale and path not in touched:
            what = f"what {_few(stale)} read (md5 {recorded[stale[0]]})"
            check.add(Finding(path, what, f"what was made since (md5 {lock.outs[path]})"))
    elif lock.around(path):
        if not lock.around(path) & touched:
            check.add(Finding(path, f"what {_few(stages)} read", "other files"))
    else:
        got = "no such path" if deleted else "other content"
        what = f"what {_few(stages)} ran with (md5 {recorded[stages[0]]})"
        check.add(Finding(path, what, got))


def _few(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def cached_file(cache: Path, digest: str) -> Path | None:
    """The copy with a digest in a DVC cache; None where there is none or it is damaged."""
    path = cache / "files" / "md5" / digest[:2] / digest[2:]
    return path if path.is_file() and md5(path) == digest.removesuffix(".dir") else None


def differences(path: Path, recorded: str, cache: Path) -> list[Finding]:
    """Where an output, a file or a folder, has other content than its digest in `dvc.lock` says.

    A picture of other bytes and equal pixels has equal content, as has what is compressed. Where
    the cache, which need not exist, does not say what a folder held, there is one finding for the
    folder.
    """
    if not recorded.endswith(".dir"):
        return [found for found in [_compare_file(path, recorded, cache)] if found]
    listing = cached_file(cache, recorded)
    if listing is None:
        same = _folder_md5(path, as_written=True) == recorded
        return [] if same else [Finding(path.as_posix(), f"md5 {recorded}", f"md5 {md5(path)}")]
    there = _files(path)
    listed = {entry["relpath"]: entry["md5"] for entry in io.read_json(listing)}
    new, gone = sorted(there.keys() - listed.keys()), sorted(listed.keys() - there.keys())
    files = [
        _compare_file(there[n], listed[n], cache) for n in sorted(there.keys() & listed.keys())
    ]
    return [
        *(Finding((path / name).as_posix(), "no such file", "a file") for name in new),
        *(
            Finding((path / name).as_posix(), f"a file (md5 {listed[name]})", "no such file")
            for name in gone
        ),
        *(found for found in files if found),
    ]


_DECODED = {".png": io.read_ids, ".webp": io.read_picture}
"""What reads the pixels of pictures that are the same whatever their bytes are."""


def _compare_file(path: Path, recorded: str, cache: Path) -> Finding | None:
    digest = md5(path)
    if digest == recorded:
        return None
    other_bytes = Finding(path.as_posix(), f"md5 {recorded}", f"md5 {digest}")
    kept = cached_file(cache, recorded)
    if kept is None:
        return other_bytes
    try:
        if path.suffix in _DECODED:
            read = _DECODED[path.suffix]
            return pixel_finding(path.as_posix(), read(kept), read(path))
        ours, theirs = (_text(one, path.suffix) for one in (kept, path))
        if ours == theirs:  # compressed by another library
            return None
        return line_finding(path.as_posix(), ours, theirs) or other_bytes
    except DataError as fault:
        return Finding(path.as_posix(), "a whole image", str(fault).removeprefix(f"{path}: "))
    except UnicodeDecodeError:
        return other_bytes


def _text(path: Path, suffix: str) -> str:
    content = io.read_gzip(path) if suffix == io.GZIP else path.read_bytes()
    return content.decode()


def _files(folder: Path) -> dict[str, Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def md5(path: Path) -> str:
    """The digest that DVC gives a file or a folder."""
    if path.is_dir():
        return _folder_md5(path)
    return md5_of(path.read_bytes())


def md5_of(content: bytes) -> str:
    """The digest that DVC gives bytes."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _folder_md5(folder: Path, as_written: bool = False) -> str:
    """The digest that DVC gives a folder, what is compressed as found or as augflow writes it."""
    entries = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, path in sorted(_files(folder).items()):
            if as_written:
                path = _rewrite(path, Path(scratch) / f"again{path.suffix}")
            entries.append({"md5": md5(path), "relpath": name})
    listing = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(listing, usedforsecurity=False).hexdigest() + ".dir"


def _rewrite(path: Path, scratch: Path) -> Path:
    """The same content as augflow compresses it, or the file where that has only one form."""
    try:
        if path.suffix == io.GZIP:
            io.write_gzip(scratch, io.read_gzip(path))
        elif path.suffix == ".png":
            io.write_png(scratch, io.read_ids(path))
        elif path.suffix == ".webp" and is_lossless(path.read_bytes()):
            io.write_webp(scratch, io.read_picture(path))
        else:
            return path
    except (DataError, ValueError):
        return path
    return scratch
