"""Conditional IMLE: a cascade with noise, so that a layout has as many photographs as one likes.

References:
    Li, Zhang and Malik 2019, "Diverse image synthesis from semantic layouts via conditional IMLE".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.config import Count, Fraction
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.generators.base import Generator, Planes
from augflow.generators.crn import (
    Cascade,
    CascadeConfig,
    PerceptualConfig,
    Size,
    layout_planes,
    norm_block,
)


class NearestConfig(PerceptualConfig):
    """Algorithm 1: every `outer` steps a set of `set_size` scenes, `candidates` samples of each.

    `rebalance_data` puts rare looks into the set more often, `rebalance_loss` makes them weigh more
    in the distance. At the share `restart_encoder` of all steps the noise encoder starts anew, as
    in the authors' code (with `training.drop_from` at the same place).
    """

    set_size: Count = 400
    candidates: Count = 10
    outer: Count = 10000
    rebalance_data: bool = True
    rebalance_loss: bool = True
    restart_encoder: Annotated[Fraction, Field(gt=0)] | None = None


class ImleConfig(CascadeConfig, NearestConfig):
    """A cascade with noise. Defaults are the paper's.

    `noise` channels are drawn for every pixel, or on a coarser `noise_grid` between whose points
    they are interpolated; `style` channels are drawn once per photograph and are the same
    everywhere. Few numbers need few candidates to come near a photograph. All of them pass a noise
    encoder of `encoder_width` channels.
    """

    noise: Annotated[int, Field(ge=0)] = 10
    noise_grid: Size | None = None
    style: Annotated[int, Field(ge=0)] = 0
    encoder_width: Count = 100

    @model_validator(mode="after")
    def _has_noise(self) -> Self:
        if self.noise + self.style == 0:
            raise ValueError("noise and style are both 0: give one of them channels")
        return self


class Imle(Generator):
    """A cascade whose modules see encoded noise beside the layout."""

    config: ImleConfig
    learner: ClassVar[str] = "nearest"

    def __init__(self, config: ImleConfig, table: ClassTable, seed: int = 0) -> None:
        """Draws weights."""
        super().__init__()
        self.config, self.table = config, table
        seen, channels = table.count + 1 + config.boundary, config.noise + config.style
        with seeding.torch_seeded(seed):
            self.cascade = Cascade(seen + channels, config.widths, config.sizes, 3)
            self.encoder = NoiseEncoder(seen + channels, config.encoder_width, channels)

    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """See `Generator.latent_shapes`: the style, then the noise, where there are any."""
        config, grid = self.config, self.config.noise_grid or self.config.size
        style = ((config.style,),) if config.style else ()
        return (*style, (config.noise, *grid)) if config.noise else style

    @torch.no_grad()
    def condition(self, layout: Layout) -> Planes:
        """See `Generator.condition`."""
        self.check_size(layout)
        return Planes(layout_planes(layout, self.table.count, self.config.boundary))

    def decode_latents(self, latents: Sequence[Tensor], conditions: Planes) -> Tensor:
        """See `Generator.decode_latents`."""
        spread = torch.cat([self._spread(part) for part in latents], dim=1)  # (N, D, H, W)
        encoded = self.encoder(torch.cat([conditions.values, spread], dim=1))
        return self.cascade(conditions.values, encoded)

    def restart_encoder(self, seed: int) -> None:
        """Draws the noise encoder's weights anew."""
        with seeding.torch_seeded(seed):
            self.encoder.draw_weights()

    def _spread(self, latent: Tensor) -> Tensor:
        """A latent at every pixel, (N, D) or (N, D, h, w) -> (N, D, H, W)."""
        if latent.ndim == 2:
            return latent[..., None, None].expand(-1, -1, *self.size)
        return F.interpolate(latent, self.size, mode="bilinear", align_corners=True)


class NoiseEncoder(nn.Module):
    """Three convolutions that force noise onto a manifold of few dimensions, layout in view.

    References:
        IMLE, section 3.3.2, "Noise encoder".
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        """Draws weights."""
        super().__init__()
        self.layers = nn.Sequential(
            *norm_block(inputs, width, 3),
            *norm_block(width, width, 3),
            nn.Conv2d(width, outputs, 1),
        )
        self.draw_weights()

    def forward(self, planes: Tensor) -> Tensor:
        """Encoded noise, (N, inputs, H, W) -> (N, outputs, H, W)."""
        return self.layers(planes)

    @torch.no_grad()
    def draw_weights(self) -> None:
        """Draws all weights: truncated normal, 0.15 in the last layer at the paper's width of 100.

        The deviation of what is encoded is then about 1 for every width. That of the other layers
        does not matter, as layer norm follows them.
        """
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                std = 1.5 / layer.in_channels**0.5 if layer.kernel_size == (1, 1) else 0.15
                nn.init.trunc_normal_(layer.weight, std=std, a=-2 * std, b=2 * std)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.GroupNorm):
                layer.reset_parameters()


_OURS: dict[str, Any] = {
    "boundary": True, "features": ("pixels", "scattering"), "style": 6, "noise": 2,
    "noise_grid": (2, 3), "encoder_width": 16, "set_size": 64, "candidates": 10, "outer": 100,
}  # fmt: skip
_PAPER: dict[str, Any] = {
    "size": (256, 512), "widths": (1024,) * 5 + (512,) * 2, "features": ("vgg19",),
}  # fmt: skip

IMLE: dict[str, dict[str, Any]] = {
    "paper": _PAPER,  # with batches of 1 and a learning rate of 1e-5
    # the authors' code: pixels in the loss; rate 1e-4, then 1e-5 with a new noise encoder after
    # 5 of 16 epochs (learning_rate 1.0e-4, drop_from 0.3125)
    "released": {**_PAPER, "features": ("pixels", "vgg19"), "restart_encoder": 0.3125},
    "tiny": {**_OURS, "size": (48, 72), "widths": (96, 96, 64, 32)},
    "small": {**_OURS, "size": (64, 96), "widths": (128, 128, 96, 64, 32)},
}  # fmt: skip
