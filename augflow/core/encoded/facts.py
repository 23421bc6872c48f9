"""What is known of an image file before it is decoded, and what is too much or too little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from augflow.core.errors import DataError, on_one_line

MOST_PIXELS = 2**28 // 3
"""A quarter of a gibibyte as RGB; from there on Pillow, too, speaks of decompression bombs."""

Kind = Literal["PNG", "JPEG"]


@dataclass(frozen=True)
class Encoded:
    """The content of an image file and what its head says; `bits` are those of a channel."""

    kind: Kind
    content: bytes
    height: int
    width: int
    bits: int
    frames: int = 1


def broken(reason: str) -> DataError:
    """The fault of a file that cannot be decoded as a whole."""
    return DataError(f"not a whole image ({on_one_line(reason)}); restore the file")


def require_pixels(height: int, width: int) -> None:
    """Lets pass what has pixels, and not too many of them.

    Raises:
        DataError: otherwise.
    """
    if not height or not width:
        raise broken(f"of size {height}x{width}, it has no pixels")
    if height * width > MOST_PIXELS:
        raise DataError(
            f"has {height}x{width} pixels, expected at most {MOST_PIXELS} in all; make it smaller"
        )
