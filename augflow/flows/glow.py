"""The multi-scale Glow, half of its channels factored out between levels; what conditions it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from augflow.core.config import Memory
from augflow.flows.conditioners import Conditioner
from augflow.flows.density import gaussian_log_prob
from augflow.flows.level import Level
from augflow.flows.networks import ZeroConv
from augflow.flows.params import LevelParams, Trace
from augflow.flows.reversible import JointLevel, TowerLevel
from augflow.flows.transforms import squeeze, unsqueeze

PriorKind = Literal["learned", "normal", "features", "mean"]
"""What a level's Gaussian depends on: the kept half and features, nothing, features alone; or its
mean is the features as they are and its scale is 1."""

Conditioners = Sequence[nn.Module] | nn.ModuleList
"""A `Conditioner` per level."""


@dataclass(frozen=True)
class Encoding:
    """What a flow makes of a batch.

    Shapes:
        latents: one tensor per level, the last from the top.
        noise: the same, standardised under the priors.
        log_prob: (N,), nats, density of the (dequantized) input.
        traces: one `Trace` per level, if asked for.
    """

    latents: tuple[Tensor, ...]
    noise: tuple[Tensor, ...]
    log_prob: Tensor
    traces: tuple[Trace, ...] = ()


@dataclass(frozen=True)
class GlowShape:
    """What fixes a tower: input channels, steps per level, widths, and how it is bounded."""

    inputs: int
    steps: tuple[int, ...]
    widths: tuple[int, ...]
    features: tuple[int, ...]
    prior_features: tuple[int, ...]
    edge: str = "ones"
    floor: float = 0.0
    prior_bound: float | None = None
    prior: PriorKind = "learned"
    coupling_bound: float | None = None
    scale_bound: float | None = None

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels inside each level: 4, 8, 16 ... times the input's."""
        return tuple(self.inputs * 4 * 2**level for level in range(len(self.steps)))

    def sizes(self, size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """Height and width inside each level."""
        return tuple((size[0] >> n, size[1] >> n) for n in range(1, len(self.steps) + 1))

    def latents(self, size: tuple[int, int]) -> tuple[tuple[int, int, int], ...]:
        """Channels, height and width of each level's latents."""
        last = len(self.steps) - 1
        return tuple(
            (c if level == last else c // 2, *hw)
            for level, (c, hw) in enumerate(zip(self.channels, self.sizes(size), strict=True))
        )


class Prior(nn.Module):
    """The Gaussian of the factored-out half given the kept half (and features of the layout).

    At the top nothing is kept: the input is zeros, which a `ones` edge still tells apart along the
    image border, as in the authors' code.

    References:
        Kingma and Dhariwal 2018, "Glow", section 3; for features of the source, Dual-Glow
        as Full-Glow, section 3, describes it.
    """

    def __init__(
        self, channels: int, features: int, edge: str, bound: float | None, kind: PriorKind
    ) -> None:
        """Makes the zero convolution: every prior starts as N(0, 1).

        Both halves have so many `channels`. With `bound` the log standard deviation is kept
        within +-bound by a tanh.
        """
        super().__init__()
        self.features, self.bound, self.kind = features, bound, kind
        if kind in ("learned", "features"):
            inputs = features + (channels if kind == "learned" else 0)
            self.conv = ZeroConv(inputs, 2 * channels, edge)

    def forward(self, kept: Tensor, features: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation, each (N, C, H, W).

        Shapes:
            kept: (N, C, H, W).
            features: (N, features, H, W), where the layout has a say.
            like: any tensor of the latents' shape.
        """
        if self.kind == "normal":
            return torch.zeros_like(like), torch.zeros_like(like)
        if self.features:
            assert features is not None
            if self.kind == "mean":
                return features.to(kept.dtype), torch.zeros_like(like)
            kept = features if self.kind == "features" else torch.cat([kept, features], 1)
        mean, log_sd = self.conv(kept).to(like.dtype).chunk(2, 1)
        if self.bound is not None:
            log_sd = self.bound * torch.tanh(log_sd / self.bound)
        return mean, log_sd


class Glow(nn.Module):
    """A multi-scale flow whose step parameters are handed in, level by level.

    References:
        Kingma and Dhariwal 2018, "Glow", figure 2b; Dinh et al. 2017, "RealNVP", section 3.6.
    """

    def __init__(self, shape: GlowShape) -> None:
        """Makes levels and priors."""
        super().__init__()
        self.shape = shape
        last = len(shape.steps) - 1
        self.levels = nn.ModuleList(
            Level(
                steps,
                c,
                features,
                width,
                shape.edge,
                shape.floor,
                shape.coupling_bound,
                shape.scale_bound,
            )
            for steps, c, features, width in zip(
                shape.steps, shape.channels, shape.features, shape.widths, strict=True
            )
        )
        self.priors = nn.ModuleList(
            Prior(c if n == last else c // 2, features, shape.edge, shape.prior_bound, shape.prior)
            for n, (c, features) in enumerate(
                zip(shape.channels, shape.prior_features, strict=True)
            )
        )

    def encode(self, x: Tensor, params: Sequence[LevelParams], *, traced: bool = False) -> Encoding:
        """Data to latents.

        Shapes:
            x: (N, inputs, H, W).
        """
        descent = Descent(self, x)
        traces = []
        for number, level_params in enumerate(params):
            z, log_det, trace = self.level(number)(descent.read(), level_params, traced=traced)
            if trace is not None:
                traces.append(trace)
            descent.factor(z, log_det, level_params.prior)
        return descent.encoding(traces)

    def precompute(self, params: Sequence[LevelParams]) -> tuple[LevelParams, ...]:
        """Parameters with matrices inverted and the conditions' shares of convolutions worked out.

        All that is left to a pass then depends on the image or its latents.
        """
        return tuple(
            self.level(n).precompute_condition(one).invert() for n, one in enumerate(params)
        )

    def decode(self, latents: Sequence[Tensor], params: Sequence[LevelParams]) -> Tensor:
        """The inverse of `encode`: latents to data, (N, inputs, H, W), from the top down."""
        return self._decode(latents, params, lambda mean, log_sd, z: z)

    def decode_noise(self, noise: Sequence[Tensor], params: Sequence[LevelParams]) -> Tensor:
        """As `decode`, from standard normal noise of the latents' shapes: z = mean + sd * noise."""
        return self._decode(noise, params, lambda mean, log_sd, e: mean + log_sd.exp() * e)

    def _decode(
        self,
        given: Sequence[Tensor],
        params: Sequence[LevelParams],
        latents: Callable[[Tensor, Tensor, Tensor], Tensor],
    ) -> Tensor:
        last = len(self.levels) - 1
        x = given[last].new_zeros(given[last].shape)
        for number in range(last, -1, -1):
            like = x.new_zeros(given[number].shape)
            mean, log_sd = self.priors[number](x, params[number].prior, like)
            out = latents(mean, log_sd, given[number])
            x = out if number == last else torch.cat([x, out], 1)
            x = unsqueeze(self.level(number).inverse(x, params[number]))
        return x

    def initialise(
        self, x: Tensor, params: Sequence[LevelParams], conditioners: Conditioners
    ) -> None:
        """Sets every actnorm from data, level by level.

        Shapes:
            x: (N, inputs, H, W).
        """
        for number, own in enumerate(params):
            conditioner = conditioners[number]
            assert isinstance(conditioner, Conditioner)
            x = self.level(number).initialise(squeeze(x), own, conditioner).chunk(2, 1)[0]

    def level(self, number: int) -> Level:
        """A level, the finest first."""
        level = self.levels[number]
        assert isinstance(level, Level)
        return level


class Descent:
    """The way down a tower: what a level puts out is divided, and a part is factored out.

    Attributes:
        x: what goes on, (N, C, H, W).
        z: what the last level put out.
    """

    def __init__(self, tower: Glow, x: Tensor) -> None:
        """Starts at data, (N, inputs, H, W)."""
        self.tower, self.x, self.z = tower, x, x
        self.log_prob = x.new_zeros(len(x))
        self.latents: list[Tensor] = []
        self.noise: list[Tensor] = []

    def read(self) -> Tensor:
        """What the next level reads, (N, 4 C, H / 2, W / 2)."""
        return squeeze(self.x)

    def factor(self, z: Tensor, log_det: Tensor, prior: Tensor | None) -> None:
        """Takes a level's output, its log-determinant and the features for its prior."""
        number, self.z = len(self.latents), z
        if number == len(self.tower.levels) - 1:
            self.x, out = torch.zeros_like(z), z
        else:
            self.x, out = z.chunk(2, 1)
        mean, log_sd = self.tower.priors[number](self.x, prior, out)
        self.log_prob = self.log_prob + log_det + gaussian_log_prob(out, mean, log_sd)
        self.latents.append(out)
        self.noise.append((out - mean) * (-log_sd).exp())

    def encoding(self, traces: Sequence[Trace] = ()) -> Encoding:
        """All of it, once the top is reached."""
        return Encoding(tuple(self.latents), tuple(self.noise), self.log_prob, tuple(traces))


@dataclass(frozen=True)
class Source:
    """A source flow: its conditioners by level, and what it reads, (N, planes, H, W)."""

    tower: Glow
    conditioners: Conditioners
    x: Tensor

    def params(self) -> list[LevelParams]:
        """The parameters of all levels; they depend on nothing."""
        return [conditioner() for conditioner in self.conditioners]


PriorFeatures = Callable[[int, Tensor | None, Tensor | None], Tensor | None]
"""(level, what the source's level put out, its latents) -> features for the target's prior."""


@dataclass(frozen=True)
class Plan:
    """What conditions a flow, level by level, before any of it is worked out.

    Attributes:
        conditioners: make the levels' parameters.
        maps: what they read beside the source's trace, (N, B, H, W) per level, if anything.
        prior: features for the levels' priors.
        source: the flow whose trace they read, if there is one.
    """

    conditioners: Conditioners
    maps: Sequence[Tensor | None]
    prior: PriorFeatures = lambda number, z, latents: None
    source: Source | None = None

    def params(self) -> tuple[tuple[LevelParams, ...], Encoding | None]:
        """The parameters of all levels, and the source's encoding."""
        if self.source is None:
            return tuple(self._level(number, None) for number in range(len(self.maps))), None
        encoding = self.source.tower.encode(self.source.x, self.source.params(), traced=True)
        levels = tuple(self._level(number, encoding) for number in range(len(self.maps)))
        return levels, encoding

    def _level(self, number: int, source: Encoding | None) -> LevelParams:
        conditioner = self.conditioners[number]
        if source is None:
            own: LevelParams = conditioner(None, self.maps[number])
            return replace(own, prior=self.prior(number, None, None))
        trace = source.traces[number]
        own = conditioner(trace, self.maps[number])
        return replace(own, prior=self.prior(number, trace.coupling[-1], source.latents[number]))

    def encode(self, tower: Glow, x: Tensor, memory: Memory) -> tuple[Encoding, Encoding | None]:
        """Data to latents, and the source's encoding.

        Unless `memory` is `store`, both go side by side, without a graph of the steps. A source
        whose coupling scales have no floor keeps the inputs of its steps in `reversible` too:
        trained with a small weight such a flow stops being invertible in single precision within
        tens of steps.

        Shapes:
            x: (N, inputs, H, W).
        """
        if memory == "store":
            params, encoding = self.params()
            return tower.encode(x, params), encoding
        keeps, source = memory == "checkpoint", self.source
        down = Descent(tower, x)
        beside = None if source is None else Descent(source.tower, source.x)
        for number, maps in enumerate(self.maps):
            target = TowerLevel(tower.level(number), self.conditioners[number], keeps)
            if source is None or beside is None:
                z, log_det = JointLevel(target)(down.read(), maps=maps)
                down.factor(z, log_det, self.prior(number, None, None))
                continue
            own = source.tower.level(number)
            unbounded = not own.coupling.gain_is_bounded
            joint = JointLevel(
                target, TowerLevel(own, source.conditioners[number], keeps or unbounded)
            )
            z, log_det, source_z, source_log_det = joint(down.read(), beside.read(), maps)
            beside.factor(source_z, source_log_det, None)
            down.factor(z, log_det, self.prior(number, beside.z, beside.latents[number]))
        return down.encoding(), None if beside is None else beside.encoding()

    def initialise(self, tower: Glow, x: Tensor) -> None:
        """Sets every actnorm from data; the source's first, as the target reads its trace."""
        if self.source is not None:
            source = self.source
            source.tower.initialise(source.x, source.params(), source.conditioners)
        tower.initialise(x, self.params()[0], self.conditioners)
