"""Where the latents of images come from: a seed, an image with its label map, or a record.

Sets for a user's own layouts keep that beside the images, as labels alone do not tell boundary
maps: those come from files of the user's, or were worked out at the label map's own size.

    origin/origin.json                what latents are, and threads
    origin/boundary/LAYOUT.png        the boundary map that a layout had, 8 bits
    origin/content/END_KIND.png       images whose latents were taken: image, classes, boundary
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch

from augflow.core import io
from augflow.core.errors import DataError, Faults, ParamsError, on_one_line
from augflow.data.label_maps import Labels, single_layout
from augflow.data.scenes import KINDS, Layout, Scene, SceneFolder
from augflow.data.synthetic import SetFacts, SetRow
from augflow.data.synthetic.manifest import label_path
from augflow.generators.base import Generator
from augflow.generators.latents import (
    Drawn,
    Known,
    PathKind,
    content_latents,
    encode_latents,
    path,
    sample_latents,
)
from augflow.study.params import SetParams, TransferParams

FOLDER, FACTS = "origin", "origin.json"
SEED = "seed:"


@dataclass(frozen=True)
class LatentSource:
    """A seed that latents are drawn from, or the image whose latents are taken.

    Attributes:
        source: the seed, or the image's file.
        layout: the image's label map, where it is not the one beside it.
        option: the command's option that gives that label map.
    """

    source: int | Path
    layout: Path | None = None
    option: str = "--latent-layout"

    @property
    def seed(self) -> int | None:
        """The seed, None for an image."""
        return self.source if isinstance(self.source, int) else None

    @property
    def name(self) -> str:
        """What records say of it."""
        return f"{SEED}{self.source}" if isinstance(self.source, int) else self.source.stem

    def scene(self, generator: Generator, labels: Labels) -> Scene | None:
        """The image with its layout at a generator's size, None for a seed.

        Raises:
            DataError: there is no label map, a file cannot be read, they are of unequal sizes, or
                the image's name is none that a set can hold.
        """
        if isinstance(self.source, int):
            return None
        faults = Faults()
        pixels, layout = None, None
        wrong = io.unfit(self.source.stem)
        if wrong:
            raise DataError(f"{on_one_line(self.source)}: {wrong}")
        with faults.collect():
            pixels = io.read_photo(self.source)
        with faults.collect():
            label, edges = (self.layout, None) if self.layout else self._label_beside(self.source)
            layout = single_layout(label, generator.table, generator.size, labels, edges, pixels)
        faults.raise_if_any()
        assert pixels is not None
        assert layout is not None
        small = cv2.resize(pixels, generator.size[::-1], interpolation=cv2.INTER_AREA)
        return Scene(torch.tensor(small).permute(2, 0, 1)[None], layout)

    def _label_beside(self, image: Path) -> tuple[Path, Path | None]:
        """An image's label map: in a folder `classes` beside its own, or named as in Cityscapes."""
        home = image.parent.parent
        places = [(home / "classes" / image.name, home / "boundary" / image.name)]
        if image.stem.endswith("_leftImg8bit"):
            core = image.stem.removesuffix("_leftImg8bit")
            folders = [image.parent]
            if len(image.parents) > 3:
                folders.append(image.parents[3] / "gtFine" / home.name / image.parent.name)
            places += [
                (folder / f"{core}_gtFine_labelIds.png", folder / f"{core}_gtFine_instanceIds.png")
                for folder in folders
            ]
        for label, edges in places:
            if label.exists():
                return label, edges if edges.exists() else None
        raise DataError(f"{image}: its label map is not beside it; give it with {self.option}")


def latent_source(text: str, layout: Path | None, option: str, layout_option: str) -> LatentSource:
    """What a command was given: `seed:N` or the path of an image.

    Raises:
        ParamsError: no number after `seed:`, or a label map for a seed.
    """
    if not text.startswith(SEED):
        return LatentSource(Path(text), layout, layout_option)
    number = text.removeprefix(SEED)
    if not number.isdecimal() or int(number) >= 2**63:
        raise ParamsError(
            f"{option} {text}: expected seed:N, N being a whole number such as those of a "
            "manifest's column seed"
        )
    if layout is not None:
        raise ParamsError(f"{layout_option}: {option} {text} is no photograph; leave it out")
    return LatentSource(int(number))


def path_points(
    generator: Generator,
    ends: Sequence[int | Scene],
    steps: int,
    kind: PathKind,
    temperature: float,
) -> list[Known]:
    """So many latents on a path between seeds, at a temperature, or images with their layouts."""
    start, end = (
        sample_latents(generator, one, temperature)
        if isinstance(one, int)
        else encode_latents(generator, one)
        for one in ends
    )
    return [Known(point) for point in path((start, end), steps, kind)]


class Splits:
    """The splits of a prepared folder, each opened when it is first asked for."""

    def __init__(self, prepared: Path) -> None:
        """Opens nothing yet."""
        self.prepared = prepared
        self.split = cache(self._split)

    def row_of(self, split: str, scene: str) -> int:
        """The place of a scene in its split.

        Raises:
            DataError: the split has no such scene.
        """
        if scene not in self.split(split).names:
            where = self.prepared / "scenes.csv"
            raise DataError(f"{where}: no scene {scene!r} in split {split}")
        return self.split(split).names.index(scene)

    def scene(self, split: str, name: str) -> Scene:
        """A scene by its name, a batch of one."""
        return self.split(split).scenes([self.row_of(split, name)])

    def latents(
        self, generator: Generator, section: SetParams | TransferParams, row: SetRow
    ) -> Drawn | Known:
        """The latents of an image of a study's set."""
        if isinstance(section, SetParams):
            return Drawn(row.seed, row.temperature)
        content = self.scene(section.contents, row.content)
        return content_latents(generator, content, section.latents, row.seed, row.temperature)

    def _split(self, split: str) -> SceneFolder:
        return SceneFolder(self.prepared, split)


@dataclass(frozen=True)
class Origin:
    """How the images of a set for a user's own layouts were made.

    Attributes:
        way: latents are drawn from each row's seed, carried over from `content` as they are (`z`),
            standardised (`eps`) or as the style of what is drawn, or lie on a path.
        threads: intra-op threads that they were made with.
        contents: by end: `content`, or `start` and `end` where they are images.
        path: of a path: `from` and `to` (seeds; images have none), `steps`, `kind`, `temperature`.
    """

    way: Literal["drawn", "z", "eps", "style", "path"]
    threads: int
    contents: Mapping[str, Scene] = field(default_factory=dict)
    path: Mapping[str, Any] = field(default_factory=dict)

    def latents(self, generator: Generator, row: SetRow) -> Drawn | Known:
        """The latents of one of the images."""
        if self.way == "drawn":
            return Drawn(row.seed, row.temperature)
        if self.way != "path":
            content = self.contents["content"]
            return content_latents(generator, content, self.way, row.seed, row.temperature)
        facts = self.path
        start = self.contents["start"] if facts["from"] is None else facts["from"]
        end = self.contents["end"] if facts["to"] is None else facts["to"]
        way = (facts["steps"], facts["kind"], facts["temperature"])
        return path_points(generator, (start, end), *way)[row.round]


def write_origin(folder: Path, origin: Origin, layouts: Iterable[tuple[str, Layout]]) -> None:
    """Writes `origin/` into the folder of a set; layouts come with their names."""
    home = folder / FOLDER
    for name, layout in layouts:
        io.write_png(home / "boundary" / f"{name}.png", _bytes(layout))
    for end, scene in origin.contents.items():
        image, classes = scene.image[0].permute(1, 2, 0).numpy(), scene.layout.classes[0].numpy()
        for kind, pixels in zip(KINDS, (image, classes, _bytes(scene.layout)), strict=True):
            io.write_png(home / "content" / f"{end}_{kind}.png", pixels)
    io.write_json(home / FACTS, _facts(origin))


def read_origin(folder: Path) -> Origin | None:
    """What `write_origin` wrote into the folder of a set, None where nothing was.

    Raises:
        DataError: a file is missing or damaged.
    """
    where = folder / FOLDER / FACTS
    if not where.is_file():
        return None
    content = io.read_json(where)
    try:
        contents = {end: _content(folder / FOLDER / "content", end) for end in content["contents"]}
        return Origin(content["way"], int(content["threads"]), contents, content["path"])
    except (KeyError, TypeError, ValueError) as fault:
        raise DataError(
            f"{where}: does not say how the set was made ({type(fault).__name__}: {fault}); "
            "make the set again"
        ) from fault


def is_origin(folder: Path, origin: Origin) -> bool:
    """Whether the images of the set in a folder were made in this way, of equal contents.

    Raises:
        DataError: a file is missing or damaged.
    """
    known = read_origin(folder)
    return known is not None and origin_digest(known) == origin_digest(origin)


def origin_digest(origin: Origin) -> str:
    """Of all that `write_origin` writes, but for layouts."""
    contents = [(end, scene_digest(scene)) for end, scene in sorted(origin.contents.items())]
    return io.digest_bytes(io.json_bytes([_facts(origin), contents]))


def scene_digest(scene: Scene | Layout) -> str:
    """Of the pixels as they are stored: of the layout, and of the image where there is one."""
    layout = scene.layout if isinstance(scene, Scene) else scene
    arrays = [layout.classes.numpy(), _bytes(layout)]
    if isinstance(scene, Scene):
        arrays.append(scene.image.numpy())
    return io.digest_bytes("".join(map(io.digest_array, arrays)).encode())


def origin_layout(folder: Path, facts: SetFacts, row: SetRow) -> Layout:
    """The layout that an image of a set for a user's own layouts was made for."""
    labels = folder / label_path(row.photo, "labelIds")
    classes = torch.tensor(facts.table.from_raw(io.read_ids(labels)))[None]
    return Layout(classes, _boundary(folder / FOLDER / "boundary" / f"{row.layout}.png"))


def _facts(origin: Origin) -> dict[str, Any]:
    return {
        "way": origin.way,
        "threads": origin.threads,
        "contents": sorted(origin.contents),
        "path": dict(origin.path),
    }


def _bytes(layout: Layout) -> np.ndarray:
    return np.rint(layout.boundary[0].numpy() * 255).astype(np.uint8)


def _boundary(path: Path) -> torch.Tensor:
    return torch.tensor(io.read_ids(path))[None].float() / 255


def _content(folder: Path, end: str) -> Scene:
    image, classes, boundary = (folder / f"{end}_{kind}.png" for kind in KINDS)
    pixels = torch.tensor(io.read_photo(image)).permute(2, 0, 1)[None]
    layout = Layout(torch.tensor(io.read_ids(classes))[None], _boundary(boundary))
    return Scene(pixels, layout)
