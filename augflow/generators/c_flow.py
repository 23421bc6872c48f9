"""C-Flow: two Glows side by side; the source's steps condition the target's couplings alone.

References:
    Pumarola et al. 2020, "C-Flow: Conditional generative flow models for images and 3D point
    clouds", as Full-Glow, section 3, describes it; no code of its authors is public.
"""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import Field
from torch import nn

from augflow.core import seeding
from augflow.data.classes import ClassTable
from augflow.flows.conditioners import CouplingConditioner, Learned
from augflow.flows.glow import Glow
from augflow.generators.presets import TwoTowersConfig, full_glow_presets
from augflow.generators.two_towers import TwoTowers


class CFlowConfig(TwoTowersConfig):
    """C-Flow; `features` are the channels of a coupling's condition, 0 for the level's own."""

    features: Annotated[int, Field(ge=0)] = 0


C_FLOW: dict[str, dict[str, Any]] = {
    "paper": {"size": (256, 256), "steps": (16,) * 4},
    "tiny": full_glow_presets(CFlowConfig)["tiny"],
    "small": full_glow_presets(CFlowConfig)["small"],
}


class CFlow(TwoTowers):
    """Two towers with standard normal bases; the source's couplings feed the target's."""

    def __init__(self, config: CFlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds both towers."""
        maps = 0 if config.boundary == "none" else config.boundary_planes
        with seeding.torch_seeded(seed):
            super().__init__(config, table, seed, source_prior="normal")
            channels, source_channels = config.channels, self.source.shape.channels
            features = tuple(config.features or c for c in channels)
            shape = config.tower(3, features=features, prior_bound=None, prior="normal")
            self.target = Glow(shape)
            self.source_params = config.constants(source_channels, self.rng)
            own = cast("list[Learned]", [*config.constants(channels, self.rng)])
            self.conditioners = nn.ModuleList(
                CouplingConditioner(learned, k, c + maps, config.condition_width, f)
                for learned, k, c, f in zip(
                    own, config.steps, source_channels, features, strict=True
                )
            )
