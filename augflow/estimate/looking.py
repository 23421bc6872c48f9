"""Rows of the stages that look at what was made, and of the report."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import torch

from augflow.estimate.known import Known
from augflow.estimate.pieces import LOOKED_AT, Piece, Reader, piece
from augflow.estimate.row import Row, Work
from augflow.metrics.diversity import Diversity, Spread
from augflow.metrics.scattering import Scattering
from augflow.stages.explore import picture_sizes
from augflow.study import image_sizes, sizes
from augflow.study.params import AttributesParams, DiversityParams, ExploreParams
from augflow.study.sizes import Amount
from augflow.training.meta_modes import META

_REFERENCES = 3
"""Kinds of photographs that no generator made: real, flat and wrong ones."""

_SUGGESTED = 3
"""So many edits are suggested at most where a section lists none."""


def score_references(known: Known) -> Row:
    """Photographs that no generator made."""
    held_out = known.count("val")
    return _scored(known, "score_references", "references", held_out and _REFERENCES * held_out)


def score(known: Known, name: str) -> Row:
    """A synthetic set."""
    return _scored(known, f"score@{name}", name, known.photos(known.params.sets[name]))


def score_arms(known: Known) -> Row:
    """All arms."""
    held_out = known.count("val")
    runs = len(known.params.arms) * len(known.params.retrain.seeds)
    config = known.params.retrain.segmenter.config
    looks = None if held_out is None else runs * held_out
    return _scored(known, "score_arms", "arms", looks, config, held_out)


def leaks(known: Known) -> Row:
    """Features of all photographs; that they are compared is not counted."""
    sets = [known.photos(section) for section in known.params.sets.values()]
    moved = [section.limit for section in known.params.transfers.values()]
    found = features(known)
    work = None
    if known.scenes is not None:
        count = known.scenes.count + sum(n or 0 for n in (*sets, *moved))
        work = Work((("features", found.times(count / LOOKED_AT)),))
    held = known.in_memory(max((n or 0 for n in sets), default=0)) + found.memory
    return known.row("leaks", work, known.one_file(), held, known.project.score("leaks"))


def costs(known: Known) -> Row:
    """A step of each generator and a look at its photographs, for every arm."""
    params = known.params
    made = [arm.made for arm in params.arms.values() if arm.made]
    sections = [
        params.sets[params.selections[n].set if n in params.selections else n] for n in made
    ]
    names = dict.fromkeys(section.generator for section in sections)
    parts: list[Work] = []
    for name in names:
        maker = known.maker(name)
        step = maker.step(maker.params.batch_size).operations + maker.choosing_at(0)
        parts.append(Work(((f"training {name}", step + maker.beginning.operations),)))
    for section in sections:
        each = len(section.temperatures) * section.drawn
        operations = known.maker(section.generator).photographs(1, each)
        parts.append(Work(((f"photographs {section.generator}", operations),)))
    held = max((known.maker(name).memory() for name in names), default=0)
    out = known.project.score("costs")
    return known.row("costs", sum(parts, Work()), known.one_file(), held, out)


def diversity(known: Known, name: str, params: DiversityParams) -> Row:
    """Photographs of a few layouts; that they are compared is not counted."""
    maker, there = known.maker(name), known.count("val")
    layouts = params.layouts if there is None else min(params.layouts, there)
    times = len(params.temperatures)
    work = Work(((f"photographs {name}", times * maker.photographs(layouts, params.samples)),))
    spread = Spread((1 / 3,) * known.table.count, 1 / 3)
    record = len(json.dumps(asdict(Diversity(spread, spread, spread))))
    disk = known.one_file(record * times * (layouts + 1))
    memory = maker.weights + maker.further.memory + known.in_memory(params.samples)
    return known.row(
        f"diversity@{name}", work, disk, memory, known.project.score(f"diversity/{name}")
    )


def attributes(known: Known) -> Row:
    """A reader of attributes, and photographs that it reads."""
    params, out = known.params.attributes, known.project.score("attributes")
    if params is None:
        return known.row("attributes", Work(), known.one_file(), 0, out)
    reader = reader_of(known, params)
    parts = [Work((("reader", reader.step.times(params.steps)),))]
    # every sample is made by itself, and all of them again after each change
    for name in params.generators:
        one = known.maker(name).photograph
        count = params.layouts * params.samples * (params.changes + 2)
        parts.append(Work(((f"photographs {name}", one.times(count)),)))
    return known.row("attributes", sum(parts, Work()), known.one_file(), reader.memory, out)


def explore(known: Known, name: str, params: ExploreParams) -> Row:
    """Photographs of a few layouts: a path between two draws, the draws, and edits of one."""
    maker, there = known.maker(name), known.count("val")
    layouts = params.layouts if there is None else min(params.layouts, there)
    path = params.steps if maker.network.latents == "gaussian" else 0
    edits = 1 + (_SUGGESTED if params.edits is None else len(params.edits))
    work = Work(((f"photographs {name}", maker.photographs(layouts, path or 2)
                  + edits * maker.photograph.operations),))  # fmt: skip
    disk = None
    if known.scenes is not None:
        found = known.scenes.pictures
        disk = picture_sizes(found, layouts, path, edits) + known.one_file()
    memory = maker.weights + maker.further.memory
    return known.row(f"explore@{name}", work, disk, memory, known.project.explored(name))


def report(known: Known, scored: Amount) -> Row:
    """A copy of all scores; tables, figures and pages come on top, as large as what they show."""
    disk = sizes.tree(known.project.reports)
    row = known.row("report", None, disk if disk.files else scored, None, known.project.reports)
    return replace(row, cached=False, least=not disk.files)


def reader_of(known: Known, params: AttributesParams) -> Reader:
    """The reader of attributes."""
    return Reader(params, known.table, known.size)


def features(known: Known) -> Piece:
    """The features of `LOOKED_AT` photographs."""
    network = Scattering().to(META)
    images = torch.zeros(LOOKED_AT, 3, *known.size, device=META)
    return piece(lambda: network(images), [network])


def _scored(
    known: Known, stage: str, name: str, looks: int | None, config: str | None = None,
    held: int | None = None,
) -> Row:  # fmt: skip
    """A network looks at photographs, of which so many are held at once."""
    config = config or known.params.judge.config
    disk, memory, network = None, None, known.network(config)
    if looks is not None and known.scenes is not None:
        disk = image_sizes.records(known.scenes.pictures, looks, known.project.data)
    if network is not None:
        memory = network.weights + network.look.memory + known.in_memory(held or looks)
    return known.row(stage, known.look(config, looks), disk, memory, known.project.score(name))
