"""New label maps from a folder of them, or from the training scenes of a prepared folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from augflow.core import io
from augflow.core.errors import DataError, Faults
from augflow.core.hardware import check_disk_space
from augflow.data import boundaries, visualize
from augflow.data.classes import ClassTable
from augflow.data.label_maps import Labels, kind_of, label_files, prefix_errors
from augflow.data.params import NewLayoutsParams
from augflow.data.scenes import SceneFolder, evenly
from augflow.editing.compose import SAMPLE, LayoutDataset, LayoutMaker, NewLayout, numbers
from augflow.editing.objects import ObjectMap, connected_components
from augflow.study import disk_usage
from augflow.tools.edit_layout import Source, named_maps, source_of
from augflow.tools.output_folder import require_output_folder

LABELS, INSTANCES, BOUNDARY = "labels", "instances", "boundary"
"""Folders of what is written; what a file holds is said by the ending of its name too."""

LIST, SHEET = "layouts.csv", "contact_sheet.png"
LIST_COLUMNS = ("name", "source", "done")
LAYOUT_OUTPUTS = {LABELS, INSTANCES, BOUNDARY, LIST, SHEET}

SHEET_ROWS, SHEET_COLUMNS, SHEET_SIDE = 12, 5, 256
"""Of the contact sheet: how many sources it shows, how many new ones of each, and the width of its
tiles in pixels."""

KEPT = 32
"""So many layouts of a folder are kept in memory once they are read."""


@dataclass
class ClassShare:
    """What some layouts have of a class.

    Attributes:
        layouts: how many layouts there are.
        pixels: those of the class.
        known: those of any class.
        objects: of the class; segments of stuff.
    """

    layouts: int = 0
    pixels: int = 0
    known: int = 0
    objects: int = 0

    def add(self, layout: ObjectMap, index: int) -> None:
        """Counts one more layout."""
        mask = layout.classes == index
        self.layouts += 1
        self.pixels += int(np.count_nonzero(mask))
        self.known += int(np.count_nonzero(layout.classes < layout.table.count))
        self.objects += sum(1 for _ in connected_components(layout, mask)) if mask.any() else 0

    @property
    def share(self) -> float:
        """Of the known pixels, in [0, 1]."""
        return self.pixels / max(1, self.known)

    @property
    def objects_each(self) -> float:
        """Objects per layout."""
        return self.objects / max(1, self.layouts)


@dataclass
class Made:
    """The shares of boosted classes in the layouts that were there, and in those that were made."""

    classes: tuple[str, ...]
    before: dict[str, ClassShare] = field(default_factory=dict)
    after: dict[str, ClassShare] = field(default_factory=dict)

    def count(self, shares: dict[str, ClassShare], layout: ObjectMap) -> None:
        """Counts one more layout, before or after."""
        for name in self.classes:
            shares.setdefault(name, ClassShare()).add(layout, layout.table.names.index(name))


class FolderPool(Mapping[str, ObjectMap]):
    """The label maps of a folder by core name, each read when it is asked for."""

    def __init__(self, folder: Path, table: ClassTable, labels: Labels, maps: Path | None) -> None:
        """Looks at every file once.

        Raises:
            DataError: with every fault of every file.
        """
        faults, self._table = Faults(), table
        self._paths, faults.lines = label_files(folder)
        self._maps = None
        with faults.collect():
            self._maps = named_maps(folder, maps)
        self._kind: Labels = labels
        if labels == "auto":
            self._kind = kind_of(self._paths, self._values(), table)
        self._read: Callable[[str], Source] = lru_cache(KEPT)(self._source)
        for name in self._paths:
            with faults.collect():
                self._read(name)
        faults.raise_if_any()

    def __getitem__(self, name: str) -> ObjectMap:
        """A layout with its objects."""
        return self._read(name).objects

    def __iter__(self) -> Iterator[str]:
        """The names, sorted."""
        return iter(self._paths)

    def __len__(self) -> int:
        """The number of layouts."""
        return len(self._paths)

    def strength(self) -> float:
        """How strong edges of boundary maps are: the median over some that were given, else 1."""
        sources = [self._read(name) for name in _spread(list(self), SAMPLE)]
        found = [
            boundaries.strength(source.boundary, source.objects.ids)
            for source in sources
            if source.boundary is not None
        ]
        return float(np.median(found)) if found else 1.0

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
                raise DataError("no map of that name; add it, or leave --maps out")
            return source_of(name, path, ids, self._table, self._kind, edges)


def layouts_of_folder(
    folder: Path,
    params: NewLayoutsParams,
    out: Path,
    table: ClassTable,
    *,
    labels: Labels = "auto",
    maps: Path | None = None,
) -> Made:
    """Writes new label maps made out of those of a folder, see `write_layouts`.

    Args:
        folder: the label maps, PNG; or a single one.
        params: which classes, how many new ones per layout, and the seed.
        out: the folder to write; an older one of this stage is replaced.
        table: the classes of the label maps.
        labels: what the label maps hold, if it is not to be guessed.
        maps: 16-bit instance ids of the layouts, or boundary maps, which say how strong edges are;
            objects are connected components where there are no ids.

    Raises:
        DataError: with every fault of every file; a class has no objects; or because `out` must
            not be written to.
    """
    inputs = [path for path in (folder, maps) if path is not None]
    require_output_folder(out, inputs, LIST, LAYOUT_OUTPUTS.__contains__)
    pool = FolderPool(folder, table, labels, maps)
    return write_layouts(pool, params, out, pool.strength())


def layouts_of_scenes(prepared: Path, params: NewLayoutsParams, out: Path) -> Made:
    """Writes new label maps made out of the training scenes of a prepared folder.

    Raises:
        DataError: the prepared folder cannot be read; a class has no objects; or because `out` must
            not be written to.
    """
    require_output_folder(out, [prepared], LIST, LAYOUT_OUTPUTS.__contains__)
    scenes = SceneFolder(prepared, "train")
    pool = LayoutDataset(scenes, range(len(scenes)))
    return write_layouts(pool, params, out, pool.strength())


def write_layouts(
    pool: Mapping[str, ObjectMap], params: NewLayoutsParams, out: Path, strength: float
) -> Made:
    """Writes `params.ratio` new layouts for each of a pool.

    There are published ids (`labels`), 16-bit instance ids (`instances`), boundary maps
    (`boundary`), a list of what was done to each, and a contact sheet of sources and what they
    became. `augflow synth --layouts OUT --boundary OUT/boundary` takes them.

    Args:
        pool: layouts by name.
        params: which classes, how many new ones per layout, and the seed.
        out: the folder to write.
        strength: how strong the edges of boundary maps are, in (0, 1].

    Raises:
        DataError: a class has no objects, or the disk of `out` has no room.
    """
    maker = LayoutMaker(pool, params.boost, params.seed, strength)
    made, rows = Made(tuple(maker.table.names[index] for index in maker.boost)), []
    pairs = list(numbers(list(pool), params.ratio))
    shown: dict[str, list[np.ndarray]] = {
        name: [] for name in _spread(list(dict.fromkeys(source for source, _ in pairs)), SHEET_ROWS)
    }
    check_disk_space(out, _layout_sizes(pool, out).times(len(pairs)), f"{len(pairs)} new layouts")
    for layout in pool.values():
        made.count(made.before, layout)
    with io.fresh_folder(out) as folder:
        for source, number in pairs:
            new = maker.make(source, number)
            _write(folder, new, maker.table)
            made.count(made.after, ObjectMap(new.classes, new.ids, maker.table))
            rows.append({column: getattr(new, column) for column in LIST_COLUMNS})
            if len(shown.get(source, range(SHEET_COLUMNS))) < SHEET_COLUMNS:
                shown[source].append(new.classes)
        io.write_csv(folder / LIST, rows, LIST_COLUMNS)
        tiles = [[pool[name].classes, *maps] for name, maps in shown.items()]
        io.write_png(folder / SHEET, _sheet(tiles, maker.table))
    return made


def _layout_sizes(pool: Mapping[str, ObjectMap], out: Path) -> disk_usage.Amount:
    """What the files of a new layout take, those of the largest of some layouts of the pool."""
    found = []
    for name in _spread(list(pool), disk_usage.SAMPLE):
        ids, classes = pool[name].ids, pool[name].classes
        maps = (classes, ids.astype(np.uint16), boundaries.boundary_map(ids).astype(np.uint8) * 255)
        each = [disk_usage.one_file(disk_usage.png_size(one), out) for one in maps]
        found.append(sum(each, disk_usage.Amount()))
    return max(found, key=lambda one: one.size, default=disk_usage.Amount())


def _spread(names: list[str], count: int) -> list[str]:
    return [names[place] for place in evenly(len(names), count)]


def _write(folder: Path, new: NewLayout, table: ClassTable) -> None:
    raw, boundary = table.raw_ids[new.classes], np.rint(new.boundary * 255).astype(np.uint8)
    io.write_png(folder / LABELS / f"{new.name}_gtFine_labelIds.png", raw)
    ids = new.ids.astype(np.uint16)
    io.write_png(folder / INSTANCES / f"{new.name}_gtFine_instanceIds.png", ids)
    io.write_png(folder / BOUNDARY / f"{new.name}_boundary.png", boundary)


def _sheet(rows: list[list[np.ndarray]], table: ClassTable) -> np.ndarray:
    """A row for each source: itself, and what became of it; as large as the first of them."""
    height, width = rows[0][0].shape
    times = SHEET_SIDE / width
    size = max(1, round(width * times)), max(1, round(height * times))

    def tile(classes: np.ndarray) -> np.ndarray:
        resized = cv2.resize(classes, size, interpolation=cv2.INTER_NEAREST_EXACT)
        return visualize.colour_classes(resized, table)

    return visualize.sheet([[tile(classes) for classes in row] for row in rows])
