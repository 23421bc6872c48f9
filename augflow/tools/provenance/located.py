"""Which set a photograph belongs to, and what the set's manifest says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.synthetic import FACTS, MANIFEST, SetFacts, SetRow, read_facts, read_rows


@dataclass(frozen=True)
class Located:
    """A photograph of a set.

    Attributes:
        path: its file, as it was given.
        folder: the set's folder.
        row: its line in the manifest.
    """

    path: Path
    folder: Path
    facts: SetFacts
    row: SetRow

    def pixels(self) -> np.ndarray:
        """What the file holds now, (H, W, 3) uint8.

        Raises:
            DataError: it cannot be read.
        """
        return io.read_photo(self.path)


def located(path: Path) -> Located:
    """The set of a photograph, found by walking up to a `set.json`, and its row.

    Raises:
        DataError: no such file, it is in no set, or the set's manifest does not list it.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give a photograph of a synthetic set")
    whole = path.absolute()
    root = next((parent for parent in whole.parents if (parent / FACTS).is_file()), None)
    if root is None:
        raise DataError(
            f"{path}: is in no set: no folder above it holds {FACTS}; give a photograph that "
            "augflow has made, where it was written"
        )
    folder = shown(root)
    rows = read_rows(folder)
    place = whole.relative_to(root).as_posix()
    row = next((row for row in rows if row.photo == place), None)
    if row is None:
        raise DataError(
            f"{path}: {folder / MANIFEST} does not list it; give one of its {len(rows)} "
            f"photographs, as {folder / rows[0].photo}"
        )
    return Located(path, folder, read_facts(folder), row)


def shown(path: Path) -> Path:
    """A path as people read it: from the current folder where it lies below that."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
