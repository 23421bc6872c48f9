"""Photographs along a path between two latents: `augflow interpolate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow import generators
from augflow.core import hardware, io
from augflow.core.seeding import deterministic
from augflow.data import visualize
from augflow.data.animation import write_frames
from augflow.data.label_maps import Labels, NamedLayout
from augflow.data.synthetic import NewPhoto, SetFacts, SetRow, fill_set
from augflow.generators import weights_digest
from augflow.generators.base import Generator
from augflow.generators.latents import PathKind, painted, path
from augflow.tools.contents import End
from augflow.tools.provenance.origins import Origin, write_origin
from augflow.tools.synth import (
    FRAMES,
    PATH,
    STRIPS,
    THREADS,
    check_out,
    new_photo,
    read_inputs,
    require_photos,
)

END_COLOUR = (220, 90, 20)
"""The frame around the two ends in a strip."""


@dataclass(frozen=True)
class Way:
    """Two ends, the number of photographs from one to the other, and the path's form.

    `temperature` is that of the ends that are seeds.
    """

    start: End
    end: End
    steps: int = 9
    kind: PathKind = "spherical"
    temperature: float = 1.0

    @property
    def name(self) -> str:
        """What the manifest's column `content` says."""
        return f"{self.start.name} to {self.end.name}"


def interpolate(
    way: Way, layouts: Path, generator: Path, out: Path, *, frames: bool = False,
    labels: Labels = "auto", maps: Path | None = None, threads: int = THREADS,
) -> list[SetRow]:  # fmt: skip
    """Writes a set with the photographs along a path for every layout, their number as round.

    Beside it, `path.json` says what the path is, `strips/LAYOUT.png` shows the class map and the
    photographs in a row, the ends framed, and with `frames`, `frames/LAYOUT.mp4` and `.png` show
    them in time.

    Args:
        way: the path.
        layouts: a label map, or a folder of them.
        generator: the generator's folder.
        out: the set's folder.
        frames: also writes a video and an animated picture per layout.
        labels: what the label maps hold.
        maps: boundary maps or instance ids of the layouts.
        threads: intra-op threads; equal threads give equal bytes on one machine.

    Raises:
        DataError: with every fault of the inputs, or because `out` must not be written to.
        ModelError: the generator cannot be read, or has no such latents.

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        section 4.4 and figure 4; Liu et al. 2019, "Conditional Adversarial Generative Flow",
        figure 5.
    """
    check_out(out, layouts)
    hardware.keep_pages()
    deterministic(0, threads)
    maker = generators.load_maker(generator)
    (first, last), found = read_inputs(maker, (way.start, way.end), layouts, labels, maps)
    ends = (
        way.start.latents(maker, way.temperature, first),
        way.end.latents(maker, way.temperature, last),
    )
    points = path(ends, way.steps, way.kind)

    def photos() -> Iterator[NewPhoto]:
        for item in found:
            for number, photo in enumerate(painted(maker, points, item.layout)):
                name = f"{item.name}_p{number:0{len(str(way.steps - 1))}d}"
                yield new_photo(item, photo, name, way.temperature, number, content=way.name)

    scenes = {"start": first, "end": last}
    contents = {end: scene for end, scene in scenes.items() if scene is not None}
    origin = Origin("path", threads, contents, {
        "from": way.start.seed, "to": way.end.seed, "steps": way.steps, "kind": way.kind,
        "temperature": way.temperature,
    })  # fmt: skip
    digest = weights_digest(maker.state_dict())
    facts = SetFacts(out.name, digest, (way.temperature,), way.steps, maker.table, maker.size)
    require_photos(out, facts, found)
    with io.fresh_folder(out) as folder:
        rows = fill_set(folder, facts, photos())
        write_origin(folder, origin, ((item.name, item.layout) for item in found))
        io.write_json(folder / PATH, {
            "from": way.start.name, "to": way.end.name, "steps": way.steps, "path": way.kind,
            "temperature": way.temperature,
        })  # fmt: skip
        for item in found:
            made = [io.read_photo(folder / r.photo) for r in rows if r.layout == item.name]
            io.write_png(folder / STRIPS / f"{item.name}.png", _strip(maker, item, made))
            if frames:
                write_frames(folder / FRAMES / item.name, made)
    return rows


def _strip(maker: Generator, item: NamedLayout, made: Sequence[np.ndarray]) -> np.ndarray:
    tiles = [visualize.coloured(item.layout.classes[0].numpy(), maker.table), *made]
    large = [tile.repeat(2, 0).repeat(2, 1) for tile in tiles]
    last = len(large) - 1
    shown = [
        visualize.framed(tile, END_COLOUR) if place in (1, last) else visualize.framed(tile)
        for place, tile in enumerate(large)
    ]
    return visualize.sheet([shown])
