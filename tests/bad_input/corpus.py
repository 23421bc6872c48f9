"""Files that are not what they should be: every kind there is, cut off and damaged everywhere."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 16, 24
SIGN = b"\x89PNG\r\n\x1a\n"

_rng = np.random.default_rng(0)
_slope = np.add.outer(np.arange(HEIGHT) * 9, np.arange(WIDTH) * 4)
PHOTO = np.stack([_slope, 255 - _slope, _slope // 2], -1).astype(np.uint8)
NOISE = _rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
IDS = _rng.integers(0, 4, (HEIGHT, WIDTH)).astype(np.uint8)
WIDE = (IDS.astype(np.uint16) + 24) * 1000


@dataclass(frozen=True)
class File:
    """A file, what is said of it as a photograph and as ids (None: read), and as what it is read.

    `photo` and `ids` are expected in the one line of the error.
    """

    content: bytes
    photo: str | None
    ids: str | None
    as_photo: np.ndarray | None = None
    as_ids: np.ndarray | None = None


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + crc(name + content)


def crc(content: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(content))


def head(height: int, width: int, bits: int, colour: int, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))


def png(
    bits: int, colour: int, rows: bytes, *before: bytes, size: tuple[int, int] = (HEIGHT, WIDTH)
) -> bytes:
    """A PNG whose rows (each begins with its filter, 0) are given as they are stored."""
    parts = [head(*size, bits, colour), *before, chunk(b"IDAT", zlib.compress(rows))]
    return SIGN + b"".join(parts) + chunk(b"IEND", b"")


def interlaced(values: np.ndarray, less: int = 0) -> bytes:
    """Values of 8 bits in the seven passes of Adam7, without so many bytes at the end."""
    passes = [values[::8, ::8], values[::8, 4::8], values[4::8, ::4], values[::4, 2::4],
              values[2::4, ::2], values[::2, 1::2], values[1::2]]  # fmt: skip
    data = b"".join(b"\0" + row.tobytes() for one in passes for row in one)
    body = chunk(b"IDAT", zlib.compress(data[: len(data) - less]))
    return SIGN + head(*values.shape, 8, 0, interlaced=1) + body + chunk(b"IEND", b"")


def rows(values: np.ndarray, bits: int) -> bytes:
    """Values of fewer than 8 bits, packed."""
    packed = np.packbits(
        ((values[..., None] >> np.arange(bits - 1, -1, -1)) & 1).reshape(len(values), -1), axis=1
    )
    return b"".join(b"\0" + row.tobytes() for row in packed)


def saved(pixels: np.ndarray | Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(stream, kind, **options)
    return stream.getvalue()


def palette(values: np.ndarray) -> Image.Image:
    image = Image.fromarray(values).convert("P")
    image.putpalette([9, 0, 0, 0, 9, 0, 0, 0, 9, 9, 9, 9])
    return image


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@cache
def wholes() -> dict[str, bytes]:
    """Sound files, to be cut off and damaged."""
    return {
        "photo.png": saved(NOISE, "PNG"),
        "smooth.png": saved(PHOTO, "PNG"),
        "ids.png": saved(IDS, "PNG"),
        "palette.png": saved(palette(IDS), "PNG"),
        "wide.png": saved(WIDE, "PNG"),
        "photo.jpg": saved(NOISE, "JPEG", quality=60),
        "smooth.jpg": saved(PHOTO, "JPEG"),
        "progressive.jpg": saved(PHOTO, "JPEG", progressive=True),
        "thumbnail.jpg": saved(PHOTO, "JPEG", exif=_thumbnail()),
    }


def _thumbnail() -> bytes:
    return b"Exif\0\0" + turned().tobytes()[6:] + saved(IDS, "JPEG")


def cut(content: bytes, count: int) -> list[bytes]:
    """The file up to so many places, the last byte but one among them."""
    places = {int(place) for place in np.linspace(1, len(content) - 1, count)}
    return [content[:place] for place in sorted(places)]


def flipped(content: bytes, count: int, seed: int) -> list[bytes]:
    """The file with another byte at one of so many places."""
    rng = np.random.default_rng([seed, len(content)])
    places = sorted({int(place) for place in np.linspace(0, len(content) - 1, count)})
    found = []
    for place in places:
        other = bytearray(content)
        other[place] ^= int(rng.integers(1, 256))
        found.append(bytes(other))
    return found


@cache
def kinds() -> dict[str, File]:
    """One file of every kind."""
    return {**_no_images(), **_formats(), **_depths(), **_structures(), **_sizes()}


def _no_images() -> dict[str, File]:
    texts = {
        "empty": b"", "text": b"a photograph", "page": b"<!doctype html><h1>404</h1>",
        "pointer": b"version https://git-lfs.github.com/spec/v1\n", "noise": bytes(range(256)),
        "zeros": bytes(300), "sign": SIGN, "start": b"\xff\xd8\xff", "zip": b"PK\3\4" + bytes(60),
    }  # fmt: skip
    said = "not a whole image"
    found = {name: File(content, said, said) for name, content in texts.items()}
    found["start"] = File(texts["start"], said, "is a JPEG")
    return found


def _formats() -> dict[str, File]:
    frames = [Image.fromarray(np.roll(NOISE, n, 0)) for n in range(3)]
    many = {"save_all": True, "append_images": frames[1:]}
    others = {
        "gif": ("GIF", "a GIF", {}), "moving_gif": ("GIF", "a GIF", many),
        "webp": ("WEBP", "a WebP", {}), "moving_webp": ("WEBP", "a WebP", many),
        "bmp": ("BMP", "a BMP", {}), "tiff": ("TIFF", "a TIFF", {}), "ppm": ("PPM", "a PPM", {}),
        "jp2": ("JPEG2000", "a JPEG 2000", {}), "pdf": ("PDF", "a PDF", {}),
    }  # fmt: skip
    found = {
        name: File(saved(frames[0], kind, **options), said, said)
        for name, (kind, said, options) in others.items()
    }
    found["moving_png"] = File(saved(frames[0], "PNG", **many), "of 3 frames", "of 3 frames")
    jpeg = "is a JPEG"
    found["cmyk"] = File(saved(frames[0].convert("CMYK"), "JPEG"), "CMYK", jpeg)
    found["jpeg"] = File(saved(PHOTO, "JPEG"), None, jpeg)
    found["progressive"] = File(saved(PHOTO, "JPEG", progressive=True), None, jpeg)
    found["several_jpegs"] = File(saved(Image.fromarray(PHOTO), "MPO", **many), None, jpeg)
    found["grey_jpeg"] = File(saved(IDS, "JPEG"), None, jpeg)
    found["turned_jpeg"] = File(saved(PHOTO, "JPEG", exif=turned()), None, jpeg)
    upright = np.rot90(NOISE, -1)
    found["turned_png"] = File(saved(NOISE, "PNG", exif=turned()), None, "turned", upright)
    found["rgb"] = File(saved(NOISE, "PNG"), None, None, NOISE, NOISE)
    found["rgba"] = File(saved(frames[0].convert("RGBA"), "PNG"), None, None, NOISE, NOISE)
    grey = np.repeat(IDS[..., None], 3, -1)
    found["grey"] = File(saved(IDS, "PNG"), None, None, grey, IDS)
    alpha = Image.fromarray(IDS).convert("LA")
    found["grey_alpha"] = File(saved(alpha, "PNG"), None, "format LA", grey)
    return found


def _depths() -> dict[str, File]:
    """Grey and palettes of 1, 2 and 4 bits as ids, and 16 bits in every form."""
    found = {"16_bits": File(saved(WIDE, "PNG"), "16 bits a channel", None, None, WIDE)}
    for name, colour, channels in (("rgb", 2, 3), ("alpha", 4, 2), ("rgba", 6, 4)):
        content = png(16, colour, b"".join(b"\0" + bytes(WIDTH * channels * 2)
                                           for _ in range(HEIGHT)))  # fmt: skip
        found[f"16_bits_{name}"] = File(content, "16 bits a channel", "of 16 bits holds no ids")
    colours = chunk(b"PLTE", bytes(range(48)))
    for bits in (1, 2, 4):
        values = IDS % 2**bits
        grey, indexed = png(bits, 0, rows(values, bits)), png(bits, 3, rows(values, bits), colours)
        shown = np.repeat((values.astype(int) * 255 // (2**bits - 1))[..., None], 3, -1)
        found[f"grey_{bits}"] = File(grey, None, None, shown, values)
        shown = np.arange(48).reshape(-1, 3)[values]
        found[f"palette_{bits}"] = File(indexed, None, None, shown, values)
    return found


def _structures() -> dict[str, File]:
    good, jpeg = saved(IDS, "PNG"), saved(PHOTO, "JPEG")
    grey = np.repeat(IDS[..., None], 3, -1)
    data = b"".join(b"\0" + row.tobytes() for row in IDS)
    start, said = head(HEIGHT, WIDTH, 8, 0), "not a whole image"
    end, body = chunk(b"IEND", b""), chunk(b"IDAT", zlib.compress(data))
    wrong = {
        "no_end": good[:-12],
        "no_data": SIGN + start + end,
        "no_head": SIGN + body + end,
        "two_heads": SIGN + start + head(8, 8, 8, 0) + body + end,
        "late_head": SIGN + body + start + end,
        "few_rows": png(8, 0, data[:100]),
        "no_rows": png(8, 0, b""),
        "no_stream": SIGN + start + chunk(b"IDAT", bytes(40)) + end,
        "unknown_filter": png(8, 0, b"\x09" + data[1:]),
        "unknown_colour": SIGN + head(HEIGHT, WIDTH, 8, 5) + body + end,
        "unknown_depth": SIGN + head(HEIGHT, WIDTH, 3, 0) + body + end,
        "endless_chunk": SIGN + start + b"\xff\xff\xff\xffIDAT" + bytes(30),
        "short_head": SIGN + chunk(b"IHDR", bytes(4)) + body + end,
        "no_palette": png(8, 3, data),
        "damaged_text": good.replace(b"IDAT", b"IDAS"),
        "text_bomb": png(8, 0, data, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**24)))),
    }
    found = {name: File(content, said, said) for name, content in wrong.items()}
    for name, content in {
        "no_palette": wrong["no_palette"], "no_jpeg_end": jpeg[:-2], "no_scan": jpeg[:20] +
        b"\xff\xd9", "many_scans": jpeg[:-2] + b"\xff\xda\0\2" * 200 + b"\xff\xd9",
    }.items():  # fmt: skip
        found[name] = File(content, said, "is a JPEG")
    del found["no_palette"]
    found["interlaced"] = File(interlaced(IDS), None, None, grey, IDS)
    found["interlaced_few_rows"] = File(interlaced(IDS, 9), said, said)
    found["more_behind"] = File(good + b"behind", None, None, grey, IDS)
    found["more_behind_jpeg"] = File(jpeg + b"behind", None, "is a JPEG")
    return found


def _sizes() -> dict[str, File]:
    large = "20000x20000 pixels, expected at most"
    bits = zlib.compress((b"\0" + bytes(2500)) * 20000)
    bomb = SIGN + head(20000, 20000, 1, 0) + chunk(b"IDAT", bits) + chunk(b"IEND", b"")
    jpeg = saved(PHOTO, "JPEG")
    place = jpeg.index(b"\xff\xc0") + 5

    def sized(height: int, width: int) -> bytes:
        return jpeg[:place] + struct.pack(">HH", height, width) + jpeg[place + 4 :]

    nothing = "it has no pixels"
    found = {
        "bomb": File(bomb, large, large),
        "jpeg_bomb": File(sized(20000, 20000), large, "is a JPEG"),
        "flat_jpeg": File(sized(0, WIDTH), nothing, "is a JPEG"),
        "thin_jpeg": File(sized(HEIGHT, 0), nothing, "is a JPEG"),
    }
    for name, size in {"flat": (0, 8), "thin": (8, 0), "none": (0, 0)}.items():
        found[name] = File(png(8, 0, b"\0", size=size), nothing, nothing)
    one = np.zeros((1, 1), np.uint8)
    found["one_pixel"] = File(saved(one, "PNG"), None, None, np.zeros((1, 1, 3)), one)
    return found
