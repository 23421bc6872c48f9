"""Generators with an exact likelihood, and the flow under conditions made from layouts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from augflow.core import seeding
from augflow.core.config import Memory
from augflow.data.scenes import Layout
from augflow.flows.density import bits_per_dim, discrete_log_prob
from augflow.flows.glow import Encoding, Glow, Plan
from augflow.flows.params import LevelParams
from augflow.generators.base import Generator, Likelihood
from augflow.generators.mean import MeanNetwork


@dataclass(frozen=True)
class FlowConditions:
    """Parameters of every level's steps for a batch of layouts.

    `mean`, (N, 3, H, W), is what photographs are taken from before the flow sees them, if anything.
    """

    levels: tuple[LevelParams, ...]
    count: int
    mean: Tensor | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return self.count

    def rows(self, rows: Sequence[int]) -> FlowConditions:
        """The conditions of some layouts; a layout may be taken several times."""
        mean = None if self.mean is None else self.mean[list(rows)]
        levels = tuple(level.rows(rows) for level in self.levels)
        return FlowConditions(levels, len(rows), mean=mean)


def flow_conditions(
    flow: Glow, plan: Plan, count: int, mean: Tensor | None = None
) -> FlowConditions:
    """All that a plan decides for so many layouts, worked out once for all samples."""
    return FlowConditions(flow.precompute(plan.params()[0]), count, mean=mean)


@dataclass(frozen=True)
class Terms:
    """What a flow's loss is made of, gradients included.

    Attributes:
        target: log-density of the dequantized photographs given their layouts, (N,) nats.
        source: log-density of the dequantized layout planes, (N,) nats; None without a source.
        extra: further scalars of the loss, weighted already, by the name they are logged under.
    """

    target: Tensor
    source: Tensor | None = None
    extra: dict[str, Tensor] = field(default_factory=dict)


class LikelihoodGenerator(Generator):
    """A generator whose photographs have an exact likelihood."""

    likelihood: ClassVar[Likelihood] = "conditional"
    encodes = True
    memory: Memory = "store"
    """What `terms` holds for the backward pass; its numbers do not depend on it."""

    @property
    def planes_count(self) -> int:
        """The number of planes in which the source flow sees a layout; 0 without a source."""
        return 0

    @property
    def target_weight(self) -> float:
        """The weight of the photographs' bits per dimension in the loss."""
        return 1.0

    @property
    def source_weight(self) -> float:
        """Lambda, the weight of the source's term (Full-Glow, equation 11); 0 without a source."""
        return 0.0

    def initialise(self, image: Tensor, layout: Layout, noise: Tensor) -> None:
        """Sets every actnorm from a batch of dequantized photographs with their layouts."""
        raise NotImplementedError

    def terms(self, image: Tensor, layout: Layout, planes: Tensor) -> Terms:
        """The parts of the loss on a batch.

        Shapes:
            image: (N, 3, H, W) in [0, 1), dequantized.
            planes: (N, planes_count, H, W) in [0, 1): the noise that dequantizes the layout.
        """
        raise NotImplementedError

    def log_prob(self, image: Tensor, conditions: Any) -> Tensor:
        """Log-probability of 8-bit photographs given their layouts, from one dequantization.

        Shapes:
            image: (N, 3, H, W) in [0, 1), dequantized (see `density.dequantize`).
            returns: (N,), nats.
        """
        raise NotImplementedError

    def bits_per_dim(self, image: Tensor, conditions: Any) -> Tensor:
        """Conditional bits per dimension, (N,).

        References:
            Full-Glow, section 5.
        """
        return bits_per_dim(self.log_prob(image, conditions), self.dims)

    def encode(self, image: Tensor, conditions: Any) -> tuple[Tensor, ...]:
        """The latents of photographs, (N, 3, H, W) in [0, 1], to a tuple of tensors."""
        raise NotImplementedError

    def encode_noise(self, image: Tensor, conditions: Any) -> tuple[Tensor, ...]:
        """The latents standardised under their priors: what `sample` would have had to draw."""
        raise NotImplementedError

    def decode(self, latents: Sequence[Tensor], conditions: Any) -> Tensor:
        """The exact inverse of `encode` under the same conditions; not clipped."""
        raise NotImplementedError


class FlowGenerator(LikelihoodGenerator):
    """One flow of photographs, `target`, whose step parameters come from the layout.

    Subclasses set `config`, `table` and `target` and say how a layout conditions the flow (`plan`).

    Attributes:
        mean: paints what is taken from photographs before the flow sees them, if anything is.
    """

    target: Glow
    mean: MeanNetwork | None

    def __init__(self) -> None:
        """Begins without a mean."""
        super().__init__()
        self.mean = None

    def hold_mean(self, config: Any, seed: int) -> None:
        """Makes the network of the mean, if the configuration (a `MeanConfig`) asks for one."""
        if config.mean:
            with seeding.torch_seeded(seeding.derive(seed, "mean")):
                self.mean = MeanNetwork(config, config.size, self.table.count)

    @property
    def stretch(self) -> float:
        """What photographs in [0, 1) are multiplied by before the flow sees them."""
        return 1.0

    def plan(self, layout: Layout, noise: Tensor | None = None) -> Plan:
        """How a batch of layouts conditions the flow, before anything is worked out.

        Shapes:
            noise: (N, planes_count, H, W) in [0, 1): what the source's planes are dequantized with;
                drawn from the layout's own content when not given, so that a layout has one set of
                conditions.
        """
        raise NotImplementedError

    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """See `Generator.latent_shapes`: one tensor per level."""
        return self.target.shape.latents(self.size)

    def terms(self, image: Tensor, layout: Layout, planes: Tensor) -> Terms:
        """See `LikelihoodGenerator.terms`."""
        mean = self.mean(layout) if self.mean else None
        encoding, source = self.learning(less(image, mean), layout, planes)
        extra = {"mean_loss": self.mean.loss(mean, image)} if self.mean and mean is not None else {}
        return Terms(encoding.log_prob, source if self.source_weight else None, extra)

    def learning(
        self, image: Tensor, layout: Layout, planes: Tensor
    ) -> tuple[Encoding, Tensor | None]:
        """The encoding of photographs less their mean, and the source's log-density.

        Shapes:
            image, planes: see `terms`.
        """
        plan = self.plan(layout, planes)
        target, source = plan.encode(self.target, image * self.stretch, self.memory)
        if source is None:
            return self._undo_stretch(target), None
        return self._undo_stretch(target), source.log_prob + planes[0].numel() * math.log(
            self.stretch
        )

    @torch.no_grad()
    def initialise(self, image: Tensor, layout: Layout, noise: Tensor) -> None:
        """See `LikelihoodGenerator.initialise`."""
        image = less(image, self.mean(layout) if self.mean else None)
        self.plan(layout, noise).initialise(self.target, image * self.stretch)

    @torch.no_grad()
    def condition(self, layout: Layout) -> FlowConditions:
        """All that depends on the layouts alone: the mean, step parameters, inverted matrices."""
        self.check_size(layout)
        mean = self.mean(layout) if self.mean else None
        return flow_conditions(self.target, self.plan(layout), len(layout), mean)

    @torch.no_grad()
    def log_prob(self, image: Tensor, conditions: FlowConditions) -> Tensor:
        """See `LikelihoodGenerator.log_prob`."""
        return discrete_log_prob(self._encode(image, conditions).log_prob, self.dims)

    @torch.no_grad()
    def encode(self, image: Tensor, conditions: FlowConditions) -> tuple[Tensor, ...]:
        """See `LikelihoodGenerator.encode`; one tensor per level."""
        return self._encode(image, conditions).latents

    @torch.no_grad()
    def encode_noise(self, image: Tensor, conditions: FlowConditions) -> tuple[Tensor, ...]:
        """See `LikelihoodGenerator.encode_noise`."""
        return self._encode(image, conditions).noise

    @torch.no_grad()
    def decode(self, latents: Sequence[Tensor], conditions: FlowConditions) -> Tensor:
        """See `LikelihoodGenerator.decode`."""
        decoded = self.target.decode(latents, conditions.levels) / self.stretch
        return _more(decoded, conditions.mean)

    def decode_latents(self, latents: Sequence[Tensor], conditions: FlowConditions) -> Tensor:
        """See `Generator.decode_latents`."""
        decoded = self.target.decode_noise(latents, conditions.levels) / self.stretch
        return _more(decoded, conditions.mean)

    def _encode(self, image: Tensor, conditions: FlowConditions) -> Encoding:
        image = less(image, conditions.mean)
        return self._undo_stretch(self.target.encode(image * self.stretch, conditions.levels))

    def _undo_stretch(self, encoding: Encoding) -> Encoding:
        """An encoding with the density of the photograph as it was before the stretch."""
        moved = self.dims * math.log(self.stretch)
        return replace(encoding, log_prob=encoding.log_prob + moved)


def less(image: Tensor, mean: Tensor | None) -> Tensor:
    """A photograph less its mean, if it has one."""
    return image if mean is None else image - mean


def _more(image: Tensor, mean: Tensor | None) -> Tensor:
    return image if mean is None else image + mean


def content_noise(layout: Layout, planes: int) -> Tensor:
    """Dequantization noise that is a function of each layout's content alone.

    Training draws fresh noise at every step; a layout that is only looked at gets this, so that the
    source flow meets the same kind of input and a layout has one set of conditions.

    Shapes:
        returns: (N, planes, H, W) float32 in [0, 1).
    """
    names = [
        seeding.derive(
            0, classes.tobytes().hex(), np.rint(edges * 255).astype(np.uint8).tobytes().hex()
        )
        for classes, edges in zip(
            layout.classes.cpu().numpy(), layout.boundary.cpu().numpy(), strict=True
        )
    ]
    return torch.from_numpy(seeding.Noise(names).uniform(planes, *layout.size))
