"""Photographs for a user's own layouts: `augflow synth` and `augflow transfer`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch

from augflow import files, generators, machine, pictures
from augflow.errors import DataError
from augflow.generators import weights_digest
from augflow.layouts import Labels, NamedLayout, read_layouts, single_layout
from augflow.photographs import Photograph, sampled, transferred
from augflow.scenes import Scene
from augflow.seeds import deterministic
from augflow.stages.synthesize import photo_seed
from augflow.synthesizer import Generator
from augflow.synthetic import FACTS, MANIFEST, NewPhoto, SetFacts, SetRow, write_set

SHEET_ROWS, SHEET, SPLIT = 24, "contact_sheet.png", "train"
THREADS = 2
"""Fixed, whatever the machine has: bytes depend on it."""

OWN = {FACTS, MANIFEST, SHEET, "leftImg8bit", "gtFine"}


def synth(
    layouts: Path, generator: Path, out: Path, *, temperature: float, samples: int = 1,
    seed: int = 0, labels: Labels = "auto", maps: Path | None = None, threads: int = THREADS,
) -> list[SetRow]:  # fmt: skip
    """Writes a synthetic set for the label maps of a folder, and a contact sheet.

    A photograph depends on its layout (content and name), the seed and its number alone, on one
    machine and for one number of threads.

    Returns:
        The manifest's rows.

    Raises:
        DataError: with every fault of the layouts, or because `out` must not be written to.
        ModelError: the generator cannot be read.
    """
    check_out(out, layouts)
    machine.keep_pages()
    deterministic(0, threads)
    maker = generators.load(generator)
    found = read_layouts(layouts, maker.table, maker.size, labels=labels, maps=maps)
    sheet: dict[str, list[np.ndarray]] = {}

    def photos() -> Iterator[NewPhoto]:
        for item in found:
            drawn = [photo_seed(seed, item.name, number) for number in range(samples)]
            made = sampled(maker, item.layout, drawn, temperature)
            _show(sheet, item, maker, made)
            for number, photo in enumerate(made):
                name = item.name if samples == 1 else f"{item.name}_s{number}"
                yield _new(item, photo, name, temperature, number, drawn[number])

    return _write(out, maker, photos(), sheet, temperature, samples)


def transfer_content(
    content: Path, content_layout: Path | None, layouts: Path, generator: Path, out: Path, *,
    latents: Literal["z", "eps"] = "z", labels: Labels = "auto", maps: Path | None = None,
    threads: int = THREADS,
) -> list[SetRow]:  # fmt: skip
    """Writes a set that shows one photograph's content in every layout of a folder.

    Args:
        content: the photograph.
        content_layout: its label map; when not given, the one that belongs to it in a prepared
            folder or in the Cityscapes layout.
        layouts: the label maps to fill.
        generator: the generator's folder.
        out: the set's folder.
        latents: what is carried over, see `photographs.transferred`.
        labels: what the label maps hold.
        maps: boundary maps or instance ids of the layouts.
        threads: intra-op threads; equal threads give equal bytes on one machine.

    Raises:
        DataError: with every fault of the inputs, or because `out` must not be written to.
        ModelError: the generator cannot be read.
    """
    check_out(out, layouts)
    machine.keep_pages()
    deterministic(0, threads)
    maker = generators.load(generator)
    scene = _content_scene(content, content_layout, maker, labels)
    found = read_layouts(layouts, maker.table, maker.size, labels=labels, maps=maps)
    shown = scene.image[0].permute(1, 2, 0).numpy()
    sheet: dict[str, list[np.ndarray]] = {}

    def photos() -> Iterator[NewPhoto]:
        for item in found:
            made = transferred(maker, scene, item.layout, latents)
            _show(sheet, item, maker, [Photograph(shown, 0.0), made])
            yield _new(item, made, item.name, 1.0, content=content.stem)

    return _write(out, maker, photos(), sheet, 1.0, 1)


def check_out(out: Path, layouts: Path) -> None:
    """Refuses to write where something would be lost or mixed up; an older set is replaced.

    Raises:
        DataError: `out` is, holds or lies in the layouts' folder, or holds files of another kind.
    """
    here, there = out.resolve(), layouts.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise DataError(
            f"{out}: is, holds or lies in the layouts' folder {layouts}; give another with --out"
        )
    if here == Path.cwd():
        raise DataError(f"{out}: is the current folder; give one of its own with --out")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: is a file; give a folder with --out")
    found = {path.name for path in out.iterdir()} if out.exists() else set()
    strange = sorted(found - OWN) if FACTS in found else sorted(found)
    if strange:
        raise DataError(f"{out}: holds {', '.join(strange[:5])}; give a new folder with --out")


def label_beside(photo: Path) -> tuple[Path, Path | None]:
    """The label map that belongs to a photograph, and its boundary map or instance ids if any.

    Known are the prepared folder and the Cityscapes layout.

    Raises:
        DataError: there is no label map.
    """
    places = [(photo.parent.parent / "classes" / photo.name,
               photo.parent.parent / "boundary" / photo.name)]  # fmt: skip
    if photo.stem.endswith("_leftImg8bit") and len(photo.parents) > 3:
        core = photo.stem.removesuffix("_leftImg8bit")
        truth = photo.parents[3] / "gtFine" / photo.parent.parent.name / photo.parent.name
        places.append(
            (truth / f"{core}_gtFine_labelIds.png", truth / f"{core}_gtFine_instanceIds.png")
        )
    for label, edges in places:
        if label.exists():
            return label, edges if edges.exists() else None
    raise DataError(f"{photo}: its label map is not beside it; give it with --content-layout")


def _content_scene(photo: Path, label: Path | None, maker: Generator, labels: Labels) -> Scene:
    pixels = files.read_photo(photo)
    label, edges = (label, None) if label else label_beside(photo)
    layout = single_layout(label, maker.table, maker.size, labels, edges)
    small = cv2.resize(pixels, maker.size[::-1], interpolation=cv2.INTER_AREA)
    return Scene(torch.from_numpy(small).permute(2, 0, 1)[None], layout)


def _new(
    item: NamedLayout, photo: Photograph, name: str, temperature: float, number: int = 0,
    seed: int = 0, content: str = "",
) -> NewPhoto:  # fmt: skip
    return NewPhoto(
        name=name, layout=item.name, split=SPLIT, city="synthetic", image=photo.image,
        classes=item.layout.classes[0].numpy(), temperature=temperature, round=number, seed=seed,
        content=content, log_p_bpd=photo.log_p_bpd,
    )  # fmt: skip


def _show(
    sheet: dict[str, list[np.ndarray]], item: NamedLayout, maker: Generator,
    made: Sequence[Photograph],
) -> None:  # fmt: skip
    if len(sheet) < SHEET_ROWS:
        tiles = [pictures.coloured(item.layout.classes[0].numpy(), maker.table)]
        sheet[item.name] = tiles + [photo.image for photo in made]


def _write(
    out: Path, maker: Generator, photos: Iterator[NewPhoto],
    sheet: dict[str, list[np.ndarray]], temperature: float, rounds: int,
) -> list[SetRow]:  # fmt: skip
    digest = weights_digest(maker.state_dict())
    facts = SetFacts(out.name, digest, (temperature,), rounds, maker.table, maker.size)
    rows = write_set(out, facts, photos)
    files.write_png(out / SHEET, pictures.sheet(list(sheet.values()), scale=2))
    return rows
