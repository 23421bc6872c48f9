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
from augflow.data.scenes import Layout
from augflow.flows.conditioners import CouplingConditioner, Learned
from augflow.flows.glow import Encoding, Glow, GlowShape
from augflow.flows.params import LevelParams
from augflow.generators.presets import TwoTowersConfig, shared
from augflow.generators.two_towers import TwoTowers


class CFlowConfig(TwoTowersConfig):
    """C-Flow; `features` are the channels of a coupling's condition, 0 for the level's own."""

    features: Annotated[int, Field(ge=0)] = 0


C_FLOW: dict[str, dict[str, Any]] = {
    "paper": {"size": (256, 256), "steps": (16,) * 4},
    "tiny": shared(CFlowConfig)["tiny"],
    "small": shared(CFlowConfig)["small"],
}


class CFlow(TwoTowers):
    """Two towers with standard normal bases; the source's couplings feed the target's."""

    def __init__(self, config: CFlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds both towers.

        Raises:
            ParamsError: the size does not fit the number of levels.
        """
        maps = 0 if config.boundary == "none" else config.boundary_planes
        with seeding.torch_seeded(seed):
            super().__init__(config, table, seed, source_prior="normal")
            channels = GlowShape(3, config.steps, config.widths, (), ()).channels
            source_channels = self.source.shape.channels
            features = tuple(config.features or c for c in channels)
            self.target = Glow(
                GlowShape(
                    3, config.steps, config.widths, features, (0,) * len(config.steps),
                    config.edge, config.floor, None, "normal",
                )
            )  # fmt: skip
            self.source_params = self.learned(source_channels)
            own = cast("list[Learned]", [*self.learned(channels)])
            self.conditioners = nn.ModuleList(
                CouplingConditioner(learned, k, c + maps, config.condition_width, f)
                for learned, k, c, f in zip(
                    own, config.steps, source_channels, features, strict=True
                )
            )

    def target_conditioners(self) -> nn.ModuleList:
        """See `TwoTowers.target_conditioners`."""
        return self.conditioners

    def level_params(self, encoding: Encoding, layout: Layout) -> list[LevelParams]:
        """See `TwoTowers.level_params`."""
        maps = self.boundary_maps(layout)
        return [
            conditioner(encoding.traces[number], maps[number])
            for number, conditioner in enumerate(self.conditioners)
        ]
