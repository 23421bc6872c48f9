"""Throws damaged files at the readers: nothing but an `AugflowError` may come out of them.

    python -m tests.fuzz.readers --minutes 10

Files of `tests/data/fuzz` are cut, joined and changed, in places that a seed chooses; what makes a
reader fail in any other way, or takes longer than `LONGEST` seconds, is kept under `--keep`.
`tests.fuzz.guided` goes by what code a change has reached instead, and needs atheris.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from augflow.core import io, yaml
from augflow.core.errors import AugflowError
from augflow.core.tensors import read_weights
from augflow.data.classes import table
from augflow.data.label_maps import read_layouts
from augflow.data.scenes import prepared_facts
from augflow.data.synthetic import read_decisions, read_facts, read_rows
from augflow.editing.edit_schema import read_edits
from augflow.generators import load_unchecked as load_generator
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import load_segmenter
from augflow.study.params import load
from augflow.tools.checkpoints.checkpoints import tensors_of

CORPUS = Path(__file__).parents[1] / "data" / "fuzz"
LONGEST = 10
NUMBERS = (0, 1, 2, 3, 7, 8, 127, 128, 254, 255)
WORDS = (
    b"&a ", b"*a", b"<<: ", b"!!int ", b"!!python/name:a ", b"- ", b"? ", b": ", b"[", b"]", b"{",
    b"}", b"|\n", b">\n", b"\n", b"  ", b"\t", b"#", b"'", b'"', b"---\n", b"...\n", b"%YAML 9\n",
    b".nan", b"-.inf", b"1e99", b"0x", b"2001-01-99", b"~", b"yes", b"\xef\xbb\xbf", b"\\x",
)  # fmt: skip

Reader = Callable[[Path], object]
CITY = table("cityscapes")


def beside(name: str, read: Reader, *others: str) -> Reader:
    """A reader of folders: the file is put into one as `name`, beside empty `others`."""

    def read_folder(path: Path) -> object:
        folder = path.parent / "folder"
        folder.mkdir(exist_ok=True)
        for place in (*others, name):
            (folder / place).write_bytes(path.read_bytes() if place == name else b"")
        return read(folder)

    return read_folder


READERS: dict[str, tuple[Reader, ...]] = {
    ".png": (io.read_photo, io.read_ids, io.digest_file,
             lambda path: read_layouts(path, CITY, (16, 24))),
    ".jpg": (io.read_photo, io.read_ids),
    ".yaml": (yaml.read, load, lambda path: (yaml.read(path), read_edits(path, CITY))),
    ".csv": (beside("manifest.csv", read_rows), beside("selection.csv", read_decisions)),
    ".json": (beside("dataset.json", prepared_facts), beside("set.json", read_facts),
              beside("config.json", load_generator, "weights.safetensors"),
              beside("config.json", load_segmenter, "weights.safetensors"),
              lambda path: read_config(str(path), 8)),
    ".pt": (tensors_of,),
    ".safetensors": (read_weights,),
}  # fmt: skip
"""What reads files of an ending."""

TABLES = (".csv",)
"""Endings whose readers list all faults, a line each."""


def main() -> int:
    """Runs for so many minutes; 1 when anything was found."""
    parser = argparse.ArgumentParser(description="Damaged files for the readers.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # Pillow's, on metadata
    warm(READERS)
    rng = np.random.default_rng(given.seed)
    whole = sorted(path for path in CORPUS.iterdir() if path.suffix in READERS)
    contents = [path.read_bytes() for path in whole]
    counts: Counter[str] = Counter()
    end = time.monotonic() + 60 * given.minutes
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            row = int(rng.integers(len(whole)))
            content = mutated(contents[row], contents, whole[row].suffix, rng)
            path = Path(folder) / f"a{whole[row].suffix}"
            path.write_bytes(content)
            for read in READERS[path.suffix]:
                counts[outcome(read, path, content, given.keep)] += 1
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))  # noqa: T201
    return 1 if counts["failed"] else 0


def outcome(read: Reader, path: Path, content: bytes, keep: Path, longest: int = LONGEST) -> str:
    """What a reader made of a file: `read`, `refused`, or `failed`, which is kept.

    It fails as well if it takes longer than `longest` seconds.
    """
    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(longest)
    try:
        read(path)
        return "read"
    except AugflowError as fault:
        if len(str(fault).splitlines()) == 1 or path.suffix in TABLES:
            return "refused"
        told = f"more than a line: {fault!r}"
    except BaseException as fault:
        if isinstance(fault, KeyboardInterrupt):
            raise
        told = traceback.format_exc()
    finally:
        signal.alarm(0)
    places = re.findall(r'File "(.*)", line (\d+)', told)
    kept = keep / f"{io.digest_bytes(repr(places or told).encode())}{path.suffix}"
    if not kept.exists():  # one of a kind is enough
        print(told, file=sys.stderr)  # noqa: T201
        keep.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(content)
    return "failed"


def warm(endings: Iterable[str]) -> None:
    """Has the readers of endings import what they need, which takes long once."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (path for path in CORPUS.iterdir() if path.suffix in endings):
            copy = Path(folder) / f"a{path.suffix}"
            copy.write_bytes(path.read_bytes())
            for read in READERS[path.suffix]:
                outcome(read, copy, path.read_bytes(), Path(folder) / "kept", 10 * LONGEST)


def _stop(*_: object) -> None:
    raise TimeoutError("longer than a reader may take")


def mutated(content: bytes, others: list[bytes], suffix: str, rng: np.random.Generator) -> bytes:
    """A file changed in one to five places; checksums of a PNG are mostly made right again."""
    found = bytearray(content)
    for _ in range(min(5, int(rng.geometric(0.6)))):
        if not found:
            break
        _change(found, others, suffix, rng)
    changed = bytes(found)
    return summed(changed) if suffix == ".png" and rng.random() < 0.8 else changed


def _change(found: bytearray, others: list[bytes], suffix: str, rng: np.random.Generator) -> None:
    place, kind = int(rng.integers(len(found))), int(rng.integers(7))
    length = int(rng.integers(1, 40))
    if kind == 0:
        found[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        found[place] = NUMBERS[int(rng.integers(len(NUMBERS)))]
    elif kind == 2:
        del found[place : place + length]
    elif kind == 3:
        found[place:place] = found[place : place + length] * int(rng.integers(1, 4))
    elif kind == 4:
        other = others[int(rng.integers(len(others)))]
        start = int(rng.integers(len(other)))
        found[place : place + length] = other[start : start + length]
    elif kind == 5 and suffix == ".yaml":
        found[place:place] = WORDS[int(rng.integers(len(WORDS)))]
    else:
        found[place : place + 4] = rng.bytes(4)


def summed(content: bytes) -> bytes:
    """A PNG with the checksum of every chunk that is whole made right."""
    found = bytearray(content)
    for chunk in re.finditer(rb"IHDR|PLTE|IDAT|IEND|tRNS|eXIf|acTL|zTXt|iCCP", content):
        start = chunk.start()
        end = start + 4 + int.from_bytes(content[max(0, start - 4) : start], "big")
        if end + 4 <= len(found):
            found[end : end + 4] = zlib.crc32(found[start:end]).to_bytes(4, "big")
    return bytes(found)


if __name__ == "__main__":
    sys.exit(main())
