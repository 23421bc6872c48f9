"""Decoded pixels, kept as files that every process maps instead of decoding them again.

    .augflow/cache/scenes/PLACE/DIGEST/NAME.npy

PLACE stands for what was decoded, DIGEST for its content: another content is another folder, and
the one before it goes. `AUGFLOW_CACHE` names another folder than `.augflow/cache`; with
`AUGFLOW_CACHE=off` pixels are decoded into memory.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow.core import io

log = logging.getLogger("augflow")

ROOT = Path(".augflow") / "cache"

Shape = tuple[int, ...]
Arrays = dict[str, np.ndarray]


def root() -> Path | None:
    """The folder of all caches; None where nothing is to be kept."""
    chosen = os.environ.get("AUGFLOW_CACHE") or str(ROOT)
    return None if chosen == "off" else Path(chosen)


@dataclass(frozen=True)
class PixelCache:
    """Arrays of uint8 that can be decoded.

    Attributes:
        place: one folder name for all contents that they have had.
        digest: works out the digest of their content as it is now; an OSError if it cannot be read.
        shapes: of each array, by name.
        rows: decodes an array, one row after the other.
    """

    place: str
    digest: Callable[[], str]
    shapes: Mapping[str, Shape]
    rows: Callable[[str], Iterator[np.ndarray]]

    def arrays(self) -> Arrays:
        """All arrays by name: mapped read-only where they can be kept, else decoded into memory.

        Whatever `rows` raises is passed on.
        """
        caches = root()
        if caches is None:
            return self._in_memory()
        try:
            digest = self.digest()
        except OSError:  # decoding says what is wrong
            return self._in_memory()
        home = caches / "scenes" / self.place
        try:
            return self._map_arrays(home, digest)
        except OSError as fault:
            log.warning("%s: pixels are decoded into memory, as none are kept: %s", home, fault)
        return self._in_memory()

    def _map_arrays(self, home: Path, digest: str) -> Arrays:
        folder = home / digest
        found = self._read_arrays(folder)
        if found is not None:
            return found
        with io.blocking_lock(home):
            found = self._read_arrays(folder)  # by whoever was before us
            if found is not None:
                return found
            if folder.exists():
                log.warning("%s: damaged; pixels are decoded again", folder)
            with io.fresh_folder(folder) as fresh:
                self._write(fresh)
                if self.digest() != digest:
                    raise OSError("files have changed while they were decoded")
            for other in home.iterdir():
                if other.is_dir() and other != folder:
                    shutil.rmtree(other, ignore_errors=True)
        found = self._read_arrays(folder)
        if found is None:
            raise OSError("they cannot be read back")
        return found

    def _read_arrays(self, folder: Path) -> Arrays | None:
        """The arrays of a folder, if all of them are there and whole."""
        found: Arrays = {}
        for name, shape in self.shapes.items():
            path = folder / f"{name}.npy"
            try:
                array = np.lib.format.open_memmap(path, mode="r")
            except (FileNotFoundError, ValueError, EOFError):  # absent, no header, or too short
                return None
            whole = path.stat().st_size == array.offset + array.nbytes
            if (array.shape, array.dtype, whole) != (shape, np.uint8, True):
                return None
            found[name] = np.asarray(array)
        return found

    def _write(self, folder: Path) -> None:
        for name, shape in self.shapes.items():
            with (folder / f"{name}.npy").open("wb") as stream:
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(stream, header)
                for row in self.rows(name):
                    stream.write(row.tobytes())
                stream.flush()
                os.fsync(stream.fileno())

    def _in_memory(self) -> Arrays:
        found: Arrays = {}
        for name, shape in self.shapes.items():
            found[name] = np.empty(shape, np.uint8)
            for number, row in enumerate(self.rows(name)):
                found[name][number] = row
        return found
