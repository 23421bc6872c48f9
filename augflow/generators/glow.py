"""An unconditional Glow: it ignores the layout, and so is the floor of conditional likelihood.

References:
    Kingma and Dhariwal 2018, "Glow: Generative flow with invertible 1x1 convolutions".
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from augflow.core import seeding
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.flows.glow import Glow as Tower
from augflow.flows.glow import Plan
from augflow.generators.base import Likelihood
from augflow.generators.likelihood import FlowGenerator
from augflow.generators.presets import GlowConfig


class Glow(FlowGenerator):
    """One tower with learned constants, of the same shape as Full-Glow's target."""

    likelihood: ClassVar[Likelihood] = "unconditional"

    def __init__(self, config: GlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds the tower."""
        super().__init__()
        self.config, self.table = config, table
        rng = seeding.torch_generator(seed, "rotations")
        shape = config.tower(3, prior_features=self.prior_features(config, table))
        with seeding.torch_seeded(seed):
            self.target = Tower(shape)
            self.target_params = config.constants(shape.channels, rng)

    @staticmethod
    def prior_features(config: GlowConfig, table: ClassTable) -> tuple[int, ...]:
        """Channels of features that each level's prior reads: none, the layout is ignored."""
        return (0,) * len(config.steps)

    def plan(self, layout: Layout, noise: Tensor | None = None) -> Plan:
        """See `FlowGenerator.plan`; the layout is ignored."""
        return Plan(self.target_params, [None] * len(self.target_params))
