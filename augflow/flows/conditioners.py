"""Where a level's parameters come from: learned constants, the source's trace, or raw planes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.flows.networks import StackedConv, StackedLinear
from augflow.flows.params import LevelParams, StepParams, Trace
from augflow.flows.transforms import (
    LU,
    ActNormParams,
    ConvParams,
    full_precision,
    log_determinants,
    random_lu,
)

ActNormKind = Literal["raw", "log"]

HALVINGS = 3
"""How often C-Glow's networks of actnorm and matrix halve the planes."""

RELEASED_SD = 0.1
"""Standard deviation of the weights that C-Glow's released code draws."""


class Conditioner(nn.Module):
    """Makes the parameters of a level's steps, all of them or some that lie next to each other.

    Parameters and buffers have a leading axis of steps, so a part of the steps is the same module
    on slices of them.
    """

    def forward(self, trace: Trace | None = None, maps: Tensor | None = None) -> LevelParams:
        """Parameters of the steps.

        Args:
            trace: what the source level's steps put out, where there is a source.
            maps: (N, B, H, W), what is read beside it: a boundary map, or a layout's planes.
        """
        raise NotImplementedError

    def initialise_step(self, step: int, mean: Tensor, std: Tensor) -> ActNormParams:
        """Sets a step's actnorm so that channels of this mean and std come out as 0 and 1."""
        raise NotImplementedError


class OwnActNorms(Conditioner):
    """A conditioner that makes actnorms and matrices itself.

    Attributes:
        kind: whether an actnorm's scale is learned as it is, or as its logarithm.
        min_std: guards the scale that `initialise_step` sets; the reference's is 1e-6.
        clamps: whether it bounds the standard deviation of a `raw` scale, too, or is added to it.
    """

    kind: ActNormKind
    min_std: float
    clamps: ClassVar[bool] = False
    permutation: Tensor
    sign: Tensor

    def scale_of(self, raw: Tensor) -> Tensor:
        """An actnorm's scale from what is learned."""
        return raw.exp() if self.kind == "log" else raw

    def initial_scale(self, std: Tensor) -> Tensor:
        """What is learned, for a scale of 1 / std."""
        clamped = std.clamp(min=self.min_std)
        if self.kind == "log":
            return -clamped.log()
        return 1 / clamped if self.clamps else 1 / (std + self.min_std)

    def hold_rotations(self, permutation: Tensor, sign: Tensor) -> None:
        """Keeps what is constant in the factors of the steps' matrices."""
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", sign)


class Learned(OwnActNorms):
    """Constants learned for each step: the conditioner of a plain Glow."""

    def __init__(
        self, steps: int, channels: int, rng: torch.Generator, actnorm: ActNormKind, min_std: float
    ) -> None:
        """Draws the rotations that the steps' matrices start at."""
        super().__init__()
        self.kind, self.min_std = actnorm, min_std
        self.scale = nn.Parameter(torch.full((steps, channels), 0.0 if actnorm == "log" else 1.0))
        self.shift = nn.Parameter(torch.zeros(steps, channels))
        permutation, sign, lower, upper, log_s = random_lu(steps, channels, rng)
        self.hold_rotations(permutation, sign)
        self.lower, self.upper = nn.Parameter(lower), nn.Parameter(upper)
        self.log_s = nn.Parameter(log_s)

    def forward(self, trace: Trace | None = None, maps: Tensor | None = None) -> LevelParams:
        """See `Conditioner.forward`; a batch axis of 1, as nothing else has a say."""
        convs = LU(self.permutation, self.sign).matrix(self.lower, self.upper, self.log_s)
        scale = self.scale_of(self.scale)
        return _level_params(
            scale[:, None], self.shift[:, None], convs.weight[:, None], convs.log_det[:, None]
        )

    @torch.no_grad()
    def initialise_step(self, step: int, mean: Tensor, std: Tensor) -> ActNormParams:
        """See `Conditioner.initialise_step`."""
        self.scale[step] = self.initial_scale(std)
        self.shift[step] = -mean
        return ActNormParams(self.scale_of(self.scale[step])[None], self.shift[step][None])


class CouplingConditioner(Conditioner):
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

    def forward(self, trace: Trace | None = None, maps: Tensor | None = None) -> LevelParams:
        """See `Conditioner.forward`."""
        assert trace is not None
        own: LevelParams = self.learned()
        features = self.coupling(trace, maps).chunk(len(own.steps), 1)
        steps = zip(own.steps, features, strict=True)
        return replace(own, steps=tuple(replace(step, features=part) for step, part in steps))

    def initialise_step(self, step: int, mean: Tensor, std: Tensor) -> ActNormParams:
        """See `Conditioner.initialise_step`."""
        return self.learned.initialise_step(step, mean, std)


class Head(nn.Module):
    """K networks, some convolutions and linear layers each, from maps to parameters.

    The last layer starts at zero weights, so at first the output is the bias: a constant that the
    data-dependent initialisation sets. With `bound` the part that depends on the maps is kept
    within +-bound by a tanh, and with `squashed` all of it within +-1.

    Shapes:
        forward: (N, C, H, W), as the first convolution reads -> (K, N, outputs).
    """

    def __init__(
        self,
        convs: Sequence[StackedConv],
        widths: Sequence[int],
        outputs: int,
        *,
        pool: int | None = None,
        bound: float | None = None,
        squashed: bool = False,
    ) -> None:
        """Makes the linear layers.

        `widths` are the values that the linear layers read, and what each of them puts out; maps
        are averaged to a grid of `pool` cells a side, if to any.
        """
        super().__init__()
        self.pool, self.bound, self.squashed = pool, bound, squashed
        steps = len(convs[0].weight)
        self.convs = nn.ModuleList(convs)
        self.linears = nn.ModuleList(StackedLinear(steps, a, b) for a, b in pairwise(widths))
        self.last = nn.Parameter(torch.zeros(steps, widths[-1], outputs))
        self.bias = nn.Parameter(torch.zeros(steps, outputs))

    def forward(self, given: Tensor) -> Tensor:
        """Parameters of all steps at once."""
        maps = given
        for conv in self.convs:
            maps = F.relu(conv(maps))
        if self.pool is not None:
            maps = F.adaptive_avg_pool2d(maps, self.pool)
        flat = maps.to(given.dtype).reshape(len(maps), len(self.last), -1)
        hidden = flat.transpose(0, 1)  # (K, N, cells)
        with full_precision(given):
            for linear in self.linears:
                hidden = F.relu(linear(hidden))
            change = torch.bmm(hidden, self.last)
        return self.add_bounded(change, self.bias[:, None])

    def add_bounded(self, change: Tensor, constant: Tensor) -> Tensor:
        """What depends on the maps and what does not, put together within the bounds."""
        if self.bound is not None:
            change = self.bound * torch.tanh(change / self.bound)
        whole = change + constant
        return torch.tanh(whole) if self.squashed else whole


MatrixKind = Literal["packed", "factors", "free"]
"""What a matrix is made from: both triangles and the diagonal's logarithm in one square; L, U and
that logarithm one after the other; or its entries as they are, which only happen to be invertible.
"""


class NetworkConditioner(OwnActNorms):
    """A conditioner whose networks make everything; subclasses say what they read."""

    matrix: MatrixKind
    channels: int
    actnorm: Head
    conv: Head

    @torch.no_grad()
    def start_at_rotations(self, steps: int, rng: torch.Generator) -> None:
        """Sets the constants that matrices and scales start at."""
        permutation, sign, lower, upper, log_s = random_lu(steps, self.channels, rng)
        self.hold_rotations(permutation[:, None], sign[:, None])
        start = {
            "packed": lambda: [lower + upper + torch.diag_embed(log_s)],
            "factors": lambda: [lower, upper, log_s],
            "free": lambda: [LU(permutation, sign).matrix(lower, upper, log_s).weight],
        }[self.matrix]
        self.conv.bias.copy_(torch.cat([part.flatten(1) for part in start()], 1))
        if self.kind == "raw":
            self.actnorm.bias[:, : self.channels] = 1

    def actnorms(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift of all steps, (K, N, C) each."""
        raw, shift = self.actnorm(given).chunk(2, -1)
        return self.scale_of(raw), shift

    def matrices(self, given: Tensor) -> ConvParams:
        """The matrices of all steps, (K, N, C, C)."""
        out: Tensor = self.conv(given)
        c, lu = self.channels, LU(self.permutation, self.sign)
        shape = (*out.shape[:2], c, c)
        if self.matrix == "factors":
            lower, upper, log_s = out.split([c * c, c * c, c], -1)
            return lu.matrix(lower.reshape(shape), upper.reshape(shape), log_s)
        square = out.reshape(shape)
        if self.matrix == "packed":
            return lu.matrix(square, square, torch.diagonal(square, dim1=-2, dim2=-1))
        with full_precision(out):
            return ConvParams(square, log_determinants(square))

    @torch.no_grad()
    def initialise_step(self, step: int, mean: Tensor, std: Tensor) -> ActNormParams:
        """See `Conditioner.initialise_step`; sets what the networks add to."""
        raw = self.initial_scale(std)
        self.actnorm.bias[step] = torch.cat([raw, -mean])
        return ActNormParams(self.scale_of(raw)[None], -mean[None])


@dataclass(frozen=True)
class HeadShape:
    """What the networks of all levels have in common.

    Those that make actnorm and matrix parameters are `flat` (the papers), which flattens an
    unpadded map, so that a network fits one image size, or `pooled`: a padded map is averaged to a
    grid, and any size fits. `width` is that of the couplings' feature networks; for `actnorm` and
    `min_std` see `OwnActNorms`. With `strict_lu` only the entries of L and U that are used are
    emitted.
    """

    width: int
    actnorm: ActNormKind
    min_std: float
    strict_lu: bool = False
    kind: Literal["flat", "pooled"] = "flat"
    convs: tuple[int, int, int] = (8, 4, 2)
    hidden: tuple[int, int, int] = (32, 64, 48)
    grid: int = 4
    bound: float | None = None


class TraceConditioner(NetworkConditioner):
    """Makes all parameters of a target level from the source level's trace and the boundary map.

    Actnorm from the source's actnorm outputs, the matrices from its 1x1 outputs, the couplings from
    its coupling outputs, each step from the step beside it; all K steps in one stacked pass.

    References:
        Full-Glow, section 4, equations 5, 6 and 8; section 5, appendices B and D.
    """

    def __init__(
        self,
        shape: HeadShape,
        steps: int,
        channels: int,
        features: int,
        inputs: int,
        size: tuple[int, int],
        rng: torch.Generator,
    ) -> None:
        """Makes the networks for `inputs` channels of source trace plus boundary map."""
        super().__init__()
        self.channels, self.kind, self.min_std = channels, shape.actnorm, shape.min_std
        self.matrix = "packed" if shape.strict_lu else "factors"
        square = channels * channels
        entries = square if shape.strict_lu else 2 * square + channels
        self.actnorm = _trace_head(steps, inputs, 2 * channels, size, shape)
        self.conv = _trace_head(steps, inputs, entries, size, shape)
        self.coupling = CouplingFeatures(steps, inputs, shape.width, features)
        self.start_at_rotations(steps, rng)

    def forward(self, trace: Trace | None = None, maps: Tensor | None = None) -> LevelParams:
        """See `Conditioner.forward`."""
        assert trace is not None
        scale, shift = self.actnorms(_stack_maps(trace.actnorm, maps))
        convs = self.matrices(_stack_maps(trace.conv, maps))
        return _level_params(scale, shift, convs.weight, convs.log_det, self.coupling(trace, maps))


def _trace_head(
    steps: int, inputs: int, outputs: int, size: tuple[int, int], shape: HeadShape
) -> Head:
    """The networks from K maps side by side, (N, K * inputs, H, W) of `size`, to parameters."""
    pooled = shape.kind == "pooled"
    if not pooled and min(size) <= 4:
        raise ValueError(f"a level of {size[0]}x{size[1]} is too small for the flat head")
    first, second, third = shape.convs
    convs = [
        StackedConv(steps, inputs, first, 1),
        StackedConv(steps, first, second, 3, padding=int(pooled)),
        StackedConv(steps, second, third, 3, padding=int(pooled)),
    ]
    cells = shape.grid**2 if pooled else (size[0] - 4) * (size[1] - 4)
    widths = (third * cells, *shape.hidden)
    return Head(convs, widths, outputs, pool=shape.grid if pooled else None, bound=shape.bound)


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
        found = _stack_maps(trace.coupling, boundary)
        for conv in self:
            found = F.relu(conv(found))
        return found


@dataclass(frozen=True)
class RawShape:
    """The layers of C-Glow's conditioning networks.

    `convs` channels and `hidden` linear units; `padding` of the downscaling convolutions. The part
    of actnorm and matrix that depends on the planes is kept within +-`bound` by a tanh, and with
    `squashed` all of it within +-1. `matrix` is assembled from `lu` factors, their diagonal as a
    logarithm, so that it can always be inverted, or is `free`: its entries as the network says. A
    `released` initialisation starts all weights of actnorm and matrix, and the downscaling ones of
    the coupling, at zero: as two ReLUs in a row then pass no gradient, nothing but the heads' last
    bias ever learns. For `actnorm` and `min_std` see `OwnActNorms`.
    """

    actnorm: ActNormKind
    min_std: float
    convs: int = 64
    hidden: int = 128
    padding: int = 1
    bound: float | None = None
    squashed: bool = False
    matrix: Literal["lu", "free"] = "lu"
    released: bool = False


class RawConditioner(NetworkConditioner):
    """Makes all parameters of a level from planes as they are, every step by networks of its own.

    All K steps go in one stacked pass; the first convolutions, which read the same planes, are one.

    References:
        C-Glow (Lu and Huang 2020), sections 4.1 and 5.1.
    """

    clamps = True

    def __init__(
        self,
        shape: RawShape,
        steps: int,
        channels: int,
        features: int,
        inputs: int,
        size: tuple[int, int],
        factor: int,
        rng: torch.Generator,
    ) -> None:
        """Makes the networks for `inputs` planes of `size`, `factor` times the level's.

        Raises:
            ValueError: the planes are too small to be halved three times.
        """
        super().__init__()
        self.channels, self.kind, self.min_std = channels, shape.actnorm, shape.min_std
        self.matrix = "free" if shape.matrix == "free" else "packed"
        self.actnorm = _raw_head(steps, inputs, 2 * channels, size, shape)
        self.conv = _raw_head(steps, inputs, channels * channels, size, shape)
        self.coupling = RawFeatures(steps, inputs, features, factor, shape)
        self.start_at_rotations(steps, rng)
        if shape.squashed:
            nn.init.normal_(self.conv.last, std=RELEASED_SD)
            nn.init.normal_(self.conv.bias, std=RELEASED_SD)

    def forward(self, trace: Trace | None = None, maps: Tensor | None = None) -> LevelParams:
        """See `Conditioner.forward`; maps are the planes, and there is no source."""
        assert maps is not None
        scale, shift = self.actnorms(maps)
        convs = self.matrices(maps)
        return _level_params(scale, shift, convs.weight, convs.log_det, self.coupling(maps))


def _raw_head(
    steps: int, inputs: int, outputs: int, size: tuple[int, int], shape: RawShape
) -> Head:
    """Networks from planes of `size` to parameters.

    A downscaling convolution by H_in / H_out has that stride, and 2 padding + stride as its kernel.
    """
    cells = (size[0] >> HALVINGS) * (size[1] >> HALVINGS)
    if not cells:
        raise ValueError(f"planes of {size[0]}x{size[1]} cannot be halved {HALVINGS} times")
    convs = [
        StackedConv(
            steps,
            inputs if first else shape.convs,
            shape.convs,
            2 * shape.padding + 2,
            padding=shape.padding,
            stride=2,
            shared=first,
        )
        for first in (True, False, False)
    ]
    widths = (shape.convs * cells, shape.hidden, shape.hidden)
    head = Head(convs, widths, outputs, bound=shape.bound, squashed=shape.squashed)
    if shape.released:
        for conv in head.convs:
            nn.init.zeros_(conv.get_parameter("weight"))
        for p in head.linears.parameters():
            nn.init.zeros_(p)
    return head


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
            steps,
            self.CHANNELS,
            features,
            2 * shape.padding + factor,
            padding=shape.padding,
            stride=factor,
        )
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


def _level_params(
    scale: Tensor, shift: Tensor, weight: Tensor, log_det: Tensor, features: Tensor | None = None
) -> LevelParams:
    """Parameters of K steps from tensors with a leading axis of steps.

    Shapes:
        scale, shift: (K, N, C).
        weight: (K, N, C, C).
        log_det: (K, N).
        features: (N, K * F, H, W).
    """
    count = len(scale)
    parts = [None] * count if features is None else features.chunk(count, 1)
    return LevelParams(
        tuple(
            StepParams(ActNormParams(scale[k], shift[k]), ConvParams(weight[k], log_det[k]), part)
            for k, part in enumerate(parts)
        )
    )


def _stack_maps(trace: tuple[Tensor, ...], boundary: Tensor | None) -> Tensor:
    """K maps side by side, each followed by the boundary map: (N, K * (C + B), H, W)."""
    if boundary is None:
        return torch.cat(trace, 1)
    parts = [part for maps in trace for part in (maps, boundary)]
    return torch.cat(parts, 1)
