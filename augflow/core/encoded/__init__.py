"""Image files before anything of them is decoded: whole, of a known kind, and not too large.

Decoders are kind: they pass over wrong checksums, absent ends, further frames and unknown metadata.
What comes out may then be other ids than those that were saved. So the structure of a file is
walked through first.
"""

from __future__ import annotations

import stat
from pathlib import Path

from augflow.core.encoded import jpeg, png
from augflow.core.encoded.facts import Encoded, Kind, broken
from augflow.core.errors import DataError, on_one_line

__all__ = ["Encoded", "broken", "encoded"]

MOST_BYTES = 2**30

_OTHERS = {
    b"GIF8": "a GIF", b"RIFF": "a WebP", b"BM": "a BMP", b"II*\0": "a TIFF", b"MM\0*": "a TIFF",
    b"%PDF": "a PDF", b"\0\0\0\x0cjP": "a JPEG 2000", b"8BPS": "a Photoshop file",
    b"P5": "a PGM", b"P6": "a PPM", b"\x93NUMPY": "a NumPy array",
}  # fmt: skip


def encoded(path: Path, kinds: tuple[Kind, ...]) -> Encoded:
    """Reads a file and walks through its structure; none of its pixels is decoded.

    Raises:
        DataError: no file, none of these kinds, cut off, damaged, without pixels or too large.
    """
    try:
        content = _content(path, kinds)
        return (png if content.startswith(png.SIGN) else jpeg).walked(content)
    except DataError as fault:
        raise DataError(f"{on_one_line(path)}: {fault}") from fault


def _content(path: Path, kinds: tuple[Kind, ...]) -> bytes:
    """All bytes; those of pipes, devices, foreign formats and enormous files are left alone."""
    try:
        facts = path.stat()
        _require_file(facts.st_mode)
        with path.open("rb") as stream:
            head = stream.read(512)
            _require_kind(head, kinds)
            if facts.st_size > MOST_BYTES:
                raise DataError(
                    f"has {facts.st_size} bytes, expected at most {MOST_BYTES}; make it smaller"
                )
            return head + stream.read(MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError) as fault:
        link = "; its link leads nowhere: restore what it leads to" if path.is_symlink() else ""
        raise DataError(f"no such file{link}") from fault
    except (OSError, ValueError) as fault:  # no permission, a circle of links, a NUL in the name
        raise DataError(f"cannot be read ({getattr(fault, 'strerror', None) or fault})") from fault


def _require_file(mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}
    what = next((name for test, name in kinds.items() if test(mode)), "a device")
    raise DataError(f"is {what}, expected an image file; put the file itself there")


def _require_kind(head: bytes, kinds: tuple[Kind, ...]) -> None:
    if not head:
        raise broken("an empty file")
    found = "PNG" if head.startswith(png.SIGN) else "JPEG" if head.startswith(jpeg.SIGN) else None
    if found in kinds:
        return
    expected = " or ".join(kinds)
    if found == "JPEG":
        raise DataError(f"is a JPEG, which changes ids, expected {expected}; save ids as PNG")
    other = next((name for sign, name in _OTHERS.items() if head.startswith(sign)), None)
    if other is not None:
        raise DataError(f"is {other}, expected {expected}; convert it")
    raise broken(f"neither PNG nor JPEG, it begins with {head[:8]!r}")
