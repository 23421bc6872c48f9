"""The structure of PNG files."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from augflow.core.encoded.facts import Encoded, broken, require_pixels

SIGN = b"\x89PNG\r\n\x1a\n"

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the colour type of a PNG: grey, RGB, palette, grey with alpha, RGB with alpha."""

_ALL = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
          (1, 0, 2, 1))  # fmt: skip
"""The passes of a PNG: first row and column, and the steps to the next ones."""

_AT_ONCE = 2**20


def walked(content: bytes) -> Encoded:
    """Every chunk whole and of its checksum, from one IHDR to IEND, and rows for all the pixels.

    Raises:
        DataError: otherwise, or without pixels or too large.

    References:
        PNG Specification (third edition), sections 5.3 (chunks), 11.2.1 (IHDR), 11.3.6 (APNG).
    """
    head, frames, data = None, 1, []
    for name, body in _chunks(content):
        if (name == b"IHDR") is not (head is None):
            raise broken("expected one head, at its beginning")
        if head is None:
            head = _Head.of(body)
        elif name == b"acTL":
            frames = max(1, int.from_bytes(body[:4], "big"))
        elif name == b"IDAT":
            data.append(body)
    if head is None:
        raise broken("it has no head")
    _require_rows(data, head.stored)
    return Encoded("PNG", content, head.height, head.width, head.bits, frames)


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and content of each chunk before IEND, which has to be there."""
    view, place, name = memoryview(content), len(SIGN), b""
    while name != b"IEND":
        start, end = place + 8, place + 12 + int.from_bytes(content[place : place + 4], "big")
        name = content[place + 4 : start]
        if len(name) < 4 or end > len(content):
            raise broken(f"it ends within a chunk, after {len(content)} bytes")
        if zlib.crc32(view[place + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise broken(f"the checksum of chunk {name.decode('latin-1')!r} at {place} is wrong")
        if name != b"IEND":
            yield name, view[start : end - 4]
        place = end


@dataclass(frozen=True)
class _Head:
    """What IHDR says, all of it known."""

    height: int
    width: int
    bits: int
    channels: int
    passes: tuple[tuple[int, int, int, int], ...]

    @classmethod
    def of(cls, body: memoryview) -> _Head:
        if len(body) != 13:
            raise broken("its head is of a wrong length")
        width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
        bits, colour, _, _, interlaced = body[8:13]
        require_pixels(height, width)
        if colour not in _CHANNELS or bits not in (1, 2, 4, 8, 16) or interlaced > 1:
            raise broken("its head names an unknown pixel format")
        return cls(height, width, bits, _CHANNELS[colour], _ADAM7 if interlaced else _ALL)

    @property
    def stored(self) -> int:
        """Bytes of all rows, each with its filter before it, in every pass."""
        total = 0
        for top, left, down, right in self.passes:
            rows, columns = -(-(self.height - top) // down), -(-(self.width - left) // right)
            if rows > 0 and columns > 0:
                total += rows * (1 + -(-columns * self.channels * self.bits // 8))
        return total


def _require_rows(data: list[memoryview], expected: int) -> None:
    """Decoders leave pixels black for which there are no data, and say nothing."""
    stream, count = zlib.decompressobj(), 0
    try:
        for part in data:
            rest: bytes | memoryview = part
            while rest and count < expected and not stream.eof:
                count += len(stream.decompress(rest, _AT_ONCE))
                rest = stream.unconsumed_tail
    except zlib.error as fault:
        raise broken(str(fault)) from fault
    if count < expected:
        raise broken(f"{count} bytes of pixels where there should be {expected}")
