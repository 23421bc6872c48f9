"""Edited layouts: the edits of a list on every label map of a folder, with boundaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow.core import io, yaml
from augflow.core.errors import DataError, Faults, ModelError
from augflow.data import visualize
from augflow.data.boundaries import boundary_map
from augflow.data.classes import ClassTable
from augflow.data.label_maps import (
    LABEL_SUFFIXES,
    MAP_SUFFIXES,
    Labels,
    core_name,
    kind_of,
    known_classes,
    label_files,
    map_files,
    prefix_errors,
)
from augflow.data.scenes import saved_table
from augflow.editing.apply import apply_edit, redraw_boundary
from augflow.editing.edit_schema import EditList, Origin, Paste, read_edits
from augflow.editing.objects import ObjectMap, guess_objects, with_ids
from augflow.tools.output_folder import require_output_folder

LABELS, INSTANCES = "_gtFine_labelIds.png", "_gtFine_instanceIds.png"
BOUNDARY, PREVIEW, EDITS = "_boundary.png", "_preview.png", "edits.yaml"
EDIT_OUTPUTS = (LABELS, INSTANCES, BOUNDARY, PREVIEW, EDITS)
"""Endings of the names of what is written."""


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


def edit_layout(
    layout: Path,
    edits: Path,
    out: Path,
    table: ClassTable,
    *,
    labels: Labels = "auto",
    maps: Path | None = None,
) -> list[str]:
    """Writes edited label maps, with what `augflow synth --layouts OUT --boundary OUT` reads.

    For every layout: published ids; 16-bit instance ids, or a boundary map where a boundary map
    came (kept but around the changes, its objects being connected components); a preview, before
    and after. The edit list is copied to `out`.

    Args:
        layout: a label map, or a folder of them that all get the same edits.
        edits: the list, see `augflow.editing.edit_schema`.
        out: the folder to write; an older one of this stage is replaced.
        table: the classes of the label maps.
        labels: what the label maps hold, if it is not to be guessed.
        maps: instance ids or boundary map of the layout, or a folder of them.

    Returns:
        The names of the layouts.

    Raises:
        ParamsError: the edit list is missing or no list.
        DataError: with every fault of every file and edit, or because `out` must not be written to.
    """
    inputs = [path for path in (layout, edits, maps) if path is not None]
    require_output_folder(out, inputs, EDITS, lambda name: name.endswith(EDIT_OUTPUTS))
    if edits.is_file():
        yaml.read(edits)
    listed = read_edits(edits, table)
    sources, kind, faults = _sources(layout, table, labels, maps)
    listed, others = _with_others(listed, table, kind, labels)
    wrong = list(listed.faults.items())
    with io.fresh_folder(out) as folder:
        for source in sources:
            after, boundary, found = _apply_edits(source, listed, others)
            wrong += [(n, f"{text} (layout {source.name})") for n, text in found.items()]
            if not (faults or wrong):
                _write(folder, source, after, boundary)
        faults += [f"{edits}: edit {n}: {text}" for n, text in sorted(wrong)]
        if faults:
            raise DataError("\n".join(faults))
        io.atomic_write(folder / EDITS, edits.read_bytes())
    return [source.name for source in sources]


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


def _sources(
    layout: Path, table: ClassTable, labels: Labels, maps: Path | None
) -> tuple[list[Source], Labels, list[str]]:
    """The layouts, what their files hold, and the faults of those that cannot be read."""
    faults = Faults()
    paths, faults.lines = label_files(layout)
    named = None
    with faults.collect():
        named = named_maps(layout, maps)
    pixels, sources = {}, []
    for name, path in paths.items():
        with faults.collect():
            pixels[name] = io.read_ids(path)
    kind = labels if labels != "auto" else kind_of(paths, pixels, table)
    for name, ids in pixels.items():
        with faults.collect(), prefix_errors(paths[name]):
            if named is not None and name not in named:
                raise DataError(f"no map of that name in {maps}; add it, or leave --boundary out")
            sources.append(source_of(name, paths[name], ids, table, kind, (named or {}).get(name)))
    return sources, kind, faults.lines


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
    name: str, path: Path, ids: np.ndarray, table: ClassTable, kind: Labels, edges: Path | None
) -> Source:
    """A label map as it came, with the objects and edges of its map, if it has one.

    Raises:
        DataError: it holds what the table does not know, or the map is of another size.
    """
    classes = known_classes(path, ids, table, kind)
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
    io.write_png(folder / f"{source.name}{PREVIEW}", visualize.sheet(rows, gap=4))


def _tiles(objects: ObjectMap, boundary: np.ndarray | None) -> Iterator[np.ndarray]:
    """The class map in colours, and the boundary map."""
    edges = boundary_map(objects.ids).astype(np.float32) if boundary is None else boundary
    yield visualize.colour_classes(objects.classes, objects.table)
    yield _grey(edges)


def _grey(boundary: np.ndarray) -> np.ndarray:
    return np.rint(boundary * 255).astype(np.uint8)
