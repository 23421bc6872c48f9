"""What reads files of each ending: nothing but an `AugflowError` may come out of them.

`tests.fuzz.guided` changes the files of `tests/data/fuzz` in search of anything else, or of what
takes longer than `LONGEST` seconds.
"""

from __future__ import annotations

import re
import signal
import sys
import tempfile
import traceback
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

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


def summed(content: bytes) -> bytes:
    """A PNG with the checksum of every chunk that is whole made right."""
    found = bytearray(content)
    for chunk in re.finditer(rb"IHDR|PLTE|IDAT|IEND|tRNS|eXIf|acTL|zTXt|iCCP", content):
        start = chunk.start()
        end = start + 4 + int.from_bytes(content[max(0, start - 4) : start], "big")
        if end + 4 <= len(found):
            found[end : end + 4] = zlib.crc32(found[start:end]).to_bytes(4, "big")
    return bytes(found)
