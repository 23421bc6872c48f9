"""Photographs for a user's own layouts: `augflow synth` and `augflow transfer`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from augflow import generators
from augflow.core import hardware, io
from augflow.core.disk import require_room
from augflow.core.errors import DataError, Faults
from augflow.core.seeding import deterministic
from augflow.data import visualize
from augflow.data.animation import write_frames
from augflow.data.label_maps import Labels, NamedLayout, read_layouts
from augflow.data.scenes import Scene
from augflow.data.synthetic import FACTS, MANIFEST, NewPhoto, SetFacts, SetRow, fill_set
from augflow.generators import weights_digest
from augflow.generators.base import Generator
from augflow.generators.latents import painted
from augflow.generators.sampling import Photograph, photo_seed, sampled, transferred
from augflow.study import image_sizes
from augflow.tools.contents import End
from augflow.tools.provenance import origins
from augflow.tools.provenance.origins import Origin, write_origin

SHEET_ROWS, SHEET, SPLIT = 24, "contact_sheet.png", "train"
THREADS = 2
"""Fixed, whatever the machine has: bytes depend on it."""

FRAMES, STRIPS, PATH = "frames", "strips", "path.json"
OWN = {FACTS, MANIFEST, SHEET, "leftImg8bit", "gtFine", FRAMES, STRIPS, PATH, origins.FOLDER}

SHARED = "all layouts"
"""Stands for a layout's name in the seeds of noise that all layouts share."""


def synth(
    layouts: Path, generator: Path, out: Path, *, temperature: float, samples: int = 1,
    seed: int = 0, same_noise: bool = False, frames: bool = False, labels: Labels = "auto",
    maps: Path | None = None, attributes: Mapping[str, bool] | None = None, threads: int = THREADS,
) -> list[SetRow]:  # fmt: skip
    """Writes a synthetic set for the label maps of a folder, and a contact sheet.

    A photograph depends on its layout (content and name), the seed and its number alone, on one
    machine and for one number of threads. With `same_noise` the layout's name does not matter:
    photographs of one number share their noise, and so their style, over all layouts. With
    `frames` those of one number become a video and an animated picture, by the layouts' names.
    `attributes` are what the photographs shall have, or not have, beside the layout.

    Returns:
        The manifest's rows.

    Raises:
        DataError: with every fault of the layouts, or because `out` must not or cannot be written.
        ModelError: the generator cannot be read.
        ParamsError: the generator cannot be asked for such attributes.
    """
    check_out(out, layouts)
    hardware.keep_pages()
    deterministic(0, threads)
    maker = generators.load_maker(generator)
    found = read_layouts(layouts, maker.table, maker.size, labels=labels, maps=maps)
    sheet: dict[str, list[np.ndarray]] = {}

    def photos() -> Iterator[NewPhoto]:
        for item in found:
            whose = SHARED if same_noise else item.name
            drawn = [photo_seed(seed, whose, number) for number in range(samples)]
            made = sampled(maker, item.layout, drawn, temperature, attributes)
            _show(sheet, item, maker, made)
            for number, photo in enumerate(made):
                name = item.name if samples == 1 else f"{item.name}_s{number}"
                yield new_photo(item, photo, name, temperature, number, drawn[number])

    facts = _facts(out, maker, temperature, samples, attributes)
    origin = Origin("drawn", threads)
    return _write(out, facts, photos(), sheet, origin, found, frames=frames)


def synth_from(
    end: End, layouts: Path, generator: Path, out: Path, *, temperature: float = 1.0,
    frames: bool = False, labels: Labels = "auto", maps: Path | None = None,
    attributes: Mapping[str, bool] | None = None, threads: int = THREADS,
) -> list[SetRow]:  # fmt: skip
    """Writes a set that shows the label maps of a folder in the style of given latents.

    Those of a photograph are standardised under its own layout and follow the new layout's priors.

    Args:
        end: where the latents come from.
        layouts: the label maps to fill.
        generator: the generator's folder.
        out: the set's folder.
        temperature: of the draws of a seed; has no meaning for a photograph.
        frames: also writes a video and an animated picture, by the layouts' names.
        labels: what the label maps hold.
        maps: boundary maps or instance ids of the layouts.
        attributes: what the photographs shall have, or not have, beside the layout.
        threads: intra-op threads; equal threads give equal bytes on one machine.

    Raises:
        DataError: with every fault of the inputs, or because `out` must not or cannot be written.
        ModelError: the generator cannot be read, or has no such latents.
        ParamsError: the generator cannot be asked for such attributes.

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        section 4.4 and figures 5 and 7.
    """
    check_out(out, layouts)
    hardware.keep_pages()
    deterministic(0, threads)
    maker = generators.load_maker(generator)
    scenes, found = read_inputs(maker, [end], layouts, labels, maps)
    seed, scene = end.seed, scenes[0]
    given = end.latents(maker, temperature, scene) if scene else None
    degree, content = (1.0, end.name) if given else (temperature, "")
    sheet: dict[str, list[np.ndarray]] = {}

    def photos() -> Iterator[NewPhoto]:
        for item in found:
            if given is not None:
                (made,) = painted(maker, [given], item.layout, attributes)
            else:
                (made,) = sampled(maker, item.layout, [seed or 0], degree, attributes)
            _show(sheet, item, maker, [made])
            yield new_photo(item, made, item.name, degree, seed=seed or 0, content=content)

    origin = Origin("eps", threads, {"content": scene}) if scene else Origin("drawn", threads)
    facts = _facts(out, maker, degree, 1, attributes)
    return _write(out, facts, photos(), sheet, origin, found, frames=frames)


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
        DataError: with every fault of the inputs, or because `out` must not or cannot be written.
        ModelError: the generator cannot be read.
    """
    check_out(out, layouts)
    hardware.keep_pages()
    deterministic(0, threads)
    maker = generators.load_maker(generator)
    end = End(content, content_layout, "--content-layout")
    (scene,), found = read_inputs(maker, [end], layouts, labels, maps)
    assert scene is not None
    shown = scene.image[0].permute(1, 2, 0).numpy()
    sheet: dict[str, list[np.ndarray]] = {}

    def photos() -> Iterator[NewPhoto]:
        for item in found:
            made = transferred(maker, scene, item.layout, latents)
            _show(sheet, item, maker, [Photograph(shown, 0.0), made])
            yield new_photo(item, made, item.name, 1.0, content=content.stem)

    origin = Origin(latents, threads, {"content": scene})
    return _write(out, _facts(out, maker, 1.0, 1), photos(), sheet, origin, found)


def read_inputs(
    maker: Generator, ends: Sequence[End], layouts: Path, labels: Labels, maps: Path | None
) -> tuple[list[Scene | None], list[NamedLayout]]:
    """The photographs of ends, None for a seed, and the layouts to fill.

    Raises:
        DataError: with every fault of all of them.
    """
    faults = Faults()
    scenes: list[Scene | None] = []
    found: list[NamedLayout] = []
    for end in ends:
        with faults.gathered():
            scenes.append(end.scene(maker, labels))
    with faults.gathered():
        found = read_layouts(layouts, maker.table, maker.size, labels=labels, maps=maps)
    faults.tell()
    return scenes, found


def check_out(
    out: Path, layouts: Path, own: Collection[str] = frozenset(OWN), sign: str = FACTS
) -> None:
    """Refuses to write where something would be lost or mixed up; an older set is replaced.

    Args:
        out: the folder to write.
        layouts: the folder that is read.
        own: the names in a folder of this kind.
        sign: the file that says that a folder is of this kind.

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
    strange = sorted(found - set(own)) if sign in found else sorted(found)
    if strange:
        raise DataError(f"{out}: holds {', '.join(strange[:5])}; give a new folder with --out")


def new_photo(
    item: NamedLayout, photo: Photograph, name: str, temperature: float, number: int = 0,
    seed: int = 0, content: str = "",
) -> NewPhoto:  # fmt: skip
    """A photograph of a user's layout on its way into a set."""
    return NewPhoto(
        name=name, layout=item.name, split=SPLIT, city="synthetic", image=photo.image,
        classes=item.layout.classes[0].numpy(), temperature=temperature, round=number, seed=seed,
        content=content, log_p_bpd=photo.log_p_bpd,
    )  # fmt: skip


def require_photos(out: Path, facts: SetFacts, found: Sequence[NamedLayout]) -> None:
    """Goes on where the disk has room for a set, `facts.rounds` photographs of each layout.

    Raises:
        DataError: it has not.
    """
    maps = [item.layout.classes[0].numpy() for item in found]
    need = image_sizes.set_of_maps(facts.size, maps, facts.rounds, out)
    require_room(out, need, f"a set of {len(found) * facts.rounds} photographs")


def _show(
    sheet: dict[str, list[np.ndarray]], item: NamedLayout, maker: Generator,
    made: Sequence[Photograph],
) -> None:  # fmt: skip
    if len(sheet) < SHEET_ROWS:
        tiles = [visualize.coloured(item.layout.classes[0].numpy(), maker.table)]
        sheet[item.name] = tiles + [photo.image for photo in made]


def _facts(
    out: Path, maker: Generator, temperature: float, rounds: int,
    attributes: Mapping[str, bool] | None = None,
) -> SetFacts:  # fmt: skip
    return SetFacts(
        out.name, weights_digest(maker.state_dict()), (temperature,), rounds, maker.table,
        maker.size, attributes or {},
    )  # fmt: skip


def _write(
    out: Path, facts: SetFacts, photos: Iterator[NewPhoto], sheet: dict[str, list[np.ndarray]],
    origin: Origin, found: Sequence[NamedLayout], *, frames: bool = False,
) -> list[SetRow]:  # fmt: skip
    require_photos(out, facts, found)
    with io.fresh_folder(out) as folder:
        rows = fill_set(folder, facts, photos)
        write_origin(folder, origin, ((item.name, item.layout) for item in found))
        io.write_png(folder / SHEET, visualize.sheet(list(sheet.values()), scale=2))
        if frames:
            _animate(folder, rows)
    return rows


def _animate(out: Path, rows: Sequence[SetRow]) -> None:
    """The photographs of each number in time."""
    numbers = sorted({row.round for row in rows})
    for number in numbers:
        name = "layouts" if len(numbers) == 1 else f"layouts_s{number}"
        shown = [io.read_photo(out / row.photo) for row in rows if row.round == number]
        write_frames(out / FRAMES / name, shown)
