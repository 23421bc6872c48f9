"""Pixels of image files, or an error in one line: nothing is guessed, filled up or rescaled."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augflow.core.encoded import Encoded, broken, encoded
from augflow.core.errors import DataError, on_one_line

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112
"""The EXIF tag that says how a picture is to be turned, 1 where it is not."""


def photo(path: Path) -> np.ndarray:
    """A photograph, upright and without alpha, (H, W, 3) uint8, RGB.

    Raises:
        DataError: see `files.read_photo`.
    """
    found = encoded(path, ("PNG", "JPEG"))
    return _decoded(path, found, lambda image: _rgb(image, found))


def ids(path: Path) -> np.ndarray:
    """The ids or colours of a PNG, (H, W) uint8 or int32, or (H, W, 3) uint8.

    Raises:
        DataError: see `files.read_ids`.
    """
    found = encoded(path, ("PNG",))
    return _decoded(path, found, lambda image: _values(_kept(image, found), found.bits))


def first_frame(path: Path) -> np.ndarray:
    """The same of a PNG that may be an animation, or to be turned: as it is stored.

    Raises:
        DataError: it cannot be decoded, or is of a pixel format that holds no ids.
    """
    found = encoded(path, ("PNG",))
    return _decoded(path, found, lambda image: _values(image, found.bits))


def _decoded(path: Path, found: Encoded, taken: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    decoder = PngImageFile if found.kind == "PNG" else JpegImageFile
    try:
        with decoder(io.BytesIO(found.content)) as image:
            image.load()
            return taken(image)
    except DataError as fault:
        raise DataError(f"{on_one_line(path)}: {fault}") from fault
    except Exception as fault:  # of any kind: decoders trip over damaged metadata wherever it is
        raise DataError(f"{on_one_line(path)}: {broken(str(fault))}") from fault


def _rgb(image: Image.Image, found: Encoded) -> np.ndarray:
    from PIL import ImageOps

    _require_one(found)
    if found.bits > 8:
        raise DataError(f"{found.bits} bits a channel, expected 8; convert it to 8-bit RGB")
    if image.mode == "CMYK":
        raise DataError("CMYK colours, expected RGB or grey; convert it to 8-bit RGB")
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _kept(image: Image.Image, found: Encoded) -> Image.Image:
    _require_one(found)
    turn = image.getexif().get(_ORIENTATION, 1)
    if turn != 1:
        raise DataError(f"ids that are to be turned (EXIF orientation {turn}); save them upright")
    return image


def _require_one(found: Encoded) -> None:
    if found.frames > 1:
        raise DataError(
            f"an animation of {found.frames} frames, expected one picture; "
            "save the frame that is meant"
        )


def _values(image: Image.Image, bits: int) -> np.ndarray:
    if image.mode == "P":
        return np.asarray(image)
    if image.mode == "L":
        # Pillow spreads greys of 2 and 4 bits over 0..255
        return np.asarray(image) // np.uint8(255 // (2**bits - 1))
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.int32)
    if image.mode in ("RGB", "RGBA") and bits == 8:
        return np.asarray(image.convert("RGB"))
    raise DataError(
        f"pixel format {image.mode} of {bits} bits holds no ids; expected 8-bit or 16-bit grey, "
        "palette or 8-bit RGB: convert the file"
    )
