"""C-Glow as the Full-Glow paper uses it: photographs from layouts.

References:
    Lu and Huang 2020, "Structured output learning with conditional generative flows" (c-Glow);
    Full-Glow, section 5.1 and appendix D, for versions 1 and 2.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.flows.glow import Glow, Plan
from augflow.generators.likelihood import FlowGenerator, standardize
from augflow.generators.mean import MEANS, MeanConfig
from augflow.generators.raw_glow import RELEASED, REPAIRED, RawGlow, RawGlowConfig


class CondGlowConfig(RawGlowConfig, MeanConfig):
    """C-Glow for photographs.

    `source`: the conditioning networks see palette colours (3 planes) or one plane per class, in
    [0, 1]. `boundary`: whether they see the boundary map too.
    """

    source: Literal["palette", "one_hot"] = "palette"
    boundary: Literal["none", "plane"] = "none"


_V1: dict[str, Any] = {
    "size": (256, 256), "steps": (8,) * 3, "width": 104, "conv_channels": 52, "linear_width": 26,
}  # fmt: skip
_V2: dict[str, Any] = {
    "size": (256, 256), "steps": (16,) * 4, "width": 512, "conv_channels": 20, "linear_width": 10,
}  # fmt: skip
_OURS: dict[str, Any] = {**REPAIRED, "source": "one_hot", "boundary": "plane"}
_TINY: dict[str, Any] = {
    "size": (48, 72), "steps": (4, 6, 6), "width": (48, 64, 96), "conv_channels": 32,
    "linear_width": 32,
}  # fmt: skip

C_GLOW: dict[str, dict[str, Any]] = {
    # the c-Glow paper's section 5.1
    "paper": {"size": (256, 256), "steps": (8,) * 3},
    # the authors' code, at version 1's numbers
    "released": {**RELEASED, **_V1},
    # the Full-Glow paper's versions 1 and 2, repaired
    "v1": {**_OURS, **_V1},
    "v2": {**_OURS, **_V2},
    # version 1 is the shallower flow with the wider conditioning networks
    "v1_tiny": {**_OURS, **_TINY, **MEANS["tiny"]},
    "v2_tiny": {
        **_OURS, **_TINY, "steps": (6, 10, 10), "conv_channels": 8, "linear_width": 10,
        **MEANS["tiny"],
    },
    "released_tiny": {**RELEASED, **_TINY},
    "v1_small": {
        **_OURS, "size": (64, 96), "steps": (4, 6, 6), "width": (64, 128, 128),
        "conv_channels": 24, "linear_width": 32, **MEANS["small"],
    },
    "v2_small": {
        **_OURS, "size": (64, 96), "steps": (4, 8, 8, 4), "width": (64, 128, 128, 128),
        "conv_channels": 8, "linear_width": 12, **MEANS["small"],
    },
}  # fmt: skip


class CondGlow(FlowGenerator):
    """One tower; networks that read the raw layout make all parameters of its steps."""

    config: CondGlowConfig

    def __init__(self, config: CondGlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds tower and conditioning networks."""
        super().__init__()
        self.config, self.table = config, table
        self.hold_palette()
        planes = 3 if config.source == "palette" else table.count
        self.raw = RawGlow(config, 3, planes + (config.boundary == "plane"), seed)
        self.hold_mean(config, seed)

    @property
    def target(self) -> Glow:  # type: ignore[override]
        """See `FlowGenerator.target`."""
        return self.raw.tower

    def plan(self, layout: Layout, noise: Tensor | None = None) -> Plan:
        """See `FlowGenerator.plan`; the networks see planes in [0, 1]."""
        return self.raw.plan(self._planes(layout))

    def initialise(self, image: Tensor, layout: Layout, noise: Tensor) -> None:
        """See `LikelihoodGenerator.initialise`."""
        image = standardize(image, self.mean(layout) if self.mean else None)
        self.raw.initialise(image, self._planes(layout))

    def _planes(self, layout: Layout) -> Tensor:
        like = next(self.parameters())
        planes = self.source_planes(layout).to(like) / 255
        if self.config.boundary == "none":
            return planes
        return torch.cat([planes, layout.boundary[:, None].to(like)], 1)
