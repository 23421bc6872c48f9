"""Stages synthesize and transfer once more, for a few photographs of every set."""

from __future__ import annotations

import math

import numpy as np

from augflow.core import io
from augflow.data.scenes import evenly
from augflow.data.synthetic import MANIFEST
from augflow.generators.sampling import photo_seed, sampled
from augflow.stages.transfer import best_content
from augflow.study.environment import Machines
from augflow.study.params import SetParams, TransferParams
from augflow.tools.provenance.remaking import Recipe, remade
from augflow.verify.findings import Check, Finding
from augflow.verify.workspace import Workspace

BITS = 0.01
"""Bits per dimension that a likelihood may differ by on another machine."""


def check_photos(space: Workspace, machines: Machines) -> Check:
    """Photographs from the layout, seed and temperature that the manifest records."""
    check = Check("synthesize, again")
    for name, section in space.project.params.sets.items():
        _check_set(check, space, machines, name, section)
        if section.best_of is not None:
            _check_choice(check, space, machines, name, section)
    return check


def check_transfers(space: Workspace, machines: Machines) -> Check:
    """Photographs from the content and layout that the manifest records."""
    check = Check("transfer, again")
    for name, section in space.project.params.transfers.items():
        _check_set(check, space, machines, name, section)
        if space.project.synthetic(name).exists() and space.project.prepared.exists():
            with check.reading(space.project.synthetic(name)):
                _check_contents(check, space, name, section)
    return check


def _check_contents(check: Check, space: Workspace, name: str, section: TransferParams) -> None:
    """The content of each photograph is the scene whose classes lie most like its layout's."""
    where, layouts = space.project.synthetic(name) / MANIFEST, space.split(section.layouts)
    contents, rows = space.split(section.contents), space.rows(name)
    maps, drives = contents.scenes().layout.classes.numpy(), np.array(contents.drives)
    wanted = evenly(len(layouts), section.limit or len(layouts))
    check.same(f"{where}: layouts", [layouts.names[row] for row in wanted],
               [row.layout for row in rows])  # fmt: skip
    for number in space.chosen(len(rows), "transfer", name):
        row = rows[number]
        place = space.row_of(section.layouts, row.layout)
        others = np.array([other != row.layout for other in contents.names])
        elsewhere = others & (drives != layouts.drives[place])
        allowed = elsewhere if elsewhere.any() else others
        classes = layouts.scenes([place]).layout.classes[0].numpy()
        best = best_content(classes, maps, allowed, layouts.table.count)
        check.same(f"{where}: {row.name}: content", contents.names[best], row.content)


def _check_set(
    check: Check, space: Workspace, machines: Machines, name: str,
    section: SetParams | TransferParams,
) -> None:  # fmt: skip
    folder, maker = space.project.synthetic(name), space.project.generator(section.generator)
    if not all([check.has(folder), check.has(maker), check.has(space.project.prepared)]):
        return
    tolerance = space.tolerance(check, machines, folder)
    with check.reading(folder):
        rows = space.rows(name)
        for number in space.chosen(len(rows), "synthesize", name):
            row = rows[number]
            with check.reading(folder / row.photo):
                recipe = Recipe(space.layout_of(name, row), space.splits.latents(section, row))
                made = remade(space.generator(section.generator), recipe)
                stored = io.read_photo(folder / row.photo)
                check.pixels(folder / row.photo, made.image, stored, tolerance)
                where = f"{folder / MANIFEST}: {row.name}: log_p_bpd"
                compare_bits(check, where, made.log_p_bpd, row.log_p_bpd, tolerance > 0)


def _check_choice(
    check: Check, space: Workspace, machines: Machines, name: str, section: SetParams
) -> None:
    """Draws all photographs of one layout and temperature again: were the likeliest kept?"""
    folder, maker = space.project.synthetic(name), space.project.generator(section.generator)
    if not (folder.exists() and maker.exists() and space.project.prepared.exists()):
        return  # said by `_check_set`
    slack = BITS if space.tolerance(check, machines, folder) > 0 else 0.0
    with check.reading(folder):
        rows = space.rows(name)
        groups = sorted({(row.split, row.layout, row.temperature) for row in rows})
        one = min(1, space.project.params.verify.items)
        for number in space.sample(one, len(groups), "choice", name):
            whole = _, title, degree = groups[number]
            drawn = [photo_seed(section.seed, title, turn) for turn in range(section.drawn)]
            kept = [row for row in rows if (row.split, row.layout, row.temperature) == whole]
            layout = space.layout_of(name, kept[0])
            photos = sampled(space.generator(section.generator), layout, drawn, degree)
            bits = {
                seed: _known(photo.log_p_bpd) for seed, photo in zip(drawn, photos, strict=True)
            }
            ranked = sorted(bits.values())
            for row in kept:
                # a seed that was never drawn, or a rank beyond the kept, is named by `check_sets`
                best = ranked[min(row.round, len(ranked) - 1)]
                own = bits.get(row.seed, best)
                where = f"{folder / MANIFEST}: {row.name}: rank {row.round} of {len(drawn)}"
                worse = own > best + slack
                finding = Finding(where, _text(best), _text(own)) if worse else None
                check.near(finding, own <= best)


def _known(bits: float | None) -> float:
    return math.inf if bits is None or math.isnan(bits) else bits


def compare_bits(
    check: Check, where: str, expected: float | None, got: float | None, elsewhere: bool
) -> None:
    """Compares bits per dimension to all digits that a table holds, or to `BITS` elsewhere."""
    texts = _text(expected), _text(got)
    near = elsewhere and expected is not None and got is not None and abs(expected - got) <= BITS
    equal = texts[0] == texts[1]
    check.near(None if equal or near else Finding(where, *texts), equal)


def _text(value: float | None) -> str:
    return "no number" if value is None else io.cell(value)
