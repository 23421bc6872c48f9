"""From what is recorded to pixels: where an image's latents come from, and images made of them.

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

import numpy as np
import torch

from augflow.core import io
from augflow.core.errors import DataError, ModelError
from augflow.core.seeding import Noise
from augflow.core.tensors import device_of
from augflow.data.scenes import KINDS, Layout, Scene, SceneFolder
from augflow.data.synthetic import SetFacts, SetRow
from augflow.data.synthetic.manifest import label_path
from augflow.generators.base import Generator
from augflow.generators.latents import Latents, PathKind, encode_latents, path, sample_latents
from augflow.generators.likelihood import LikelihoodGenerator
from augflow.generators.sampling import GeneratedImage, bin_centres, condition_on, to_uint8_with_bpd
from augflow.study.params import SetParams, TransferParams

FOLDER, FACTS = "origin", "origin.json"


@dataclass(frozen=True)
class Drawn:
    """Latents are drawn from a seed and scaled by a temperature."""

    seed: int
    temperature: float


@dataclass(frozen=True)
class Moved:
    """Latents are those of another image.

    Attributes:
        content: that image with its layout, a batch of one.
        latents: `z` as they are, `eps` standardised under the priors of the content's layout.
    """

    content: Scene
    latents: Literal["z", "eps"]


@dataclass(frozen=True)
class Between:
    """Latents are a point on a path.

    Attributes:
        ends: seeds, or images with their layouts.
        temperature: of the ends that are seeds.
        place: the number of the point, 0 being the start.
    """

    ends: tuple[int | Scene, int | Scene]
    steps: int
    kind: PathKind
    temperature: float
    place: int

    def points(self, generator: Generator) -> list[Known]:
        """All points of the path.

        Raises:
            ModelError: the generator's latents are no Gaussian draws, or it cannot encode.
        """
        start, end = (
            sample_latents(generator, one, self.temperature)
            if isinstance(one, int)
            else encode_latents(generator, one)
            for one in self.ends
        )
        return [Known(point) for point in path((start, end), self.steps, self.kind)]


@dataclass(frozen=True)
class Known:
    """Latents that are there, of one image; `kind` as in `Moved`."""

    values: Latents
    kind: Literal["z", "eps"] = "eps"


@dataclass(frozen=True)
class Recipe:
    """All that makes an image, but for the generator."""

    layout: Layout
    latents: Drawn | Moved | Between
    attributes: Mapping[str, bool] = field(default_factory=dict)


def replay_image(generator: Generator, recipe: Recipe) -> GeneratedImage:
    """The image of a recipe.

    Raises:
        DataError: a layout is not of the generator's size.
        ModelError: the generator has no such latents, or a value is not finite.
        ParamsError: the generator cannot be asked for such attributes.
    """
    known = latents_of(generator, recipe.latents)
    return make_images(generator, recipe.layout, [known], recipe.attributes)[0]


def latents_of(generator: Generator, source: Drawn | Moved | Between) -> Drawn | Known:
    """Latents that `make_images` takes: encoded, where they are those of images.

    Raises:
        DataError: a content's layout is not of the generator's size.
        ModelError: the generator's latents are no Gaussian draws, or it cannot encode.
    """
    if isinstance(source, Drawn):
        return source
    if isinstance(source, Between):
        return source.points(generator)[source.place]
    if source.latents == "eps":
        return Known(encode_latents(generator, source.content))
    if not isinstance(generator, LikelihoodGenerator):
        raise ModelError(
            "this generator cannot tell the latents of a photograph, so no content can be moved: "
            "take a flow"
        )
    conditions = condition_on(generator, source.content.layout)
    image = bin_centres(source.content.image.to(device_of(generator)))
    return Known(tuple(generator.encode(image, conditions)), "z")


def make_images(
    generator: Generator,
    layout: Layout,
    latents: Sequence[Drawn | Known],
    attributes: Mapping[str, bool] | None = None,
) -> list[GeneratedImage]:
    """An image for each latents and one layout; what the layout decides is worked out once.

    Raises:
        DataError: the layout is not of the generator's size.
        ModelError: a value is not finite.
        ParamsError: the generator cannot be asked for such attributes.
    """
    conditions = condition_on(generator, layout, attributes)
    return [
        to_uint8_with_bpd(generator, _decode(generator, one, conditions), conditions)
        for one in latents
    ]


@torch.no_grad()
def _decode(generator: Generator, latents: Drawn | Known, conditions: Any) -> torch.Tensor:
    if isinstance(latents, Drawn):
        return generator.sample(conditions, Noise([latents.seed]), latents.temperature)
    if latents.kind == "z":
        assert isinstance(generator, LikelihoodGenerator)
        return generator.decode(latents.values, conditions)
    return generator.decode_latents(latents.values, conditions)


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
        """A scene by its name, a batch of one.

        Raises:
            DataError: the split has no such scene.
        """
        return self.split(split).scenes([self.row_of(split, name)])

    def latents(self, section: SetParams | TransferParams, row: SetRow) -> Drawn | Moved:
        """Where the latents of an image of a study's set come from.

        Raises:
            DataError: the content is in no split.
        """
        if isinstance(section, SetParams):
            return Drawn(row.seed, row.temperature)
        return Moved(self.scene(section.contents, row.content), section.latents)

    def _split(self, split: str) -> SceneFolder:
        return SceneFolder(self.prepared, split)


@dataclass(frozen=True)
class Origin:
    """How the images of a set for a user's own layouts were made.

    Attributes:
        way: latents are drawn from each row's seed, carried over from `content` as they are (`z`)
            or standardised (`eps`), or lie on a path.
        threads: intra-op threads that they were made with.
        contents: by end: `content`, or `start` and `end` where they are images.
        path: of a path: `from` and `to` (seeds; images have none), `steps`, `kind`, `temperature`.
    """

    way: Literal["drawn", "z", "eps", "path"]
    threads: int
    contents: Mapping[str, Scene] = field(default_factory=dict)
    path: Mapping[str, Any] = field(default_factory=dict)

    def latents(self, row: SetRow) -> Drawn | Moved | Between:
        """Where the latents of one of the images come from."""
        if self.way == "drawn":
            return Drawn(row.seed, row.temperature)
        if self.way != "path":
            return Moved(self.contents["content"], self.way)
        facts = self.path
        start = self.contents["start"] if facts["from"] is None else facts["from"]
        end = self.contents["end"] if facts["to"] is None else facts["to"]
        steps, kind, temperature = facts["steps"], facts["kind"], facts["temperature"]
        return Between((start, end), steps, kind, temperature, row.round)


def write_origin(folder: Path, origin: Origin, layouts: Iterable[tuple[str, Layout]]) -> None:
    """Writes `origin/` into the folder of a set; layouts come with their names."""
    home = folder / FOLDER
    for name, layout in layouts:
        io.write_png(home / "boundary" / f"{name}.png", _bytes(layout))
    for end, scene in origin.contents.items():
        image, classes = scene.image[0].permute(1, 2, 0).numpy(), scene.layout.classes[0].numpy()
        for kind, pixels in zip(KINDS, (image, classes, _bytes(scene.layout)), strict=True):
            io.write_png(home / "content" / f"{end}_{kind}.png", pixels)
    facts = {
        "way": origin.way,
        "threads": origin.threads,
        "contents": sorted(origin.contents),
        "path": dict(origin.path),
    }
    io.write_json(home / FACTS, facts)


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


def origin_recipe(folder: Path, facts: SetFacts, origin: Origin, row: SetRow) -> Recipe:
    """How an image of a set for a user's own layouts was made.

    Raises:
        DataError: the layout's files are missing or damaged.
    """
    labels = folder / label_path(row.photo, "labelIds")
    classes = torch.tensor(facts.table.from_raw(io.read_ids(labels)))[None]
    layout = Layout(classes, _boundary(folder / FOLDER / "boundary" / f"{row.layout}.png"))
    return Recipe(layout, origin.latents(row), facts.attributes)


def _bytes(layout: Layout) -> np.ndarray:
    return np.rint(layout.boundary[0].numpy() * 255).astype(np.uint8)


def _boundary(path: Path) -> torch.Tensor:
    return torch.tensor(io.read_ids(path))[None].float() / 255


def _content(folder: Path, end: str) -> Scene:
    image, classes, boundary = (folder / f"{end}_{kind}.png" for kind in KINDS)
    pixels = torch.tensor(io.read_photo(image)).permute(2, 0, 1)[None]
    layout = Layout(torch.tensor(io.read_ids(classes))[None], _boundary(boundary))
    return Scene(pixels, layout)
