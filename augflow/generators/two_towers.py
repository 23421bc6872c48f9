"""What the two-tower systems share: a flow of layouts beside the flow of photographs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from augflow.core import seeding
from augflow.data import boundaries
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.flows.density import dequantize
from augflow.flows.glow import Glow, Plan, PriorKind, Source
from augflow.generators.likelihood import FlowGenerator, content_noise
from augflow.generators.presets import TwoTowersConfig

UNIT = 256 / 255
"""The stretch under which 8-bit value k is k / 255."""


class TwoTowers(FlowGenerator):
    """Two Glows of one depth; what the source makes of a layout conditions the target.

    Subclasses make `target`, its `target_conditioners` and `source_params` (the source's learned
    constants), and say what the target's priors read of the source (`prior_features`).
    """

    config: TwoTowersConfig
    source_params: nn.ModuleList
    conditioners: nn.ModuleList

    def __init__(
        self,
        config: TwoTowersConfig,
        table: ClassTable,
        seed: int,
        source_prior: PriorKind = "learned",
    ) -> None:
        """Builds the source tower."""
        super().__init__()
        self.config, self.table = config, table
        self.rng = seeding.torch_generator(seed, "rotations")
        self.hold_palette()
        self.hold_mean(config, seed)
        planes = 3 if config.source == "palette" else table.count
        widths = (config.source_width,) * len(config.steps)
        self.source = Glow(config.tower(planes, widths=widths, prior=source_prior))

    @property
    def stretch(self) -> float:
        """See `FlowGenerator.stretch`."""
        return UNIT if self.config.pixels == "unit" else 1.0

    @property
    def planes_count(self) -> int:
        """See `FlowGenerator.planes_count`."""
        return self.source.shape.inputs

    @property
    def source_weight(self) -> float:
        """Lambda of Full-Glow's equation 11."""
        return self.config.source_weight

    def target_conditioners(self) -> nn.ModuleList:
        """What makes the parameters of the target's levels."""
        return self.conditioners

    def prior_features(
        self, number: int, z: Tensor, latents: Tensor, edges: Tensor | None
    ) -> Tensor | None:
        """What a prior of the target reads; nothing.

        Of the source's level it is given what it put out, `z` (N, C, H, W), its latents, and the
        boundary map there, if there is one.
        """
        return None

    def plan(self, layout: Layout, noise: Tensor | None = None) -> Plan:
        """See `FlowGenerator.plan`."""
        planes, maps = self.source_planes(layout), self.boundary_maps(layout)
        if noise is None:
            noise = self.looked_at(layout).to(planes.device)

        def prior(number: int, z: Tensor | None, latents: Tensor | None) -> Tensor | None:
            assert z is not None
            assert latents is not None
            return self.prior_features(number, z, latents, maps[number])

        x = dequantize(planes, noise) * self.stretch
        source = Source(self.source, self.source_params, x)
        return Plan(self.target_conditioners(), maps, prior, source)

    def looked_at(self, layout: Layout) -> Tensor:
        """What dequantizes a layout's planes outside of training, (N, planes, H, W) in [0, 1)."""
        if self.config.layout_noise == "none":
            return torch.zeros(len(layout), self.planes_count, *layout.size)
        return content_noise(layout, self.planes_count)

    def boundary_maps(self, layout: Layout) -> list[Tensor | None]:
        """The boundary map of every level, (N, boundary_planes, H, W), None where there is none."""
        config = self.config
        count = len(config.steps)
        if config.boundary == "none":
            return [None] * count
        like = next(self.parameters())
        pyramid = boundaries.pyramid(
            layout.boundary.to(like), count, config.boundary, config.boundary_filter
        )
        return [m.expand(-1, config.boundary_planes, -1, -1) for m in pyramid]
