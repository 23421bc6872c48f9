"""Where latents come from: a seed, or an image with its label map."""

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
            DataError: there is no label map, a file cannot be read, or they are of unequal sizes.
        """
        if isinstance(self.source, int):
            return None
        faults = Faults()
        pixels, layout = None, None
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
        """An image's label map in a prepared folder or the Cityscapes layout, and its edges."""
        home = image.parent.parent
        places = [(home / "classes" / image.name, home / "boundary" / image.name)]
        if image.stem.endswith("_leftImg8bit") and len(image.parents) > 3:
            core = image.stem.removesuffix("_leftImg8bit")
            truth = image.parents[3] / "gtFine" / home.name / image.parent.name
            files = (f"{core}_gtFine_{kind}.png" for kind in ("labelIds", "instanceIds"))
            label, edges = (truth / file for file in files)
            places.append((label, edges))
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
