"""Parameters of a level's steps from planes as they are: a layout's, or a photograph's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.flows.conditioners import ActNormKind
from augflow.flows.networks import StackedConv, StackedLinear
from augflow.flows.params import LevelParams, StepParams, Trace
from augflow.flows.transforms import (
    LU,
    ActNormParams,
    ConvParams,
    full_precision,
    log_determinants,
    stacked_lu,
)

HALVINGS = 3
"""How often the networks of actnorm and matrix halve the planes."""

RELEASED_SD = 0.1
"""Standard deviation of the weights that the released code draws."""


@dataclass(frozen=True)
class RawShape:
    """The layers of C-Glow's conditioning networks.

    `convs` channels and `hidden` linear units; `padding` of the downscaling convolutions. The part
    of actnorm and matrix that depends on the planes is kept within +-`bound` by a tanh, and with
    `squashed` all of it within +-1. `matrix` is assembled from `lu` factors, their diagonal as a
    logarithm, so that it can always be inverted, or is `free`: its entries as the network says. A
    `released` initialisation starts all weights of actnorm and matrix, and the downscaling ones of
    the coupling, at zero.
    """

    convs: int = 64
    hidden: int = 128
    padding: int = 1
    bound: float | None = None
    squashed: bool = False
    matrix: Literal["lu", "free"] = "lu"
    released: bool = False


class RawHead(nn.Module):
    """K networks, three downscaling convolutions and three linear layers each, from planes.

    A downscaling convolution by H_in / H_out has that stride, and 2 padding + stride as its kernel.
    The last layer starts at zero weights, so at first the output is the bias: a constant that the
    data-dependent initialisation sets. In the released code the weights before it are zero too, and
    as two ReLUs in a row then pass no gradient, nothing but that bias ever learns.

    Shapes:
        forward: (N, C, H, W) -> (K, N, outputs).

    References:
        C-Glow (Lu and Huang 2020), section 5.1.
    """

    def __init__(
        self, steps: int, inputs: int, outputs: int, size: tuple[int, int], shape: RawShape
    ) -> None:
        """Makes the layers for planes of `size`.

        Raises:
            ValueError: the planes are too small to be halved three times.
        """
        super().__init__()
        self.shape = shape
        cells = (size[0] >> HALVINGS) * (size[1] >> HALVINGS)
        if not cells:
            raise ValueError(f"planes of {size[0]}x{size[1]} cannot be halved {HALVINGS} times")
        kernel = 2 * shape.padding + 2
        self.convs = nn.ModuleList(
            StackedConv(
                steps, inputs if first else shape.convs, shape.convs, kernel,
                padding=shape.padding, stride=2, shared=first,
            )
            for first in (True, False, False)
        )  # fmt: skip
        self.linears = nn.ModuleList(
            [
                StackedLinear(steps, shape.convs * cells, shape.hidden),
                StackedLinear(steps, shape.hidden, shape.hidden),
            ]
        )
        self.last = nn.Parameter(torch.zeros(steps, shape.hidden, outputs))
        self.bias = nn.Parameter(torch.zeros(steps, outputs))
        if shape.released:
            self._as_released()

    def forward(self, planes: Tensor) -> Tensor:
        """Parameters of all steps at once."""
        maps = planes
        for conv in self.convs:
            maps = F.relu(conv(maps))
        hidden = maps.to(planes.dtype).reshape(len(maps), len(self.last), -1).transpose(0, 1)
        with full_precision(planes):
            for linear in self.linears:
                hidden = F.relu(linear(hidden))
            change = torch.bmm(hidden, self.last)
        return self.squashed(change, self.bias[:, None])

    def squashed(self, change: Tensor, constant: Tensor) -> Tensor:
        """What depends on the planes and what does not, put together within the bounds."""
        if self.shape.bound is not None:
            change = self.shape.bound * torch.tanh(change / self.shape.bound)
        whole = change + constant
        return torch.tanh(whole) if self.shape.squashed else whole

    @torch.no_grad()
    def _as_released(self) -> None:
        for conv in self.convs:
            nn.init.zeros_(conv.get_parameter("weight"))
        for linear in self.linears:
            nn.init.zeros_(linear.get_parameter("weight"))
            nn.init.zeros_(linear.get_parameter("bias"))


class RawFeatures(nn.Module):
    """K networks from planes to the couplings' features: conv3x3, a downscaling one, conv3x3.

    Shapes:
        forward: (N, C, H, W) -> (N, K * F, H / factor, W / factor).

    References:
        C-Glow, section 5.1.
    """

    CHANNELS = 16

    def __init__(
        self, steps: int, inputs: int, features: int, factor: int, shape: RawShape
    ) -> None:
        """Makes the layers that bring planes `factor` times down."""
        super().__init__()
        self.first = StackedConv(steps, inputs, self.CHANNELS, 3, padding=1, shared=True)
        self.down = StackedConv(
            steps, self.CHANNELS, features, 2 * shape.padding + factor, padding=shape.padding,
            stride=factor,
        )  # fmt: skip
        self.last = StackedConv(steps, features, features, 3, padding=1)
        if shape.released:
            nn.init.normal_(self.first.weight, std=RELEASED_SD)
            nn.init.zeros_(self.down.weight)
            nn.init.normal_(self.last.weight, std=RELEASED_SD)

    def forward(self, planes: Tensor) -> Tensor:
        """Features of all steps at once."""
        maps = F.relu(self.down(F.relu(self.first(planes))))
        found: Tensor = self.last(maps)
        return found


class RawConditioner(nn.Module):
    """Makes all parameters of a level from planes as they are, every step by networks of its own.

    All K steps go in one stacked pass; the first convolutions, which read the same planes, are one.

    References:
        C-Glow, sections 4.1 and 5.1.
    """

    def __init__(
        self, steps: int, channels: int, inputs: int, size: tuple[int, int], factor: int,
        rng: torch.Generator, *, shape: RawShape, features: int, actnorm: ActNormKind,
        min_std: float,
    ) -> None:  # fmt: skip
        """Makes the networks for `inputs` planes of `size`, `factor` times the level's."""
        super().__init__()
        self.channels, self.kind, self.min_std, self.shape = channels, actnorm, min_std, shape
        self.actnorm = RawHead(steps, inputs, 2 * channels, size, shape)
        self.conv = RawHead(steps, inputs, channels * channels, size, shape)
        self.coupling = RawFeatures(steps, inputs, features, factor, shape)
        permutation, sign, lower, upper, log_s = stacked_lu(steps, channels, rng)
        self.permutation: Tensor
        self.sign: Tensor
        self.register_buffer("permutation", permutation[:, None])
        self.register_buffer("sign", sign[:, None])
        with torch.no_grad():
            packed = lower + upper + torch.diag_embed(log_s)
            if shape.matrix == "free":
                packed = LU(permutation, sign).matrix(lower, upper, log_s).weight
            self.conv.bias.copy_(packed.flatten(1))
            if shape.squashed:
                nn.init.normal_(self.conv.last, std=RELEASED_SD)
                nn.init.normal_(self.conv.bias, std=RELEASED_SD)
            if actnorm == "raw":
                self.actnorm.bias[:, :channels] = 1

    def forward(self, trace: Trace | None, maps: Tensor | None) -> LevelParams:
        """Parameters of every step.

        Shapes:
            maps: (N, C, H, W), the planes; there is no source.
        """
        assert maps is not None
        planes = maps
        raw, shift = self.actnorm(planes).chunk(2, -1)  # (K, N, C)
        scale = self._scale(raw)
        convs = self._matrices(self.conv(planes))
        features = self.coupling(planes).chunk(len(scale), 1)
        return LevelParams(
            tuple(
                StepParams(
                    ActNormParams(scale[k], shift[k]),
                    ConvParams(convs.weight[k], convs.log_det[k]),
                    features[k],
                )
                for k in range(len(scale))
            )
        )

    @torch.no_grad()
    def initialise_step(self, step: int, mean: Tensor, std: Tensor) -> ActNormParams:
        """Sets a step's actnorm bias so that channels of this mean and std come out as 0 and 1."""
        std = std.clamp(min=self.min_std)
        raw = -std.log() if self.kind == "log" else 1 / std
        self.actnorm.bias[step] = torch.cat([raw, -mean])
        return ActNormParams(self._scale(raw)[None], -mean[None])

    def _scale(self, raw: Tensor) -> Tensor:
        return raw.exp() if self.kind == "log" else raw

    def _matrices(self, out: Tensor) -> ConvParams:
        c = self.channels
        square = out.reshape(*out.shape[:2], c, c)
        with full_precision(out):
            if self.shape.matrix == "free":
                return ConvParams(square, log_determinants(square))
        diagonal = torch.diagonal(square, dim1=-2, dim2=-1)
        return LU(self.permutation, self.sign).matrix(square, square, diagonal)
