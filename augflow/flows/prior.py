"""The Gaussians of what a flow factors out."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from augflow.flows.networks import ZeroConv

PriorKind = Literal["learned", "normal", "features", "mean"]
"""What a level's Gaussian depends on: the kept half and features, nothing, features alone; or its
mean is the features as they are and its scale is 1."""


class Prior(nn.Module):
    """The Gaussian of the factored-out half given the kept half (and features of the layout).

    At the top nothing is kept: the input is zeros, which a `ones` edge still tells apart along the
    image border, as in the authors' code.

    References:
        Kingma and Dhariwal 2018, "Glow", section 3; for features of the source, Dual-Glow
        as Full-Glow, section 3, describes it.
    """

    def __init__(
        self, channels: int, features: int, edge: str, bound: float | None, kind: PriorKind
    ) -> None:
        """Makes the zero convolution: every prior starts as N(0, 1).

        Both halves have so many `channels`. With `bound` the log standard deviation is kept
        within +-bound by a tanh.
        """
        super().__init__()
        self.features, self.bound, self.kind = features, bound, kind
        if kind in ("learned", "features"):
            inputs = features + (channels if kind == "learned" else 0)
            self.conv = ZeroConv(inputs, 2 * channels, edge)

    def forward(self, kept: Tensor, features: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation, each (N, C, H, W).

        Shapes:
            kept: (N, C, H, W).
            features: (N, features, H, W), where the layout has a say.
            like: any tensor of the latents' shape.
        """
        if self.kind == "normal":
            return torch.zeros_like(like), torch.zeros_like(like)
        if self.features:
            assert features is not None
            if self.kind == "mean":
                return features.to(kept.dtype), torch.zeros_like(like)
            kept = features if self.kind == "features" else torch.cat([kept, features], 1)
        mean, log_sd = self.conv(kept).to(like.dtype).chunk(2, 1)
        if self.bound is not None:
            log_sd = self.bound * torch.tanh(log_sd / self.bound)
        return mean, log_sd
