"""Full-Glow: a Glow of photographs, every operation conditioned on a Glow of layouts.

References:
    Sorkhei et al. 2021, "Full-Glow: Fully conditional Glow for more realistic image generation".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from augflow import boundaries, seeds
from augflow.classes import ClassTable
from augflow.errors import ParamsError
from augflow.flows.conditional import (
    FlowConditions,
    FlowGenerator,
    content_noise,
    initialised_level,
)
from augflow.flows.conditioners import HeadShape, Learned, LevelParams, TraceConditioner
from augflow.flows.density import dequantized
from augflow.flows.glow import Encoding, Glow, GlowShape
from augflow.generators.presets import FullGlowConfig, GlowConfig
from augflow.scenes import Layout
from augflow.synthesizer import class_planes


class FullGlow(FlowGenerator):
    """Two towers of one depth; the source's trace makes all parameters of the target's steps."""

    def __init__(self, config: FullGlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds both towers.

        Raises:
            ParamsError: the size does not fit the number of levels.
        """
        super().__init__()
        check_size(config)
        self.config, self.table = config, table
        rng = torch.Generator().manual_seed(seeds.derive(seed, "rotations") % 2**63)
        levels = len(config.steps)
        planes = 3 if config.source == "palette" else table.count
        maps = 0 if config.boundary == "none" else config.boundary_planes
        self.palette: Tensor
        self.register_buffer("palette", torch.from_numpy(table.palette.copy()), persistent=False)
        with seeds.torch_seeded(seed):
            self.source = Glow(
                GlowShape(
                    planes, config.steps, (config.source_width,) * levels, (0,) * levels,
                    (0,) * levels,
                    config.edge, config.floor, config.prior_bound,
                )
            )  # fmt: skip
            channels = GlowShape(3, config.steps, config.widths, (), ()).channels
            source_channels = self.source.shape.channels
            features = tuple(config.features or c for c in channels)
            priors = source_channels if config.prior == "source" else (0,) * levels
            self.target = Glow(
                GlowShape(
                    3,
                    config.steps,
                    config.widths,
                    features,
                    priors,
                    config.edge,
                    config.floor,
                    config.prior_bound,
                )
            )
            self.source_params = nn.ModuleList(
                Learned(k, c, rng, actnorm=config.actnorm, min_std=config.min_std)
                for k, c in zip(config.steps, source_channels, strict=True)
            )
            shape = HeadShape(
                config.head, config.head_convs, config.head_hidden, config.head_grid,
                config.head_bound,
            )  # fmt: skip
            self.conditioners = nn.ModuleList(
                TraceConditioner(
                    k, c, source_c + maps, hw, rng, shape=shape, width=config.condition_width,
                    features=f, strict_lu=config.strict_lu, actnorm=config.actnorm,
                    min_std=config.min_std,
                )
                for k, c, source_c, hw, f in zip(
                    config.steps, channels, source_channels, self.target.shape.sizes(config.size),
                    features, strict=True,
                )
            )  # fmt: skip

    @property
    def planes_count(self) -> int:
        """See `FlowGenerator.planes_count`."""
        return self.source.shape.inputs

    @property
    def source_weight(self) -> float:
        """Lambda of equation 11."""
        return self._config.source_weight

    def params(self, layout: Layout, noise: Tensor | None = None) -> tuple[FlowConditions, Tensor]:
        """See `FlowGenerator.params`."""
        encoding = self.read_layout(layout, noise)
        levels = tuple(self._level_params(encoding, layout))
        return FlowConditions(levels, len(layout)), encoding.log_prob

    def read_layout(self, layout: Layout, noise: Tensor | None = None) -> Encoding:
        """The source flow's encoding of a batch of layouts, with its trace."""
        planes = self.planes(layout)
        if noise is None:
            noise = content_noise(layout, planes.shape[1]).to(planes.device)
        x = dequantized(planes, noise)
        params = [learned() for learned in self.source_params]
        return self.source.encode(x, params, traced=True)

    def planes(self, layout: Layout) -> Tensor:
        """What the source flow sees: palette colours, or 255 in the plane of a pixel's class.

        Shapes:
            returns: (N, 3 or K, H, W) uint8.
        """
        classes = layout.classes.long()
        if self._config.source == "palette":
            return self.palette[classes].permute(0, 3, 1, 2)
        return class_planes(classes, self.table.count) * 255

    def initialise(self, image: Tensor, layout: Layout, noise: Tensor) -> None:
        """See `FlowGenerator.initialise`; the source first, as the target reads its trace."""
        x = dequantized(self.planes(layout), noise)
        for number, learned in enumerate(self.source_params):
            assert isinstance(learned, Learned)
            _, x = initialised_level(self.source, number, x, learned(), learned)
        levels = self.params(layout, noise)[0].levels
        x = image
        for number, conditioner in enumerate(self.conditioners):
            assert isinstance(conditioner, TraceConditioner)
            _, x = initialised_level(self.target, number, x, levels[number], conditioner)

    @property
    def _config(self) -> FullGlowConfig:
        assert isinstance(self.config, FullGlowConfig)
        return self.config

    def _level_params(self, encoding: Encoding, layout: Layout) -> list[LevelParams]:
        config = self._config
        count = len(config.steps)
        maps: list[Tensor | None] = [None] * count
        if config.boundary != "none":
            like = encoding.log_prob
            pyramid = boundaries.pyramid(layout.boundary.to(like), count, config.boundary)
            maps = [m.expand(-1, config.boundary_planes, -1, -1) for m in pyramid]
        out = []
        for number, conditioner in enumerate(self.conditioners):
            trace = encoding.traces[number]
            params = conditioner(trace, maps[number], self.target.levels[number].nets)
            prior = trace.coupling[-1] if config.prior == "source" else None
            out.append(LevelParams(params.steps, prior))
        return out


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
