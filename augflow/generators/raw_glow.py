"""What C-Glow is made of in both of its uses: a Glow, every operation conditioned on raw planes.

References:
    Lu and Huang 2020, "Structured output learning with conditional generative flows" (c-Glow).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.config import Count
from augflow.flows.conditioners import RawConditioner, RawShape
from augflow.flows.glow import Glow, Plan
from augflow.generators.presets import GlowConfig


class RawGlowConfig(GlowConfig):
    """A conditional Glow without a source flow. Defaults are the paper's, its silences as in Glow.

    `conv_channels` and `linear_width` are those of the networks of actnorm and matrix (n_c and n_w
    of the paper), `padding` that of the downscaling convolutions, `features` the channels that the
    couplings' networks put out, 0 for half of the level's. `matrix`: `lu` factors with a
    logarithmic diagonal can always be inverted, `free` entries (the paper) only happen to be.
    `head_bound` bounds what planes change in actnorm and matrix.

    Four fields are the released code's: `conditioning_init` starts the conditioning networks at
    zero, where no gradient ever reaches them, `squashed` puts actnorm and matrix through a tanh,
    `coupling_bound` the couplings' scale and shift, and without `data_init` actnorms start at 1.
    """

    width: Count | tuple[Count, ...] = 256
    conv_channels: Count = 64
    linear_width: Count = 128
    features: Annotated[int, Field(ge=0)] = 16
    padding: Annotated[int, Field(ge=0)] = 1
    matrix: Literal["lu", "free"] = "free"
    head_bound: Annotated[float, Field(gt=0)] | None = None
    conditioning_init: Literal["default", "released"] = "default"
    squashed: bool = False
    coupling_bound: Annotated[float, Field(gt=0)] | None = None
    data_init: bool = True

    @model_validator(mode="after")
    def _can_start(self) -> Self:
        if self.squashed and (self.data_init or self.matrix == "lu"):
            raise ValueError("squashed: needs data_init false and matrix free, as released")
        return self


REPAIRED: dict[str, Any] = {
    "matrix": "lu",
    "head_bound": 1.5,
    "scale_bound": 0.7,
    "actnorm": "log",
    "min_std": 0.02,
    "prior_bound": 3.0,
}
"""What keeps a flow invertible and all of its networks learning."""

RELEASED: dict[str, Any] = {
    "padding": 0,
    "features": 0,
    "actnorm": "log",
    "conditioning_init": "released",
    "squashed": True,
    "coupling_bound": 1.0,
    "prior_bound": 1.0,
    "data_init": False,
    "edge": "zeros",
}
"""What the authors' code does beside or against the paper."""


class RawGlow(nn.Module):
    """A Glow of C channels, all of whose step parameters are made from planes by `conditioners`.

    With the released options, at 64x64, 128x128 and 256x256, it has within 1.5 % as many parameters
    as the authors' code: 7.8, 20.3 and 70.2 million as version 1 of the Full-Glow paper, 51.9, 56.8
    and 76.5 as version 2. Their affine normalisation inside the couplings is a bias here, and their
    split and top priors are Glow's zero convolutions.

    References:
        C-Glow, section 4.1 and figure 1; Full-Glow, section 5.1 and appendix D.
    """

    def __init__(self, config: RawGlowConfig, inputs: int, planes: int, seed: int) -> None:
        """Builds the flow of `inputs` channels and its conditioning networks for so many planes."""
        super().__init__()
        rng = seeding.torch_generator(seed, "rotations")
        channels = config.tower(inputs).channels
        features = tuple(config.features or c // 2 for c in channels)
        shape = RawShape(
            config.actnorm,
            config.min_std,
            config.conv_channels,
            config.linear_width,
            config.padding,
            config.head_bound,
            config.squashed,
            config.matrix,
            config.conditioning_init == "released",
        )
        with seeding.torch_seeded(seed):
            tower = config.tower(inputs, features=features, coupling_bound=config.coupling_bound)
            self.tower = Glow(tower)
            self.conditioners = nn.ModuleList(
                RawConditioner(shape, k, c, f, planes, config.size, 2 ** (n + 1), rng)
                for n, (k, c, f) in enumerate(zip(config.steps, channels, features, strict=True))
            )
        self.data_init = config.data_init

    def plan(self, planes: Tensor) -> Plan:
        """How a batch of planes, (N, C, H, W), conditions the flow."""
        return Plan(self.conditioners, [planes] * len(self.conditioners))

    @torch.no_grad()
    def initialise(self, x: Tensor, planes: Tensor) -> None:
        """Sets every actnorm from a batch, where the configuration asks for it."""
        if self.data_init:
            self.plan(planes).initialise(self.tower, x)
