"""An encoder of conditions and noise into the latents of a flow, level by level from the top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.flows.networks import ZeroConv

BOUND = 2.5
"""The largest absolute log standard deviation of a latent given its condition."""


@dataclass(frozen=True)
class Told:
    """What an encoder is told beside noise.

    Shapes:
        maps: what `LatentEncoder.read` made of the layout, one map per level.
        attributes: (N, A).
        codes: (N, U) in [-1, 1].
    """

    maps: tuple[Tensor, ...]
    attributes: Tensor
    codes: Tensor

    def unsaid(self) -> Told:
        """The same with every code in the middle."""
        return Told(self.maps, self.attributes, torch.zeros_like(self.codes))


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

        Args:
            planes: channels in which it sees a layout.
            told: the number of attributes and codes.
            shapes: the latents' (C, h, w) at each level, the finest first.
            widths: hidden channels at each level.
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

    def forward(self, noise: Sequence[Tensor], told: Told) -> tuple[Tensor, ...]:
        """Latents from noise, each (N, C, h, w) per level."""
        latents: list[Tensor] = []
        hidden: Tensor | None = None
        for level in reversed(range(len(noise))):
            above = (hidden, latents[0]) if hidden is not None else None
            hidden, mean, log_sd = self._level(level, told, above, noise[level])
            latents.insert(0, mean + log_sd.exp() * noise[level])
        return tuple(latents)

    def inverse(self, latents: Sequence[Tensor], told: Told) -> tuple[Tensor, ...]:
        """The noise of latents, each (N, C, h, w) per level."""
        gaussians = self.gaussians(latents, told)
        return tuple(
            (z - mean) * (-log_sd).exp()
            for z, (mean, log_sd) in zip(latents, gaussians, strict=True)
        )

    def gaussians(self, latents: Sequence[Tensor], told: Told) -> tuple[tuple[Tensor, Tensor], ...]:
        """Mean and log standard deviation of each level given the latents above it."""
        found: list[tuple[Tensor, Tensor]] = []
        hidden: Tensor | None = None
        for level in reversed(range(len(latents))):
            above = (hidden, latents[level + 1]) if hidden is not None else None
            hidden, mean, log_sd = self._level(level, told, above, latents[level])
            found.insert(0, (mean, log_sd))
        return tuple(found)

    def _level(
        self, level: int, told: Told, above: tuple[Tensor, Tensor] | None, like: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden maps, mean and log standard deviation of a level."""
        width = self.told[level].out_features
        hidden, shares = told.maps[level][:, :width], told.maps[level][:, width:]
        if above is not None:
            over = torch.cat([above[0].to(like.dtype), above[1]], 1)
            hidden = hidden + self.above[level](_doubled(over))
        said = self.told[level](torch.cat([told.attributes, told.codes], 1))
        hidden = F.relu(hidden + said[..., None, None])
        hidden = hidden + self.second[level](F.relu(self.first[level](hidden)))
        last = torch.cat([F.relu(hidden), shares], 1)
        mean, log_sd = self.out[level](last).to(like.dtype).chunk(2, 1)
        return hidden, mean, BOUND * torch.tanh(log_sd / BOUND)


def _doubled(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2, mode="nearest")
