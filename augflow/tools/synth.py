"""Sets for a user's own layouts: `augflow synth`, `augflow transfer` and `augflow interpolate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import numpy as np

from augflow import generators
from augflow.core import hardware, io
from augflow.core.errors import Faults
from augflow.core.hardware import check_disk_space
from augflow.core.seeding import deterministic
from augflow.data import visualize
from augflow.data.label_maps import Labels, NamedLayout, read_layouts
from augflow.data.scenes import Scene
from augflow.data.synthetic import FACTS, MANIFEST, NewPhoto, SetFacts, SetRow, write_set
from augflow.generators import weights_digest
from augflow.generators.base import Generator
from augflow.generators.latents import PathKind
from augflow.generators.sampling import image_seed
from augflow.study import disk_usage
from augflow.tools.contents import LatentSource
from augflow.tools.output_folder import require_output_folder
from augflow.tools.provenance import remaking
from augflow.tools.provenance.remaking import (
    Between,
    Drawn,
    Known,
    Moved,
    Origin,
    latents_of,
    make_images,
    write_origin,
)

SHEET_ROWS, SHEET, SPLIT = 24, "contact_sheet.png", "train"
THREADS = 2
"""Fixed, whatever the machine has: bytes depend on it."""

FRAMES, STRIPS, PATH = "frames", "strips", "path.json"
SET_OUTPUTS = {
    FACTS,
    MANIFEST,
    SHEET,
    "leftImg8bit",
    "gtFine",
    FRAMES,
    STRIPS,
    PATH,
    remaking.FOLDER,
}

SHARED = "all layouts"
"""Stands for a layout's name in the seeds of noise that all layouts share."""

END_COLOUR = (220, 90, 20)
"""The frame around the two ends of a path in a strip."""


@dataclass(frozen=True)
class InterpolationSpec:
    """Two ends, the number of images from one to the other, and the path's form.

    `temperature` is that of the ends that are seeds.
    """

    start: LatentSource
    end: LatentSource
    steps: int = 9
    kind: PathKind = "spherical"
    temperature: float = 1.0


class Inputs(TypedDict, total=False):
    """How a set's inputs are read.

    Attributes:
        labels: what the label maps hold, if it is not to be guessed.
        maps: boundary maps or instance ids of the layouts.
        threads: intra-op threads; equal threads give equal bytes on one machine.
    """

    labels: Labels
    maps: Path | None
    threads: int


@dataclass(frozen=True)
class Shot:
    """An image to make for a layout, and what the manifest says of it."""

    name: str
    latents: Drawn | Known
    seed: int = 0
    content: str = ""


@dataclass(frozen=True)
class Job:
    """A set to make: the folder, the generator, the layouts and the images whose latents it takes.

    Attributes:
        scenes: for each of the sources that `open_job` was given; None for a seed.
        threads: intra-op threads; equal threads give equal bytes on one machine.
    """

    out: Path
    generator: Generator
    layouts: Sequence[NamedLayout]
    scenes: Sequence[Scene | None]
    threads: int

    def write(
        self,
        shots: Callable[[str], Sequence[Shot]],
        origin: Origin,
        beside: Callable[[Path, list[SetRow]], None],
        *,
        rounds: int = 1,
        temperature: float = 1.0,
        attributes: Mapping[str, bool] | None = None,
    ) -> list[SetRow]:
        """Writes the set, whole or not at all.

        Args:
            shots: the images of a layout by its name, `rounds` of them.
            origin: how they are made.
            beside: writes what else belongs into the set's folder.
            rounds: images of each layout.
            temperature: what the set records.
            attributes: what the images shall have, or not have, beside the layout.

        Raises:
            DataError: the disk has no room.
            ModelError: a value is not finite.
            ParamsError: the generator cannot be asked for such attributes.
        """
        generator, count = self.generator, len(self.layouts) * rounds
        digest, degrees = weights_digest(generator.state_dict()), (temperature,)
        table, size, asked = generator.table, generator.size, attributes or {}
        facts = SetFacts(self.out.name, digest, degrees, rounds, table, size, asked)
        maps = [item.layout.classes[0].numpy() for item in self.layouts]
        need = disk_usage.set_of_maps(facts.size, maps, rounds, self.out)
        check_disk_space(self.out, need, f"a set of {count} photographs")

        def images() -> Iterator[NewPhoto]:
            for item in self.layouts:
                listed = shots(item.name)
                latents = [shot.latents for shot in listed]
                made = make_images(generator, item.layout, latents, attributes)
                for number, (shot, image) in enumerate(zip(listed, made, strict=True)):
                    yield NewPhoto(
                        name=shot.name,
                        layout=item.name,
                        split=SPLIT,
                        city="synthetic",
                        image=image.image,
                        classes=item.layout.classes[0].numpy(),
                        temperature=temperature,
                        round=number,
                        seed=shot.seed,
                        content=shot.content,
                        log_p_bpd=image.log_p_bpd,
                    )

        def finish(folder: Path, rows: list[SetRow]) -> None:
            write_origin(folder, origin, ((item.name, item.layout) for item in self.layouts))
            beside(folder, rows)

        return write_set(self.out, facts, images(), finish)


def open_job(
    layouts: Path,
    generator: Path | Generator,
    out: Path,
    sources: Sequence[LatentSource] = (),
    **inputs: Unpack[Inputs],
) -> Job:
    """Reads all that a set is made from, and makes sure that it may be written.

    Args:
        layouts: a label map, or a folder of them.
        generator: its folder, or the generator itself.
        out: the folder to write; an older set is replaced.
        sources: where latents come from.
        inputs: see `Inputs`.

    Raises:
        DataError: with every fault of the inputs, or because `out` must not be written to.
        ModelError: the generator cannot be read.
    """
    require_output_folder(out, [layouts], FACTS, SET_OUTPUTS.__contains__)
    hardware.keep_pages()
    threads, maps = inputs.get("threads", THREADS), inputs.get("maps")
    labels: Labels = inputs.get("labels", "auto")
    deterministic(0, threads)
    if isinstance(generator, Path):
        generator = generators.load(generator)
    faults = Faults()
    scenes: list[Scene | None] = []
    found: list[NamedLayout] = []
    for source in sources:
        with faults.collect():
            scenes.append(source.scene(generator, labels))
    with faults.collect():
        found = read_layouts(layouts, generator.table, generator.size, labels=labels, maps=maps)
    faults.raise_if_any()
    return Job(out, generator, found, scenes, threads)


def synth(
    layouts: Path,
    generator: Path | Generator,
    out: Path,
    *,
    temperature: float,
    samples: int = 1,
    seed: int = 0,
    same_noise: bool = False,
    frames: bool = False,
    attributes: Mapping[str, bool] | None = None,
    **inputs: Unpack[Inputs],
) -> list[SetRow]:
    """Writes a synthetic set for label maps, and a contact sheet.

    An image depends on its layout (content and name), the seed and its number alone, on one machine
    and for one number of threads. With `same_noise` the layout's name does not matter: images of
    one number share their noise, and so their style, over all layouts. With `frames` those of one
    number become an animated picture, by the layouts' names. `attributes` are what the
    images shall have, or not have, beside the layout. For the others see `open_job`.

    Returns:
        The manifest's rows.

    Raises:
        DataError: with every fault of the layouts, or because `out` must not or cannot be written.
        ModelError: the generator cannot be read.
        ParamsError: the generator cannot be asked for such attributes.
    """
    job = open_job(layouts, generator, out, **inputs)

    def shots(layout: str) -> list[Shot]:
        names = [layout if samples == 1 else f"{layout}_s{number}" for number in range(samples)]
        whose = SHARED if same_noise else layout
        seeds = [image_seed(seed, whose, number) for number in range(samples)]
        drawn = [Drawn(one, temperature) for one in seeds]
        return [Shot(*facts) for facts in zip(names, drawn, seeds, strict=True)]

    sheet, asked = _sheet_of(job, frames=frames), attributes
    origin = Origin("drawn", job.threads)
    return job.write(
        shots, origin, sheet, rounds=samples, temperature=temperature, attributes=asked
    )


def synth_from(
    source: LatentSource,
    layouts: Path,
    generator: Path | Generator,
    out: Path,
    *,
    temperature: float = 1.0,
    frames: bool = False,
    attributes: Mapping[str, bool] | None = None,
    **inputs: Unpack[Inputs],
) -> list[SetRow]:
    """Writes a set that shows label maps in the style of given latents.

    Those of an image are standardised under its own layout and follow the new layout's priors; they
    have no temperature. For the arguments see `synth`.

    Raises:
        DataError: with every fault of the inputs, or because `out` must not or cannot be written.
        ModelError: the generator cannot be read, or has no such latents.
        ParamsError: the generator cannot be asked for such attributes.

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        section 4.4 and figures 5 and 7.
    """
    job = open_job(layouts, generator, out, [source], **inputs)
    (scene,) = job.scenes
    seed = source.seed or 0
    degree, content = (temperature, "") if scene is None else (1.0, source.name)
    moved = Drawn(seed, degree) if scene is None else Moved(scene, "eps")
    latents = latents_of(job.generator, moved)
    origin = (
        Origin("eps", job.threads, {"content": scene}) if scene else Origin("drawn", job.threads)
    )
    return job.write(
        lambda layout: [Shot(layout, latents, seed, content)],
        origin,
        _sheet_of(job, frames=frames),
        temperature=degree,
        attributes=attributes,
    )


def transfer_content(
    content: Path,
    content_layout: Path | None,
    layouts: Path,
    generator: Path | Generator,
    out: Path,
    *,
    latents: Literal["z", "eps"] = "z",
    **inputs: Unpack[Inputs],
) -> list[SetRow]:
    """Writes a set that shows one image's content in every layout.

    Args:
        content: the image.
        content_layout: its label map; when not given, the one that belongs to it in a prepared
            folder or in the Cityscapes layout.
        layouts: the label maps to fill.
        generator: its folder, or the generator itself.
        out: the set's folder.
        latents: what is carried over, see `remaking.Moved`.
        inputs: see `Inputs`.

    Raises:
        DataError: with every fault of the inputs, or because `out` must not or cannot be written.
        ModelError: the generator cannot be read.
    """
    source = LatentSource(content, content_layout, "--content-layout")
    job = open_job(layouts, generator, out, [source], **inputs)
    (scene,) = job.scenes
    assert scene is not None
    known = latents_of(job.generator, Moved(scene, latents))
    shown = scene.image[0].permute(1, 2, 0).numpy()
    origin = Origin(latents, job.threads, {"content": scene})
    return job.write(
        lambda layout: [Shot(layout, known, content=source.name)], origin, _sheet_of(job, shown)
    )


def interpolate(
    spec: InterpolationSpec,
    layouts: Path,
    generator: Path | Generator,
    out: Path,
    *,
    frames: bool = False,
    **inputs: Unpack[Inputs],
) -> list[SetRow]:
    """Writes a set with the images along a path for every layout, their number as round.

    Beside it, `path.json` says what the path is, `strips/LAYOUT.png` shows the class map and the
    images in a row, the ends framed, and with `frames`, `frames/LAYOUT.png` shows them in time.
    For the arguments see `synth`.

    Raises:
        DataError: with every fault of the inputs, or because `out` must not be written to.
        ModelError: the generator cannot be read, or has no such latents.

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        section 4.4 and figure 4; Liu et al. 2019, "Conditional Adversarial Generative Flow",
        figure 5.
    """
    ends = (spec.start, spec.end)
    job = open_job(layouts, generator, out, ends, **inputs)
    first, last = (
        end.seed or 0 if scene is None else scene
        for end, scene in zip(ends, job.scenes, strict=True)
    )
    points = Between((first, last), spec.steps, spec.kind, spec.temperature, 0).points(
        job.generator
    )
    name, digits = f"{spec.start.name} to {spec.end.name}", len(str(spec.steps - 1))

    def shots(layout: str) -> list[Shot]:
        return [
            Shot(f"{layout}_p{number:0{digits}d}", point, content=name)
            for number, point in enumerate(points)
        ]

    def beside(folder: Path, rows: list[SetRow]) -> None:
        ends = {"from": spec.start.name, "to": spec.end.name, "steps": spec.steps}
        io.write_json(folder / PATH, {**ends, "path": spec.kind, "temperature": spec.temperature})
        for item in job.layouts:
            made = [io.read_photo(folder / row.photo) for row in rows if row.layout == item.name]
            strip = _strip(_colour_map(item, job.generator), made)
            io.write_png(folder / STRIPS / f"{item.name}.png", strip)
            if frames:
                visualize.write_animation(folder / FRAMES / f"{item.name}.png", made)

    scenes = zip(("start", "end"), job.scenes, strict=True)
    contents = {end: scene for end, scene in scenes if scene is not None}
    facts = {
        "from": spec.start.seed,
        "to": spec.end.seed,
        "steps": spec.steps,
        "kind": spec.kind,
        "temperature": spec.temperature,
    }
    origin = Origin("path", job.threads, contents, facts)
    return job.write(shots, origin, beside, rounds=spec.steps, temperature=spec.temperature)


def _sheet_of(
    job: Job, *first: np.ndarray, frames: bool = False
) -> Callable[[Path, list[SetRow]], None]:
    """What writes the contact sheet of a set: layout, what comes first, and its images in a row."""

    def beside(folder: Path, rows: list[SetRow]) -> None:
        def images(layout: str) -> list[np.ndarray]:
            return [io.read_photo(folder / row.photo) for row in rows if row.layout == layout]

        tiles = [
            [_colour_map(item, job.generator), *first, *images(item.name)]
            for item in job.layouts[:SHEET_ROWS]
        ]
        io.write_png(folder / SHEET, visualize.sheet(tiles, scale=2))
        if frames:
            _animate(folder, rows)

    return beside


def _colour_map(item: NamedLayout, generator: Generator) -> np.ndarray:
    return visualize.colour_classes(item.layout.classes[0].numpy(), generator.table)


def _animate(folder: Path, rows: Sequence[SetRow]) -> None:
    """The images of each number in time."""
    numbers = sorted({row.round for row in rows})
    for number in numbers:
        name = "layouts" if len(numbers) == 1 else f"layouts_s{number}"
        shown = [io.read_photo(folder / row.photo) for row in rows if row.round == number]
        visualize.write_animation(folder / FRAMES / f"{name}.png", shown)


def _strip(painted: np.ndarray, made: Sequence[np.ndarray]) -> np.ndarray:
    """Layout and images in a row, twice as large, the first and last image framed in colour."""
    large = [tile.repeat(2, 0).repeat(2, 1) for tile in (painted, *made)]
    ends = (1, len(made))
    shown = [
        visualize.add_frame(tile, END_COLOUR) if place in ends else visualize.add_frame(tile)
        for place, tile in enumerate(large)
    ]
    return visualize.sheet([shown])
