"""What every generator offers, and the flow under conditions made from layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from augflow import seeds
from augflow.classes import ClassTable
from augflow.errors import DataError
from augflow.flows.conditioners import Learned, LevelParams, TraceConditioner
from augflow.flows.density import bits_per_dim, discrete_log_prob
from augflow.flows.glow import Draw, Glow, Level, drawn, given
from augflow.flows.transforms import squeeze
from augflow.params import Section
from augflow.scenes import Layout
from augflow.seeds import Noise


class Conditions(Protocol):
    """All that depends on the layouts alone, computed once and used for every sample."""

    def __len__(self) -> int:
        """The number of layouts."""
        ...

    def rows(self, rows: Sequence[int]) -> Self:
        """The conditions of some layouts; a layout may be taken several times."""
        ...


@runtime_checkable
class Synthesizer(Protocol):
    """Every generator: flow, GAN, IMLE."""

    table: ClassTable

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its photographs."""
        ...

    def condition(self, layout: Layout) -> Conditions:
        """All that depends on the layouts alone."""
        ...

    def sample(self, conditions: Conditions, noise: Noise, temperature: float = 1.0) -> Tensor:
        """Photographs, (N, 3, H, W) in [0, 1]."""
        ...


@dataclass(frozen=True)
class FlowConditions:
    """Parameters of every level's steps for a batch of layouts, matrices inverted."""

    levels: tuple[LevelParams, ...]
    count: int

    def __len__(self) -> int:
        """The number of layouts."""
        return self.count

    def rows(self, rows: Sequence[int]) -> FlowConditions:
        """The conditions of some layouts; a layout may be taken several times."""
        return FlowConditions(tuple(level.rows(rows) for level in self.levels), len(rows))

    def inverted(self) -> FlowConditions:
        """The same with every matrix inverted, once for all later samples."""
        return FlowConditions(tuple(level.inverted() for level in self.levels), self.count)


class FlowGenerator(nn.Module):
    """A generator whose photographs have an exact likelihood.

    Subclasses set `config`, `table` and `target` (the flow of photographs) and say how a layout
    becomes `FlowConditions`.
    """

    config: Section
    table: ClassTable
    target: Glow

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its photographs."""
        height, width = self.config.model_dump()["size"]
        return height, width

    @property
    def planes_count(self) -> int:
        """The number of planes in which the source flow sees a layout; 0 without a source."""
        return 0

    @property
    def source_weight(self) -> float:
        """Lambda of Full-Glow's equation 11; 0 without a source."""
        return 0.0

    @property
    def dims(self) -> int:
        """The number of values of a photograph, 3 H W."""
        return 3 * self.size[0] * self.size[1]

    def params(self, layout: Layout, noise: Tensor | None = None) -> tuple[FlowConditions, Tensor]:
        """Parameters for a batch of layouts, and the source flow's log-density of each, (N,) nats.

        Shapes:
            noise: what the source planes are dequantized with, in [0, 1); drawn from the layout's
                own content when not given, so that a layout has one set of conditions.
        """
        raise NotImplementedError

    def initialise(self, image: Tensor, layout: Layout, noise: Tensor) -> None:
        """Sets every actnorm from a batch of dequantized photographs with their layouts."""
        raise NotImplementedError

    @torch.no_grad()
    def condition(self, layout: Layout) -> FlowConditions:
        """All that depends on the layouts alone: step parameters, inverted matrices, shares.

        Raises:
            DataError: the layouts are not of the generator's size.
        """
        self._check_size(layout)
        return self.params(layout)[0].inverted()

    @torch.no_grad()
    def sample(self, conditions: FlowConditions, noise: Noise, temperature: float = 1.0) -> Tensor:
        """Photographs at a temperature; row n depends on layout n and noise n alone.

        Shapes:
            returns: (N, 3, H, W) in [0, 1].

        References:
            Full-Glow, section 5.3.
        """
        like = next(self.parameters())
        shapes = self.target.shape.latents(self.size)
        eps = [torch.from_numpy(noise.normal(*shape)).to(like) for shape in shapes]
        return self._decoded(drawn(eps, temperature), conditions).clamp(0, 1)

    @torch.no_grad()
    def log_prob(self, image: Tensor, conditions: FlowConditions) -> Tensor:
        """Log-probability of 8-bit photographs given their layouts, from one dequantization.

        Shapes:
            image: (N, 3, H, W) in [0, 1), dequantized (see `density.dequantized`).
            returns: (N,), nats.
        """
        encoding = self.target.encode(image, conditions.levels)
        return discrete_log_prob(encoding.log_prob, self.dims)

    def bits_per_dim(self, image: Tensor, conditions: FlowConditions) -> Tensor:
        """Conditional bits per dimension, (N,).

        References:
            Full-Glow, section 5.
        """
        return bits_per_dim(self.log_prob(image, conditions), self.dims)

    @torch.no_grad()
    def encode(self, image: Tensor, conditions: FlowConditions) -> tuple[Tensor, ...]:
        """The latents of photographs, one tensor per level.

        Shapes:
            image: (N, 3, H, W) in [0, 1].
        """
        return self.target.encode(image, conditions.levels).latents

    @torch.no_grad()
    def encode_noise(self, image: Tensor, conditions: FlowConditions) -> tuple[Tensor, ...]:
        """The latents standardised under their priors: what `sample` would have had to draw."""
        return self.target.encode(image, conditions.levels).noise

    @torch.no_grad()
    def decode(self, latents: Sequence[Tensor], conditions: FlowConditions) -> Tensor:
        """The exact inverse of `encode` under the same conditions; not clipped."""
        return self._decoded(given(latents), conditions)

    @torch.no_grad()
    def decode_noise(self, noise: Sequence[Tensor], conditions: FlowConditions) -> Tensor:
        """The exact inverse of `encode_noise` under the same conditions; not clipped."""
        return self._decoded(drawn(noise), conditions)

    def _decoded(self, draw: Draw, conditions: FlowConditions) -> Tensor:
        like = next(self.parameters()).new_zeros(1).expand(len(conditions), 3, *self.size)
        return self.target.decode(draw, conditions.levels, like)

    def _check_size(self, layout: Layout) -> None:
        if layout.size != self.size:
            raise DataError(
                f"layouts are {layout.size[0]}x{layout.size[1]}; this generator makes photographs "
                f"of {self.size[0]}x{self.size[1]}: resize them (nearest) to that"
            )


@torch.no_grad()
def initialised_level(
    tower: Glow,
    number: int,
    x: Tensor,
    params: LevelParams,
    conditioner: Learned | TraceConditioner,
) -> tuple[LevelParams, Tensor]:
    """Sets the actnorms of one level from `x` and passes `x` on to the next.

    Shapes:
        x: (N, C, H, W), what the level reads before it squeezes.
        returns: the level's new parameters, and what the next level reads.
    """
    level = tower.levels[number]
    assert isinstance(level, Level)
    params = level.initialise(squeeze(x), params, conditioner)
    out, _, _ = level(squeeze(x), params)
    return params, out.chunk(2, 1)[0]


def content_noise(layout: Layout, planes: int) -> Tensor:
    """Dequantization noise that is a function of each layout's content alone.

    Training draws fresh noise at every step; a layout that is only looked at gets this, so that the
    source flow meets the same kind of input and a layout has one set of conditions.

    Shapes:
        returns: (N, planes, H, W) float32 in [0, 1).
    """
    names = [
        seeds.derive(
            0, classes.tobytes().hex(), np.rint(edges * 255).astype(np.uint8).tobytes().hex()
        )
        for classes, edges in zip(
            layout.classes.cpu().numpy(), layout.boundary.cpu().numpy(), strict=True
        )
    ]
    return torch.from_numpy(seeds.Noise(names).uniform(planes, *layout.size))
