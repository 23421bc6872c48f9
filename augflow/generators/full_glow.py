"""Full-Glow: a Glow of photographs, every operation conditioned on a Glow of layouts.

References:
    Sorkhei et al. 2021, "Full-Glow: Fully conditional Glow for more realistic image generation".
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from augflow.core import seeding
from augflow.data.classes import ClassTable
from augflow.flows.conditioners import HeadShape, TraceConditioner
from augflow.flows.glow import Glow
from augflow.generators.presets import FullGlowConfig
from augflow.generators.two_towers import TwoTowers


class FullGlow(TwoTowers):
    """Two towers of one depth; the source's trace makes all parameters of the target's steps."""

    config: FullGlowConfig

    def __init__(self, config: FullGlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds both towers."""
        maps = 0 if config.boundary == "none" else config.boundary_planes
        with seeding.torch_seeded(seed):
            super().__init__(config, table, seed)
            channels, source_channels = config.channels, self.source.shape.channels
            features = tuple(config.features or c for c in channels)
            tower = config.tower(3, features=features)
            if config.prior == "source":
                tower = replace(tower, prior_features=source_channels)
            self.target = Glow(tower)
            self.source_params = config.constants(source_channels, self.rng)
            shape = HeadShape(
                config.condition_width,
                config.actnorm,
                config.min_std,
                config.strict_lu,
                config.head,
                config.head_convs,
                config.head_hidden,
                config.head_grid,
                config.head_bound,
            )
            sizes, inputs = tower.sizes(config.size), [c + maps for c in source_channels]
            levels = zip(config.steps, channels, features, inputs, sizes, strict=True)
            self.conditioners = nn.ModuleList(
                TraceConditioner(shape, *level, self.rng) for level in levels
            )

    def prior_features(
        self, number: int, z: Tensor, latents: Tensor, edges: Tensor | None
    ) -> Tensor | None:
        """See `TwoTowers.prior_features`: what the source's level put out, if it is asked for."""
        return z if self.config.prior == "source" else None
