"""Dual-Glow: the source flow's latents set the Gaussians of the target's latents, level by level.

References:
    Sun et al. 2019, "DUAL-GLOW: Conditional flow-based generative model for modality transfer", as
    Full-Glow, section 3, and CAFLOW, section 3.1 and equation 6, describe it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.config import Count
from augflow.core.seeding import Noise
from augflow.data.classes import ClassTable
from augflow.flows.glow import Glow, PriorKind
from augflow.generators.likelihood import FlowConditions
from augflow.generators.presets import TwoTowersConfig, full_glow_presets
from augflow.generators.two_towers import TwoTowers


class DualGlowConfig(TwoTowersConfig):
    """Dual-Glow.

    `prior`: mean and scale of the target's latents are functions of the source's (`mean_and_scale`,
    as the paper says) or the mean alone, through one 5x5 convolution, and the scale is 1 (`mean`,
    as the released code does). `prior_features` are the channels handed to the priors.
    `fixed_temperature` is used whatever is asked for: the released sampler has 0.7 in its code.
    """

    prior: Literal["mean_and_scale", "mean"] = "mean_and_scale"
    prior_features: Count = 64
    fixed_temperature: Annotated[float, Field(ge=0, le=2)] | None = None


_DEEP: dict[str, Any] = {"size": (256, 256), "steps": (16,) * 4}
_RELEASED: dict[str, Any] = {"prior": "mean", "fixed_temperature": 0.7, "source_weight": 1e-3}

DUAL_GLOW: dict[str, dict[str, Any]] = {
    "paper": _DEEP,
    "released": {**_DEEP, **_RELEASED},
    "tiny": {**full_glow_presets(DualGlowConfig)["tiny"], "prior": "mean_and_scale"},
    "small": {**full_glow_presets(DualGlowConfig)["small"], "prior": "mean_and_scale"},
    # the released priors and sampler on our own small towers
    "released_tiny": {**full_glow_presets(DualGlowConfig)["tiny"], **_RELEASED},
    "released_small": {**full_glow_presets(DualGlowConfig)["small"], **_RELEASED},
}


class DualGlow(TwoTowers):
    """Two unconditional towers joined at their latents: p(z_target | z_source), level by level."""

    config: DualGlowConfig

    def __init__(self, config: DualGlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds both towers and the networks between their latents."""
        levels = len(config.steps)
        maps = 0 if config.boundary == "none" else config.boundary_planes
        with seeding.torch_seeded(seed):
            super().__init__(config, table, seed, source_prior="normal")
            latents = [shape[0] for shape in config.tower(3).latents(config.size)]
            sources = [shape[0] + maps for shape in self.source.shape.latents(config.size)]
            only_mean = config.prior == "mean"
            handed = tuple(latents) if only_mean else (config.prior_features,) * levels
            kind: PriorKind = "mean" if only_mean else "features"
            self.target = Glow(config.tower(3, prior_features=handed, prior=kind))
            self.bridges = nn.ModuleList(
                nn.Conv2d(source, out, 5, padding=2, bias=False)
                if only_mean
                else _Bridge(source, config.condition_width, out)
                for source, out in zip(sources, handed, strict=True)
            )
            self.source_params = config.constants(self.source.shape.channels, self.rng)
            self.target_params = config.constants(self.target.shape.channels, self.rng)

    def target_conditioners(self) -> nn.ModuleList:
        """See `TwoTowers.target_conditioners`."""
        return self.target_params

    def prior_features(
        self, number: int, z: Tensor, latents: Tensor, edges: Tensor | None
    ) -> Tensor:
        """See `TwoTowers.prior_features`: functions of the source's latents."""
        known = latents if edges is None else torch.cat([latents, edges], 1)
        return F.leaky_relu(self.bridges[number](known)).to(latents.dtype)

    @torch.no_grad()
    def sample(self, conditions: FlowConditions, noise: Noise, temperature: float = 1.0) -> Tensor:
        """See `Generator.sample`; `fixed_temperature` overrules the one that is asked for."""
        fixed = self.config.fixed_temperature
        return super().sample(conditions, noise, temperature if fixed is None else fixed)


class _Bridge(nn.Sequential):
    """Three convolutions from a level's source latents to features of its target's prior."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, outputs, 3, padding=1),
        )
