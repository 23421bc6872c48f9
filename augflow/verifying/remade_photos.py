"""Stages synthesize and transfer once more, for a few photographs of every set."""

from __future__ import annotations

import math

from augflow import files
from augflow.params import SetParams, TransferParams
from augflow.photographs import Photograph, sampled, transferred
from augflow.synthetic import MANIFEST, SetRow
from augflow.verifying.environment import Machines
from augflow.verifying.findings import Check, Finding, pixel_finding
from augflow.verifying.workspace import Workspace

BITS = 0.01
"""Bits per dimension that a likelihood may differ by on another machine."""


def check_photos(space: Workspace, machines: Machines) -> Check:
    """Photographs from the layout, seed and temperature that the manifest records."""
    check = Check("synthesize, again")
    for name, section in space.project.params.sets.items():
        _check_set(check, space, machines, name, section)
    return check


def check_transfers(space: Workspace, machines: Machines) -> Check:
    """Photographs from the content and layout that the manifest records."""
    check = Check("transfer, again")
    for name, section in space.project.params.transfers.items():
        _check_set(check, space, machines, name, section)
    return check


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
                made = _made(space, section, row)
                stored = files.read_photo(folder / row.photo)
                check.add(pixel_finding(folder / row.photo, made.image, stored, tolerance))
                where = f"{folder / MANIFEST}: {row.name}: log_p_bpd"
                check.add(bits_finding(where, made.log_p_bpd, row.log_p_bpd, tolerance > 0))


def _made(space: Workspace, section: SetParams | TransferParams, row: SetRow) -> Photograph:
    maker = space.generator(section.generator)
    place = space.row_of(row.split, row.layout)
    layout = space.split(row.split).scenes([place]).layout
    if isinstance(section, SetParams):
        return sampled(maker, layout, [row.seed], row.temperature)[0]
    content = space.row_of(section.contents, row.content)
    scene = space.split(section.contents).scenes([content])
    return transferred(maker, scene, layout, section.latents)


def bits_finding(
    where: str, expected: float | None, got: float | None, elsewhere: bool
) -> Finding | None:
    """Compares bits per dimension to all digits that a table holds, or to `BITS` elsewhere."""
    if got is None or expected is None:
        return None if got is expected else Finding(where, _text(expected), _text(got))
    if math.isnan(expected) and math.isnan(got):
        return None
    near = elsewhere and abs(expected - got) <= BITS
    if near or files.cell(expected) == files.cell(got):
        return None
    return Finding(where, files.cell(expected), files.cell(got))


def _text(value: float | None) -> str:
    return "no number" if value is None else files.cell(value)
