"""CAGlow: an unconditional Glow, and an encoder of layouts, light and codes into its latents.

References:
    Liu et al. 2019, "Conditional Adversarial Generative Flow for Controllable Image Synthesis".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.special import ndtr, ndtri

from augflow.core import seeding
from augflow.core.config import Count, Section
from augflow.core.errors import ParamsError, suggest
from augflow.data.attributes import LIGHT, STATES, light, terciles
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.flows.networks import ZeroConv
from augflow.generators.base import class_planes
from augflow.generators.glow import Glow
from augflow.generators.likelihood import FlowConditions
from augflow.generators.presets import GLOW, GlowConfig

Weight = Annotated[float, Field(ge=0)]

BOUND = 2.5
"""The largest absolute log standard deviation of a latent given its condition."""


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

    config: CAGlowConfig
    attributes: ClassVar[tuple[str, ...]] = LIGHT
    learner: ClassVar[str] = "latent_adversarial"

    def __init__(self, config: CAGlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds flow, encoder and supervision block."""
        super().__init__(config, table, seed)
        shapes = self.target.shape.latents(config.size)
        with seeding.torch_seeded(seeding.derive(seed, "encoder") % 2**63):
            self.encoder = LatentEncoder(
                table.count + 1, len(LIGHT) + config.codes, shapes, config.encoder_widths
            )
        with seeding.torch_seeded(seeding.derive(seed, "block") % 2**63):
            self.block = SupervisionBlock(
                shapes,
                config.block_widths,
                classes=table.count,
                attributes=len(LIGHT),
                codes=config.codes,
                spectral=config.spectral,
            )
        self.thresholds: Tensor
        self.shares: Tensor
        self.states: Tensor
        self.register_buffer("thresholds", torch.tensor([1 / 3, 2 / 3]))
        self.register_buffer("shares", torch.full((3,), 1 / 3))
        self.register_buffer("states", torch.tensor(STATES), persistent=False)

    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """See `Generator.latent_shapes`: noise of each level, codes, the light's rank."""
        return (*super().latent_shapes(), (self.config.codes,), (1,))

    @torch.no_grad()
    def condition(
        self, layout: Layout, attributes: Mapping[str, bool] | None = None
    ) -> LatentConditions:
        """All that depends on the layouts alone; light that is not settled is drawn when sampling.

        `attributes` says which of `LIGHT` the photographs shall have or not have.

        Raises:
            DataError: the layouts are not of the generator's size.
            ParamsError: an attribute is unknown, or they exclude each other.
        """
        flow = super().condition(layout)
        shares = self._shares(attributes or {}).expand(len(layout), -1)
        maps = self.encoder.read(self._planes(layout))
        return LatentConditions(flow.levels, flow.count, maps, shares)

    def decode_latents(self, latents: Sequence[Tensor], conditions: Any) -> Tensor:
        """See `Generator.decode_latents`."""
        *noise, codes, rank = latents
        told = EncoderCondition(
            conditions.maps, self._state(rank, conditions.shares), 2 * ndtr(codes) - 1
        )
        return super().decode_latents(self.encoder(noise, told), conditions)

    @torch.no_grad()
    def encode_noise(self, image: Tensor, conditions: Any) -> tuple[Tensor, ...]:
        """The noise, codes and light that `decode_latents` makes photographs from.

        Shapes:
            image: (N, 3, H, W) in [0, 1].

        The light is measured, the codes are what the decoder reads in the latents; noise makes up
        for both.
        """
        latents = self.target.encode(image, conditions.levels).noise
        rank = self._rank(self.light_of(image), conditions.shares)
        codes = self.block(latents).codes.clamp(-0.95, 0.95)
        back = ndtri((codes + 1) / 2)
        told = EncoderCondition(
            conditions.maps, self._state(rank, conditions.shares), 2 * ndtr(back) - 1
        )
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
    def target_latents(self, image: Tensor) -> tuple[Tensor, ...]:
        """The real latents z that the encoder has to meet, one tensor per level."""
        return self.target.encode(image, [learned() for learned in self.target_params]).noise

    def encode_condition(
        self, layout: Layout, attributes: Tensor, codes: Tensor
    ) -> EncoderCondition:
        """What the encoder is told, gradients included."""
        return EncoderCondition(self.encoder.read(self._planes(layout)), attributes, codes)

    def _planes(self, layout: Layout) -> Tensor:
        """One plane per class and the boundary map, (N, K + 1, H, W)."""
        planes = class_planes(layout.classes, self.table.count).to(self.shares)
        return torch.cat([planes, layout.boundary[:, None].to(self.shares)], 1)

    def _shares(self, wanted: Mapping[str, bool]) -> Tensor:
        """How likely each of `STATES` is among those that fit, (3,)."""
        for name in wanted:
            if name not in LIGHT:
                raise ParamsError(
                    f"no attribute {name!r}; {suggest(name, LIGHT)} (classes: edit the layout)"
                )
        fits = torch.tensor(
            [
                all(state[LIGHT.index(name)] == float(value) for name, value in wanted.items())
                for state in STATES
            ]
        )
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


@dataclass(frozen=True)
class EncoderCondition:
    """What an encoder is told beside noise.

    Shapes:
        maps: what `LatentEncoder.read` made of the layout, one map per level.
        attributes: (N, A).
        codes: (N, U) in [-1, 1].
    """

    maps: tuple[Tensor, ...]
    attributes: Tensor
    codes: Tensor

    def with_central_codes(self) -> EncoderCondition:
        """The same with every code in the middle."""
        return EncoderCondition(self.maps, self.attributes, torch.zeros_like(self.codes))


class LatentEncoder(nn.Module):
    """E(c, noise): standardised latents z_l = mean_l + sd_l * noise_l, from the top level down.

    Mean and scale of a level are what convolutions make of the layout at its resolution, the
    attributes, the codes, and the latents above; the cells' shares of the layout's planes reach the
    last convolution directly, as those of a class-conditional Gaussian. All start at 0 and 1, so
    that an untrained encoder hands on its noise: what the flow makes then is a sample of its own.
    Given condition and codes the map is invertible, so a photograph's noise can be told.

    References:
        Liu et al. 2019, "Conditional Adversarial Generative Flow" (CAGlow), section 3.2, encoder;
        its fully-connected layer and deconvolutions become a convolutional network on the layout.
    """

    def __init__(
        self, planes: int, told: int, shapes: Sequence[tuple[int, ...]], widths: Sequence[int]
    ) -> None:
        """Makes the networks.

        `told` counts attributes and codes; `shapes` are the latents' (C, h, w), the finest level
        first.
        """
        super().__init__()
        count = len(shapes)
        inputs = (4 * planes, *widths[:-1])
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, 1 if n == 0 else 2, 1)
            for n, (a, b) in enumerate(zip(inputs, widths, strict=True))
        )
        self.above = nn.ModuleList(
            nn.Conv2d(widths[n + 1] + shapes[n + 1][0], widths[n], 3, padding=1)
            for n in range(count - 1)
        )
        self.told = nn.ModuleList(nn.Linear(told, w) for w in widths)
        self.first = nn.ModuleList(nn.Conv2d(w, w, 3, padding=1) for w in widths)
        self.second = nn.ModuleList(nn.Conv2d(w, w, 3, padding=1) for w in widths)
        self.out = nn.ModuleList(
            ZeroConv(w + planes, 2 * shape[0]) for w, shape in zip(widths, shapes, strict=True)
        )
        for layer in (*self.down, *self.above, *self.first):
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def read(self, planes: Tensor) -> tuple[Tensor, ...]:
        """All that depends on layouts alone: one (N, width + planes, h, w) per level.

        Shapes:
            planes: (N, planes, H, W).
        """
        x, maps = F.pixel_unshuffle(planes, 2), []
        for level, conv in enumerate(self.down, start=1):
            x = F.relu(conv(x))
            maps.append(torch.cat([x, F.avg_pool2d(planes, 2**level).to(x.dtype)], 1))
        return tuple(maps)

    def forward(self, noise: Sequence[Tensor], told: EncoderCondition) -> tuple[Tensor, ...]:
        """Latents from noise, each (N, C, h, w) per level."""
        return tuple(z for z, _, _ in self._descend(noise, told, _latents_of))

    def inverse(self, latents: Sequence[Tensor], told: EncoderCondition) -> tuple[Tensor, ...]:
        """The noise of latents, each (N, C, h, w) per level."""
        return tuple(
            (z - mean) * (-log_sd).exp() for z, mean, log_sd in self._descend(latents, told)
        )

    def gaussians(
        self, latents: Sequence[Tensor], told: EncoderCondition
    ) -> tuple[tuple[Tensor, Tensor], ...]:
        """Mean and log standard deviation of each level given the latents above it."""
        return tuple((mean, log_sd) for _, mean, log_sd in self._descend(latents, told))

    def _descend(
        self,
        given: Sequence[Tensor],
        told: EncoderCondition,
        latents_of: Callable[..., Tensor] = lambda z, mean, log_sd: z,
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Latents, mean and log standard deviation of each level, worked out from the top down."""
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        hidden: Tensor | None = None
        for level in reversed(range(len(given))):
            above = (hidden, found[0][0]) if hidden is not None else None
            hidden, mean, log_sd = self._level(level, told, above, given[level])
            found.insert(0, (latents_of(given[level], mean, log_sd), mean, log_sd))
        return found

    def _level(
        self, level: int, told: EncoderCondition, above: tuple[Tensor, Tensor] | None, like: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden maps, mean and log standard deviation of a level."""
        width = self.told[level].out_features
        hidden, shares = told.maps[level][:, :width], told.maps[level][:, width:]
        if above is not None:
            over = torch.cat([above[0].to(like.dtype), above[1]], 1)
            hidden = hidden + self.above[level](F.interpolate(over, scale_factor=2))
        said = self.told[level](torch.cat([told.attributes, told.codes], 1))
        hidden = F.relu(hidden + said[..., None, None])
        hidden = hidden + self.second[level](F.relu(self.first[level](hidden)))
        last = torch.cat([F.relu(hidden), shares], 1)
        mean, log_sd = self.out[level](last).to(like.dtype).chunk(2, 1)
        return hidden, mean, BOUND * torch.tanh(log_sd / BOUND)


def _latents_of(noise: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    return mean + log_sd.exp() * noise


@dataclass(frozen=True)
class Findings:
    """What the three find in latents, and what they have in common.

    Shapes:
        real: logits of being real, one (N, 1, h, w) per level.
        classes: logits of the classes, one (N, K, h, w) per level.
        attributes: logits, (N, A).
        codes: (N, U).
        features: f(z), the trunk's last layer at each level, (N, width, h, w).
    """

    real: tuple[Tensor, ...]
    classes: tuple[Tensor, ...]
    attributes: Tensor
    codes: Tensor
    features: tuple[Tensor, ...]


class SupervisionBlock(nn.Module):
    """A trunk from the top latents down to the finest, with heads at every level.

    Discriminator and classifier judge every cell of each level; attributes and codes are read from
    the means of all levels' features.

    References:
        CAGlow, section 3.2: the three share all parameters except for their output layers.
    """

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        widths: Sequence[int],
        *,
        classes: int,
        attributes: int,
        codes: int,
        spectral: bool,
    ) -> None:
        """Makes the networks.

        `shapes` are the latents' (C, h, w), the finest level first, `widths` the trunk's channels.
        The trunk is of spectral norm 1 if it is `spectral`, which steadies the discriminator.
        """
        super().__init__()
        above = (*widths[1:], 0)
        inputs = [shape[0] + over for shape, over in zip(shapes, above, strict=True)]
        self.first = nn.ModuleList(
            _conv(a, w, spectral) for a, w in zip(inputs, widths, strict=True)
        )
        self.second = nn.ModuleList(_conv(w, w, spectral) for w in widths)
        self.real = nn.ModuleList(nn.Conv2d(w, 1, 1) for w in widths)
        self.classes = nn.ModuleList(nn.Conv2d(w, classes, 1) for w in widths)
        self.attributes = nn.Linear(sum(widths), attributes)
        self.codes = nn.Linear(sum(widths), codes)

    def forward(self, latents: Sequence[Tensor]) -> Findings:
        """What is found in standardised latents, one (N, C, h, w) per level, the finest first."""
        features: list[Tensor] = []
        for level in reversed(range(len(latents))):
            x = latents[level]
            if features:
                x = torch.cat([x, F.interpolate(features[0], scale_factor=2).to(x.dtype)], 1)
            x = F.leaky_relu(self.first[level](x), 0.2)
            features.insert(0, F.leaky_relu(self.second[level](x), 0.2))
        means = torch.cat([maps.mean((2, 3)) for maps in features], 1)
        return Findings(
            tuple(head(maps) for head, maps in zip(self.real, features, strict=True)),
            tuple(head(maps) for head, maps in zip(self.classes, features, strict=True)),
            self.attributes(means),
            self.codes(means),
            tuple(features),
        )


def _conv(inputs: int, outputs: int, spectral: bool) -> nn.Module:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return spectral_norm(conv) if spectral else conv
