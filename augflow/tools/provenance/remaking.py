"""Making a photograph again from what is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from augflow.core.errors import DataError
from augflow.data.scenes import Layout, Scene, SceneFolder
from augflow.data.synthetic import SetRow
from augflow.generators.base import Generator
from augflow.generators.latents import Latents, PathKind, drawn, encoded, painted, path
from augflow.generators.sampling import Photograph, sampled, transferred
from augflow.study.params import SetParams, TransferParams


@dataclass(frozen=True)
class Drawn:
    """Latents are drawn from a seed and scaled by a temperature."""

    seed: int
    temperature: float


@dataclass(frozen=True)
class Moved:
    """Latents are those of another photograph.

    Attributes:
        content: that photograph with its layout, a batch of one.
        latents: see `photographs.transferred`.
    """

    content: Scene
    latents: Literal["z", "eps"]


@dataclass(frozen=True)
class Between:
    """Latents are a point on a path.

    Attributes:
        ends: seeds, or photographs with their layouts.
        temperature: of the ends that are seeds.
        place: the number of the point, 0 being the start.
    """

    ends: tuple[int | Scene, int | Scene]
    steps: int
    kind: PathKind
    temperature: float
    place: int


@dataclass(frozen=True)
class Recipe:
    """All that makes a photograph, but for the generator."""

    layout: Layout
    latents: Drawn | Moved | Between
    attributes: Mapping[str, bool] = field(default_factory=dict)


def remade(maker: Generator, recipe: Recipe) -> Photograph:
    """The photograph of a recipe.

    Raises:
        DataError: a layout is not of the generator's size.
        ModelError: the generator has no such latents, or a value is not finite.
        ParamsError: the generator cannot be asked for such attributes.
    """
    source, layout, asked = recipe.latents, recipe.layout, recipe.attributes
    if isinstance(source, Drawn):
        return sampled(maker, layout, [source.seed], source.temperature, asked)[0]
    if isinstance(source, Between):
        start, end = (_end(maker, one, source.temperature) for one in source.ends)
        point = path((start, end), source.steps, source.kind)[source.place]
        return painted(maker, [point], layout, asked)[0]
    if asked:
        return painted(maker, [encoded(maker, source.content)], layout, asked)[0]
    return transferred(maker, source.content, layout, source.latents)


def _end(maker: Generator, end: int | Scene, temperature: float) -> Latents:
    return drawn(maker, end, temperature) if isinstance(end, int) else encoded(maker, end)


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
        """Where the latents of a photograph of a study's set come from.

        Raises:
            DataError: the content is in no split.
        """
        if isinstance(section, SetParams):
            return Drawn(row.seed, row.temperature)
        return Moved(self.scene(section.contents, row.content), section.latents)

    def _split(self, split: str) -> SceneFolder:
        return SceneFolder(self.prepared, split)
