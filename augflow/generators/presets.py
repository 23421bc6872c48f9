"""What a flow generator is made of, and the named presets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from augflow.core.config import Count, Section, validate_section
from augflow.core.errors import ParamsError, suggest
from augflow.flows.conditioners import Learned
from augflow.flows.glow import GlowShape
from augflow.generators.base import misfit
from augflow.generators.mean import MEANS, MeanConfig

Size = tuple[Count, Count]


class GlowConfig(Section):
    """An unconditional Glow of photographs: the floor that a conditional flow must beat.

    `width` is the hidden width of the coupling networks, one number or one per level.
    `floor` bounds the coupling scale from below; with `scale_bound` its logarithm is kept within
    +-scale_bound instead, so that neither direction only expands. `actnorm` says whether its scale
    is learned raw (as the papers) or as a logarithm, `min_std` bounds its data-dependent initial
    value, `edge` is the padding of the zero convolutions, `prior_bound` bounds the priors' log
    standard deviation.
    """

    size: Size
    steps: tuple[Count, ...]
    width: Count | tuple[Count, ...] = 512
    floor: Annotated[float, Field(ge=0, lt=1)] = 0.0
    scale_bound: Annotated[float, Field(gt=0)] | None = None
    actnorm: Literal["raw", "log"] = "raw"
    min_std: Annotated[float, Field(gt=0)] = 1e-6
    edge: Literal["ones", "zeros"] = "ones"
    prior_bound: Annotated[float, Field(gt=0)] | None = None

    @property
    def widths(self) -> tuple[int, ...]:
        """The coupling networks' width at each level."""
        return self.width if isinstance(self.width, tuple) else (self.width,) * len(self.steps)

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels inside each level of a flow of photographs."""
        return self.tower(3).channels

    def tower(self, inputs: int, **changes: Any) -> GlowShape:
        """The shape of a tower of so many channels that reads no condition, but for `changes`."""
        none = (0,) * len(self.steps)
        shape = GlowShape(
            inputs,
            self.steps,
            self.widths,
            none,
            none,
            self.edge,
            self.floor,
            self.prior_bound,
            scale_bound=self.scale_bound,
        )
        return replace(shape, **changes)

    def constants(self, channels: Sequence[int], rng: torch.Generator) -> nn.ModuleList:
        """Learned constants for the steps of every level of so many channels."""
        return nn.ModuleList(
            Learned(steps, c, rng, self.actnorm, self.min_std)
            for steps, c in zip(self.steps, channels, strict=True)
        )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.widths) != len(self.steps):
            raise ValueError(f"width has {len(self.widths)} entries for {len(self.steps)} levels")
        if fault := misfit(self.size, 2 ** len(self.steps), f"{len(self.steps)} levels"):
            raise ValueError(fault)
        return self


class TwoTowersConfig(GlowConfig, MeanConfig):
    """What the two-tower systems have in common.

    `source`: the source flow sees palette colours (3 planes) or one plane per class. `boundary`:
    the version of boundary map that every conditioning network gets, repeated to `boundary_planes`,
    made smaller by `boundary_filter` (the paper's is bilinear, its authors' code differs).
    `condition_width` is the hidden width of networks that make features of the source.
    `source_weight` is lambda of Full-Glow's equation 11. `pixels`: the flows see an 8-bit value k
    as (k + u) / 256 (`bins`) or as (k + u) / 255 (`unit`, as the authors' code). `layout_noise`: u
    of a layout outside of training is a function of its `content`, or 0 (`none`, as their code).
    """

    source: Literal["palette", "one_hot"] = "palette"
    source_width: Count = 512
    boundary: Literal["none", "v1", "v2"] = "none"
    boundary_planes: Count = 3
    boundary_filter: Literal["bilinear", "bicubic", "nearest"] = "bilinear"
    condition_width: Count = 128
    source_weight: Annotated[float, Field(ge=0)] = 1e-4
    pixels: Literal["bins", "unit"] = "bins"
    layout_noise: Literal["content", "none"] = "content"


class FullGlowConfig(TwoTowersConfig):
    """Full-Glow. Defaults are the paper's, as its authors' code and its parameter counts have them.

    `head`: `flat` conditioning networks fit one size, `pooled` ones any; `strict_lu` emits only the
    entries of L and U that are used. `features`: channels of the coupling's condition, `0` for as
    many as the level has. `prior`: `glow` leaves the priors unconditional, `source` hands them the
    source's output of their level.
    """

    head: Literal["flat", "pooled"] = "flat"
    head_convs: tuple[Count, Count, Count] = (8, 4, 2)
    head_hidden: tuple[Count, Count, Count] = (32, 64, 48)
    head_grid: Count = 4
    head_bound: Annotated[float, Field(gt=0)] | None = None
    strict_lu: bool = False
    features: Annotated[int, Field(ge=0)] = 0
    prior: Literal["glow", "source"] = "glow"


_PAPER: dict[str, Any] = {"size": (256, 256)}
_WITH_MAPS: dict[str, Any] = {**_PAPER, "boundary": "v1"}
_OURS: dict[str, Any] = {
    "source": "one_hot",
    "boundary": "v1",
    "boundary_planes": 1,
    "head": "pooled",
    "head_bound": 1.5,
    "strict_lu": True,
    "scale_bound": 0.7,
    "actnorm": "log",
    "min_std": 0.02,
    "prior": "source",
    "prior_bound": 3.0,
    "source_weight": 0.05,
}

FULL_GLOW: dict[str, dict[str, Any]] = {
    # the paper's table 3; there is no configuration G
    "config_a": {**_PAPER, "steps": (16,) * 4},
    "config_b": {**_WITH_MAPS, "steps": (16,) * 4},
    "config_c": {**_WITH_MAPS, "steps": (16,) * 4, "boundary": "v2"},
    "config_d": {**_PAPER, "steps": (24,) * 5},
    "config_e": {**_PAPER, "steps": (40, 30, 20, 20, 10)},
    "config_f": {**_PAPER, "steps": (30,) * 4},
    "config_h": {**_PAPER, "steps": (40,) * 3},
    "high_res": {**_WITH_MAPS, "size": (512, 1024), "steps": (10,) * 4},
    # ours: bounded scales, resolution-free conditioning, a narrow source flow, a learned mean
    "tiny": {
        **_OURS, "size": (48, 72), "steps": (4, 6, 6), "features": 12,
        "width": (48, 64, 96), "source_width": 24, "condition_width": 24, **MEANS["tiny"],
    },
    "small": {
        **_OURS, "size": (64, 96), "steps": (4, 8, 8, 4), "features": 16,
        "width": (64, 128, 128, 128), "source_width": 32, "condition_width": 32,
        **MEANS["small"],
    },
    "medium": {
        **_OURS, "size": (128, 128), "steps": (8, 12, 12, 8), "features": 16,
        "width": (96, 160, 192, 256), "source_width": 32, "condition_width": 32,
        **MEANS["medium"],
    },
}  # fmt: skip


def full_glow_presets(config: type[Section]) -> dict[str, dict[str, Any]]:
    """Full-Glow's presets as far as another system has the same fields: equal depth and width."""
    return {
        name: {key: value for key, value in preset.items() if key in config.model_fields}
        for name, preset in FULL_GLOW.items()
    }


GLOW = full_glow_presets(GlowConfig)


def make_config(
    config: type[Section],
    presets: dict[str, dict[str, Any]],
    preset: str,
    overrides: dict[str, Any],
) -> Any:
    """The configuration of a preset with some values replaced.

    Raises:
        ParamsError: no such preset, no such field, or a value out of range.
    """
    if preset not in presets:
        raise ParamsError(f"no preset {preset!r}; {suggest(preset, sorted(presets))}")
    return validate_section(config, {**presets[preset], **overrides}, f"preset {preset}")
