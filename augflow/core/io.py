"""Files that are whole or absent: atomic byte-stable writes, strict reads, digests."""

from __future__ import annotations

import csv
import ctypes
import errno
import hashlib
import io
import json
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from augflow.core import images
from augflow.core.errors import BusyError, DataError

_PART, _OLD = ".part", ".old"
"""How the hidden names end of what is being written, and of what it replaces."""


def atomic_write(path: Path, content: bytes, synced: bool = True) -> None:
    """Writes aside, then renames: readers see the old file or the new one.

    A synced file survives a power failure too, at the price of waiting for the disk; what killed
    processes left of their attempts goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if synced:
        for rest in _leftovers(path):
            if not _lives(_writer(rest)):
                rest.unlink(missing_ok=True)
    aside = _aside(path)
    try:
        with aside.open("wb") as stream:
            stream.write(content)
            if synced:
                stream.flush()
                os.fsync(stream.fileno())
        aside.replace(path)
        if synced:
            _sync_names(path.parent)
    except OSError as fault:
        if fault.errno is not None and fault.filename is None:
            fault.filename = str(path)  # a full disk does not say what it could not take
        raise
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder beside `path` and puts it in its place when the body ends well.

    What `path` held before is replaced at once: at any moment the old or the new folder is there,
    whole, and the new one is on the disk before it gets its name. When the body raises, `path` is
    left as it was, and folders that it would have lain in are not made. While this lasts no other
    process can write `path`; what killed ones left of their attempts goes.

    Raises:
        DataError: it would lie in a file, or is a file or a symbolic link.
        BusyError: a live process is writing it; says which.
    """
    for above in path.parents:
        if above.exists() and not above.is_dir():
            raise DataError(f"{path}: {above} is a file, expected a folder; choose another place")
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        kind = "a symbolic link" if path.is_symlink() else "a file"
        raise DataError(f"{path}: {kind}, expected a folder or nothing; take it away first")
    new = [folder for folder in path.parents if not folder.exists()]
    try:
        with _locked(path.with_name(f".{path.name}.lock"), str(path), vanishing=True):
            _tidy(path)
            aside = _aside(path)
            aside.mkdir()
            try:
                yield aside
                _flush(aside)
                _exchange(aside, path)
                _sync_names(path.parent)
            finally:
                _clear(aside)
    finally:
        for folder in new:
            with suppress(OSError):  # not empty: something is in place
                folder.rmdir()


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}{_PART}")


def _tidy(path: Path) -> None:
    """Takes away what others have left beside `path`, which nobody else may be writing."""
    for old in _leftovers(path, _OLD):
        if path.exists():
            _clear(old)
        else:
            old.replace(path)
    for rest in _leftovers(path):
        _clear(rest)


def _leftovers(path: Path, end: str = _PART) -> list[Path]:
    """What this and other processes have begun to write in the place of `path`."""
    start = f".{path.name}."
    with os.scandir(path.parent) as entries:
        names = [entry.name for entry in entries
                 if entry.name.startswith(start) and entry.name.endswith(end)
                 and entry.name[len(start) : -len(end)].isdecimal()]  # fmt: skip
    return [path.with_name(name) for name in sorted(names)]


def _writer(leftover: Path) -> int:
    return int(leftover.name.split(".")[-2])


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass  # somebody else's, or no number of a process of this machine
    return True


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _flush(folder: Path) -> None:
    """Has the system write to the disk what lies in a folder."""
    flush = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if flush is None:
        os.sync()
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        if flush(opened) != 0:
            reason = ctypes.get_errno()
            raise OSError(reason, os.strerror(reason), str(folder))
    finally:
        os.close(opened)


def _sync_names(folder: Path) -> None:
    """Has the disk take up what names a folder has now: a renamed file keeps its new name."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as fault:
        if fault.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            fault.filename = str(folder)
            raise
    finally:
        os.close(opened)


def rotate(*places: Path) -> None:
    """Gives files the next names: the first becomes the second, that the third, and so on.

    At any moment each file that was there, but for the last, is there under one of two names.
    """
    for new, old in zip(reversed(places[1:]), reversed(places[:-1]), strict=True):
        if old.exists():
            old.replace(new)
    _sync_names(places[0].parent)


def _exchange(aside: Path, path: Path) -> None:
    """Puts `aside` in the place of `path`, and what was there, if anything, in the place of it."""
    if not path.exists():
        aside.replace(path)
        return
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    here, both = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
    if exchange is None or exchange(here, os.fsencode(aside), here, os.fsencode(path), both) != 0:
        # a file system that cannot: killed after the first, the old one is found by `_tidy`
        old = aside.with_suffix(_OLD)
        path.replace(old)
        aside.replace(path)
        old.replace(aside)


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Writes a PNG with a fixed encoder setting, not synced: a set has thousands of them.

    Shapes:
        pixels: (H, W, 3) uint8, (H, W) uint8 or (H, W) uint16.
    """
    from PIL import Image

    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"write_png takes uint8 or uint16 pixels, not {pixels.dtype}")
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", compress_level=6)
    atomic_write(path, stream.getvalue(), synced=False)


def read_photo(path: Path) -> np.ndarray:
    """Decodes a photograph strictly: a truncated file is an error, not a grey area.

    Shapes:
        returns: (H, W, 3) uint8, RGB, upright (EXIF orientation applied), alpha dropped.

    Raises:
        DataError: missing, no PNG or JPEG, cut off, damaged, too large, with several frames, of
            more than 8 bits a channel, or of inks.
    """
    return images.photo(path)


def read_ids(path: Path) -> np.ndarray:
    """Decodes a PNG of ids (classes or instances) strictly; a palette PNG gives its indices.

    Shapes:
        returns: (H, W) uint8 or (H, W) int32 for 16-bit files; (H, W, 3) uint8 for a colour map.

    Raises:
        DataError: missing, no PNG, cut off, damaged, too large, with several frames, to be turned
            when it is shown, or of a pixel format that holds no ids.
    """
    return images.ids(path)


def csv_bytes(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """A table with a header line, Unix line ends and one number format (see `cell`)."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(row[column]) for column in columns])
    return stream.getvalue().encode()


def cell(value: object) -> str:
    """One fixed text per value: floats with six significant digits or more, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return format(float(value), ".8g")
    return str(value)


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Writes `csv_bytes` atomically."""
    atomic_write(path, csv_bytes(rows, columns))


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table with a header line, all cells as text.

    Raises:
        DataError: the file is missing, no table, or a row's length differs from the header's.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, restkey="", restval=None))
    except (UnicodeDecodeError, csv.Error) as fault:
        raise DataError(f"{path}: not a table of UTF-8 text ({fault}); restore the file") from fault
    for number, row in enumerate(rows, start=2):
        if "" in row or None in row.values():
            raise DataError(f"{path}: line {number} has not as many cells as the header")
    return rows


def json_bytes(content: object) -> bytes:
    """JSON with sorted keys, two spaces, numbers of a list on one line, and a closing newline."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    return (_NUMBERS.sub(_on_one_line, text) + "\n").encode()


# a text in JSON holds no line break of its own, so none can look like a list
_NUMBERS = re.compile(r"\[\n\s+([-+.\dEe]+(?:,\n\s+[-+.\dEe]+)*)\n\s*\]")


def _on_one_line(found: re.Match[str]) -> str:
    return "[" + re.sub(r",\n\s+", ", ", found[1]) + "]"


def write_json(path: Path, content: object) -> None:
    """Writes `json_bytes` atomically."""
    atomic_write(path, json_bytes(content))


def write_records(path: Path, content: object) -> None:
    """The same on one line, for long lists of numbers that nobody reads."""
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, allow_nan=False)
    atomic_write(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        DataError: the file is missing or not JSON.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        return json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise DataError(f"{path}: not JSON ({fault}); restore the file") from fault


def digest_bytes(content: bytes) -> str:
    """The first 16 hex digits of SHA-256: enough to tell files of a study apart."""
    return hashlib.sha256(content).hexdigest()[:16]


def digest_array(array: np.ndarray) -> str:
    """A digest of shape, type and values: equal for equal pixels, however they were encoded."""
    head = f"{array.dtype.str}{array.shape}".encode()
    return digest_bytes(head + np.ascontiguousarray(array).tobytes())


def digest_file(path: Path) -> str:
    """A digest of the content: of decoded pixels for PNG, of the bytes for anything else.

    An animation counts as its first frame.
    """
    if path.suffix == ".png":
        return digest_array(images.first_frame(path))
    return digest_bytes(path.read_bytes())


def digest_bytes_of(paths: Iterable[Path]) -> str:
    """One digest of the bytes of files, in their order; decodes nothing.

    Raises:
        OSError: a file cannot be read.
    """
    whole = hashlib.sha256()
    for path in paths:
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


def digest_tree(root: Path) -> dict[str, str]:
    """Relative path -> digest of every file below `root`, sorted."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): digest_file(path) for path in files}


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds `folder` for this process alone; the lock of a dead process is free at once.

    Raises:
        BusyError: a live process holds it; says which, on which machine and since when.
    """
    with _locked(folder / "lock", str(folder)):
        yield


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Holds `folder` for this process alone, as soon as all others that hold it so are done."""
    with _locked(folder / "lock", str(folder), waiting=True):
        yield


@contextmanager
def _locked(
    path: Path, what: str, waiting: bool = False, vanishing: bool = False
) -> Iterator[None]:
    """Holds a lock file, which the system lets go of when this process ends, however it ends.

    Args:
        path: the lock file, made if it is not there.
        what: what it stands for, for messages.
        waiting: whether to wait for another process that holds it.
        vanishing: whether the file goes when the lock is let go of.

    Raises:
        BusyError: another process holds it and `waiting` is not set.
    """
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        stream = path.open("a+")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (0 if waiting else fcntl.LOCK_NB))
        except OSError as fault:
            with stream:
                if fault.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                stream.seek(0)
                raise BusyError(
                    f"{what}: held by {stream.read().strip() or 'another process'}; "
                    "wait for it or stop it, then start again"
                ) from fault
        if _is_still(stream, path):
            break
        stream.close()  # the one who held it has taken the file away: the lock is of nothing
    with stream:
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()} since {_now()}\n")
        stream.flush()
        try:
            yield
        finally:
            if vanishing:
                path.unlink(missing_ok=True)


def _is_still(stream: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
