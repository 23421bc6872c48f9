"""The multi-scale Glow: levels of steps, half of the channels factored out between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from augflow.flows.coupling_nets import CouplingNets, StepNet
from augflow.flows.density import gaussian_log_prob
from augflow.flows.networks import ZeroConv
from augflow.flows.step_params import HoldsActNorms, LevelParams, StepParams, Trace
from augflow.flows.transforms import (
    ActNorm,
    AffineCoupling,
    CouplingParams,
    InvertibleConv,
    squeeze,
    unsqueeze,
)

Draw = Callable[[int, Tensor, Tensor], Tensor]
"""(level, mean, log_sd) -> the latents of that level."""


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


class Level(nn.Module):
    """K steps of actnorm, 1x1 convolution and affine coupling on one resolution."""

    def __init__(
        self, steps: int, channels: int, features: int, width: int, edge: str, floor: float,
        bound: float | None = None,
    ) -> None:  # fmt: skip
        """Makes the coupling networks; all other parameters come from outside."""
        super().__init__()
        self.nets = CouplingNets(steps, channels, features, width, edge, bound)
        self.actnorm, self.conv, self.coupling = ActNorm(), InvertibleConv(), AffineCoupling(floor)

    def forward(
        self, x: Tensor, params: LevelParams, *, traced: bool = False
    ) -> tuple[Tensor, Tensor, Trace | None]:
        """Through all steps.

        Shapes:
            x: (N, C, H, W).
            returns: z (N, C, H, W), log-determinant (N,), the trace if it is asked for.
        """
        log_det = x.new_zeros(len(x))
        kept: list[tuple[Tensor, Tensor, Tensor]] = []
        for step, net in zip(params.steps, self.nets.per_step(), strict=True):
            normed, mixed, change = self.mix(x, step, traced=traced)
            x, last = self.couple(mixed, step, net)
            log_det = log_det + change + last
            if normed is not None:
                kept.append((normed, mixed, x))
        return x, log_det, Trace(*zip(*kept, strict=True)) if traced else None

    def mix(
        self, x: Tensor, step: StepParams, *, traced: bool
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Actnorm and 1x1 convolution: in one product, or one by one where both are traced.

        Shapes:
            returns: what actnorm put out if it is traced, what the matrix did, and both their
                log-determinants (N,) or (1,).
        """
        area = x.shape[2] * x.shape[3]
        log_det = step.actnorm.log_det(area) + step.conv.log_det * area
        if not traced:
            return None, step.actnorm.before(step.conv.weight)(x), log_det
        normed, _ = self.actnorm(x, step.actnorm)
        mixed, _ = self.conv(normed, step.conv)
        return normed, mixed, log_det

    def couple(self, mixed: Tensor, step: StepParams, net: StepNet) -> tuple[Tensor, Tensor]:
        """The coupling: z (N, C, H, W) and its log-determinant (N,)."""
        half, other = mixed.chunk(2, 1)
        changed, log_det = self.coupling(
            other, CouplingParams(*net(half, step.features, step.share))
        )
        return torch.cat([half, changed], 1), log_det

    def inverse(self, z: Tensor, params: LevelParams) -> Tensor:
        """Back through all steps; `params` best come `inverted` and with `shared` conditions."""
        known = params if params.steps[0].undo is not None else params.inverted()
        for step, net in zip(reversed(known.steps), reversed(self.nets.per_step()), strict=True):
            half, changed = z.chunk(2, 1)
            coupling = CouplingParams(*net(half, step.features, step.share))
            z = torch.cat([half, self.coupling.inverse(changed, coupling)], 1)
            assert step.undo is not None
            z = step.undo(z)
        return z

    def shared(self, params: LevelParams) -> LevelParams:
        """The same with the conditions' shares of all first convolutions worked out."""
        steps = tuple(
            step if step.features is None
            else replace(step, features=None, share=net.shared(step.features))
            for step, net in zip(params.steps, self.nets.per_step(), strict=True)
        )  # fmt: skip
        return replace(params, steps=steps)

    @torch.no_grad()
    def initialise(self, x: Tensor, params: LevelParams, conditioner: HoldsActNorms) -> LevelParams:
        """Sets every actnorm from the data, one step after the other.

        Returns:
            `params` with the new actnorm values.
        """
        steps = []
        nets = self.nets.per_step()
        for index, step in enumerate(params.steps):
            std, mean = torch.std_mean(x, dim=(0, 2, 3))
            step = replace(step, actnorm=conditioner.initialise_step(index, mean, std))
            steps.append(step)
            _, mixed, _ = self.mix(x, step, traced=False)
            x, _ = self.couple(mixed, step, nets[index])
        return replace(params, steps=tuple(steps))


PriorKind = Literal["learned", "normal", "features", "mean"]
"""What a level's Gaussian depends on: the kept half and features, nothing, features alone; or its
mean is the features as they are and its scale is 1."""


class Prior(nn.Module):
    """The Gaussian of the factored-out half given the kept half (and features of the layout).

    At the top nothing is kept: the input is zeros, which a `ones` edge still tells apart along the
    image border, as in the authors' code.

    References:
        Kingma and Dhariwal 2018, "Glow", section 3; for features of the source, Dual-Glow
        as Full-Glow, section 3, describes it.
    """

    def __init__(
        self, kept: int, latents: int, features: int, edge: str, bound: float | None,
        kind: PriorKind = "learned",
    ) -> None:  # fmt: skip
        """Makes the zero convolution: every prior starts as N(0, 1).

        With `bound` the log standard deviation is kept within +-bound by a tanh.
        """
        super().__init__()
        self.features, self.bound, self.kind = features, bound, kind
        if kind in ("learned", "features"):
            inputs = features + (kept if kind == "learned" else 0)
            self.conv = ZeroConv(inputs, 2 * latents, edge)

    def forward(self, kept: Tensor, features: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation, each (N, latents, H, W).

        Shapes:
            kept: (N, kept, H, W).
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
            Level(steps, c, features, width, shape.edge, shape.floor, shape.coupling_bound)
            for steps, c, features, width in zip(
                shape.steps, shape.channels, shape.features, shape.widths, strict=True
            )
        )
        self.priors = nn.ModuleList(
            Prior(
                c if n == last else c // 2,
                c if n == last else c // 2,
                features,
                shape.edge,
                shape.prior_bound,
                shape.prior,
            )
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
        for level, level_params in zip(self.levels, params, strict=True):
            z, log_det, trace = level(descent.read(), level_params, traced=traced)
            if trace is not None:
                traces.append(trace)
            descent.factor(z, log_det, level_params.prior)
        return descent.encoding(traces)

    def prepared(self, params: Sequence[LevelParams]) -> tuple[LevelParams, ...]:
        """Parameters with matrices inverted and the conditions' shares of convolutions worked out.

        All that is left to a pass then depends on the image or its latents.
        """
        out = []
        for level, given_params in zip(self.levels, params, strict=True):
            assert isinstance(level, Level)
            out.append(level.shared(given_params).inverted())
        return tuple(out)

    def decode(self, draw: Draw, params: Sequence[LevelParams], like: Tensor) -> Tensor:
        """Latents to data, from the top down; `draw` gives each level's latents under its prior.

        Shapes:
            like: (N, ...), any tensor of the wanted batch size, type and device, whose last
                two axes are the image's height and width.
            returns: (N, inputs, H, W).
        """
        size = (like.shape[-2], like.shape[-1])
        shapes = self.shape.latents(size)
        x = like.new_zeros(len(like), *shapes[-1])
        last = len(params) - 1
        for number in range(last, -1, -1):
            like_latents = x.new_zeros(len(x), *shapes[number])
            mean, log_sd = self.priors[number](x, params[number].prior, like_latents)
            out = draw(number, mean, log_sd)
            x = out if number == last else torch.cat([x, out], 1)
            level = self.levels[number]
            assert isinstance(level, Level)
            x = unsqueeze(level.inverse(x, params[number]))
        return x


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


def given(latents: Sequence[Tensor]) -> Draw:
    """Latents as they are."""
    return lambda level, mean, log_sd: latents[level]


def drawn(noise: Sequence[Tensor], temperature: float = 1.0) -> Draw:
    """Latents from standard normal noise: mean + T * sd * noise.

    References:
        Full-Glow, section 5.3.
    """
    return lambda level, mean, log_sd: mean + temperature * log_sd.exp() * noise[level]
