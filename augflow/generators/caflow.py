"""CAFLOW: latents of photographs, level by level under the latents of their layouts.

References:
    Batzolis et al. 2021, "CAFLOW: Conditional autoregressive flows".
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from augflow.core import seeding
from augflow.core.config import Count, Memory, Section
from augflow.data import boundaries
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.flows.autoregressive import AutoRegressive, Dequantizer, MultiScale
from augflow.flows.blocks import Block, BlockParams, BlockShape
from augflow.flows.density import dequantize, discrete_log_prob, standard_log_prob
from augflow.generators.base import misfit
from augflow.generators.likelihood import LikelihoodGenerator, Terms, content_noise


class CAFlowConfig(Section):
    """CAFLOW. Defaults are the paper's.

    `source_steps`, `target_steps` and `conditional_steps` are the steps per level of R, T and every
    f_j^i, `transitions` and `conditional_transitions` the steps without coupling before them.
    `source`: R sees palette colours or one plane per class; `boundary`: the version of boundary map
    that stands beside R's latents in every condition. `share`: f_j^i is one function for all i > j.
    `last`: the functions f_0^i `squeeze` as all others do, or `keep` the resolution of l_0, so that
    smaller photographs and odd multiples fit. `dequantization`: `variational` learns the noise with
    a flow of `dequantization_steps`; bits per dimension are an upper bound then. `clamp` bounds the
    logarithm of every affine scale, `min_std` the actnorms' initial one. `loss_scale`: bits per
    dimension, or nats divided by the product of both images' dimensions as in the released code.
    """

    size: tuple[Count, Count]
    levels: Count = 3
    source_steps: Count = 24
    target_steps: Count = 24
    conditional_steps: Count = 12
    source_width: Count = 64
    target_width: Count = 64
    conditional_width: Count = 32
    transitions: Annotated[int, Field(ge=0)] = 2
    conditional_transitions: Annotated[int, Field(ge=0)] = 2
    source: Literal["palette", "one_hot"] = "palette"
    boundary: Literal["none", "v1", "v2"] = "none"
    share: bool = False
    last: Literal["squeeze", "keep"] = "squeeze"
    dequantization: Literal["uniform", "variational"] = "uniform"
    dequantization_steps: Count = 4
    clamp: Annotated[float, Field(gt=0)] = 2.0
    min_std: Annotated[float, Field(gt=0)] = 1e-6
    source_weight: Annotated[float, Field(ge=0)] = 0.01
    loss_scale: Literal["per_dim", "product"] = "per_dim"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        unit = 2 ** (self.levels + int(self.last == "squeeze"))
        if fault := misfit(self.size, unit, f"{self.levels} levels, last: {self.last},"):
            raise ValueError(fault)
        return self


_PAPER: dict[str, Any] = {"size": (64, 64)}
_RELEASED: dict[str, Any] = {
    "conditional_transitions": 1, "source_weight": 1e-3, "loss_scale": "product",
}  # fmt: skip
_OURS: dict[str, Any] = {
    "source": "one_hot", "boundary": "v1", "last": "keep", "min_std": 0.02, "source_weight": 0.05,
}  # fmt: skip
_TINY: dict[str, Any] = {
    "size": (48, 72), "source_steps": 2, "target_steps": 4, "conditional_steps": 4,
    "source_width": 24, "target_width": 48, "conditional_width": 24,
}  # fmt: skip
_SMALL: dict[str, Any] = {
    "size": (64, 96), "source_steps": 4, "target_steps": 8, "conditional_steps": 6,
    "source_width": 32, "target_width": 64, "conditional_width": 32,
}  # fmt: skip

CAFLOW: dict[str, dict[str, Any]] = {
    # the paper's appendix B
    "super_resolution": {
        **_PAPER, "source_steps": 16, "target_steps": 32, "dequantization": "variational",
    },
    "colorization": _PAPER,
    "inpainting": {
        **_PAPER, "source_steps": 30, "target_steps": 30, "conditional_steps": 16,
        "source_weight": 0.05,
    },
    # the released code: T is as deep as R, one transition step in the conditional flows, a loss so
    # small that Adam's epsilon damps most updates
    "released": {**_PAPER, **_RELEASED, "source_steps": 16, "target_steps": 16},
    # ours: class planes with boundary maps, a guarded initialisation, f_0^i at l_0's resolution
    "tiny": {**_TINY, **_OURS},
    "small": {**_SMALL, **_OURS},
    # the released quirks at the size and cost of ours
    "released_tiny": {**_TINY, **_OURS, **_RELEASED, "target_steps": 2},
    "released_small": {**_SMALL, **_OURS, **_RELEASED, "target_steps": 4},
}  # fmt: skip


@dataclass(frozen=True)
class CAFlowConditions:
    """All that depends on the layouts: shares of first convolutions; and inverted matrices.

    Attributes:
        target: parameters of the flow of photographs, the same for every layout.
        functions: parameters of each f_j^i by its name.
        count: the number of layouts.
    """

    target: tuple[BlockParams, ...]
    functions: Mapping[str, BlockParams]
    count: int

    def __len__(self) -> int:
        return self.count

    def rows(self, rows: Sequence[int]) -> CAFlowConditions:
        """The conditions of some layouts; a layout may be taken several times."""
        functions = {name: params.rows(rows) for name, params in self.functions.items()}
        return CAFlowConditions(self.target, functions, len(rows))

    def invert(self) -> CAFlowConditions:
        """The same with every matrix inverted, once for all later samples."""
        functions = {name: params.invert() for name, params in self.functions.items()}
        return CAFlowConditions(
            tuple(params.invert() for params in self.target), functions, self.count
        )


class CAFlow(LikelihoodGenerator):
    """Two unconditional flows, R of layouts and T of photographs, and flows between their latents.

    Its latents are the noise z_j^i of the conditional flows, all standard normal: `encode` and
    `encode_noise` give the same, and content moves alike by `z` and by `eps`.
    """

    config: CAFlowConfig

    def __init__(self, config: CAFlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds the three kinds of flows."""
        super().__init__()
        self.config, self.table = config, table
        rng = seeding.torch_generator(seed, "rotations")
        planes = 3 if config.source == "palette" else table.count
        self.hold_palette()
        tower = BlockShape(0, 0, 0, config.transitions, clamp=config.clamp, min_std=config.min_std)
        function = replace(
            tower,
            steps=config.conditional_steps,
            width=config.conditional_width,
            transitions=config.conditional_transitions,
        )
        with seeding.torch_seeded(seed):
            source = replace(tower, steps=config.source_steps, width=config.source_width)
            self.source = MultiScale(planes, config.levels, source, rng)
            target = replace(tower, steps=config.target_steps, width=config.target_width)
            self.target = MultiScale(3, config.levels, target, rng)
            maps = 0 if config.boundary == "none" else 1
            self.between = AutoRegressive(
                [self.target.channels(level) for level in range(config.levels)],
                [self.source.channels(level) + maps for level in range(config.levels)],
                function,
                rng,
                shared=config.share,
                squeeze_last=config.last == "squeeze",
            )
            self.dequantizer: Dequantizer | None = None
            if config.dequantization == "variational":
                shape = replace(function, inputs=3, known=3, steps=config.dequantization_steps)
                self.dequantizer = Dequantizer(shape, rng)

    @property
    def planes_count(self) -> int:
        """See `LikelihoodGenerator.planes_count`."""
        return self.source.inputs

    @property
    def source_weight(self) -> float:
        """Lambda of section 4.3, for the loss that `loss_scale` asks for."""
        scale = 1.0 if self.config.loss_scale == "per_dim" else math.log(2) / self.dims
        return self.config.source_weight * scale

    @property
    def target_weight(self) -> float:
        """See `LikelihoodGenerator.target_weight`; log 2 turns bits into nats."""
        planes = self.planes_count * self.size[0] * self.size[1]
        return 1.0 if self.config.loss_scale == "per_dim" else math.log(2) / planes

    @property
    def is_upper_bound(self) -> bool:
        """See `Generator.is_upper_bound`: with variational dequantization they are."""
        return self.dequantizer is not None

    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """See `Generator.latent_shapes`: the z_j^i for i = 0 .. n - 1 and j = i .. 0."""
        return tuple(
            (channels, *self._resolution(j))
            for (_, j), channels in self.between.latent_channels.items()
        )

    def params(self, layout: Layout, planes: Tensor | None = None) -> CAFlowConditions:
        """Parameters of all flows for a batch of layouts."""
        return self._params(layout, self.read_layout(layout, planes)[0])

    def read_layout(
        self, layout: Layout, planes: Tensor | None = None, memory: Memory = "store"
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """The latents d_0 .. d_{n-1} of a batch of layouts, and their log-density (N,) in nats.

        Shapes:
            planes: (N, planes_count, H, W) in [0, 1), what the planes are dequantized with; drawn
                from the layout's own content when not given.
        """
        latents, log_det = self.source.encode(
            self._planes(layout, planes), self.source.params(memory)
        )
        return latents, log_det + torch.stack([standard_log_prob(d) for d in latents]).sum(0)

    def dequantization(self, image: Tensor, memory: Memory = "store") -> tuple[Tensor, Tensor]:
        """Where in their bins photographs are looked at, and -log q of it, (N,) nats."""
        if self.dequantizer is None:
            return image, image.new_zeros(len(image))
        return self.dequantizer(image, memory)

    def log_density(self, image: Tensor, conditions: CAFlowConditions) -> Tensor:
        """Equation 9: log-density of dequantized photographs given their layouts, (N,) nats."""
        latents, log_det = self.target.encode(image, conditions.target)
        components = self.between.encode(latents, conditions.functions)
        return log_det + torch.stack(components.log_probs).sum(0)

    def terms(self, image: Tensor, layout: Layout, planes: Tensor) -> Terms:
        """See `LikelihoodGenerator.terms`."""
        latents, source = self.read_layout(layout, planes, self.memory)
        moved, gain = self.dequantization(image, self.memory)
        target = self.log_density(moved, self._params(layout, latents, self.memory)) + gain
        return Terms(target, source if self.source_weight else None)

    @torch.no_grad()
    def condition(self, layout: Layout) -> CAFlowConditions:
        """See `Generator.condition`; shares of first convolutions, inverted matrices."""
        self.check_size(layout)
        return self.params(layout).invert()

    @torch.no_grad()
    def log_prob(self, image: Tensor, conditions: CAFlowConditions) -> Tensor:
        """See `LikelihoodGenerator.log_prob`; a bound if dequantization is variational."""
        moved, gain = self.dequantization(image)
        return discrete_log_prob(self.log_density(moved, conditions) + gain, self.dims)

    @torch.no_grad()
    def encode(self, image: Tensor, conditions: CAFlowConditions) -> tuple[Tensor, ...]:
        """See `LikelihoodGenerator.encode`: the z_j^i."""
        latents, _ = self.target.encode(image, conditions.target)
        return self.between.encode(latents, conditions.functions).noise

    encode_noise = encode

    @torch.no_grad()
    def decode(self, latents: Sequence[Tensor], conditions: CAFlowConditions) -> Tensor:
        """See `LikelihoodGenerator.decode`."""
        return self.decode_latents(latents, conditions)

    def decode_latents(self, latents: Sequence[Tensor], conditions: CAFlowConditions) -> Tensor:
        """See `Generator.decode_latents`: section 4.4."""
        found = self.between.decode(latents, conditions.functions)
        return self.target.decode(found, conditions.target)

    @torch.no_grad()
    def initialise(self, image: Tensor, layout: Layout, noise: Tensor) -> None:
        """See `LikelihoodGenerator.initialise`: R, T, then the flows between their latents."""
        planes = self._planes(layout, noise)
        self.source.encode(planes, self.source.params(), Block.initialise)
        latents, _ = self.target.encode(image, self.target.params(), Block.initialise)
        self.between.encode(latents, self.params(layout, noise).functions, Block.initialise)

    def _params(
        self, layout: Layout, latents: Sequence[Tensor], memory: Memory = "store"
    ) -> CAFlowConditions:
        known = list(latents)
        if self.config.boundary != "none":
            maps = boundaries.pyramid(
                layout.boundary.to(known[0]), self.config.levels, self.config.boundary
            )
            known = [torch.cat(pair, 1) for pair in zip(known, reversed(maps), strict=True)]
        own = self.target.params(memory)
        return CAFlowConditions(own, self.between.params(known, memory), len(layout))

    def _planes(self, layout: Layout, noise: Tensor | None) -> Tensor:
        """What R sees, dequantized."""
        planes = self.source_planes(layout)
        if noise is None:
            noise = content_noise(layout, self.planes_count).to(planes.device)
        return dequantize(planes, noise)

    def _resolution(self, j: int) -> tuple[int, int]:
        """Height and width of what the functions f_j^i put out."""
        halvings = self.config.levels - j + int(j > 0 or self.config.last == "squeeze")
        return self.size[0] >> halvings, self.size[1] >> halvings
