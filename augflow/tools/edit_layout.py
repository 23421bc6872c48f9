"""Edited layouts: the edits of a list on every label map of a folder, with boundaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError, ModelError
from augflow.data import visualize
from augflow.data.boundaries import boundary_map
from augflow.data.classes import ClassTable
from augflow.data.label_maps import (
    LABEL_SUFFIXES,
    PREVIEW,
    Labels,
    kind_of,
)
from augflow.data.scenes import saved_table
from augflow.editing.apply import apply_edit, redraw_boundary
from augflow.editing.edit_schema import EditList, Origin, Paste, read_edits
from augflow.editing.objects import ObjectMap
from augflow.tools.label_folder import LabelFolder, Source, source_of
from augflow.tools.output_folder import require_output_folder

LABELS, INSTANCES = "_gtFine_labelIds.png", "_gtFine_instanceIds.png"
BOUNDARY, EDITS = "_boundary.png", "edits.yaml"
EDIT_OUTPUTS = (LABELS, INSTANCES, BOUNDARY, f"{PREVIEW}.png", EDITS)
"""Endings of the names of what is written."""


def edit_layout(
    layout: Path,
    edits: Path,
    out: Path,
    table: ClassTable,
    *,
    labels: Labels = "auto",
    maps: Path | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Writes edited label maps, with what `augflow synth --layouts OUT --boundary OUT` reads.

    For every layout: published ids; 16-bit instance ids, or a boundary map where a boundary map
    came (kept but around the changes, its objects being connected components); a preview, before
    and after. The edit list is copied to `out`. `maps` are instance ids or the boundary map of the
    layout, or a folder of them. With `overwrite` an older output is replaced.

    Returns:
        The names of the layouts.

    Raises:
        DataError: with every fault of every file and edit, or because `out` must not be written to.
    """
    inputs = [path for path in (layout, edits, maps) if path is not None]
    kind = (EDITS, lambda name: name.endswith(EDIT_OUTPUTS))
    require_output_folder(out, inputs, *kind, overwrite=overwrite)
    listed = read_edits(edits, table)
    given = LabelFolder(layout, table, labels, maps, "--boundary")
    listed, others = _with_others(listed, table, given.kind, labels)
    faults = given.faults
    wrong = list(listed.faults.items())
    with io.fresh_folder(out) as folder:
        for source in map(given.source, given):
            after, boundary, found = _apply_edits(source, listed, others)
            wrong += [(n, f"{text} (layout {source.name})") for n, text in found.items()]
            if not (faults or wrong):
                _write(folder, source, after, boundary)
        faults += [f"{edits}: edit {n}: {text}" for n, text in sorted(wrong)]
        if faults:
            raise DataError("\n".join(faults))
        io.atomic_write(folder / EDITS, edits.read_bytes())
    return list(given)


def table_of(generator: Path) -> ClassTable:
    """The class table that a generator was trained with.

    Raises:
        ModelError: there is no generator.
    """
    config = generator / "config.json"
    if not config.exists():
        raise ModelError(
            f"{generator}: no generator here; give a class table with --classes, or the folder of "
            "a generator with --generator"
        )
    return saved_table(config)


def _with_others(
    listed: EditList, table: ClassTable, kind: Labels, labels: Labels
) -> tuple[EditList, dict[Origin, ObjectMap]]:
    """The layouts that edits paste from; the list without the edits whose files are wrong."""
    edits, faults, others = dict(listed.edits), dict(listed.faults), {}
    for number, edit in listed.edits.items():
        if edit.paste is None or edit.paste.origin is None:
            continue
        try:
            others[edit.paste.origin] = _other(listed.path.parent, edit.paste, table, kind, labels)
        except DataError as fault:
            faults[number] = f"paste.from: {fault}"
            del edits[number]
    return EditList(listed.path, edits, faults), others


def _other(
    folder: Path, paste: Paste, table: ClassTable, kind: Labels, labels: Labels
) -> ObjectMap:
    """The layout to paste from: read as its name says, else as the layouts are."""
    path = folder / str(paste.source)
    edges = folder / paste.instances if paste.instances else None
    ids = io.read_ids(path)
    if labels == "auto" and path.stem.endswith(LABEL_SUFFIXES):
        kind = kind_of({path.stem: path}, {path.stem: ids}, table)
    source = source_of(path.stem, path, ids, table, kind, edges)
    if source.boundary is not None:
        raise DataError(f"{edges} holds no 16-bit instance ids; leave instances out")
    return source.objects


def _apply_edits(
    source: Source, listed: EditList, others: Mapping[Origin, ObjectMap]
) -> tuple[ObjectMap, np.ndarray | None, dict[int, str]]:
    """The objects and the boundary after all edits, and the faults by the edit's number."""
    objects, boundary, faults = source.objects, source.boundary, {}
    for number, edit in listed.edits.items():
        try:
            after = apply_edit(objects, edit, others)
        except DataError as fault:
            faults[number] = str(fault)
            continue
        if boundary is not None:
            boundary = redraw_boundary(boundary, objects, after)
        objects = after
    return objects, boundary, faults


def _write(folder: Path, source: Source, after: ObjectMap, boundary: np.ndarray | None) -> None:
    before = source.objects
    raw = np.where(after.classes != before.classes, after.table.raw_ids[after.classes], source.raw)
    narrow = raw.max(initial=0) < 256
    io.write_png(folder / f"{source.name}{LABELS}", raw.astype(np.uint8 if narrow else np.uint16))
    if boundary is None:
        io.write_png(folder / f"{source.name}{INSTANCES}", after.ids.astype(np.uint16))
    else:
        io.write_png(folder / f"{source.name}{BOUNDARY}", _grey(boundary))
    shown = (_tiles(before, source.boundary), _tiles(after, boundary))
    rows = list(zip(*shown, strict=True))
    io.write_png(folder / f"{source.name}{PREVIEW}.png", visualize.sheet(rows, gap=4))


def _tiles(objects: ObjectMap, boundary: np.ndarray | None) -> Iterator[np.ndarray]:
    """The class map in colours, and the boundary map."""
    edges = boundary_map(objects.ids).astype(np.float32) if boundary is None else boundary
    yield visualize.colour_classes(objects.classes, objects.table)
    yield _grey(edges)


def _grey(boundary: np.ndarray) -> np.ndarray:
    return np.rint(boundary * 255).astype(np.uint8)
