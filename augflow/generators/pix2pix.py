"""pix2pix: a U-Net that learned against a discriminator; dropout is all its noise.

References:
    Isola et al. 2017, "Image-to-image translation with conditional adversarial networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.config import Count, Section
from augflow.core.distributed import ALONE, Ranks
from augflow.core.seeding import Noise
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.generators.base import Generator, LatentKind, Planes, misfit

Statistics = Literal["batch", "running", "image"]
"""What a norm divides by: the batch's mean and variance (its running ones follow), the running
ones, or each image's own."""

_MOMENTUM, _EPSILON = 0.1, 1e-5

PATCHES = {16: 1, 34: 2, 70: 3, 142: 4, 286: 5}
"""Height and width in pixels of what one judgement sees, by the number of halvings."""


DROPPED = 0.5
"""The share of values that dropout drops while learning."""


class Pix2PixConfig(Section):
    """pix2pix. Defaults are the paper's, as its authors' code has them.

    `downs` halvings, `width` channels after the first, `norm` and `dropout` (which blocks, counted
    from the innermost) make the U-Net, `init_std` its first weights. With batch norm,
    `test_statistics` says what a photograph is normalised by: `image` its own statistics, as the
    authors' test mode at batch 1, `running` those gathered while learning (of the weights before
    any `ema`). It sees `source` colours (3 planes) or one plane per class, and the `boundary` map.
    `patch` is what one judgement of the discriminator sees, `patch_width` its first channels.
    `jitter` enlarges scenes by so many rows and cuts them to size at random; the paper enlarges 256
    to 286 for that. Learning rate and betas are the training's: the paper's 2e-4, (0.5, 0.999).
    """

    size: tuple[Count, Count]
    downs: Annotated[int, Field(ge=2, le=10)] = 8
    width: Count = 64
    norm: Literal["batch", "instance"] = "batch"
    test_statistics: Literal["running", "image"] = "image"
    dropout: tuple[Annotated[int, Field(ge=0)], ...] = (1, 2, 3)
    init_std: Annotated[float, Field(gt=0)] = 0.02
    source: Literal["palette", "one_hot"] = "palette"
    boundary: Literal["none", "v1", "v2"] = "none"
    patch: Literal[16, 34, 70, 142, 286] = 70
    patch_width: Count = 64
    l1_weight: Annotated[float, Field(ge=0)] = 100.0
    jitter: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if fault := misfit(self.size, 2**self.downs, f"{self.downs} downs"):
            raise ValueError(f"{fault}, or set downs to less")
        wrong = sorted({block for block in self.dropout if block >= self.downs - 1})
        if wrong or len(set(self.dropout)) < len(self.dropout):
            raise ValueError(
                f"dropout is {list(self.dropout)}, expected different blocks of "
                f"0..{self.downs - 2}: with {self.downs} downs the outermost has none"
            )
        if self.norm == "instance" and self.test_statistics == "running":
            raise ValueError("test_statistics: instance norm keeps no running ones, set image")
        if self.patch > min(self.size):
            fitting = [str(patch) for patch in PATCHES if patch <= min(self.size)]
            raise ValueError(
                f"patch {self.patch} is larger than the photograph of {self.size[0]}x"
                f"{self.size[1]}; fitting: {', '.join(fitting) or 'none, take a larger size'}"
            )
        return self


_OURS: dict[str, Any] = {
    "source": "one_hot", "boundary": "v1", "norm": "instance", "dropout": (0,), "patch": 34,
    "patch_width": 32, "init_std": 0.1,
}  # fmt: skip
PIX2PIX: dict[str, dict[str, Any]] = {
    "unet_256": {"size": (256, 256), "jitter": 30},
    "tiny": {**_OURS, "size": (48, 72), "downs": 3, "width": 32},
    "small": {**_OURS, "size": (64, 96), "downs": 5, "width": 32, "dropout": (0, 1)},
}


class Pix2Pix(Generator):
    """One network; its latents are uniform draws, one per value that dropout may drop.

    A temperature scales the share that is dropped: at 1 the half that it learned with, at 0 none,
    so that a layout has one photograph. Coins cannot be mixed: between two draws lies nothing.
    """

    config: Pix2PixConfig
    latents: ClassVar[LatentKind] = "dropout"
    learner: ClassVar[str] = "adversarial"

    def __init__(self, config: Pix2PixConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds the U-Net."""
        super().__init__()
        self.config, self.table = config, table
        self.hold_palette()
        with seeding.torch_seeded(seed):
            self.unet = UNet(self.planes_count, config)

    @property
    def planes_count(self) -> int:
        """The number of planes of its conditions."""
        colours = 3 if self.config.source == "palette" else self.table.count
        return colours + int(self.config.boundary != "none")

    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """See `Generator.latent_shapes`: one place per block with dropout."""
        return self.unet.drops

    @torch.no_grad()
    def condition(self, layout: Layout) -> Planes:
        """The planes that the network reads: colours in [-1, 1] or classes, then the boundary."""
        self.check_size(layout)
        like = next(self.parameters())
        planes = self.source_planes(layout).to(like)
        planes = planes / 127.5 - 1 if self.config.source == "palette" else planes / 255
        if self.config.boundary == "none":
            return Planes(planes)
        edges = layout.boundary[:, None].to(like)
        if self.config.boundary == "v2":
            edges = (edges > 0).to(like)
        return Planes(torch.cat([planes, edges], 1))

    def decode_latents(self, latents: Sequence[Tensor], conditions: Planes) -> Tensor:
        """See `Generator.decode_latents`; latents: uniform draws in [0, 1), half drop a value."""
        return self._generate(latents, conditions, DROPPED)

    def paint_together(self, latents: Sequence[Tensor], conditions: Planes) -> Tensor:
        """As `decode_latents`, learning: batch norms take and count the batch's statistics."""
        return 0.5 * self.unet(conditions.values, latents, DROPPED, "batch") + 0.5

    @torch.no_grad()
    def draw(self, noise: Noise) -> tuple[Tensor, ...]:
        """Uniform draws in [0, 1), row n from noise n alone: tensors (N, *shape)."""
        like = next(self.parameters())
        return tuple(
            torch.from_numpy(noise.uniform(*shape)).to(like) for shape in self.latent_shapes()
        )

    @torch.no_grad()
    def sample(self, conditions: Planes, noise: Noise, temperature: float = 1.0) -> Tensor:
        """See `Generator.sample`; the temperature scales the share that dropout drops."""
        share = temperature * DROPPED
        return self._generate(self.draw(noise), conditions, share).clamp(0, 1)

    def _generate(self, latents: Sequence[Tensor], conditions: Planes, share: float) -> Tensor:
        statistics = self.config.test_statistics
        return 0.5 * self.unet(conditions.values, latents, share, statistics) + 0.5


class UNet(nn.Module):
    """The generator network; level n of `down` halves, level n of `up` doubles back to its input.

    `drops` are channels, height and width of every place with dropout, from the innermost outwards.
    The outermost and the innermost convolution on the way down, and the output, have no norm.
    """

    def __init__(self, inputs: int, config: Pix2PixConfig) -> None:
        """Draws the weights of convolutions around 0, the gains of batch norms around 1."""
        super().__init__()
        self.downs, batch_norm = config.downs, config.norm == "batch"
        self.blocks = sorted(config.dropout)  # those that drop values, counted from the innermost
        channels = [config.width * min(2**level, 8) for level in range(config.downs)]
        self.drops = tuple(
            (channels[n - 1], config.size[0] >> n, config.size[1] >> n)
            for n in (config.downs - 1 - block for block in self.blocks)
        )
        last, bias = config.downs - 1, not batch_norm
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.down_norms, self.up_norms = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(channels):
            before = channels[level - 1] if level else inputs
            outputs = channels[level - 1] if level else 3
            merged = width if level == last else 2 * width
            self.down.append(nn.Conv2d(before, width, 4, 2, 1, bias=bias))
            self.up.append(nn.ConvTranspose2d(merged, outputs, 4, 2, 1, bias=bias or not level))
            inner = 0 < level < last
            self.down_norms.append(Norm(width, batch_norm) if inner else nn.Identity())
            self.up_norms.append(Norm(outputs, batch_norm) if level else nn.Identity())
        draw_weights(self, config.init_std)

    def forward(
        self, x: Tensor, uniforms: Sequence[Tensor], share: float, statistics: Statistics
    ) -> Tensor:
        """Pictures for inputs.

        Shapes:
            x: (N, inputs, H, W).
            uniforms: per place of `drops` (N, *place), in [0, 1); what is below `share` is
                dropped.
            returns: (N, 3, H, W) in (-1, 1).
        """
        last = self.downs - 1
        skips = []
        for level in range(last + 1):
            x = self.down[level](F.leaky_relu(x, 0.2) if level else x)
            if 0 < level < last:
                x = self.down_norms[level](x, statistics)
            skips.append(x)
        drops = dict(zip(self.blocks, uniforms, strict=True))
        for level in range(last, -1, -1):
            merged = x if level == last else torch.cat([skips[level], x], 1)
            x = self.up[level](F.relu(merged))
            if level:
                x = self.up_norms[level](x, statistics)
            if last - level in drops:
                x = dropout(x, drops[last - level], share)
        return torch.tanh(x)


class Norm(nn.Module):
    """Batch normalisation whose statistics are told at each call, or instance normalisation.

    Attributes:
        ranks: the processes that share a batch, all of whose rows count in its statistics.
    """

    ranks: Ranks = ALONE

    def __init__(self, channels: int, batch_norm: bool, running: bool = True) -> None:
        """Makes gain, offset and `running` statistics, or nothing for instance normalisation."""
        super().__init__()
        self.batch_norm = batch_norm
        self.running_mean: Tensor | None
        self.running_var: Tensor | None
        self.weight = nn.Parameter(torch.ones(channels)) if batch_norm else None
        self.bias = nn.Parameter(torch.zeros(channels)) if batch_norm else None
        kept = batch_norm and running
        self.register_buffer("running_mean", torch.zeros(channels) if kept else None)
        self.register_buffer("running_var", torch.ones(channels) if kept else None)

    def forward(self, x: Tensor, statistics: Statistics = "batch") -> Tensor:
        """(N, C, H, W) to the same shape."""
        if not self.batch_norm or statistics == "image":
            return F.instance_norm(x, weight=self.weight, bias=self.bias)
        if statistics == "batch" and self.ranks.count > 1:
            return self._over_ranks(x)
        learning = statistics == "batch"
        running = self.running_mean, self.running_var
        return F.batch_norm(x, *running, self.weight, self.bias, training=learning)

    def _over_ranks(self, x: Tensor) -> Tensor:
        """This rank's rows normalised by the statistics of the whole batch.

        References:
            Ioffe and Szegedy 2015, "Batch normalization", algorithm 1.
        """
        assert self.weight is not None
        assert self.bias is not None
        wide, axes = x.float(), (0, 2, 3)
        count = wide.new_full((1,), x.numel() / x.shape[1])
        sums = self.ranks.differentiable_sum(torch.cat([wide.sum(axes), count]))
        centre, total = sums[:-1] / sums[-1], sums[-1].detach()
        centred = wide - centre[:, None, None]
        spread = self.ranks.differentiable_sum(centred.square().sum(axes)) / total
        with torch.no_grad():
            if self.running_mean is not None and self.running_var is not None:
                self.running_mean.lerp_(centre.to(self.running_mean), _MOMENTUM)
                unbiased = spread * total / (total - 1)
                self.running_var.lerp_(unbiased.to(self.running_var), _MOMENTUM)
        scale = self.weight * (spread + _EPSILON).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)


def dropout(x: Tensor, uniforms: Tensor, share: float) -> Tensor:
    """Values whose uniform draw is below `share` are 0, the others grow so that the mean stays."""
    if share >= 1:
        return torch.zeros_like(x)
    return x * (uniforms >= share) / (1 - share)


def draw_weights(network: nn.Module, std: float) -> None:
    """Draws the weights of convolutions around 0, the gains of batch norms around 1."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, Norm) and module.weight is not None:
            nn.init.normal_(module.weight, 1, std)
