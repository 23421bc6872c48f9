"""The U-Net of pix2pix: halved down to a bottleneck and back, with skips and dropout from outside.

References:
    Isola et al. 2017, "Image-to-image translation with conditional adversarial networks",
    section 6.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.generators.batch_norm import BatchStatistics

Statistics = Literal["batch", "running", "image"]
"""What a norm divides by: the batch's mean and variance (its running ones follow), the running
ones, or each image's own."""


@dataclass(frozen=True)
class UNetShape:
    """What fixes a U-Net.

    Attributes:
        inputs: channels of the input; the output has 3.
        size: height and width, divisible by 2**downs.
        downs: how often the input is halved.
        width: channels after the first halving; they double up to eight times that.
        batch_norm: batch normalisation, or instance normalisation without weights.
        dropout: which blocks drop values on the way up, counted from the innermost.
        init_std: standard deviation of the convolutions' first weights.
    """

    inputs: int
    size: tuple[int, int]
    downs: int
    width: int
    batch_norm: bool
    dropout: tuple[int, ...]
    init_std: float = 0.02

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels after each halving."""
        return tuple(self.width * min(2**level, 8) for level in range(self.downs))

    @property
    def drops(self) -> tuple[tuple[int, int, int], ...]:
        """Channels, height and width of every place with dropout, from the innermost outwards."""
        levels = [self.downs - 1 - block for block in sorted(self.dropout)]
        height, width = self.size
        return tuple((self.channels[n - 1], height >> n, width >> n) for n in levels)


class UNet(nn.Module):
    """The generator network; level n of `down` halves, level n of `up` doubles back to its input.

    The outermost and the innermost convolution on the way down, and the output, have no norm.
    """

    def __init__(self, shape: UNetShape) -> None:
        """Draws the weights of convolutions around 0, the gains of batch norms around 1."""
        super().__init__()
        self.shape = shape
        channels, last = shape.channels, shape.downs - 1
        bias = not shape.batch_norm
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.down_norms, self.up_norms = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(channels):
            before = channels[level - 1] if level else shape.inputs
            outputs = channels[level - 1] if level else 3
            merged = width if level == last else 2 * width
            self.down.append(nn.Conv2d(before, width, 4, 2, 1, bias=bias))
            self.up.append(nn.ConvTranspose2d(merged, outputs, 4, 2, 1, bias=bias or not level))
            inner = 0 < level < last
            self.down_norms.append(Norm(width, shape.batch_norm) if inner else nn.Identity())
            self.up_norms.append(Norm(outputs, shape.batch_norm) if level else nn.Identity())
        for module in self.modules():
            _draw(module, shape.init_std)

    def forward(
        self, x: Tensor, uniforms: Sequence[Tensor], share: float, statistics: Statistics
    ) -> Tensor:
        """Pictures for inputs.

        Shapes:
            x: (N, inputs, H, W).
            uniforms: per place of `shape.drops` (N, *place), in [0, 1); what is below `share` is
                dropped.
            returns: (N, 3, H, W) in (-1, 1).
        """
        last = self.shape.downs - 1
        skips = []
        for level in range(last + 1):
            x = self.down[level](F.leaky_relu(x, 0.2) if level else x)
            if 0 < level < last:
                x = self.down_norms[level](x, statistics)
            skips.append(x)
        drops = dict(zip(sorted(self.shape.dropout), uniforms, strict=True))
        for level in range(last, -1, -1):
            merged = x if level == last else torch.cat([skips[level], x], 1)
            x = self.up[level](F.relu(merged))
            if level:
                x = self.up_norms[level](x, statistics)
            if last - level in drops:
                x = dropped(x, drops[last - level], share)
        return torch.tanh(x)


class Norm(BatchStatistics):
    """Batch normalisation whose statistics are told at each call, or instance normalisation."""

    def __init__(self, channels: int, batch_norm: bool) -> None:
        """Makes gain, offset and running statistics, or nothing for instance normalisation."""
        super().__init__()
        self.batch_norm = batch_norm
        self.running_mean: Tensor
        self.running_var: Tensor
        if batch_norm:
            self.weight = nn.Parameter(torch.ones(channels))
            self.bias = nn.Parameter(torch.zeros(channels))
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, statistics: Statistics) -> Tensor:
        """(N, C, H, W) to the same shape."""
        if not self.batch_norm:
            return F.instance_norm(x)
        if statistics == "image":
            return F.instance_norm(x, weight=self.weight, bias=self.bias)
        running = self.running_mean, self.running_var
        if statistics == "batch":
            return self.over_batch(x, self.weight, self.bias, *running)
        return F.batch_norm(x, *running, self.weight, self.bias)


def dropped(x: Tensor, uniforms: Tensor, share: float) -> Tensor:
    """Values whose uniform draw is below `share` are 0, the others grow so that the mean stays."""
    if share >= 1:
        return torch.zeros_like(x)
    return x * (uniforms >= share) / (1 - share)


def _draw(module: nn.Module, std: float) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0, std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, Norm) and module.batch_norm:
        nn.init.normal_(module.weight, 1, std)
