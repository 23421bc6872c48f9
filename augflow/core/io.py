"""Files: atomic byte-stable writes, strict reads, digests, listings, locks."""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import socket
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import psutil
from filelock import FileLock, Timeout

from augflow.core.errors import BusyError, DataError, on_one_line
from augflow.core.images import MOST_BYTES, other_kind, read_first_frame
from augflow.core.images import read_ids as read_ids
from augflow.core.images import read_photo as read_photo
from augflow.core.images import read_picture as read_picture

_PART, _OLD = ".part", ".old"
"""How the hidden names end of what is being written, and of what it replaces."""

GZIP = ".gz"
"""The end of names of compressed files."""

LONGEST_NAME = 180
"""Bytes of a core name: file systems take 255, of which endings and names of parts need some."""


def atomic_write(path: Path, content: bytes, synced: bool = True) -> None:
    """Writes aside, then renames: readers see the old file or the new one.

    A synced file survives a power failure too, at the price of waiting for the disk; what killed
    processes left of their attempts goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if synced:
        for rest in _leftovers(path):
            if not psutil.pid_exists(int(rest.name.split(".")[-2])):
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

    The new folder is whole and on the disk before it gets its name; the old one has been put aside
    for that moment, and a process that is killed in it leaves that for the next one to put back.
    When the body raises, `path` is left as it was, and folders that it would have lain in are not
    made. While this lasts no other process can write `path`; what killed ones left goes.

    Raises:
        DataError: it would lie in a file, or is a file or a symbolic link.
        BusyError: a live process is writing it; says which.
    """
    with _sole_writer(path):
        aside = _aside(path)
        aside.mkdir()
        yield aside
        _put(aside, path)


@contextmanager
def lasting_folder(path: Path) -> Iterator[Path]:
    """Yields `unfinished(path)`, and puts the folder of `path`'s name in it in place at the end.

    As `fresh_folder`, but for this: what a killed or stopped body has written stays, and is what
    the next call yields. Files of the body's own beside the folder that is to be say what it is:
    where the body leaves none, everything goes.

    Raises:
        DataError, BusyError: as `fresh_folder`.
    """
    with _sole_writer(path):
        work = unfinished(path)
        if not (work / path.name).is_dir():
            _clear(work)
            (work / path.name).mkdir(parents=True)
        try:
            yield work
            _put(work / path.name, path)
            _clear(work)
        finally:
            if work.is_dir() and not any(one.is_file() for one in work.iterdir()):
                _clear(work)


def unfinished(path: Path) -> Path:
    """Where `lasting_folder` keeps what is to become the folder `path`."""
    return path.with_name(f".{path.name}.unfinished")


@contextmanager
def _sole_writer(path: Path) -> Iterator[None]:
    """Makes sure that a folder may be written, and that nobody else does until the body ends."""
    for above in path.parents:
        if above.exists() and not above.is_dir():
            raise DataError(f"{path}: {above} is a file, expected a folder; choose another place")
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        kind = "a symbolic link" if path.is_symlink() else "a file"
        raise DataError(f"{path}: {kind}, expected a folder or nothing; take it away first")
    new = [folder for folder in path.parents if not folder.exists()]
    try:
        with _lock(path.with_name(f".{path.name}.lock"), str(path)):
            _tidy(path)
            try:
                yield
            finally:
                _tidy(path)
    finally:
        for folder in new:
            with suppress(OSError):  # not empty: something is in place
                folder.rmdir()


def _put(new: Path, path: Path) -> None:
    """Puts a whole folder in its place, and what was there aside."""
    os.sync()
    if path.exists():
        path.replace(_aside(path).with_suffix(_OLD))
    new.replace(path)
    _sync_names(path.parent)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}{_PART}")


def _tidy(path: Path) -> None:
    """Takes away what lies beside `path`, which nobody else may be writing; puts the old back."""
    for old in _leftovers(path, _OLD):
        if path.exists():
            _clear(old)
        else:
            old.replace(path)
    for rest in _leftovers(path):
        _clear(rest)


def _leftovers(path: Path, end: str = _PART) -> list[Path]:
    """What this and other processes have begun to write in the place of `path`."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.\d{{1,9}}{re.escape(end)}")
    return sorted(one for one in path.parent.iterdir() if ours.fullmatch(one.name))


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


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


def write_webp(path: Path, pixels: np.ndarray, quality: int | None = None) -> None:
    """Writes a WebP: of every pixel as it is, or smaller, with losses, at a `quality` up to 100.

    Shapes:
        pixels: (H, W, 3) uint8.
    """
    from PIL import Image

    stream = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels), "RGB")
    if quality is None:
        image.save(stream, "WEBP", lossless=True, quality=60, method=4)
    else:
        image.save(stream, "WEBP", quality=quality, method=4)
    atomic_write(path, stream.getvalue(), synced=False)


@contextmanager
def npy_rows(path: Path, row: Sequence[int]) -> Iterator[Callable[[np.ndarray], None]]:
    """Yields what appends a uint8 array of shape `row` to a new `.npy` file; holds one at a time.

    The header counts the rows when the body ends well.
    """
    count = 0

    def write_header(stream: BinaryIO) -> None:
        stream.seek(0)
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, *row)}
        np.lib.format.write_array_header_1_0(stream, header)  # of one length for any count

    def append(array: np.ndarray) -> None:
        nonlocal count
        if array.shape != tuple(row) or array.dtype != np.uint8:
            raise ValueError(f"{path.name}: not uint8 of shape {row}: {array.dtype} {array.shape}")
        stream.write(np.ascontiguousarray(array).tobytes())
        count += 1

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        write_header(stream)
        yield append
        write_header(stream)


def map_npy(path: Path, shape: tuple[int, ...], remedy: str) -> np.ndarray:
    """A `.npy` file of uint8, mapped into memory and read only where it is looked at.

    Args:
        path: the file.
        shape: what its array has to have.
        remedy: what to do where it is not so.

    Raises:
        DataError: it is missing, damaged, or holds another array.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; {remedy}")
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError) as fault:
        line = " ".join(str(fault).split())
        raise DataError(f"{path}: not a whole array of numbers ({line}); {remedy}") from fault
    if (array.shape, array.dtype) != (shape, np.uint8):
        raise DataError(
            f"{path}: expected uint8 {_by(shape)}, got {array.dtype} {_by(array.shape)}; {remedy}"
        )
    if path.stat().st_size != array.offset + array.nbytes:
        raise DataError(f"{path}: holds more than its array; {remedy}")
    return np.asarray(array)


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def csv_bytes(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> bytes:
    """A table with a header line, Unix line ends and one number format (see `cell`).

    Texts that a spreadsheet would take for a formula, `=cmd()`, get an apostrophe before them,
    which `read_csv` takes away.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(_no_formula, columns))
    for row in rows:
        writer.writerow([_no_formula(cell(row[column])) for column in columns])
    return stream.getvalue().encode()


def cell(value: object) -> str:
    """One fixed text per value: floats with six significant digits or more, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return format(float(value), ".8g")
    return str(value)


_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-](inf|nan)?")


def _no_formula(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def _with_formula(text: str) -> str:
    """The inverse of `_no_formula`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Writes `csv_bytes` atomically."""
    atomic_write(path, csv_bytes(rows, columns))


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table with a header line, all cells as text.

    Raises:
        DataError: the file is missing, no table, a row's length differs from the header's, or two
            columns have one name.
    """
    require_file(path, MOST_BYTES)
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            lines = [[_with_formula(text) for text in line] for line in csv.reader(stream) if line]
    except (UnicodeDecodeError, csv.Error) as fault:
        raise DataError(f"{path}: not a table of UTF-8 text ({fault}); restore the file") from fault
    header, *rows = lines or [[]]
    twice = _first_double(header)
    if twice is not None:
        raise DataError(f"{path}: column {twice!r} comes twice, expected it once; restore the file")
    for number, row in enumerate(rows, start=2):
        if "" in header or len(row) != len(header):
            raise DataError(f"{path}: line {number} has not as many cells as the header")
    return [dict(zip(header, row, strict=True)) for row in rows]


def json_bytes(content: object) -> bytes:
    """JSON with sorted keys, two spaces, numbers of a list on one line, and a closing newline."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    return (_NUMBERS.sub(_on_one_line, text) + "\n").encode()


# a text in JSON holds no line break of its own, so none can look like a list
_NUMBERS = re.compile(r"\[\n\s+([-+.\dEe]+(?:,\n\s+[-+.\dEe]+)*)\n\s*\]")


def _on_one_line(found: re.Match[str]) -> str:
    return "[" + re.sub(r",\n\s+", ", ", found[1]) + "]"


def write_json(path: Path, content: object) -> None:
    """Writes `json_bytes` atomically, compressed under a name that ends in `.gz`."""
    _write_text(path, json_bytes(content))


def write_records(path: Path, content: object) -> None:
    """The same on one line, for long lists of numbers that nobody reads."""
    text = json.dumps(content, separators=(",", ":"), sort_keys=True, allow_nan=False)
    _write_text(path, (text + "\n").encode())


def _write_text(path: Path, content: bytes) -> None:
    (write_gzip if path.suffix == GZIP else atomic_write)(path, content)


def read_json(path: Path) -> Any:
    """Reads JSON, compressed or not.

    Raises:
        DataError: the file is missing, damaged, not JSON, or says two things: a key comes twice, of
            which some readers take the first and some the last.
    """
    content = read_gzip(path) if path.suffix == GZIP else read_bytes(path)
    try:
        return json.loads(content, object_pairs_hook=_unambiguous, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as fault:
        raise DataError(
            f"{path}: not JSON ({on_one_line(fault, 200)}); restore the file"
        ) from fault


def write_gzip(path: Path, content: bytes) -> None:
    """Writes bytes compressed, without a name or a time in the file, atomically."""
    atomic_write(path, gzip.compress(content, 9, mtime=0))


def read_gzip(path: Path) -> bytes:
    """The bytes of a compressed file, at most `MOST_BYTES`.

    Raises:
        DataError: it is missing, damaged, or holds more.
    """
    require_file(path, MOST_BYTES)
    try:
        with gzip.open(path) as stream:
            content = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as fault:
        raise DataError(f"{path}: not gzip ({fault}); restore the file") from fault
    if len(content) > MOST_BYTES:
        raise DataError(f"{path}: expected at most {MOST_BYTES} bytes in it; restore the file")
    return content


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, at most `MOST_BYTES`.

    Raises:
        DataError: it is missing, no file, or larger.
    """
    require_file(path, MOST_BYTES)
    return path.read_bytes()


def require_file(path: Path, most: int | None = None) -> None:
    """Lets a file pass that can be opened and ends: who opens a pipe may wait for ever.

    Raises:
        DataError: it is missing, no file, or of more than `most` bytes.
    """
    where = on_one_line(path)
    if not path.exists():
        raise DataError(f"{where}: no such file")
    facts = path.stat()
    if other := other_kind(facts.st_mode):
        raise DataError(f"{where}: is {other}, expected a file; put the file itself there")
    if most is not None and facts.st_size > most:
        raise DataError(f"{where}: has {facts.st_size} bytes, expected at most {most}; restore it")


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = _first_double(name for name, _ in pairs)
        raise ValueError(f"key {twice!r} comes twice in one object, expected it once")
    return found


def _first_double(names: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def digest_bytes(content: bytes) -> str:
    """The first 16 hex digits of SHA-256: enough to tell files of a study apart."""
    return hashlib.sha256(content).hexdigest()[:16]


def digest_array(array: np.ndarray) -> str:
    """A digest of shape, type and values: equal for equal pixels, however they were encoded."""
    head = f"{array.dtype.str}{array.shape}".encode()
    return digest_bytes(head + np.ascontiguousarray(array).tobytes())


def digest_file(path: Path) -> str:
    """A digest of the content: decoded pixels for PNG and WebP, else bytes, uncompressed.

    An animation counts as its first frame.
    """
    if path.suffix in (".png", ".webp"):
        return digest_array(read_first_frame(path))
    if path.suffix == GZIP:
        return digest_bytes(read_gzip(path))
    require_file(path)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def digest_tree(root: Path) -> dict[str, str]:
    """Relative path -> digest of every file below `root`, sorted."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): digest_file(path) for path in files}


def images_below(folder: Path, suffixes: Collection[str]) -> tuple[list[Path], list[str]]:
    """All files of some suffixes below a folder, sorted, and the faults of those left out.

    Hidden files and folders are no part of it. Whatever else carries such a suffix, in lower or
    upper case, is, pipes and broken links too: whoever reads it says what it is.

    Raises:
        DataError: no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{on_one_line(folder)}: no such folder; give a folder of images")
    found: list[Path] = []
    faults = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(place)
        linked = [here / name for name in folders if (here / name).is_symlink()]
        files = [here / name for name in names if not name.startswith(".")]
        files = [path for path in files if path.suffix.lower() in suffixes]
        found += [path for path in files if not leads_out(path, folder)]
        faults += [
            f"{on_one_line(path)}: {outside(path)}"
            for path in (*linked, *files)
            if leads_out(path, folder)
        ]
    return sorted(found), sorted(faults)


def index_by_name(
    folder: Path, paths: Sequence[Path], core: Callable[[Path], str]
) -> tuple[dict[str, Path], list[str]]:
    """Core name -> file below a folder, and the faults of names that cannot be written again."""
    groups: dict[str, list[Path]] = defaultdict(list)
    faults = []
    for path in paths:
        wrong = unfit(core(path))
        if wrong:
            faults.append(f"{on_one_line(path)}: {wrong}")
        else:
            groups[fold_name(core(path))].append(path)
    doubled = [group for group in groups.values() if len(group) > 1]
    if doubled:
        shown = "; ".join(f"{core(group[0])} ({', '.join(map(str, group))})" for group in doubled)
        faults.append(
            f"{folder}: names that come twice: {shown}; rename the files or give a folder that "
            "holds each once"
        )
    single: Mapping[str, Path] = {
        core(group[0]): group[0] for group in groups.values() if len(group) == 1
    }
    return dict(sorted(single.items())), faults


def is_name(name: str) -> bool:
    """Whether files can be named so: one line of text, no folders, neither hidden nor an option."""
    plain = name.isprintable() and not set(name) & {"/", "\\"}
    return plain and name != "" and not name.startswith((".", "-"))


def unfit(name: str) -> str | None:
    """Why files cannot be written under a core name, with what to do; None where they can."""
    if name in ("", ".", ".."):
        return f"nothing but {name or 'an ending'} is left as its name; rename it"
    if not name.isprintable():
        return (
            "has a line break, a character that cannot be printed or bytes that are no text in its "
            "name; rename it"
        )
    if "/" in name or "\\" in name:
        return "has a slash in its name; rename it"
    if not is_name(name):
        return f"has a name that begins with {name[0]}; rename it"
    if len(name.encode()) > LONGEST_NAME:
        return (
            f"has a name of {len(name.encode())} bytes, expected {LONGEST_NAME} at most; rename it"
        )
    return None


def fold_name(name: str) -> str:
    """What names have in common that some file systems hold to be one."""
    return unicodedata.normalize("NFC", name).casefold()


def leads_out(path: Path, root: Path) -> bool:
    """Whether a file below a folder is really elsewhere, by links."""
    real, base = os.path.realpath(path), os.path.realpath(root)
    return not Path(real).is_relative_to(base)


def outside(path: Path) -> str:
    """What is wrong with a file that `leads_out`, and what to do."""
    return (
        f"is a link out of the folder, to {on_one_line(os.path.realpath(path))}; "
        "put what it leads to there, or give the folder that holds it"
    )


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Holds `folder` for this process alone; the lock of a dead process is free at once.

    Raises:
        BusyError: a live process holds it; says which, on which machine and since when.
    """
    with _lock(folder / "lock", str(folder)):
        yield


@contextmanager
def blocking_lock(folder: Path) -> Iterator[None]:
    """Holds `folder` for this process alone, as soon as all others that hold it so are done."""
    with _lock(folder / "lock", str(folder), waiting=True):
        yield


@contextmanager
def _lock(place: Path, what: str, waiting: bool = False) -> Iterator[None]:
    """Holds the lock file `place`, which the system lets go of when this process ends, anyhow.

    Who holds it stands in a file beside it; `what` it stands for is for messages.

    Raises:
        BusyError: another process holds it and `waiting` is not set.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    lock, owner = FileLock(place, fallback_to_soft=False), place.with_name(f"{place.name}.owner")
    try:
        lock.acquire(blocking=waiting)
    except Timeout as fault:
        known = "another process"
        with suppress(FileNotFoundError):  # not noted yet, or let go of just now
            known = owner.read_text().strip() or known
        raise BusyError(
            f"{what}: held by {known}; wait for it or stop it, then start again"
        ) from fault
    try:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()} since {now}\n")
        yield
    finally:
        owner.unlink(missing_ok=True)
        place.unlink(missing_ok=True)  # while it is held: whoever waits for it opens another
        lock.release()
