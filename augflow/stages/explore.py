"""What a generator's latents hold: paths between two of them, their style, and edited layouts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow import generators
from augflow.core import hardware, io, seeding
from augflow.core.errors import DataError, ParamsError
from augflow.core.hardware import DiskUsage, check_disk_space
from augflow.data import visualize
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout, SceneFolder, evenly
from augflow.editing.apply import apply_edits
from augflow.editing.edit_schema import Edit, Origin, checked_edits
from augflow.editing.objects import ObjectMap, guess_objects
from augflow.editing.suggest import OTHER, largest_object, suggest_edits
from augflow.generators import weights_digest
from augflow.generators.base import Generator
from augflow.generators.latents import Known, make_images, path, sample_latents
from augflow.generators.sampling import sample_images
from augflow.study import disk_usage
from augflow.study.params import ExploreParams
from augflow.study.results import Exploration

log = logging.getLogger("augflow")

RECORD, PATH, STYLE, EDITS = "record.json", "path", "style", "edits"


@dataclass(frozen=True)
class EditedLayout:
    """A held-out layout, what it becomes edit by edit, and what each edit does in words."""

    name: str
    layouts: tuple[Layout, ...]
    texts: tuple[str, ...]


def explore(
    name: str, params: ExploreParams, folder: Path, prepared: Path, out: Path, *, threads: int
) -> None:
    """Makes the pictures of a path, of two styles and of edits; all generators get the same.

    `out` gets, for each of a few held-out layouts, `path/LAYOUT_NN.png` from one draw to the other
    and `style/LAYOUT_0.png`, `_1.png` of the two draws; of one layout, `edits/NN.png` of the first
    draw before and after each edit with the class maps `edits/NN_classes.png`; and `record.json`.
    Generators whose latents are coins have no path.

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        figures 4, 5 and 7.
    """
    hardware.keep_pages()
    seeding.deterministic(params.seed, threads)
    generator = generators.load_unchecked(folder)
    held_out = SceneFolder(prepared, "val")
    rows = evenly(len(held_out), params.layouts)
    ends = [seeding.derive(params.seed, "latents", number) for number in range(2)]
    changed = edited_layout(params, held_out, rows)
    shown = picture_sizes(
        disk_usage.scene_files(prepared), len(rows), params.steps, len(changed.layouts)
    )
    check_disk_space(out, shown, f"the pictures of {name}")
    with io.fresh_folder(out) as fresh:
        for row in rows:
            _show(fresh, generator, held_out, row, ends, params)
        _show_edits(fresh / EDITS, generator, changed, ends[0], params)
        Exploration(
            generator=name,
            weights=weights_digest(generator.state_dict()),
            layouts=[held_out.names[row] for row in rows],
            seeds=ends,
            steps=params.steps if generator.latents == "gaussian" else 0,
            path=params.path,
            temperature=params.temperature,
            edited=changed.name,
            edits=list(changed.texts),
        ).write(fresh / RECORD)
    log.info("%s: latents shown for %d layouts", name, len(rows))


def picture_sizes(found: disk_usage.SceneFiles, layouts: int, path: int, edited: int) -> DiskUsage:
    """What the pictures of so many layouts take, with paths of so many steps, and of edits."""
    return found.image.times(layouts * (path + 2)) + (found.image + found.classes).times(edited)


def edited_layout(
    params: ExploreParams, held_out: SceneFolder, rows: Sequence[int]
) -> EditedLayout:
    """The first of some layouts that takes all edits of the section, or the most of our own.

    Raises:
        ParamsError: an edit is wrong in itself.
        DataError: no layout takes them all.
    """
    if params.edits is not None:
        return _as_told(_check_edits(params.edits, held_out.table), held_out, rows)
    source = _richest(held_out)
    found = {}
    for row in rows:
        picture = _objects(held_out.scenes([row]).layout, held_out.table)
        found[row] = suggest_edits(picture, source)
    best = max(rows, key=lambda row: len(found[row]))
    steps = found[best]
    made = _after(held_out, best, [step.edit for step in steps], {OTHER: source})
    return EditedLayout(held_out.names[best], made, tuple(step.text for step in steps))


def _as_told(edits: Sequence[Edit], held_out: SceneFolder, rows: Sequence[int]) -> EditedLayout:
    faults = []
    for row in rows:
        try:
            made = _after(held_out, row, edits, {})
        except DataError as fault:
            faults.append(f"{held_out.names[row]}: {fault}")
            continue
        texts = tuple(f"edit {n}: {_kind(edit)}" for n, edit in enumerate(edits, start=1))
        return EditedLayout(held_out.names[row], made, texts)
    raise DataError(f"params.yaml: explore.edits: no layout takes them all: {'; '.join(faults)}")


def _after(
    held_out: SceneFolder, row: int, edits: Sequence[Edit], others: Mapping[Origin, ObjectMap]
) -> tuple[Layout, ...]:
    layout = held_out.scenes([row]).layout
    return (layout, *apply_edits(layout, held_out.table, edits, others))


def _check_edits(items: Sequence[object], table: ClassTable) -> list[Edit]:
    listed = checked_edits(items, Path("params.yaml"), table)
    faults = dict(listed.faults)
    for number, edit in listed.edits.items():
        if edit.paste is not None and edit.paste.origin is not None:
            faults[number] = "paste.from: there are no files here; paste from the layout itself"
    if faults:
        said = "; ".join(f"edit {n}: {text}" for n, text in sorted(faults.items()))
        raise ParamsError(f"params.yaml: explore.edits: {said}")
    return list(listed.edits.values())


def _kind(edit: Edit) -> str:
    return next(kind for kind in type(edit).model_fields if getattr(edit, kind) is not None)


def _richest(held_out: SceneFolder) -> ObjectMap:
    """The objects of the held-out layout that has the largest object to be cut out."""
    maps = [_objects(held_out.scenes([row]).layout, held_out.table) for row in range(len(held_out))]
    found = [largest_object(picture) for picture in maps]
    sizes = [0 if mask is None else int(np.count_nonzero(mask)) for mask in found]
    return maps[int(np.argmax(sizes))]


def _objects(layout: Layout, table: ClassTable) -> ObjectMap:
    return guess_objects(layout.classes[0].numpy(), table)


def _show(
    folder: Path,
    generator: Generator,
    held_out: SceneFolder,
    row: int,
    ends: Sequence[int],
    params: ExploreParams,
) -> None:
    """The path on one layout, if there is one, and what the two draws are there."""
    name, layout = held_out.names[row], held_out.scenes([row]).layout
    if generator.latents == "gaussian":
        first, last = (sample_latents(generator, seed, params.temperature) for seed in ends)
        way = path((first, last), params.steps, params.path)
        made = make_images(generator, layout, [Known(point) for point in way])
        for number, photo in enumerate(made):
            io.write_png(folder / PATH / f"{name}_{number:02d}.png", photo.image)
        styles = [made[0], made[-1]]
    else:
        styles = sample_images(generator, layout, ends, params.temperature)
    for number, photo in enumerate(styles):
        io.write_png(folder / STYLE / f"{name}_{number}.png", photo.image)


def _show_edits(
    folder: Path, generator: Generator, changed: EditedLayout, seed: int, params: ExploreParams
) -> None:
    for number, layout in enumerate(changed.layouts):
        (photo,) = sample_images(generator, layout, [seed], params.temperature)
        classes = visualize.colour_classes(layout.classes[0].numpy(), generator.table)
        io.write_png(folder / f"{number:02d}_classes.png", classes)
        io.write_png(folder / f"{number:02d}.png", photo.image)
