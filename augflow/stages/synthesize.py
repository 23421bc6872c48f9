"""A synthetic set: photographs for the layouts of a split, at one or several temperatures."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from augflow import generators
from augflow.core import hardware, seeding
from augflow.core.errors import DataError, ParamsError
from augflow.core.hardware import DiskUsage, check_disk_space
from augflow.data.scenes import Layout, SceneFolder, evenly
from augflow.data.synthetic import NewPhoto, SetFacts, write_set
from augflow.editing.compose import LayoutDataset, LayoutMaker, mark_of, numbers
from augflow.generators import weights_digest
from augflow.generators.base import Generator
from augflow.generators.sampling import GeneratedImage, image_seed, sample_at_temperatures
from augflow.study import disk_usage
from augflow.study.params import SetParams

log = logging.getLogger("augflow")


def synthesize(
    name: str, params: SetParams, folder: Path, prepared: Path, out: Path, *, threads: int
) -> None:
    """Writes `params.rounds` photographs per temperature for the layouts of `used_rows`.

    With `params.new_layouts` new ones that begin as these are used instead, with instance ids.

    A photograph's seed belongs to the set's seed, its layout and its number, so that all
    temperatures are drawn from equal noise. With `params.best_of` so many are drawn, and those of
    the highest likelihood given the layout are kept, the likeliest as round 0.

    Raises:
        ParamsError: the likeliest are asked of a generator without a likelihood.
        DataError: its size is not that of the layouts, no new ones can be made of these, or the
            disk has no room for the photographs.

    References:
        Batzolis et al. 2021, "CAFLOW", section 4.4: the best of several samples by likelihood.
    """
    hardware.keep_pages()
    seeding.deterministic(params.seed, threads)
    generator = generators.load(folder)
    scenes = SceneFolder(prepared, params.layouts)
    _require_likelihood(name, params, generator)
    facts = set_facts(name, generator, scenes, params.temperatures, params.rounds)
    facts = replace(facts, new_layouts=params.new_layouts)
    asked = _layouts_of(name, scenes, params)
    names = layout_names(scenes, params)
    check_disk_space(
        out, set_sizes(disk_usage.scene_files(prepared), params, len(names), out), f"set {name}"
    )
    rows = write_set(out, facts, _photos(generator, asked, params))
    degrees = ", ".join(f"{degree:g}" for degree in params.temperatures)
    log.info("%s: %d photographs at temperature %s", name, len(rows), degrees)


def set_sizes(
    found: disk_usage.SceneFiles, params: SetParams, layouts: int, out: Path
) -> DiskUsage:
    """What a set for so many layouts takes on the disk of `out`."""
    each = len(params.temperatures) * params.rounds
    return disk_usage.image_set(found, layouts * each, layouts, out, params.new_layouts is not None)


def set_facts(
    name: str,
    generator: Generator,
    scenes: SceneFolder,
    temperatures: tuple[float, ...],
    rounds: int,
) -> SetFacts:
    """What `set.json` says of a set that `generator` makes for prepared layouts."""
    digest = weights_digest(generator.state_dict())
    return SetFacts(name, digest, temperatures, rounds, scenes.table, scenes.size)


@dataclass(frozen=True)
class Asked:
    """A layout that photographs are made for.

    Shapes:
        layout: a batch of one.
        instances: (H, W) int32, None where they are not known.
    """

    name: str
    drive: str
    layout: Layout
    instances: np.ndarray | None = None


def used_rows(count: int, params: SetParams) -> list[int]:
    """The rows of a split of `count` that a set uses: every K-th, and `limit` evenly of these."""
    rows = _pool_rows(count, params)
    return [rows[place] for place in evenly(len(rows), params.limit or len(rows))]


def layout_maker(scenes: SceneFolder, params: SetParams) -> LayoutMaker:
    """What makes the new layouts of a set, out of every K-th layout of the split."""
    new = params.new_layouts
    if new is None:
        raise ValueError("expected params with new_layouts")
    pool = LayoutDataset(scenes, _pool_rows(len(scenes), params))
    return LayoutMaker(pool, new.boost, new.seed, pool.strength())


def layout_names(scenes: SceneFolder, params: SetParams) -> list[str]:
    """The names of the layouts of a set, new ones or those of scenes."""
    names = [scenes.names[row] for row in used_rows(len(scenes), params)]
    if params.new_layouts is None:
        return names
    mark = mark_of(scenes.names[row] for row in _pool_rows(len(scenes), params))
    pairs = numbers(names, params.new_layouts.ratio)
    return [f"{source}{mark}{number}" for source, number in pairs]


def photo_name(layout: str, temperature: int, count: int, number: int) -> str:
    """The name of a photograph, with the index of its temperature where a set has several."""
    return f"{layout}_t{temperature}_r{number}" if count > 1 else f"{layout}_r{number}"


def _require_likelihood(name: str, params: SetParams, generator: Generator) -> None:
    if params.best_of is not None and generator.likelihood != "conditional":
        known = {"none": "knows no likelihood", "unconditional": "knows none given the layout"}
        raise ParamsError(
            f"params.yaml: sets.{name}.best_of: expected a generator that can say which of its "
            f"photographs is likeliest, but {params.generator} {known[generator.likelihood]}; "
            "leave best_of out"
        )


def _photos(generator: Generator, asked: Iterator[Asked], params: SetParams) -> Iterator[NewPhoto]:
    degrees = params.temperatures
    for item in asked:
        layout, name = item.layout, item.name
        drawn = [image_seed(params.seed, name, number) for number in range(params.draws_per_layout)]
        made = sample_at_temperatures(generator, layout, drawn, degrees)
        for index, (degree, photos) in enumerate(zip(degrees, made, strict=True)):
            for number, place in enumerate(_select_images(photos, params)):
                yield NewPhoto(
                    name=photo_name(name, index, len(degrees), number),
                    layout=name,
                    split=params.layouts,
                    city=item.drive,
                    image=photos[place].image,
                    classes=layout.classes[0].numpy(),
                    temperature=degree,
                    round=number,
                    seed=drawn[place],
                    log_p_bpd=photos[place].log_p_bpd,
                    instances=item.instances,
                )


def _pool_rows(count: int, params: SetParams) -> range:
    return range(0, count, params.one_in)


def _layouts_of(name: str, scenes: SceneFolder, params: SetParams) -> Iterator[Asked]:
    """The layouts of a set; new ones are made one by one."""
    rows = used_rows(len(scenes), params)
    if params.new_layouts is None:
        return (
            Asked(scenes.names[row], scenes.drives[row], scenes.scenes([row]).layout)
            for row in rows
        )
    try:
        maker = layout_maker(scenes, params)
    except DataError as fault:
        raise DataError(f"params.yaml: sets.{name}.new_layouts: {fault}") from fault
    drives = {scenes.names[row]: scenes.drives[row] for row in rows}
    made = (maker.make(*pair) for pair in numbers(list(drives), params.new_layouts.ratio))
    return (Asked(new.name, drives[new.source], new.layout, new.ids) for new in made)


def _select_images(photos: Sequence[GeneratedImage], params: SetParams) -> list[int]:
    """The places of the photographs that go into the set: all, or the likeliest by rank."""
    if params.best_of is None:
        return list(range(len(photos)))
    bits = [photo.log_p_bpd for photo in photos]
    known = [math.inf if value is None or math.isnan(value) else value for value in bits]
    return sorted(range(len(photos)), key=lambda place: known[place])[: params.rounds]
