"""pix2pix: a U-Net that learned against a discriminator; dropout is all its noise.

References:
    Isola et al. 2017, "Image-to-image translation with conditional adversarial networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from augflow.core import seeding
from augflow.core.config import Count, Section
from augflow.core.errors import ParamsError
from augflow.core.seeding import Noise
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.generators.base import Generator, LatentKind, Planes, class_planes
from augflow.generators.unet import UNet, UNetShape

PATCHES = {16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
"""Height and width in pixels of what one judgement sees, by the number of halvings."""


@dataclass(frozen=True)
class Opponent:
    """The discriminator that a generator wants, and what its own loss is made of.

    Attributes:
        patch: height and width in pixels of what one judgement sees.
        width: channels after the discriminator's first convolution.
        batch_norm: batch normalisation, or instance normalisation.
        l1_weight: weight of the mean absolute error beside the adversarial loss.
        jitter: by how many rows scenes are enlarged before a window of their size is cut out.
    """

    patch: int
    width: int
    batch_norm: bool
    l1_weight: float
    jitter: int


class AdversarialGenerator(Generator):
    """A generator that learns against a discriminator."""

    @property
    def opponent(self) -> Opponent:
        """What it learns against."""
        raise NotImplementedError

    @property
    def planes_count(self) -> int:
        """The number of planes of its conditions."""
        raise NotImplementedError

    def paint_together(self, latents: Sequence[Tensor], conditions: Planes) -> Tensor:
        """As `paint`, while learning: batch norms take the batch's statistics and keep count."""
        raise NotImplementedError


DROPPED = 0.5
"""The share of values that dropout drops while learning."""


class Pix2PixConfig(Section):
    """pix2pix. Defaults are the paper's, as its authors' code has them.

    `downs` halvings, `width` channels after the first, `norm` and `dropout` (which blocks, counted
    from the innermost) make the U-Net, `init_std` its first weights. With batch norm,
    `test_statistics` says what a photograph is normalised by: `image` its own statistics, as the
    authors' test mode at batch 1, `running` those gathered while learning (of the weights before
    any `ema`). It sees `source` colours (3 planes) or one plane per class, and the `boundary` map.
    `patch` is what one judgement of the discriminator sees, `patch_width` its first channels.
    `jitter` enlarges scenes by so many rows and cuts them to size at random; the paper enlarges 256
    to 286 for that. Learning rate and betas are the training's: the paper's 2e-4, (0.5, 0.999).
    """

    size: tuple[Count, Count]
    downs: Annotated[int, Field(ge=2, le=10)] = 8
    width: Count = 64
    norm: Literal["batch", "instance"] = "batch"
    test_statistics: Literal["running", "image"] = "image"
    dropout: tuple[Annotated[int, Field(ge=0)], ...] = (1, 2, 3)
    init_std: Annotated[float, Field(gt=0)] = 0.02
    source: Literal["palette", "one_hot"] = "palette"
    boundary: Literal["none", "v1", "v2"] = "none"
    patch: Literal[16, 34, 70, 142, 286] = 70
    patch_width: Count = 64
    l1_weight: Annotated[float, Field(ge=0)] = 100.0
    jitter: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wrong = sorted({block for block in self.dropout if block >= self.downs - 1})
        if wrong or len(set(self.dropout)) < len(self.dropout):
            raise ValueError(
                f"dropout is {list(self.dropout)}, expected different blocks of "
                f"0..{self.downs - 2}: with {self.downs} downs the outermost has none"
            )
        if self.norm == "instance" and self.test_statistics == "running":
            raise ValueError("test_statistics: instance norm keeps no running ones, set image")
        if self.patch > min(self.size):
            fitting = [str(patch) for patch in PATCHES if patch <= min(self.size)]
            raise ValueError(
                f"patch {self.patch} is larger than the photograph of {self.size[0]}x"
                f"{self.size[1]}; fitting: {', '.join(fitting) or 'none, take a larger size'}"
            )
        return self


_OURS: dict[str, Any] = {
    "source": "one_hot", "boundary": "v1", "norm": "instance", "dropout": (0,), "patch": 34,
    "patch_width": 32, "init_std": 0.1,
}  # fmt: skip
PIX2PIX: dict[str, dict[str, Any]] = {
    "unet_256": {"size": (256, 256), "jitter": 30},
    "tiny": {**_OURS, "size": (48, 72), "downs": 3, "width": 32},
    "small": {**_OURS, "size": (64, 96), "downs": 5, "width": 32, "dropout": (0, 1)},
}


class Pix2Pix(AdversarialGenerator):
    """One network; its latents are uniform draws, one per value that dropout may drop.

    A temperature scales the share that is dropped: at 1 the half that it learned with, at 0 none,
    so that a layout has one photograph. Coins cannot be mixed: between two draws lies nothing.
    """

    config: Pix2PixConfig
    latents: ClassVar[LatentKind] = "dropout"
    learner: ClassVar[str] = "adversarial"

    def __init__(self, config: Pix2PixConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds the U-Net.

        Raises:
            ParamsError: the size cannot be halved that often.
        """
        super().__init__()
        _check_halvings(config)
        self.config, self.table = config, table
        self.palette: Tensor
        self.register_buffer("palette", torch.from_numpy(table.palette.copy()), persistent=False)
        with seeding.torch_seeded(seed):
            self.unet = UNet(
                UNetShape(
                    self.planes_count, config.size, config.downs, config.width,
                    config.norm == "batch", config.dropout, config.init_std,
                )
            )  # fmt: skip

    @property
    def planes_count(self) -> int:
        """See `AdversarialGenerator.planes_count`."""
        colours = 3 if self.config.source == "palette" else self.table.count
        return colours + int(self.config.boundary != "none")

    @property
    def opponent(self) -> Opponent:
        """See `AdversarialGenerator.opponent`."""
        config = self.config
        return Opponent(
            config.patch, config.patch_width, config.norm == "batch", config.l1_weight,
            config.jitter,
        )  # fmt: skip

    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """See `Generator.latent_shapes`: one place per block with dropout."""
        return self.unet.shape.drops

    @torch.no_grad()
    def condition(self, layout: Layout) -> Planes:
        """The planes that the network reads: colours in [-1, 1] or classes, then the boundary.

        Raises:
            DataError: the layouts are not of the generator's size.
        """
        self.check_size(layout)
        like = next(self.parameters())
        if self.config.source == "palette":
            colours = self.palette[layout.classes.long()].permute(0, 3, 1, 2)
            planes = colours.to(like) / 127.5 - 1
        else:
            planes = class_planes(layout.classes, self.table.count).to(like)
        if self.config.boundary == "none":
            return Planes(planes)
        edges = layout.boundary[:, None].to(like)
        if self.config.boundary == "v2":
            edges = (edges > 0).to(like)
        return Planes(torch.cat([planes, edges], 1))

    def paint(self, latents: Sequence[Tensor], conditions: Planes) -> Tensor:
        """See `Generator.paint`; latents are uniform draws in [0, 1), half of them drop a value."""
        return self._painted(latents, conditions, DROPPED)

    def paint_together(self, latents: Sequence[Tensor], conditions: Planes) -> Tensor:
        """See `AdversarialGenerator.paint_together`."""
        return 0.5 * self.unet(conditions.values, latents, DROPPED, "batch") + 0.5

    @torch.no_grad()
    def draw(self, noise: Noise) -> tuple[Tensor, ...]:
        """Uniform draws in [0, 1), row n from noise n alone: tensors (N, *shape)."""
        like = next(self.parameters())
        return tuple(
            torch.from_numpy(noise.uniform(*shape)).to(like) for shape in self.latent_shapes()
        )

    @torch.no_grad()
    def sample(self, conditions: Planes, noise: Noise, temperature: float = 1.0) -> Tensor:
        """See `Generator.sample`; the temperature scales the share that dropout drops."""
        share = temperature * DROPPED
        return self._painted(self.draw(noise), conditions, share).clamp(0, 1)

    def _painted(self, latents: Sequence[Tensor], conditions: Planes, share: float) -> Tensor:
        statistics = self.config.test_statistics
        return 0.5 * self.unet(conditions.values, latents, share, statistics) + 0.5


def _check_halvings(config: Pix2PixConfig) -> None:
    unit = 2**config.downs
    height, width = config.size
    if height % unit or width % unit:
        lower, upper = (
            "x".join(str(max(unit, (side + more) // unit * unit)) for side in config.size)
            for more in (0, unit - 1)
        )
        raise ParamsError(
            f"size {height}x{width}: {config.downs} downs need sides divisible by {unit}; the "
            f"next are {lower} and {upper}, or set downs to less"
        )
