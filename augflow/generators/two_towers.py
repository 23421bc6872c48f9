"""What the two-tower systems share: a flow of layouts beside the flow of photographs."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.errors import ParamsError
from augflow.data import boundaries
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.flows.conditioners import Learned
from augflow.flows.density import dequantized
from augflow.flows.glow import Encoding, Glow, GlowShape
from augflow.flows.params import HoldsActNorms, LevelParams
from augflow.flows.plans import Plan, Prior, SourcePlan
from augflow.flows.prior import PriorKind
from augflow.generators.base import class_planes
from augflow.generators.likelihood import (
    FlowConditions,
    FlowGenerator,
    content_noise,
    initialised_level,
)
from augflow.generators.presets import GlowConfig, TwoTowersConfig

UNIT = 256 / 255
"""The stretch under which 8-bit value k is k / 255."""


class TwoTowers(FlowGenerator):
    """Two Glows of one depth; what the source makes of a layout conditions the target.

    Subclasses make `target` and `source_params` (the source's learned constants), and say how an
    encoded layout becomes the parameters of the target's levels (`level_params`).
    """

    source_params: nn.ModuleList

    def __init__(
        self, config: TwoTowersConfig, table: ClassTable, seed: int,
        source_prior: PriorKind = "learned",
    ) -> None:  # fmt: skip
        """Builds the source tower.

        Raises:
            ParamsError: the size does not fit the number of levels.
        """
        super().__init__()
        check_size(config)
        self.config, self.table = config, table
        self.rng = torch.Generator().manual_seed(seeding.derive(seed, "rotations") % 2**63)
        levels = len(config.steps)
        planes = 3 if config.source == "palette" else table.count
        self.palette: Tensor
        self.register_buffer("palette", torch.from_numpy(table.palette.copy()), persistent=False)
        self.source = Glow(
            GlowShape(
                planes, config.steps, (config.source_width,) * levels, (0,) * levels,
                (0,) * levels, config.edge, config.floor, config.prior_bound, source_prior,
            )
        )  # fmt: skip

    @property
    def stretch(self) -> float:
        """See `FlowGenerator.stretch`."""
        return UNIT if self.towers.pixels == "unit" else 1.0

    @property
    def planes_count(self) -> int:
        """See `FlowGenerator.planes_count`."""
        return self.source.shape.inputs

    @property
    def source_weight(self) -> float:
        """Lambda of Full-Glow's equation 11."""
        return self.towers.source_weight

    @property
    def towers(self) -> TwoTowersConfig:
        """The configuration."""
        assert isinstance(self.config, TwoTowersConfig)
        return self.config

    def level_params(self, encoding: Encoding, layout: Layout) -> list[LevelParams]:
        """Parameters of the target's levels from the source's encoding of a batch of layouts."""
        raise NotImplementedError

    def target_conditioners(self) -> nn.ModuleList:
        """What holds the actnorms of the target's levels."""
        raise NotImplementedError

    def learned(self, channels: tuple[int, ...]) -> nn.ModuleList:
        """Learned constants for the steps of every level."""
        config = self.towers
        return nn.ModuleList(
            Learned(k, c, self.rng, actnorm=config.actnorm, min_std=config.min_std)
            for k, c in zip(config.steps, channels, strict=True)
        )

    def params(self, layout: Layout, noise: Tensor | None = None) -> tuple[FlowConditions, Tensor]:
        """See `FlowGenerator.params`."""
        encoding = self.read_layout(layout, noise)
        levels = tuple(self.level_params(encoding, layout))
        values = self.planes_count * layout.size[0] * layout.size[1]
        source = encoding.log_prob + values * math.log(self.stretch)
        return FlowConditions(levels, len(layout)), source

    def plan(self, layout: Layout, noise: Tensor) -> Plan:
        """See `FlowGenerator.plan`."""
        x = dequantized(self.planes(layout), noise) * self.stretch
        return Plan(
            self.target_conditioners(),
            self.boundary_maps(layout),
            self.prior_features(layout),
            SourcePlan(self.source, self.source_params, x),
        )

    def prior_features(self, layout: Layout) -> Prior:
        """How the target's priors depend on the source; they do not."""
        return lambda number, source: None

    def read_layout(self, layout: Layout, noise: Tensor | None = None) -> Encoding:
        """The source flow's encoding of a batch of layouts, with its trace."""
        planes = self.planes(layout)
        if noise is None:
            noise = self.looked_at(layout).to(planes.device)
        x = dequantized(planes, noise) * self.stretch
        params = [learned() for learned in self.source_params]
        return self.source.encode(x, params, traced=True)

    def looked_at(self, layout: Layout) -> Tensor:
        """What dequantizes a layout's planes outside of training, (N, planes, H, W) in [0, 1)."""
        if self.towers.layout_noise == "none":
            return torch.zeros(len(layout), self.planes_count, *layout.size)
        return content_noise(layout, self.planes_count)

    def planes(self, layout: Layout) -> Tensor:
        """What the source flow sees: palette colours, or 255 in the plane of a pixel's class.

        Shapes:
            returns: (N, 3 or K, H, W) uint8.
        """
        if self.towers.source == "palette":
            return self.palette[layout.classes.long()].permute(0, 3, 1, 2)
        return class_planes(layout.classes, self.table.count) * 255

    def boundary_maps(self, layout: Layout) -> list[Tensor | None]:
        """The boundary map of every level, (N, boundary_planes, H, W), None where there is none."""
        config = self.towers
        count = len(config.steps)
        if config.boundary == "none":
            return [None] * count
        like = next(self.parameters())
        pyramid = boundaries.pyramid(
            layout.boundary.to(like), count, config.boundary, config.boundary_filter
        )
        return [m.expand(-1, config.boundary_planes, -1, -1) for m in pyramid]

    @torch.no_grad()
    def initialise(self, image: Tensor, layout: Layout, noise: Tensor) -> None:
        """See `FlowGenerator.initialise`; the source first, as the target reads its trace."""
        x = dequantized(self.planes(layout), noise) * self.stretch
        for number, learned in enumerate(self.source_params):
            assert isinstance(learned, Learned)
            _, x = initialised_level(self.source, number, x, learned(), learned)
        levels = self.params(layout, noise)[0].levels
        x = image * self.stretch
        for number, module in enumerate(self.target_conditioners()):
            conditioner = cast("HoldsActNorms", module)
            _, x = initialised_level(self.target, number, x, levels[number], conditioner)


def check_size(config: GlowConfig) -> None:
    """Refuses sizes that the levels cannot halve.

    Raises:
        ParamsError: names the next fitting sizes.
    """
    unit = 2 ** len(config.steps)
    if any(side % unit for side in config.size):
        lower = "x".join(str(max(unit, side // unit * unit)) for side in config.size)
        upper = "x".join(str(-(-side // unit) * unit) for side in config.size)
        raise ParamsError(
            f"size {config.size[0]}x{config.size[1]}: {len(config.steps)} levels need sides "
            f"divisible by {unit}; the next are {lower} and {upper}"
        )
