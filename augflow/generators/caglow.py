"""CAGlow: an unconditional Glow, and an encoder of layouts, light and codes into its latents.

References:
    Liu et al. 2019, "Conditional Adversarial Generative Flow for Controllable Image Synthesis".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.special import ndtr, ndtri

from augflow.core import seeding
from augflow.core.config import Count, Section
from augflow.core.errors import ParamsError, nearest
from augflow.data.attributes import LIGHT, STATES, light, terciles
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.flows.glow import drawn
from augflow.generators.base import class_planes
from augflow.generators.caglow_encoder import LatentEncoder, Told
from augflow.generators.caglow_supervision import SupervisionBlock
from augflow.generators.glow import Glow
from augflow.generators.likelihood import FlowConditions
from augflow.generators.presets import GLOW, GlowConfig

Weight = Annotated[float, Field(ge=0)]


class Lambdas(Section):
    """The weights of equation 15; the flow's is 1, as it learns by itself.

    `latents` is that of a term of our own: the likelihood of real latents under the encoder.
    """

    encoder: Weight = 1.0
    discriminator: Weight = 1.0
    classifier: Weight = 1.0
    decoder: Weight = 1.0
    matching: Weight = 1.0
    latents: Weight = 0.0

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of losses, by name."""
        weights = self.model_dump()
        return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


class CAGlowConfig(GlowConfig):
    """CAGlow on layouts: the flow's fields, then those of encoder and supervision block.

    `flow_share` is the share of all steps in which the flow learns. `codes` is the number of
    unsupervised codes. `encoder_widths` and `block_widths` have a number per level, the finest
    first. `spectral` keeps the block's trunk at spectral norm 1.
    """

    flow_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    codes: Count = 4
    encoder_widths: tuple[Count, ...]
    block_widths: tuple[Count, ...]
    spectral: bool = False
    weights: Lambdas = Lambdas()

    @model_validator(mode="after")
    def _has_a_width_per_level(self) -> Self:
        for name in ("encoder_widths", "block_widths"):
            widths = getattr(self, name)
            if len(widths) != len(self.steps):
                raise ValueError(f"{name} has {len(widths)} entries for {len(self.steps)} levels")
        return self


_OURS: dict[str, Any] = {
    "spectral": True,
    "weights": {
        "encoder": 0.02, "classifier": 0.1, "decoder": 0.1, "matching": 0.1, "latents": 1.0,
    },
}  # fmt: skip
CAGLOW: dict[str, dict[str, Any]] = {
    # Glow 3x32 for 64x64 (section 4.1); channels as far as they mean something for layouts
    "paper": {
        "size": (64, 64), "steps": (32,) * 3, "width": 512, "encoder_widths": (48, 512, 128),
        "block_widths": (64, 128, 128),
    },
    "tiny": {
        **GLOW["tiny"], **_OURS, "encoder_widths": (32, 48, 64), "block_widths": (24, 32, 48),
    },
    "small": {
        **GLOW["small"], **_OURS, "encoder_widths": (32, 48, 64, 96),
        "block_widths": (24, 32, 48, 64),
    },
}  # fmt: skip


@dataclass(frozen=True)
class LatentConditions(FlowConditions):
    """The flow's parameters, what the encoder read of layouts, and how likely each light is.

    Shapes:
        maps: one (N, width, h, w) per level.
        shares: (N, 3), of each of `STATES`.
    """

    maps: tuple[Tensor, ...]
    shares: Tensor

    def rows(self, rows: Sequence[int]) -> LatentConditions:
        """The conditions of some layouts; a layout may be taken several times."""
        index = torch.as_tensor(list(rows), device=self.shares.device)
        maps = tuple(part[index] for part in self.maps)
        levels = tuple(level.rows(rows) for level in self.levels)
        return LatentConditions(levels, len(rows), maps, self.shares[index])


class CAGlow(Glow):
    """Photographs are F^-1(E(layout, light, codes, noise)); their likelihood is the flow's alone.

    Its latents are the noise of every level, the codes, and the rank of the light, all as standard
    normal numbers: a code is uniform in (-1, 1) after the normal's distribution function, the light
    is that of the same quantile among the training photographs. At temperature 0 the light is the
    median one and every code is in the middle.

    `encode` and `decode` are the flow's, which knows no layout: latents `z` that are carried into
    another layout give the photograph as it was. `encode_noise` undoes the encoder, so noise that
    is carried over follows the new layout.
    """

    attributes: ClassVar[tuple[str, ...]] = LIGHT
    learner: ClassVar[str] = "latent_adversarial"

    def __init__(self, config: CAGlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds flow, encoder and supervision block.

        Raises:
            ParamsError: the size does not fit the number of levels.
        """
        super().__init__(config, table, seed)
        shapes = self.target.shape.latents(config.size)
        with seeding.torch_seeded(seeding.derive(seed, "encoder") % 2**63):
            self.encoder = LatentEncoder(
                table.count + 1, len(LIGHT) + config.codes, shapes, config.encoder_widths
            )
        with seeding.torch_seeded(seeding.derive(seed, "block") % 2**63):
            self.block = SupervisionBlock(
                shapes, config.block_widths, classes=table.count, attributes=len(LIGHT),
                codes=config.codes, spectral=config.spectral,
            )  # fmt: skip
        self.thresholds: Tensor
        self.shares: Tensor
        self.states: Tensor
        self.register_buffer("thresholds", torch.tensor([1 / 3, 2 / 3]))
        self.register_buffer("shares", torch.full((3,), 1 / 3))
        self.register_buffer("states", torch.tensor(STATES), persistent=False)

    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """See `Generator.latent_shapes`: noise of each level, codes, the light's rank."""
        return (*super().latent_shapes(), (self._config.codes,), (1,))

    @torch.no_grad()
    def condition(
        self, layout: Layout, attributes: Mapping[str, bool] | None = None
    ) -> LatentConditions:
        """All that depends on the layouts alone; light that is not settled is drawn when sampling.

        Args:
            layout: the layouts.
            attributes: which of `LIGHT` the photographs shall have or not have.

        Raises:
            DataError: the layouts are not of the generator's size.
            ParamsError: an attribute is unknown, or they exclude each other.
        """
        self.check_size(layout)
        flow = self.params(layout)[0].prepared(self.target)
        shares = self._shares(attributes or {}).expand(len(layout), -1)
        maps = self.encoder.read(self._planes(layout))
        return LatentConditions(flow.levels, flow.count, maps, shares)

    def paint(self, latents: Sequence[Tensor], conditions: Any) -> Tensor:
        """See `Generator.paint`."""
        *noise, codes, rank = latents
        told = Told(conditions.maps, self._state(rank, conditions.shares), 2 * ndtr(codes) - 1)
        return self._decoded(drawn(self.encoder(noise, told)), conditions)

    @torch.no_grad()
    def encode_noise(self, image: Tensor, conditions: Any) -> tuple[Tensor, ...]:
        """The noise, codes and light that `paint` makes photographs from, (N, 3, H, W) in [0, 1].

        The light is measured, the codes are what the decoder reads in the latents; noise makes up
        for both.
        """
        latents = self.target.encode(image, conditions.levels).noise
        rank = self._rank(self.light_of(image), conditions.shares)
        codes = self.block(latents).codes.clamp(-0.95, 0.95)
        back = ndtri((codes + 1) / 2)
        told = Told(conditions.maps, self._state(rank, conditions.shares), 2 * ndtr(back) - 1)
        return (*self.encoder.inverse(latents, told), back, rank)

    @torch.no_grad()
    def measure_light(self, image: Tensor) -> None:
        """Sets where dark ends and bright begins, and how many photographs are what.

        Shapes:
            image: (N, 3, H, W), the training photographs.
        """
        self.thresholds.copy_(terciles(image))
        which = self.light_of(image) @ torch.tensor([-1.0, 1.0]).to(self.thresholds)
        counts = torch.stack([(which == state).sum() for state in (-1, 0, 1)])
        self.shares.copy_(counts / len(image))

    def light_of(self, image: Tensor) -> Tensor:
        """Whether photographs are dark, and whether they are bright, (N, 2) of 0 and 1."""
        return light(image, self.thresholds).to(self.thresholds)

    @torch.no_grad()
    def standardised(self, image: Tensor) -> tuple[Tensor, ...]:
        """The real latents z that the encoder has to meet, one tensor per level."""
        levels = [learned() for learned in self.target_params]
        return self.target.encode(image, levels).noise

    def told(self, layout: Layout, attributes: Tensor, codes: Tensor) -> Told:
        """What the encoder is told, gradients included."""
        return Told(self.encoder.read(self._planes(layout)), attributes, codes)

    @property
    def _config(self) -> CAGlowConfig:
        assert isinstance(self.config, CAGlowConfig)
        return self.config

    def _planes(self, layout: Layout) -> Tensor:
        """One plane per class and the boundary map, (N, K + 1, H, W)."""
        planes = class_planes(layout.classes, self.table.count).to(self.shares)
        return torch.cat([planes, layout.boundary[:, None].to(self.shares)], 1)

    def _shares(self, wanted: Mapping[str, bool]) -> Tensor:
        """How likely each of `STATES` is among those that fit, (3,)."""
        for name in wanted:
            if name not in LIGHT:
                raise ParamsError(
                    f"no attribute {name!r}; {nearest(name, LIGHT)} (classes: edit the layout)"
                )
        fits = torch.tensor([
            all(state[LIGHT.index(name)] == float(value) for name, value in wanted.items())
            for state in STATES
        ])  # fmt: skip
        if not fits.any():
            raise ParamsError(f"no photograph is {' and '.join(LIGHT)} at once; ask for one")
        # a state that no training photograph had is as likely as any other that was asked for
        shares = torch.where(fits.to(self.shares.device), self.shares.clamp(min=1e-6), 0)
        return shares / shares.sum()

    def _state(self, rank: Tensor, shares: Tensor) -> Tensor:
        """The light of a rank, (N, 1) standard normal -> (N, 2)."""
        ends = shares.cumsum(1)[:, :-1]
        quantile = ndtr(rank).clamp(max=1 - 1e-6)
        return self.states[(quantile > ends).sum(1)]

    def _rank(self, state: Tensor, shares: Tensor) -> Tensor:
        """The rank in the middle of a light's quantiles, (N, 2) -> (N, 1)."""
        number = (1 - state[:, :1] + state[:, 1:]).long()
        middle = shares.cumsum(1).gather(1, number) - shares.gather(1, number) / 2
        return ndtri(middle.clamp(1e-5, 1 - 1e-5))
