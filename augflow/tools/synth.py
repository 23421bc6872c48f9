"""Sets for a user's own layouts: `augflow synth`, `augflow transfer` and `augflow interpolate`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

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
from augflow.generators.latents import (
    Drawn,
    Known,
    LatentKind,
    PathKind,
    encode_latents,
    make_images,
)
from augflow.generators.sampling import image_seed
from augflow.study import disk_usage
from augflow.tools import latent_sources
from augflow.tools.latent_sources import LatentSource, Origin, path_points, write_origin
from augflow.tools.output_folder import require_output_folder

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
    latent_sources.FOLDER,
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
    """

    labels: Labels
    maps: Path | None


class Job:
    """A set to make: the folder, the generator, the layouts and the images whose latents it takes.

    Attributes:
        scenes: for each of the sources; None for a seed.
    """

    def __init__(
        self,
        layouts: Path,
        generator: Path | Generator,
        out: Path,
        sources: Sequence[LatentSource] = (),
        **inputs: Unpack[Inputs],
    ) -> None:
        """Reads all that a set is made from, and makes sure that it may be written.

        Raises:
            DataError: with every fault of the inputs, or because `out` must not be written to.
        """
        require_output_folder(out, [layouts], FACTS, SET_OUTPUTS.__contains__)
        hardware.keep_pages()
        deterministic(0, THREADS)
        self.out = out
        self.generator = generators.load(generator) if isinstance(generator, Path) else generator
        table, size, faults = self.generator.table, self.generator.size, Faults()
        self.scenes: list[Scene | None] = []
        self.layouts: list[NamedLayout] = []
        for source in sources:
            with faults.collect():
                self.scenes.append(source.scene(self.generator, inputs.get("labels", "auto")))
        with faults.collect():
            self.layouts = read_layouts(layouts, table, size, **inputs)
        faults.raise_if_any()

    def write(
        self,
        latents: Callable[[str], Sequence[Drawn | Known]],
        origin: Origin,
        beside: Callable[[Path, list[SetRow]], None],
        *,
        content: str = "",
        rounds: int = 1,
        number: str = "_s{}",
        temperature: float = 1.0,
        attributes: Mapping[str, bool] | None = None,
    ) -> list[SetRow]:
        """Writes the set, whole or not at all; of several rounds, names end with their `number`."""
        generator, count = self.generator, len(self.layouts) * rounds
        digest, degrees = weights_digest(generator.state_dict()), (temperature,)
        table, size, asked = generator.table, generator.size, attributes or {}
        facts = SetFacts(self.out.name, digest, degrees, rounds, table, size, asked)
        maps = [item.layout.classes[0].numpy() for item in self.layouts]
        need = disk_usage.set_of_maps(facts.size, maps, rounds, self.out)
        check_disk_space(self.out, need, f"a set of {count} photographs")

        def images() -> Iterator[NewPhoto]:
            for item in self.layouts:
                listed = latents(item.name)
                made = make_images(generator, item.layout, listed, attributes)
                for turn, (given, image) in enumerate(zip(listed, made, strict=True)):
                    yield NewPhoto(
                        name=item.name + (number.format(turn) if rounds > 1 else ""),
                        layout=item.name,
                        split=SPLIT,
                        city="synthetic",
                        image=image.image,
                        classes=item.layout.classes[0].numpy(),
                        temperature=temperature,
                        round=turn,
                        seed=given.seed if isinstance(given, Drawn) else 0,
                        content=content,
                        log_p_bpd=image.log_p_bpd,
                    )

        def finish(folder: Path, rows: list[SetRow]) -> None:
            write_origin(folder, origin, ((item.name, item.layout) for item in self.layouts))
            beside(folder, rows)

        return write_set(self.out, facts, images(), finish)


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
    images shall have, or not have, beside the layout. For the others see `Job`.

    Returns:
        The manifest's rows.
    """
    job = Job(layouts, generator, out, **inputs)

    def latents(layout: str) -> list[Drawn | Known]:
        whose = SHARED if same_noise else layout
        return [Drawn(image_seed(seed, whose, turn), temperature) for turn in range(samples)]

    sheet, asked = _sheet_of(job, frames=frames), attributes
    origin = Origin("drawn", THREADS)
    return job.write(
        latents, origin, sheet, rounds=samples, temperature=temperature, attributes=asked
    )


def synth_from(
    source: LatentSource,
    layouts: Path,
    generator: Path | Generator,
    out: Path,
    *,
    kind: LatentKind = "eps",
    show_content: bool = False,
    temperature: float = 1.0,
    frames: bool = False,
    attributes: Mapping[str, bool] | None = None,
    **inputs: Unpack[Inputs],
) -> list[SetRow]:
    """Writes a set that shows label maps in the style of given latents.

    Those of an image are of a `kind` and have no temperature; with `show_content` the contact sheet
    has that image beside each layout. For the other arguments see `synth`.

    References:
        Full-Glow, section 5.4 (content transfer); Li et al. 2019, "Diverse Image Synthesis from
        Semantic Layouts via Conditional IMLE", section 4.4 and figures 5 and 7.
    """
    job = Job(layouts, generator, out, [source], **inputs)
    (scene,) = job.scenes
    latents: Drawn | Known
    if scene is None:
        latents, content = Drawn(source.seed or 0, temperature), ""
        shown, origin = [], Origin("drawn", THREADS)
    else:
        latents, content = Known(encode_latents(job.generator, scene, kind), kind), source.name
        shown = [scene.image[0].permute(1, 2, 0).numpy()] if show_content else []
        temperature, origin = 1.0, Origin(kind, THREADS, {"content": scene})
    sheet = _sheet_of(job, *shown, frames=frames)
    facts: dict[str, Any] = {"temperature": temperature, "attributes": attributes}
    return job.write(lambda _: [latents], origin, sheet, content=content, **facts)


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

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        section 4.4 and figure 4; Liu et al. 2019, "Conditional Adversarial Generative Flow",
        figure 5.
    """
    ends = (spec.start, spec.end)
    job = Job(layouts, generator, out, ends, **inputs)
    first, last = (
        end.seed or 0 if scene is None else scene
        for end, scene in zip(ends, job.scenes, strict=True)
    )
    way = (spec.steps, spec.kind, spec.temperature)
    points = path_points(job.generator, (first, last), *way)

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
    origin = Origin("path", THREADS, contents, facts)
    return job.write(
        lambda _: points,
        origin,
        beside,
        content=f"{spec.start.name} to {spec.end.name}",
        rounds=spec.steps,
        number=f"_p{{:0{len(str(spec.steps - 1))}d}}",
        temperature=spec.temperature,
    )


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
