"""The label maps of a folder as they came, with their objects and boundary maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError, Faults
from augflow.data.classes import ClassTable
from augflow.data.label_maps import (
    MAP_SUFFIXES,
    Labels,
    core_name,
    kind_of,
    known_classes,
    label_files,
    map_files,
    prefix_errors,
)
from augflow.editing.objects import ObjectMap, guess_objects, with_ids

KEPT = 32
"""So many layouts of a folder are kept in memory once they are read."""


@dataclass(frozen=True)
class Source:
    """A label map as it came.

    Shapes:
        raw: (H, W) published ids, kept where an edit does not change the class.
        boundary: (H, W) float32 in [0, 1], or None where instance ids say (or must say) it.
    """

    name: str
    path: Path
    raw: np.ndarray
    objects: ObjectMap
    boundary: np.ndarray | None


class LabelFolder(Mapping[str, ObjectMap]):
    """The label maps of a folder by core name, each read when it is asked for.

    Attributes:
        kind: what the files hold.
        faults: of every file that cannot be read; its layout is left out.
    """

    def __init__(
        self, folder: Path, table: ClassTable, labels: Labels, maps: Path | None, option: str
    ) -> None:
        """Looks at every file once; `maps` are what the command's `option` gave."""
        faults, self._table, self._folder, self._option = Faults(), table, maps, option
        paths, faults.lines = label_files(folder, labels)
        self._paths, self._maps = paths, None
        with faults.collect():
            self._maps = named_maps(folder, maps)
        self._told = labels != "auto"
        self.kind = labels if labels != "auto" else kind_of(paths, self._values(), table)
        self.source = lru_cache(KEPT)(self._source)
        self._names = []
        for name in paths:
            with faults.collect():
                self._names.append(self.source(name).name)
        self.faults = faults.lines

    def __getitem__(self, name: str) -> ObjectMap:
        """A layout with its objects."""
        return self.source(name).objects

    def __iter__(self) -> Iterator[str]:
        """The names, sorted."""
        return iter(self._names)

    def __len__(self) -> int:
        """The number of layouts."""
        return len(self._names)

    def _values(self) -> dict[str, np.ndarray]:
        """The values that each file holds, as a map of one row; a pixel of a colour map."""
        found = {}
        for name, path in self._paths.items():
            try:
                ids = io.read_ids(path)
            except DataError:
                continue  # said when it is read
            found[name] = np.unique(ids)[None] if ids.ndim == 2 else ids[:1, :1]
        return found

    def _source(self, name: str) -> Source:
        path, edges = self._paths[name], (self._maps or {}).get(name)
        ids = io.read_ids(path)
        with prefix_errors(path):
            if self._maps is not None and edges is None:
                raise DataError(
                    f"no map of that name in {self._folder}; add it, or leave {self._option} out"
                )
            return source_of(name, path, ids, self._table, self.kind, edges, self._told)


def named_maps(layout: Path, maps: Path | None) -> dict[str, Path] | None:
    """The map of each layout by name; None where none are given.

    Raises:
        DataError: one file is given for a folder of layouts.
    """
    if maps is None:
        return None
    if maps.is_dir():
        return map_files(maps)
    if layout.is_dir():
        raise DataError(f"{maps}: is no folder; the maps of a folder of layouts are in a folder")
    return {core_name(layout): maps}


def source_of(
    name: str,
    path: Path,
    ids: np.ndarray,
    table: ClassTable,
    kind: Labels,
    edges: Path | None,
    told: bool = False,
) -> Source:
    """A label map as it came, with the objects and edges of its map, if it has one.

    For its kind, which may have been `told`, see `known_classes`.

    Raises:
        DataError: it holds what the table does not know, or the map is of another size.
    """
    classes = known_classes(path, ids, table, kind, told)
    raw = ids if kind == "label_ids" and ids.ndim == 2 else table.raw_ids[classes]
    objects, boundary = guess_objects(classes, table), None
    if edges is not None:
        given = io.read_ids(edges)
        if given.shape != classes.shape:
            raise DataError(
                f"{edges} is {given.shape}, the layout {classes.shape}; make them equal"
            )
        if given.dtype == np.int32 or edges.stem.endswith(MAP_SUFFIXES[:2]):
            objects = with_ids(classes, given, table)
        else:
            boundary = given.astype(np.float32) / (1 if given.max(initial=0) <= 1 else 255)
    return Source(name, path, raw, objects, boundary)
