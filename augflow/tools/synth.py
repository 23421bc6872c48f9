"""Sets for a user's own layouts: `augflow synth`, `augflow transfer` and `augflow interpolate`."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import numpy as np

from augflow import generators
from augflow.core import hardware, io
from augflow.core.config import exact
from augflow.core.errors import DataError, Faults, ParamsError
from augflow.core.hardware import check_disk_space
from augflow.core.seeding import deterministic
from augflow.data import visualize
from augflow.data.label_maps import SHEET, Fit, Labels, NamedLayout, is_of_shape, read_layouts
from augflow.data.scenes import Scene, table_facts
from augflow.data.synthetic import (
    FACTS,
    MANIFEST,
    MANIFEST_COLUMNS,
    NewPhoto,
    SetFacts,
    SetRow,
    read_facts,
    read_rows,
    resume_set,
)
from augflow.data.synthetic.manifest import label_path
from augflow.generators import weights_digest
from augflow.generators.base import Generator
from augflow.generators.latents import (
    ContentKind,
    Drawn,
    Known,
    PathKind,
    content_latents,
    make_images,
)
from augflow.generators.sampling import image_seed
from augflow.study import disk_usage
from augflow.tools import latent_sources
from augflow.tools.latent_sources import (
    LatentSource,
    Origin,
    is_origin,
    origin_digest,
    origin_layout,
    path_points,
    scene_digest,
    write_origin,
)
from augflow.tools.output_folder import require_output_folder
from augflow.tools.progress import show_progress

log = logging.getLogger("augflow")

SHEET_ROWS, SPLIT = 24, "train"
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

Older = Literal["refuse", "overwrite", "append"]
"""What a command does with a folder that holds an earlier set."""

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
    """How a set's inputs are read, and what becomes of a set that is there.

    Attributes:
        labels: what the label maps hold, if it is not to be guessed.
        maps: boundary maps or instance ids of the layouts.
        fit: what becomes of layouts of another shape than the generator's images.
        older: what is done where `out` holds a set: nothing by default.
    """

    labels: Labels
    maps: Path | None
    fit: Fit
    older: Older


@dataclass(frozen=True)
class Planned:
    """An image that is to be made: its name, layout, number and latents."""

    name: str
    item: NamedLayout
    round: int
    latents: Drawn | Known

    @property
    def seed(self) -> int:
        """What its latents are drawn from, 0 where they are known."""
        return self.latents.seed if isinstance(self.latents, Drawn) else 0


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
        instead: str = ", --append to add to it",
        **inputs: Unpack[Inputs],
    ) -> None:
        """Reads all that a set is made from, and makes sure that it may be written.

        `instead` says what can be done with an older set beside replacing it.

        Raises:
            DataError: with every fault of the inputs, or because `out` must not be written to.
        """
        self.older = inputs.get("older", "refuse")
        kind = (FACTS, SET_OUTPUTS.__contains__)
        over = self.older != "refuse"
        require_output_folder(out, [layouts], *kind, overwrite=over, instead=instead)
        hardware.keep_pages()
        deterministic(0, THREADS)
        self.out = out
        self.generator = generators.load(generator) if isinstance(generator, Path) else generator
        table, size, faults = self.generator.table, self.generator.size, Faults()
        labels, maps = inputs.get("labels", "auto"), inputs.get("maps")
        self.scenes: list[Scene | None] = []
        self.layouts: list[NamedLayout] = []
        for source in sources:
            with faults.collect():
                self.scenes.append(source.scene(self.generator, labels))
        with faults.collect():
            fit = inputs.get("fit", "crop")
            self.layouts = read_layouts(layouts, table, size, labels=labels, maps=maps, fit=fit)
        faults.raise_if_any()
        _tell_fit(self.layouts, size, fit)

    def write(
        self,
        latents: Callable[[str], Sequence[Drawn | Known]],
        origin: Origin,
        beside: Callable[[Path, list[SetRow]], None],
        arguments: Mapping[str, object],
        *,
        content: str = "",
        rounds: int = 1,
        number: str = "_s{}",
        temperature: float = 1.0,
        attributes: Mapping[str, bool] | None = None,
    ) -> list[SetRow]:
        """Writes the set, whole or not at all; of several rounds, names end with their `number`.

        What a killed or stopped call has written is gone on with, if its `arguments` and all else
        that decides the images were the same.

        Raises:
            ParamsError: the temperature has more digits than the manifest.
            DataError: the set that is there cannot be joined, or one of other arguments was begun.
        """
        try:
            exact(temperature)  # a row of the manifest has to say what was used
        except ValueError as fault:
            raise ParamsError(f"temperature: {fault}") from fault
        generator, asked = self.generator, dict(attributes or {})
        digest, table, size = (
            weights_digest(generator.state_dict()),
            generator.table,
            generator.size,
        )
        facts = SetFacts(self.out.name, digest, (temperature,), rounds, table, size, asked)
        older: list[SetRow] = []
        if self.older == "append" and self.out.exists():
            facts, older = self._joined(facts, origin)
        self.require_space(rounds)  # before all that is to be made is listed
        planned = self._plan(latents, older, (temperature, content), number if rounds > 1 else "")
        counts = [1 + row.round for row in older] + [1 + one.round for one in planned]
        facts = replace(facts, rounds=max([rounds, *counts]))

        def finish(folder: Path, rows: list[SetRow]) -> None:
            write_origin(folder, origin, ((item.name, item.layout) for item in self.layouts))
            beside(folder, rows)

        layouts = [(item.name, scene_digest(item.layout)) for item in self.layouts]
        job = {
            "generator": digest,
            "layouts": io.digest_bytes(io.json_bytes(layouts)),
            "temperature": temperature,
            "attributes": asked,
            "latents": origin_digest(origin),
            "older set": io.digest_bytes(io.csv_bytes(map(vars, older), MANIFEST_COLUMNS)),
            **arguments,
        }
        common = {"temperature": temperature, "content": content}
        return resume_set(
            self.out,
            facts,
            job,
            lambda done: show_progress(
                self._images(planned[done:], asked, common), len(planned) - done, "photographs"
            ),
            finish,
            older=older,
            anew=self.older == "overwrite",
        )

    def _images(
        self, planned: Sequence[Planned], asked: Mapping[str, bool], common: Mapping[str, Any]
    ) -> Iterator[NewPhoto]:
        """Makes them; what a layout decides is worked out once for all that follow each other."""
        for _, same in groupby(planned, lambda one: one.item.name):
            group = list(same)
            layout = group[0].item.layout
            made = make_images(self.generator, layout, [one.latents for one in group], asked)
            for one, image in zip(group, made, strict=True):
                yield NewPhoto(
                    name=one.name,
                    layout=one.item.name,
                    split=SPLIT,
                    city="synthetic",
                    image=image.image,
                    classes=layout.classes[0].numpy(),
                    round=one.round,
                    seed=one.seed,
                    log_p_bpd=image.log_p_bpd,
                    **common,
                )

    def require_space(self, rounds: int) -> None:
        """Asks whether the disk has room, but for what was begun, when it was asked.

        Raises:
            DataError: it has not.
        """
        if not io.unfinished(self.out).exists():
            maps = [item.layout.classes[0].numpy() for item in self.layouts]
            need = disk_usage.set_of_maps(self.generator.size, maps, rounds, self.out)
            what = f"a set of {len(self.layouts) * rounds} photographs"
            check_disk_space(self.out, need, what)

    def _joined(self, facts: SetFacts, origin: Origin) -> tuple[SetFacts, list[SetRow]]:
        """What the set that is there and the images to be added have in common, and its rows.

        Raises:
            DataError: they cannot be one set; says why.
        """
        there, rows = read_facts(self.out), read_rows(self.out)
        first = {row.layout: row for row in rows}
        others = [
            item.name
            for item in self.layouts
            if item.name in first
            and scene_digest(origin_layout(self.out, there, first[item.name]))
            != scene_digest(item.layout)
        ]
        same = {
            "generator": there.generator == facts.generator,
            "size": there.size == facts.size,
            "class table": table_facts(there.table) == table_facts(facts.table),
            "--with and --without": dict(there.attributes) == dict(facts.attributes),
            "way or photograph that latents are from": is_origin(self.out, origin),
            f"label map of the name {', '.join(others[:3])}": not others,
        }
        wrong = [what for what, equal in same.items() if not equal]
        if wrong:
            raise DataError(
                f"{self.out}: cannot be joined, its set has another {', another '.join(wrong)}; "
                "give another folder with --out"
            )
        degrees = tuple(dict.fromkeys((*there.temperatures, *facts.temperatures)))
        return replace(there, temperatures=degrees), rows

    def _plan(
        self,
        latents: Callable[[str], Sequence[Drawn | Known]],
        older: Sequence[SetRow],
        common: tuple[float, str],
        number: str,
    ) -> list[Planned]:
        """The images to make: not those that are there; numbers go on where they end.

        `common` is the temperature and content of all; names end with their `number`, if it is
        not empty or the layout has an image.
        """
        names = {row.name for row in older}
        planned = []
        for item in self.layouts:
            there = [row for row in older if row.layout == item.name]
            alike = {row.seed for row in there if (row.temperature, row.content) == common}
            turn = sum((row.temperature, row.content) == common for row in there)
            place = len(there)
            for given in latents(item.name):
                one = Planned("", item, turn, given)
                if one.seed in alike:
                    continue
                ending = number or ("_s{}" if there else "")
                while (name := item.name + ending.format(place)) in names and ending:
                    place += 1
                names.add(name)
                planned.append(replace(one, name=name))
                turn, place = turn + 1, place + 1
        return planned


def _tell_fit(layouts: Sequence[NamedLayout], size: tuple[int, int], fit: Fit) -> None:
    """Says in a line what became of layouts of another shape or size."""
    sizes = Counter(item.before for item in layouts if item.before != size)
    if not sizes:
        return
    others = Counter({one: n for one, n in sizes.items() if not is_of_shape(one, size)})
    (height, width), _ = (others or sizes).most_common(1)[0]
    done = {
        "crop": "their middles are taken; --fit pad keeps all of them, --fit stretch squashes them",
        "pad": "they are filled up with pixels of no class",
        "stretch": "they are squashed",
    }
    shapes = f"; {others.total()} of another shape: {done[fit]}" if others else ""
    log.info(
        "%d of %d layouts, as %dx%d, become %dx%d, as the photographs and their labels are%s",
        sizes.total(), len(layouts), height, width, *size, shapes,
    )  # fmt: skip


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

    sheet, origin = _sheet_of(job, frames=frames), Origin("drawn", THREADS)
    told = {"samples": samples, "seed": seed, "same noise": same_noise, "frames": frames}
    facts: dict[str, Any] = {"temperature": temperature, "attributes": attributes}
    return job.write(latents, origin, sheet, told, rounds=samples, **facts)


def synth_from(
    source: LatentSource,
    layouts: Path,
    generator: Path | Generator,
    out: Path,
    *,
    kind: ContentKind = "eps",
    show_content: bool = False,
    temperature: float = 1.0,
    frames: bool = False,
    attributes: Mapping[str, bool] | None = None,
    **inputs: Unpack[Inputs],
) -> list[SetRow]:
    """Writes a set that shows label maps in the style of given latents.

    Those of an image are of a `kind`; only what a style leaves to be drawn has a temperature. With
    `show_content` the contact sheet has that image beside each layout. For the other arguments see
    `synth`.

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
        latents = content_latents(job.generator, scene, kind, 0, temperature)
        content = source.name
        shown = [scene.image[0].permute(1, 2, 0).numpy()] if show_content else []
        temperature = temperature if kind == "style" else 1.0
        origin = Origin(kind, THREADS, {"content": scene})
    sheet = _sheet_of(job, *shown, frames=frames)
    facts: dict[str, Any] = {"temperature": temperature, "attributes": attributes}
    told = {"seed": source.seed, "frames": frames, "content shown": show_content}

    def of_layout(name: str) -> list[Drawn | Known]:
        if isinstance(latents, Drawn) and latents.style is not None:
            return [replace(latents, seed=image_seed(0, name, 0))]
        return [latents]

    return job.write(of_layout, origin, sheet, told, content=content, **facts)


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
    job = Job(layouts, generator, out, ends, instead="", **inputs)
    first, last = (
        end.seed or 0 if scene is None else scene
        for end, scene in zip(ends, job.scenes, strict=True)
    )
    way = (spec.steps, spec.kind, spec.temperature)
    job.require_space(spec.steps)
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
        {"frames": frames},
        content=f"{spec.start.name} to {spec.end.name}",
        rounds=spec.steps,
        number=f"_p{{:0{len(str(spec.steps - 1))}d}}",
        temperature=spec.temperature,
    )


def _sheet_of(
    job: Job, *first: np.ndarray, frames: bool = False
) -> Callable[[Path, list[SetRow]], None]:
    """What writes the contact sheet of a set: layout, what comes first, and its images in a row.

    A set that had frames before images were added to it has them afterwards too.
    """
    table = job.generator.table

    def beside(folder: Path, rows: list[SetRow]) -> None:
        names = list(dict.fromkeys(row.layout for row in rows))[:SHEET_ROWS]
        tiles = []
        for name in names:
            own = [row for row in rows if row.layout == name]
            classes = table.from_raw(io.read_ids(folder / label_path(own[0].photo, "labelIds")))
            images = [io.read_photo(folder / row.photo) for row in own]
            tiles.append([visualize.colour_classes(classes, table), *first, *images])
        io.write_png(folder / SHEET, visualize.sheet(tiles, scale=2))
        if frames or (folder / FRAMES).exists():
            shutil.rmtree(folder / FRAMES, ignore_errors=True)
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
