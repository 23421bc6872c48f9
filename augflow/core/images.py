"""Pixels of image files, or an error in one line: nothing is guessed, filled up or rescaled.

Decoders are kind: they pass over absent rows, further frames and many more pixels than anybody
wants. What comes out may then be other ids than those that were saved. So a file is checked before
it is decoded: a known kind, not too large, whole, one picture.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from augflow.core.errors import DataError, on_one_line

if TYPE_CHECKING:
    from PIL import Image

MOST_BYTES = 2**30
MOST_PIXELS = 2**28 // 3
"""A quarter of a gibibyte as RGB; from there on Pillow, too, speaks of decompression bombs."""
MOST_SCANS = 100
"""Of a progressive JPEG: each costs as much time as a picture, and has some ten bytes at least."""

_SPARE = 32
"""Bytes at the end of a JPEG that hold its last pixels, however little is coded there."""

Kind = Literal["PNG", "JPEG", "WebP"]
_PNG, _JPEG, _WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_OTHERS = {
    b"GIF8": "a GIF",
    _WEBP: "a WebP",
    b"BM": "a BMP",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"%PDF": "a PDF",
    b"\0\0\0\x0cjP": "a JPEG 2000",
    b"8BPS": "a Photoshop file",
    b"P5": "a PGM",
    b"P6": "a PPM",
    b"\x93NUMPY": "a NumPy array",
    b"\xff\x0a": "a JPEG XL",
}
_ORIENTATION = 0x0112
"""The EXIF tag that says how a picture is to be turned, 1 where it is not."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the colour type of a PNG: grey, RGB, palette, grey with alpha, RGB with alpha."""
_PASSES = (("0011",), ("0088", "0488", "4048", "0244", "2042", "0122", "1021"))
"""Of a PNG, without interlacing and with Adam7: first row and column, steps to the next ones."""
_MARKER = re.compile(rb"\xff+([^\x00\x01\xff\xd0-\xd7])", re.DOTALL)
"""The next marker of a JPEG: no stuffed byte and no restart."""
_WRITTEN = {(8, 0, 0), (16, 0, 0), (8, 2, 0)}
"""Bits a channel, colour type and interlacing of the PNGs of `io.write_png`: grey or RGB."""


_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
"""A marker within the data of a JPEG's scan, from which on decoders begin anew."""

_MORE = bytes((0x55, 0xA6, 0x3B, 0xD1)) * 16
"""Nothing that decoders put in the place of data that are not there, and no marker."""


class _Scan(NamedTuple):
    """A scan of a JPEG: its header, and where its data begin and end."""

    head: bytes
    start: int
    end: int


def read_photo(path: Path) -> np.ndarray:
    """Decodes a photograph strictly: a truncated file is an error, not a grey area.

    Shapes:
        returns: (H, W, 3) uint8, RGB, upright (EXIF orientation applied), alpha dropped.

    Raises:
        DataError: missing, no PNG or JPEG, cut off, damaged, too large, with several frames, of
            more than 8 bits a channel, or of inks.
    """
    return _read(path, ("PNG", "JPEG"), _rgb)


def read_ids(path: Path) -> np.ndarray:
    """Decodes a PNG of ids (classes or instances) strictly; a palette PNG gives its indices.

    Shapes:
        returns: (H, W) uint8 or (H, W) int32 for 16-bit files; (H, W, 3) uint8 for a colour map,
            black where it is wholly transparent.

    Raises:
        DataError: missing, no PNG, cut off, damaged, too large, with several frames, to be turned
            when it is shown, or of a pixel format that holds no ids.
    """
    return _read(path, ("PNG",), _upright_ids)


def read_first_frame(path: Path) -> np.ndarray:
    """The same of a PNG or WebP that may be an animation, or to be turned: as it is stored.

    Raises:
        DataError: it cannot be decoded, or is of a pixel format that holds no ids.
    """
    return _read(path, ("PNG", "WebP"), _ids)


def read_picture(path: Path) -> np.ndarray:
    """Decodes a picture of a report: a PNG, or a WebP without losses, as strictly as a photograph.

    Shapes:
        returns: (H, W, 3) uint8.

    Raises:
        DataError: as `read_photo`.
    """
    return _read(path, ("PNG", "WebP"), _rgb)


def find_foreign_part(content: bytes) -> str | None:
    """What of a PNG or WebP is none that augflow writes; None where all is.

    Pixels are what digests are of. What else a file holds may have browsers show others: further
    frames, gamma, colour profiles, transparency, palettes, a turn.

    References:
        PNG Specification (third edition), sections 5.3, 11.2.1; RFC 9649,
        sections 2.5 and 2.6 (files of one chunk), 3.4; RFC 6386, section 9.1.
    """
    if content.startswith(_PNG):
        return _foreign_chunk(content)
    if content.startswith(_WEBP) and content[8:12] == b"WEBP":
        return _foreign_webp(content)
    return "neither PNG nor WebP"


def _foreign_chunk(content: bytes) -> str | None:
    place, names = len(_PNG), [b""]
    while names[-1] != b"IEND" and place < len(content):
        names.append(content[place + 4 : place + 8])
        place += 12 + int.from_bytes(content[place : place + 4])
    foreign = [name for name in names[1:] if name not in (b"IHDR", b"IDAT", b"IEND")]
    if foreign:
        return f"a chunk {on_one_line(foreign[0].decode('latin-1'))}"
    if not re.fullmatch(rb"IHDR(IDAT)+IEND", b"".join(names)):
        return "chunks in another order"
    if place != len(content):
        return f"{len(content) - place} bytes behind its end" if place < len(content) else "no end"
    bits, colour, interlacing = content[24], content[25], content[28]
    if (bits, colour, interlacing) not in _WRITTEN:
        return f"colour type {colour} of {bits} bits, interlacing {interlacing}"
    return None


def _foreign_webp(content: bytes) -> str | None:
    """The simple form has one chunk, of pixels; the extended one has profiles, frames and notes."""
    name, length = content[12:16], int.from_bytes(content[16:20], "little")
    end = 20 + length + length % 2
    if name not in (b"VP8 ", b"VP8L"):
        return f"a chunk {on_one_line(name.decode('latin-1'))}"
    if not 8 + int.from_bytes(content[4:8], "little") == end <= len(content) or length < 10:
        return "no end"
    if len(content) > end or any(content[20 + length : end]):
        return f"{len(content) - end} bytes behind its end"
    if name == b"VP8L":
        return "transparency" if content[24] & 0x10 else None
    shown, scaled = content[20] & 0x11 == 0x10, (content[27] | content[29]) & 0xC0
    return None if shown and not scaled else "a frame that is not shown as it is"


def is_lossless(content: bytes) -> bool:
    """Whether a WebP keeps every pixel: then equal pixels have equal bytes."""
    return content[12:16] == b"VP8L"


def _read(
    path: Path, kinds: tuple[Kind, ...], values: Callable[[Image.Image, int], np.ndarray]
) -> np.ndarray:
    """What `values` makes of a decoded picture and its bits a channel."""
    try:
        content = _content(path, kinds)
        try:
            with _open(content) as image:
                bits = _require_whole(content, image)
                image.load()
                if content.startswith(_JPEG):
                    _require_coded(content, image)
                return values(image, bits)
        except DataError:
            raise
        except Exception as fault:  # of any kind: decoders trip over damaged metadata wherever
            raise _decode_error(str(fault)) from fault
    except DataError as fault:
        raise DataError(f"{on_one_line(path)}: {fault}") from fault


def _content(path: Path, kinds: tuple[Kind, ...]) -> bytes:
    """All bytes; those of pipes, devices, foreign formats and enormous files are left alone."""
    try:
        facts = path.stat()
        if other := other_kind(facts.st_mode):
            raise DataError(f"is {other}, expected an image file; put the file itself there")
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


def other_kind(mode: int) -> str | None:
    """What is at a path, by the mode that `stat` gives it, if that is no file; else None."""
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}
    return next((name for test, name in kinds.items() if test(mode)), "a device")


def _require_kind(head: bytes, kinds: tuple[Kind, ...]) -> None:
    if not head:
        raise _decode_error("an empty file")
    signs: dict[Kind, bytes] = {"PNG": _PNG, "JPEG": _JPEG, "WebP": _WEBP}
    found = next((kind for kind, sign in signs.items() if head.startswith(sign)), None)
    if found in kinds:
        return
    expected = " or ".join(kinds)
    if found == "JPEG" and kinds == ("PNG",):
        raise DataError(f"is a JPEG, which changes ids, expected {expected}; save ids as PNG")
    other = next((name for sign, name in _OTHERS.items() if head.startswith(sign)), None)
    if head[4:8] == b"ftyp":
        other = "a HEIC, AVIF or film"
    if other is not None:
        raise DataError(f"is {other}, expected {expected}; convert it")
    raise _decode_error(f"neither {' nor '.join(kinds)}, it begins with {head[:8]!r}")


def _decode_error(reason: str) -> DataError:
    """The fault of a file that cannot be decoded as a whole."""
    return DataError(f"not a whole image ({on_one_line(reason)}); restore the file")


def _open(content: bytes) -> Any:
    """Reads the head of a file of a known kind; no pixel is decoded."""
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.WebPImagePlugin import WebPImageFile

    kinds = {_PNG: PngImageFile, _WEBP: WebPImageFile}
    kind = next((one for sign, one in kinds.items() if content.startswith(sign)), JpegImageFile)
    try:
        return kind(io.BytesIO(content))
    except SyntaxError as fault:
        raise _decode_error(f"its head is damaged, or it has no pixels: {fault}") from fault


def _require_whole(content: bytes, image: Any) -> int:
    """Lets pass a file that has a picture as large as it says; returns its bits a channel."""
    width, height = image.size
    if height * width > MOST_PIXELS:
        raise DataError(
            f"has {height}x{width} pixels, expected at most {MOST_PIXELS} in all; make it smaller"
        )
    if content.startswith(_PNG):
        with _open(content) as unread:
            unread.verify()  # every chunk of its checksum, up to the end
        return _require_rows(content)
    if content.startswith(_WEBP):
        return 8
    if len(_scans(content)) > MOST_SCANS:
        raise _decode_error(f"more than {MOST_SCANS} scans")
    return int(image.bits)


def _require_rows(content: bytes) -> int:
    """Decoders leave pixels black for which a PNG has no data, and say nothing.

    References:
        PNG Specification (third edition), sections 5.3 (chunks), 8.1 (passes), 11.2.1 (IHDR).
    """
    heads, data, place = 0, [], len(_PNG)
    while (name := content[place + 4 : place + 8]) != b"IEND":
        body = memoryview(content)[
            place + 8 : place + 8 + int.from_bytes(content[place : place + 4])
        ]
        heads += name == b"IHDR"
        if name == b"IDAT":
            data.append(body)
        place += 12 + len(body)
    if not content.startswith(_END, place):
        raise _decode_error("its end is cut off or damaged")
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
    if heads != 1:
        raise _decode_error("expected one head")
    expected = 0
    for top, left, down, right in (map(int, one) for one in _PASSES[interlaced]):
        rows, columns = -(-(height - top) // down), -(-(width - left) // right)
        if rows > 0 and columns > 0:
            expected += rows * (1 + -(-columns * _CHANNELS[colour] * bits // 8))
    # somewhat more than there should be, as the checksum of all comes behind the last
    found = len(zlib.decompressobj().decompress(b"".join(data), expected + 2**20))
    if found < expected:
        raise _decode_error(f"{found} bytes of pixels where there should be {expected}")
    return int(bits)


def _require_coded(content: bytes, image: Image.Image) -> None:
    """Decoders fill up with grey what a JPEG does not code, and pass over what nothing is made of.

    Without its end marker a whole JPEG gives the same picture, and one whose data stop too early
    does not: its last rows stay black. Without its last bytes a whole one has no last rows. Of a
    progressive one, every coefficient has to come to its last bit. More data behind those of a scan
    are passed over if these are whole, and else are taken for the rest of them.
    """
    scans, pixels = _scans(content), np.asarray(image)
    if image.info.get("progressive") and not _is_refined(scans):
        raise _decode_error("scans are missing")
    ends = _data_ends(content, scans)
    if len(ends) > 1 and not np.array_equal(pixels, _rows_of(_with_more(content, ends))):
        raise _decode_error("its data stop within the image")
    if len(scans) == 1:
        _, start, end = scans[0]
        if not np.array_equal(pixels, _rows_of(content[:end] + bytes(64))):
            raise _decode_error("its data stop within the image")
        shorter = content[: max(start, end - _SPARE)]
        if pixels[-1].any() and np.array_equal(pixels, _rows_of(shorter)):
            raise _decode_error("it is damaged: more data than the image needs")


def _data_ends(content: bytes, scans: list[_Scan]) -> list[int]:
    """Where the data of scans end: before each marker from which on decoders begin anew."""
    found = []
    for scan in scans:
        found += [one.start() for one in _RESTART.finditer(content, scan.start, scan.end)]
        found.append(scan.end)
    return found


def _with_more(content: bytes, ends: list[int]) -> bytes:
    """The same file with more data at each end, which a decoder skips that needs no more."""
    parts = zip([0, *ends], [*ends, None], strict=True)
    return _MORE.join(content[start:end] for start, end in parts)


def _is_refined(scans: list[_Scan]) -> bool:
    """Whether every coefficient of every component comes to its last bit.

    References:
        ITU-T T.81, annex B.2.3 (scan headers) and G.1.1.1 (progressive scans).
    """
    last: dict[int, set[int]] = {}
    for head, _, _ in scans:
        components = head[3 : 3 + 2 * head[2] : 2]
        first, final, bits = head[3 + 2 * head[2] :][:3]
        for one in components:
            last.setdefault(one, set()).update(range(first, final + 1) if not bits & 15 else ())
    return all(len(known) == 64 for known in last.values())


def _rows_of(content: bytes) -> np.ndarray:
    """What is decoded of a JPEG without end; rows that it does not hold are black."""
    with _open(content) as image:
        with suppress(OSError):
            image.load()
        image.tile = []
        return np.asarray(image)


def _scans(content: bytes) -> list[_Scan]:
    """The scans of a JPEG.

    References:
        ITU-T T.81, annex B.1.1 (markers).
    """
    place, found = 2, []
    while (marker := _MARKER.search(content, place)) is None or marker[1] != b"\xd9":
        if marker is None:
            raise _decode_error(f"it ends within the image, after {len(content)} bytes")
        place = marker.end() + int.from_bytes(content[marker.end() : marker.end() + 2])
        if marker[1] == b"\xda":
            end = _MARKER.search(content, place)
            found.append(_Scan(content[marker.end() : place], place, end.start() if end else place))
    return found


def _rgb(image: Image.Image, bits: int) -> np.ndarray:
    from PIL import ImageOps

    _require_one(image)
    if bits > 8:
        raise DataError(f"{bits} bits a channel, expected 8; convert it to 8-bit RGB")
    if image.mode == "CMYK":
        raise DataError("CMYK colours, expected RGB or grey; convert it to 8-bit RGB")
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _upright_ids(image: Image.Image, bits: int) -> np.ndarray:
    _require_one(image)
    turn = image.getexif().get(_ORIENTATION, 1)
    if turn != 1:
        raise DataError(f"ids that are to be turned (EXIF orientation {turn}); save them upright")
    return _ids(image, bits)


def _require_one(image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise DataError(
            f"an animation of {frames} frames, expected one picture; save the frame that is meant"
        )


def _ids(image: Image.Image, bits: int) -> np.ndarray:
    if image.mode == "P":
        return np.asarray(image)
    if image.mode == "L":
        # Pillow spreads greys of 2 and 4 bits over 0..255
        return np.asarray(image) // np.uint8(255 // (2**bits - 1))
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.int32)
    if image.mode == "RGB" and bits == 8:
        return np.asarray(image)
    if image.mode == "RGBA" and bits == 8:
        pixels = np.asarray(image)
        return np.where(pixels[..., 3:] > 0, pixels[..., :3], np.uint8(0))
    raise DataError(
        f"pixel format {image.mode} of {bits} bits holds no ids; expected 8-bit or 16-bit grey, "
        "palette or 8-bit RGB: convert the file"
    )
