"""Full-Glow: a Glow of photographs, every operation conditioned on a Glow of layouts.

References:
    Sorkhei et al. 2021, "Full-Glow: Fully conditional Glow for more realistic image generation".
"""

from __future__ import annotations

from torch import nn

from augflow.core import seeding
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.flows.conditioners import HeadShape, TraceConditioner
from augflow.flows.glow import Encoding, Glow, GlowShape
from augflow.flows.params import LevelParams
from augflow.flows.plans import Prior
from augflow.generators.presets import FullGlowConfig
from augflow.generators.two_towers import TwoTowers


class FullGlow(TwoTowers):
    """Two towers of one depth; the source's trace makes all parameters of the target's steps."""

    def __init__(self, config: FullGlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds both towers.

        Raises:
            ParamsError: the size does not fit the number of levels.
        """
        levels = len(config.steps)
        maps = 0 if config.boundary == "none" else config.boundary_planes
        with seeding.torch_seeded(seed):
            super().__init__(config, table, seed)
            channels = GlowShape(3, config.steps, config.widths, (), ()).channels
            source_channels = self.source.shape.channels
            features = tuple(config.features or c for c in channels)
            priors = source_channels if config.prior == "source" else (0,) * levels
            self.target = Glow(
                GlowShape(
                    3, config.steps, config.widths, features, priors, config.edge, config.floor,
                    config.prior_bound,
                )
            )  # fmt: skip
            self.source_params = self.learned(source_channels)
            shape = HeadShape(
                config.head, config.head_convs, config.head_hidden, config.head_grid,
                config.head_bound,
            )  # fmt: skip
            self.conditioners = nn.ModuleList(
                TraceConditioner(
                    k, c, source_c + maps, hw, self.rng, shape=shape, width=config.condition_width,
                    features=f, strict_lu=config.strict_lu, actnorm=config.actnorm,
                    min_std=config.min_std,
                )
                for k, c, source_c, hw, f in zip(
                    config.steps, channels, source_channels, self.target.shape.sizes(config.size),
                    features, strict=True,
                )
            )  # fmt: skip

    def target_conditioners(self) -> nn.ModuleList:
        """See `TwoTowers.target_conditioners`."""
        return self.conditioners

    def prior_features(self, layout: Layout) -> Prior:
        """See `TwoTowers.prior_features`: what the source's level put out, if that is asked for."""
        assert isinstance(self.config, FullGlowConfig)
        if self.config.prior == "glow":
            return super().prior_features(layout)
        return lambda number, source: None if source is None else source.z

    def level_params(self, encoding: Encoding, layout: Layout) -> list[LevelParams]:
        """See `TwoTowers.level_params`."""
        assert isinstance(self.config, FullGlowConfig)
        maps = self.boundary_maps(layout)
        out = []
        for number, conditioner in enumerate(self.conditioners):
            trace = encoding.traces[number]
            params = conditioner(trace, maps[number])
            prior = trace.coupling[-1] if self.config.prior == "source" else None
            out.append(LevelParams(params.steps, prior))
        return out
