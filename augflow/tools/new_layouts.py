"""New label maps from a folder of them, or from the training scenes of a prepared folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from augflow.core import io
from augflow.core.errors import DataError
from augflow.core.hardware import DiskUsage, check_disk_space
from augflow.data import boundaries, visualize
from augflow.data.classes import ClassTable
from augflow.data.label_maps import SHEET, Labels
from augflow.data.params import NewLayoutsParams
from augflow.data.scenes import SceneFolder, evenly
from augflow.editing.compose import SAMPLE, LayoutDataset, LayoutMaker, NewLayout, numbers
from augflow.editing.objects import ObjectMap, connected_components
from augflow.study import disk_usage
from augflow.tools.label_folder import LabelFolder
from augflow.tools.output_folder import require_output_folder

LABELS, INSTANCES, BOUNDARY = "labels", "instances", "boundary"
"""Folders of what is written; what a file holds is said by the ending of its name too."""

LIST = "layouts.csv"
LIST_COLUMNS = ("name", "source", "done")
LAYOUT_OUTPUTS = {LABELS, INSTANCES, BOUNDARY, LIST, SHEET}

SHEET_ROWS, SHEET_COLUMNS, SHEET_SIDE = 12, 5, 256
"""Of the contact sheet: how many sources it shows, how many new ones of each, and the width of its
tiles in pixels."""


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


def layouts_of_folder(
    folder: Path,
    params: NewLayoutsParams,
    out: Path,
    table: ClassTable,
    *,
    labels: Labels = "auto",
    maps: Path | None = None,
    overwrite: bool = False,
) -> Made:
    """Writes new label maps made out of those of a folder, see `write_layouts`.

    `maps` are 16-bit instance ids, or boundary maps, which say how strong edges are; objects are
    connected components where there are no ids.
    """
    inputs = [path for path in (folder, maps) if path is not None]
    kind = (LIST, LAYOUT_OUTPUTS.__contains__)
    require_output_folder(out, inputs, *kind, overwrite=overwrite)
    pool = LabelFolder(folder, table, labels, maps, "--maps")
    if pool.faults:
        raise DataError("\n".join(pool.faults))
    sources = map(pool.source, _spread(list(pool), SAMPLE))
    edges = ((one.boundary, one.objects.ids) for one in sources)
    found = [boundaries.strength(edge, ids) for edge, ids in edges if edge is not None]
    return write_layouts(pool, params, out, float(np.median(found)) if found else 1.0)


def layouts_of_scenes(
    prepared: Path, params: NewLayoutsParams, out: Path, *, overwrite: bool = False
) -> Made:
    """Writes new label maps made out of the training scenes of a prepared folder."""
    kind = (LIST, LAYOUT_OUTPUTS.__contains__)
    require_output_folder(out, [prepared], *kind, overwrite=overwrite)
    scenes = SceneFolder(prepared, "train")
    pool = LayoutDataset(scenes, range(len(scenes)))
    return write_layouts(pool, params, out, pool.strength())


def write_layouts(
    pool: Mapping[str, ObjectMap], params: NewLayoutsParams, out: Path, strength: float
) -> Made:
    """Writes `params.ratio` new layouts for each of a pool.

    There are published ids (`labels`), 16-bit instance ids (`instances`), boundary maps
    (`boundary`), a list of what was done to each, and a contact sheet of sources and what they
    became. `augflow synth --layouts OUT --boundary OUT/boundary` takes them. Edges of boundary maps
    are as strong as `strength`, in (0, 1].
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


def _layout_sizes(pool: Mapping[str, ObjectMap], out: Path) -> DiskUsage:
    """What the files of a new layout take, those of the largest of some layouts of the pool."""
    found = []
    for name in _spread(list(pool), disk_usage.SAMPLE):
        ids, classes = pool[name].ids, pool[name].classes
        maps = (classes, ids.astype(np.uint16), boundaries.boundary_map(ids).astype(np.uint8) * 255)
        each = [disk_usage.one_file(disk_usage.png_size(one), out) for one in maps]
        found.append(sum(each, DiskUsage()))
    return max(found, key=lambda one: one.size, default=DiskUsage())


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
