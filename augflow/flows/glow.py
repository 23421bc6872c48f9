"""The multi-scale Glow: levels of steps, half of the channels factored out between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from augflow.flows.density import gaussian_log_prob
from augflow.flows.level import Level
from augflow.flows.params import LevelParams, Trace
from augflow.flows.prior import Prior, PriorKind
from augflow.flows.transforms import squeeze, unsqueeze

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
