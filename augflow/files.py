"""Files that are whole or absent: atomic byte-stable writes, strict reads, digests."""

from __future__ import annotations

import csv
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
from pathlib import Path
from typing import Any

import numpy as np

from augflow import images
from augflow.errors import BusyError, DataError


def atomic_write(path: Path, content: bytes, synced: bool = True) -> None:
    """Writes aside, then renames: readers see the old file or the new one.

    A synced file survives a power failure too, at the price of waiting for the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as stream:
            stream.write(content)
            if synced:
                stream.flush()
                os.fsync(stream.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder beside `path` and renames it to `path` when the body ends well.

    What `path` held before is replaced; when the body raises, `path` is left as it was, and folders
    that it would have lain in are not made.

    Raises:
        DataError: it would lie in a file.
    """
    for above in path.parents:
        if above.exists() and not above.is_dir():
            raise DataError(f"{path}: {above} is a file, expected a folder; choose another place")
    new = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        if path.exists():
            shutil.rmtree(path)
        aside.replace(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        for folder in new:
            with suppress(OSError):  # not empty: something is in place
                folder.rmdir()


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
        DataError: the file is missing or a row's length differs from the header's.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream, restkey="", restval=None)
        rows = list(reader)
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
    except (json.JSONDecodeError, UnicodeDecodeError) as fault:
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
    """Holds `folder` for this process alone; a lock whose process is dead is taken over.

    Raises:
        BusyError: a live process holds it; says which.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            if fault.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            stream.seek(0)
            raise BusyError(
                f"{folder}: held by {stream.read().strip() or 'another process'}; "
                "wait for it or stop it, then start again"
            ) from fault
        stream.seek(0)
        stream.truncate()
        stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        stream.flush()
        yield


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Holds `folder` for this process alone, as soon as all others that hold it so are done."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
