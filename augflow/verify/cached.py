"""What differs between an output and the copy of it that DVC kept, by content."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

from augflow.core import io
from augflow.core.errors import DataError
from augflow.verify.check import Finding, line_finding, pixel_finding


def cached_file(cache: Path, digest: str) -> Path | None:
    """The copy with a digest in a DVC cache; None where there is none or it is damaged."""
    path = cache / "files" / "md5" / digest[:2] / digest[2:]
    return path if path.is_file() and md5(path) == digest.removesuffix(".dir") else None


def differences(path: Path, recorded: str, cache: Path) -> list[Finding]:
    """Where an output, a file or a folder, has other content than was recorded.

    A PNG with other bytes and equal pixels has equal content. Where the cache does not say what a
    folder held, there is one finding for the folder.

    Args:
        path: the output, which exists.
        recorded: its digest in `dvc.lock`.
        cache: where the recorded content is looked up; it need not exist.
    """
    if not recorded.endswith(".dir"):
        return [found for found in [_compare_file(path, recorded, cache)] if found]
    listing = cached_file(cache, recorded)
    if listing is None:
        same = _folder_md5(path, as_written=True) == recorded
        return [] if same else [Finding(path.as_posix(), f"md5 {recorded}", f"md5 {md5(path)}")]
    there = _files(path)
    listed = {entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_bytes())}
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


def _compare_file(path: Path, recorded: str, cache: Path) -> Finding | None:
    digest = md5(path)
    if digest == recorded:
        return None
    other_bytes = Finding(path.as_posix(), f"md5 {recorded}", f"md5 {digest}")
    kept = cached_file(cache, recorded)
    if kept is None:
        return other_bytes
    try:
        if path.suffix == ".png":
            return pixel_finding(path.as_posix(), io.read_ids(kept), io.read_ids(path))
        texts = (one.read_text(encoding="utf-8") for one in (kept, path))
        return line_finding(path.as_posix(), *texts) or other_bytes
    except DataError as fault:
        return Finding(path.as_posix(), "a whole image", str(fault).removeprefix(f"{path}: "))
    except UnicodeDecodeError:
        return other_bytes


def _files(folder: Path) -> dict[str, Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def md5(path: Path) -> str:
    """The digest that DVC gives a file or a folder."""
    if path.is_dir():
        return _folder_md5(path)
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _folder_md5(folder: Path, as_written: bool = False) -> str:
    """The digest that DVC gives a folder, its PNGs as found or as `io.write_png` makes them."""
    entries = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, path in sorted(_files(folder).items()):
            if as_written and path.suffix == ".png":
                path = _rewrite(path, Path(scratch) / "image.png")
            entries.append({"md5": md5(path), "relpath": name})
    listing = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(listing, usedforsecurity=False).hexdigest() + ".dir"


def _rewrite(path: Path, scratch: Path) -> Path:
    try:
        io.write_png(scratch, io.read_ids(path))
    except (DataError, ValueError):
        return path
    return scratch
