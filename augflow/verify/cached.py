"""What differs between an output and the copy of it that DVC kept, by content."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from augflow.core import io
from augflow.core.errors import DataError
from augflow.verify.findings import Finding, around, pixel_finding


class Cache:
    """DVC's cache of contents, by the MD5 digests that `dvc.lock` records."""

    def __init__(self, root: Path) -> None:
        """Opens the cache in a folder; it need not exist."""
        self.root = root

    def file(self, digest: str) -> Path | None:
        """The copy with that digest, None where there is none or it is damaged."""
        path = self.root / "files" / "md5" / digest[:2] / digest[2:]
        if not path.is_file() or md5(path) != digest.removesuffix(".dir"):
            return None
        return path

    def listing(self, digest: str) -> dict[str, str] | None:
        """Relative path -> digest of the files of a folder, None where the cache lacks the list."""
        path = self.file(digest)
        if path is None:
            return None
        return {entry["relpath"]: entry["md5"] for entry in json.loads(path.read_bytes())}


def differences(path: Path, recorded: str, cache: Cache) -> list[Finding]:
    """Where an output, a file or a folder, has other content than was recorded.

    A PNG with other bytes and equal pixels has equal content. Where the cache does not say what a
    folder held, there is one finding for the folder.

    Args:
        path: the output, which exists.
        recorded: its digest in `dvc.lock`.
        cache: where the recorded content is looked up.
    """
    if not recorded.endswith(".dir"):
        found = _of_file(path, recorded, cache)
        return [] if found is None else [found]
    listed = cache.listing(recorded)
    if listed is None:
        if _folder_md5(path, as_written=True) == recorded:
            return []
        return [Finding(path.as_posix(), f"md5 {recorded}", f"md5 {md5(path)}")]
    there = dict(_files(path))
    found_all = [
        Finding((path / name).as_posix(), "no such file", "a file")
        for name in sorted(set(there) - set(listed))
    ]
    found_all += [
        Finding((path / name).as_posix(), f"a file (md5 {listed[name]})", "no such file")
        for name in sorted(set(listed) - set(there))
    ]
    for name in sorted(set(listed) & set(there)):
        found = _of_file(there[name], listed[name], cache)
        if found is not None:
            found_all.append(found)
    return found_all


def _of_file(path: Path, recorded: str, cache: Cache) -> Finding | None:
    digest = md5(path)
    if digest == recorded:
        return None
    bytes_differ = Finding(path.as_posix(), f"md5 {recorded}", f"md5 {digest}")
    kept = cache.file(recorded)
    if kept is None:
        return bytes_differ
    if path.suffix == ".png":
        return _of_png(path, kept)
    return _of_lines(path, kept) or bytes_differ


def _of_png(path: Path, kept: Path) -> Finding | None:
    try:
        return pixel_finding(path.as_posix(), io.read_ids(kept), io.read_ids(path))
    except DataError as fault:
        return Finding(path.as_posix(), "a whole image", str(fault).removeprefix(f"{path}: "))


def _of_lines(path: Path, kept: Path) -> Finding | None:
    """The first line that differs, None where a file is no text."""
    try:
        ours, theirs = (p.read_text(encoding="utf-8").split("\n") for p in (kept, path))
    except UnicodeDecodeError:
        return None
    for number in range(max(len(ours), len(theirs))):
        expected = ours[number] if number < len(ours) else None
        got = theirs[number] if number < len(theirs) else None
        if expected != got:
            where = f"{path.as_posix()}: line {number + 1}"
            return Finding(where, *around(expected or "", got or ""))
    return None


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def md5(path: Path) -> str:
    """The digest that DVC gives a file or a folder."""
    if path.is_dir():
        return _folder_md5(path)
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _folder_md5(folder: Path, as_written: bool = False) -> str:
    """The digest that DVC gives a folder, its PNGs as found or as `files.write_png` makes them."""
    entries = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, path in _files(folder):
            if as_written and path.suffix == ".png":
                path = _rewritten(path, Path(scratch) / "image.png")
            entries.append({"md5": md5(path), "relpath": name})
    entries.sort(key=lambda entry: entry["relpath"])
    listing = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(listing, usedforsecurity=False).hexdigest() + ".dir"


def _rewritten(path: Path, scratch: Path) -> Path:
    try:
        io.write_png(scratch, io.read_ids(path))
    except (DataError, ValueError):
        return path
    return scratch
