"""Where latents come from: a seed, or a photograph with its label map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import torch

from augflow.core import io
from augflow.core.errors import DataError, Faults, ParamsError
from augflow.data.label_maps import Labels, single_layout
from augflow.data.scenes import Scene
from augflow.generators.base import Generator
from augflow.generators.latents import Latents, drawn, encoded

SEED = "seed:"


@dataclass(frozen=True)
class End:
    """Latents drawn from a seed, or those of a photograph.

    Attributes:
        source: the seed, or the photograph.
        layout: the photograph's label map, where it is not the one beside it.
        option: the command's option that gives that label map.
    """

    source: int | Path
    layout: Path | None = None
    option: str = "--latent-layout"

    @property
    def seed(self) -> int | None:
        """The seed, None for a photograph."""
        return self.source if isinstance(self.source, int) else None

    @property
    def name(self) -> str:
        """What records say of it."""
        return f"{SEED}{self.source}" if isinstance(self.source, int) else self.source.stem

    def latents(self, maker: Generator, temperature: float, scene: Scene | None) -> Latents:
        """The standard latents under a generator; a seed's draws are scaled by the temperature.

        Args:
            maker: the generator.
            temperature: of a seed's draws.
            scene: what `scene` gives.

        Raises:
            ModelError: the generator's latents are no Gaussian draws, or it cannot encode.
        """
        if scene is None:
            return drawn(maker, self.seed or 0, temperature)
        return encoded(maker, scene)

    def scene(self, maker: Generator, labels: Labels) -> Scene | None:
        """The photograph with its layout at a generator's size, None for a seed.

        Raises:
            DataError: the photograph or its label map cannot be read.
        """
        if isinstance(self.source, int):
            return None
        return content_scene(self.source, self.layout, maker, labels, self.option)


def end_of(text: str, layout: Path | None, option: str, layout_option: str) -> End:
    """An end from what a command was given: `seed:N` or the path of a photograph.

    Raises:
        ParamsError: no number after `seed:`, or a label map for a seed.
    """
    if not text.startswith(SEED):
        return End(Path(text), layout, layout_option)
    number = text.removeprefix(SEED)
    if not number.isdecimal() or int(number) >= 2**63:
        raise ParamsError(
            f"{option} {text}: expected seed:N, N being a whole number such as those of a "
            "manifest's column seed"
        )
    if layout is not None:
        raise ParamsError(f"{layout_option}: {option} {text} is no photograph; leave it out")
    return End(int(number))


def content_scene(
    photo: Path, label: Path | None, maker: Generator, labels: Labels, option: str
) -> Scene:
    """A photograph with its layout at a generator's size.

    Args:
        photo: the photograph.
        label: its label map; when not given, the one that `label_beside` finds.
        maker: the generator.
        labels: what the label map holds.
        option: the command's option that gives the label map.

    Raises:
        DataError: there is no label map, a file cannot be read, or they are of unequal sizes.
    """
    faults = Faults()
    pixels, layout = None, None
    with faults.gathered():
        pixels = io.read_photo(photo)
    with faults.gathered():
        label, edges = (label, None) if label else label_beside(photo, option)
        layout = single_layout(label, maker.table, maker.size, labels, edges, pixels)
    faults.tell()
    assert pixels is not None
    assert layout is not None
    small = cv2.resize(pixels, maker.size[::-1], interpolation=cv2.INTER_AREA)
    return Scene(torch.tensor(small).permute(2, 0, 1)[None], layout)


def label_beside(photo: Path, option: str) -> tuple[Path, Path | None]:
    """The label map that belongs to a photograph, and its boundary map or instance ids if any.

    Known are the prepared folder and the Cityscapes layout.

    Raises:
        DataError: there is no label map; names the option that gives it.
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
    raise DataError(f"{photo}: its label map is not beside it; give it with {option}")
