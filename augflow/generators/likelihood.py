"""Generators with an exact likelihood, and the flow under conditions made from layouts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
from augflow.generators.mean import Affine, MeanNetwork


@dataclass(frozen=True)
class FlowConditions:
    """Parameters of every level's steps for a batch of layouts.

    `affine` is what photographs go through before the flow sees them, if anything.
    """

    levels: tuple[LevelParams, ...]
    count: int
    affine: Affine | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return self.count

    def rows(self, rows: Sequence[int]) -> FlowConditions:
        """The conditions of some layouts; a layout may be taken several times."""
        affine = None if self.affine is None else self.affine.rows(rows)
        levels = tuple(level.rows(rows) for level in self.levels)
        return FlowConditions(levels, len(rows), affine=affine)


def flow_conditions(
    flow: Glow, plan: Plan, count: int, affine: Affine | None = None
) -> FlowConditions:
    """All that a plan decides for so many layouts, worked out once for all samples."""
    return FlowConditions(flow.precompute(plan.params()[0]), count, affine=affine)


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
        mean: paints mean and factors of photographs, which the flow sees standardised.
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
        """See `Generator.latent_shapes`: one tensor per level, then the style, if there is one."""
        shapes = self.target.shape.latents(self.size)
        return (*shapes, (self.factors,)) if self.factors else shapes

    def scale(self, latents: Sequence[Tensor], temperature: float) -> tuple[Tensor, ...]:
        """See `Generator.scale`: what is drawn place by place is scaled, an image's style is not.

        At temperature 0 there is no chance at all: the style is the mean one.
        """
        levels = len(latents) - bool(self.factors)
        scaled = [temperature * part for part in latents[:levels]]
        return (*scaled, *((temperature > 0) * part for part in latents[levels:]))

    @property
    def factors(self) -> int:
        """The numbers of an image's style, which is drawn once for all of it."""
        return self.mean.factors if self.mean else 0

    def terms(self, image: Tensor, layout: Layout, planes: Tensor) -> Terms:
        """See `LikelihoodGenerator.terms`."""
        affine = self.mean(layout) if self.mean else None
        encoding, source = self.learning(standardize(image, affine), layout, planes)
        log_prob, extra = encoding.log_prob, {}
        if self.mean and affine is not None:
            log_prob = log_prob + affine.log_det
            extra = {"mean_loss": self.mean.loss(affine, image)}
        return Terms(log_prob, source if self.source_weight else None, extra)

    def learning(
        self, image: Tensor, layout: Layout, planes: Tensor
    ) -> tuple[Encoding, Tensor | None]:
        """The encoding of standardised photographs, and the source's log-density.

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
        image = standardize(image, self.mean(layout) if self.mean else None)
        self.plan(layout, noise).initialise(self.target, image * self.stretch)

    @torch.no_grad()
    def condition(self, layout: Layout) -> FlowConditions:
        """All that depends on the layouts alone: the mean, step parameters, inverted matrices."""
        self.check_size(layout)
        affine = self.mean(layout) if self.mean else None
        return flow_conditions(self.target, self.plan(layout), len(layout), affine)

    @torch.no_grad()
    def log_prob(self, image: Tensor, conditions: FlowConditions) -> Tensor:
        """See `LikelihoodGenerator.log_prob`."""
        return discrete_log_prob(self._encode(image, conditions).log_prob, self.dims)

    @torch.no_grad()
    def encode(self, image: Tensor, conditions: FlowConditions) -> tuple[Tensor, ...]:
        """See `LikelihoodGenerator.encode`; one tensor per level, then the style."""
        return self._encode(image, conditions).latents

    @torch.no_grad()
    def encode_noise(self, image: Tensor, conditions: FlowConditions) -> tuple[Tensor, ...]:
        """See `LikelihoodGenerator.encode_noise`."""
        return self._encode(image, conditions).noise

    @torch.no_grad()
    def decode(self, latents: Sequence[Tensor], conditions: FlowConditions) -> Tensor:
        """See `LikelihoodGenerator.decode`."""
        return self._decode(self.target.decode, latents, conditions)

    def decode_latents(self, latents: Sequence[Tensor], conditions: FlowConditions) -> Tensor:
        """See `Generator.decode_latents`."""
        return self._decode(self.target.decode_noise, latents, conditions)

    def _decode(
        self,
        decode: Callable[[Sequence[Tensor], Sequence[LevelParams]], Tensor],
        latents: Sequence[Tensor],
        conditions: FlowConditions,
    ) -> Tensor:
        levels = len(conditions.levels)
        decoded = decode(latents[:levels], conditions.levels) / self.stretch
        if conditions.affine is None:
            return decoded
        return conditions.affine.restore(decoded, *latents[levels:])

    def _encode(self, image: Tensor, conditions: FlowConditions) -> Encoding:
        affine = conditions.affine
        seen = standardize(image, affine)
        found = self._undo_stretch(self.target.encode(seen * self.stretch, conditions.levels))
        if affine is None:
            return found
        style = (affine.style(seen),) if self.factors else ()
        return replace(
            found,
            latents=(*found.latents, *style),
            noise=(*found.noise, *style),
            log_prob=found.log_prob + affine.log_det,
        )

    def _undo_stretch(self, encoding: Encoding) -> Encoding:
        """An encoding with the density of the photograph as it was before the stretch."""
        moved = self.dims * math.log(self.stretch)
        return replace(encoding, log_prob=encoding.log_prob + moved)


def standardize(image: Tensor, affine: Affine | None) -> Tensor:
    """What a flow sees of photographs, which may be as they are."""
    return image if affine is None else affine.standardize(image)


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
