"""Where a level's parameters come from: from nothing, or from the source flow's trace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.flows.networks import StackedConv, StackedLinear
from augflow.flows.params import LevelParams, StepParams, Trace
from augflow.flows.transforms import LU, ActNormParams, ConvParams, full_precision, stacked_lu

MIN_STD = 1e-6
"""The reference's guard of actnorm's initial scale; presets of our own use a larger one."""


ActNormKind = Literal["raw", "log"]


def _scale(raw: Tensor, kind: ActNormKind) -> Tensor:
    return raw.exp() if kind == "log" else raw


def _initial_scale(std: Tensor, kind: ActNormKind, min_std: float) -> Tensor:
    if kind == "log":
        return -std.clamp(min=min_std).log()
    return 1 / (std + min_std)


class Learned(nn.Module):
    """Constants learned for each step: the conditioner of a plain Glow."""

    def __init__(
        self, steps: int, channels: int, rng: torch.Generator, *,
        actnorm: ActNormKind, min_std: float,
    ) -> None:  # fmt: skip
        """Draws the rotations that the steps' matrices start at."""
        super().__init__()
        self.kind, self.min_std = actnorm, min_std
        self.scale = nn.Parameter(torch.full((steps, channels), 0.0 if actnorm == "log" else 1.0))
        self.shift = nn.Parameter(torch.zeros(steps, channels))
        permutation, sign, lower, upper, log_s = stacked_lu(steps, channels, rng)
        self.permutation: Tensor
        self.sign: Tensor
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", sign)
        self.lower, self.upper = nn.Parameter(lower), nn.Parameter(upper)
        self.log_s = nn.Parameter(log_s)

    def forward(self, trace: Trace | None = None, maps: Tensor | None = None) -> LevelParams:
        """Parameters of every step, with a batch axis of 1; nothing else has a say."""
        convs = LU(self.permutation, self.sign).matrix(self.lower, self.upper, self.log_s)
        scale = _scale(self.scale, self.kind)
        steps = tuple(
            StepParams(
                ActNormParams(scale[k : k + 1], self.shift[k : k + 1]),
                ConvParams(convs.weight[k : k + 1], convs.log_det[k : k + 1]),
            )
            for k in range(len(scale))
        )
        return LevelParams(steps)

    @torch.no_grad()
    def initialise_step(self, step: int, mean: Tensor, std: Tensor) -> ActNormParams:
        """Sets a step's actnorm so that channels of this mean and std come out as 0 and 1."""
        self.scale[step] = _initial_scale(std, self.kind, self.min_std)
        self.shift[step] = -mean
        scale = _scale(self.scale[step], self.kind)
        return ActNormParams(scale[None], self.shift[step][None])


@dataclass(frozen=True)
class HeadShape:
    """The layers of the networks that make actnorm and matrix parameters.

    `flat` (the papers) flattens an unpadded map, so a network fits one image size; `pooled`
    averages a padded map to a grid and fits any.
    """

    kind: Literal["flat", "pooled"] = "flat"
    convs: tuple[int, int, int] = (8, 4, 2)
    hidden: tuple[int, int, int] = (32, 64, 48)
    grid: int = 4
    bound: float | None = None


class Head(nn.Module):
    """K networks, three convolutions and four linear layers each, from a trace to parameters.

    The last layer starts at zero weights, so at first the output is the bias: a constant that the
    data-dependent initialisation sets. With `shape.bound` the part that depends on the layout is
    kept within +-bound by a tanh.

    Shapes:
        forward: (N, K * C, H, W) -> (K, N, outputs).

    References:
        Full-Glow, sections 4, 5 and appendix D.
    """

    def __init__(
        self, steps: int, inputs: int, outputs: int, size: tuple[int, int], shape: HeadShape
    ) -> None:
        """Makes the layers for maps of `size`."""
        super().__init__()
        self.shape = shape
        padding = int(shape.kind == "pooled")
        first, second, third = shape.convs
        self.convs = nn.ModuleList(
            [
                StackedConv(steps, inputs, first, 1),
                StackedConv(steps, first, second, 3, padding=padding),
                StackedConv(steps, second, third, 3, padding=padding),
            ]
        )
        self.maps = third
        cells = shape.grid**2 if padding else (size[0] - 4) * (size[1] - 4)
        if cells <= 0 or min(size) <= 4 * (1 - padding):
            raise ValueError(f"a level of {size[0]}x{size[1]} is too small for the flat head")
        widths = (third * cells, *shape.hidden)
        self.linears = nn.ModuleList(StackedLinear(steps, a, b) for a, b in pairwise(widths))
        self.last = nn.Parameter(torch.zeros(steps, widths[-1], outputs))
        self.bias = nn.Parameter(torch.zeros(steps, outputs))

    def forward(self, trace: Tensor) -> Tensor:
        """Parameters of all steps at once."""
        maps = trace
        for conv in self.convs:
            maps = F.relu(conv(maps))
        if self.shape.kind == "pooled":
            maps = F.adaptive_avg_pool2d(maps, self.shape.grid)
        n, steps = len(maps), len(self.last)
        hidden = maps.to(trace.dtype).reshape(n, steps, -1).transpose(0, 1)  # (K, N, cells)
        with full_precision(trace):
            for linear in self.linears:
                hidden = F.relu(linear(hidden))
            change = torch.bmm(hidden, self.last)
        if self.shape.bound is not None:
            change = self.shape.bound * torch.tanh(change / self.shape.bound)
        return change + self.bias[:, None]


class CouplingFeatures(nn.ModuleList):
    """K networks of two convolutions each, from coupling outputs of the source to features.

    References:
        Full-Glow, section 5.1 and appendix D.
    """

    def __init__(self, steps: int, inputs: int, width: int, features: int) -> None:
        """Makes the convolutions for `inputs` channels of source trace plus boundary map."""
        super().__init__(
            [
                StackedConv(steps, inputs, width, 3, padding=1),
                StackedConv(steps, width, features, 3, padding=1),
            ]
        )

    def forward(self, trace: Trace, boundary: Tensor | None) -> Tensor:
        """Features of all steps at once, (N, K * F, H, W); boundary (N, B, H, W) or None."""
        found = _stacked(trace.coupling, boundary)
        for conv in self:
            found = F.relu(conv(found))
        return found


class TraceConditioner(nn.Module):
    """Makes all parameters of a target level from the source level's trace and the boundary map.

    Actnorm from the source's actnorm outputs, the matrices from its 1x1 outputs, the couplings from
    its coupling outputs, each step from the step beside it; all K steps in one stacked pass.

    References:
        Full-Glow, section 4, equations 5, 6 and 8; appendices B and D.
    """

    def __init__(
        self, steps: int, channels: int, inputs: int, size: tuple[int, int], rng: torch.Generator,
        *, shape: HeadShape, width: int, features: int, strict_lu: bool,
        actnorm: ActNormKind, min_std: float,
    ) -> None:  # fmt: skip
        """Makes the networks for `inputs` channels of source trace plus boundary map."""
        super().__init__()
        self.channels, self.kind, self.min_std, self.strict_lu = (
            channels,
            actnorm,
            min_std,
            strict_lu,
        )
        self.actnorm = Head(steps, inputs, 2 * channels, size, shape)
        square = channels * channels
        self.conv = Head(
            steps, inputs, (square if strict_lu else 2 * square) + (0 if strict_lu else channels),
            size, shape,
        )  # fmt: skip
        self.coupling = CouplingFeatures(steps, inputs, width, features)
        permutation, sign, lower, upper, log_s = stacked_lu(steps, channels, rng)
        self.permutation: Tensor
        self.sign: Tensor
        self.register_buffer("permutation", permutation[:, None])
        self.register_buffer("sign", sign[:, None])
        with torch.no_grad():
            if strict_lu:
                packed = lower + upper + torch.diag_embed(log_s)
                self.conv.bias.copy_(packed.flatten(1))
            else:
                self.conv.bias.copy_(torch.cat([lower.flatten(1), upper.flatten(1), log_s], 1))
            if actnorm == "raw":
                self.actnorm.bias[:, :channels] = 1

    def forward(self, trace: Trace | None, maps: Tensor | None) -> LevelParams:
        """Parameters of every step for a batch of layouts.

        Shapes:
            maps: (N, B, H, W), the boundary map, or None.
        """
        assert trace is not None
        raw, shift = self.actnorm(_stacked(trace.actnorm, maps)).chunk(2, -1)  # (K, N, C)
        scale = _scale(raw, self.kind)
        convs = self._matrices(self.conv(_stacked(trace.conv, maps)))
        features = self.coupling(trace, maps).chunk(len(scale), 1)
        steps = tuple(
            StepParams(
                ActNormParams(scale[k], shift[k]),
                ConvParams(convs.weight[k], convs.log_det[k]),
                features[k],
            )
            for k in range(len(scale))
        )
        return LevelParams(steps)

    def _matrices(self, out: Tensor) -> ConvParams:
        c = self.channels
        lu = LU(self.permutation, self.sign)
        if self.strict_lu:
            packed = out.reshape(*out.shape[:2], c, c)
            return lu.matrix(packed, packed, torch.diagonal(packed, dim1=-2, dim2=-1))
        lower, upper, log_s = out.split([c * c, c * c, c], -1)
        square = (*out.shape[:2], c, c)
        return lu.matrix(lower.reshape(square), upper.reshape(square), log_s)

    @torch.no_grad()
    def initialise_step(self, step: int, mean: Tensor, std: Tensor) -> ActNormParams:
        """Sets a step's actnorm bias so that the target's channels come out as mean 0, std 1."""
        self.actnorm.bias[step, : self.channels] = _initial_scale(std, self.kind, self.min_std)
        self.actnorm.bias[step, self.channels :] = -mean
        raw, shift = self.actnorm.bias[step].chunk(2)
        return ActNormParams(_scale(raw, self.kind)[None], shift[None])


class CouplingConditioner(nn.Module):
    """Learned constants for actnorm and 1x1; the couplings read the source level's trace.

    References:
        C-Flow (Pumarola et al. 2020), as Full-Glow, section 3, describes it.
    """

    def __init__(
        self, learned: Learned, steps: int, inputs: int, width: int, features: int
    ) -> None:
        """Makes the networks for `inputs` channels of source trace plus boundary map."""
        super().__init__()
        self.learned = learned
        self.coupling = CouplingFeatures(steps, inputs, width, features)

    def forward(self, trace: Trace | None, maps: Tensor | None) -> LevelParams:
        """Parameters of every step for a batch of layouts.

        Shapes:
            maps: (N, B, H, W), the boundary map, or None.
        """
        assert trace is not None
        own: LevelParams = self.learned()
        features = self.coupling(trace, maps).chunk(len(own.steps), 1)
        steps = zip(own.steps, features, strict=True)
        return replace(own, steps=tuple(replace(step, features=part) for step, part in steps))

    def initialise_step(self, step: int, mean: Tensor, std: Tensor) -> ActNormParams:
        """See `Learned.initialise_step`."""
        return self.learned.initialise_step(step, mean, std)


def _stacked(trace: tuple[Tensor, ...], boundary: Tensor | None) -> Tensor:
    """K maps side by side, each followed by the boundary map: (N, K * (C + B), H, W)."""
    if boundary is None:
        return torch.cat(trace, 1)
    parts = [part for maps in trace for part in (maps, boundary)]
    return torch.cat(parts, 1)
