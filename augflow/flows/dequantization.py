"""Variational dequantization: a conditional flow proposes where in its bin a value lies."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from augflow.core.config import Memory
from augflow.flows.blocks import Block, BlockShape
from augflow.flows.density import LEVELS, standard_log_prob
from augflow.flows.transforms import full_precision, unsqueeze

EDGE = 2.0**-16
"""How near to the edges of its bin a value may come; float32 resolves no more."""


class Dequantizer(nn.Module):
    """Moves uniform noise within the bins of a photograph, as a function of the photograph.

    The noise is made normal, passed through a conditional flow and made a share of the bin again.
    Before training its distribution is uniform, as rotations leave normal noise as it is.

    References:
        Ho et al. 2019, "Flow++", section 3.1; CAFLOW, appendices A.1 and B.1.
    """

    def __init__(self, shape: BlockShape, rng: torch.Generator) -> None:
        """Makes the flow; `shape` has as many inputs and known channels as a photograph."""
        super().__init__()
        self.flow = Block(shape, rng)

    def forward(self, image: Tensor, memory: Memory = "store") -> tuple[Tensor, Tensor]:
        """Moves each value within its bin.

        Shapes:
            image: (N, 3, H, W) in [0, 1), uniformly dequantized.
            returns: the same bins, other places; and -log q of the place (N,), nats, against a
                uniform one: what the bound on the log-probability gains.
        """
        with full_precision(image):
            pixels = (image * LEVELS).floor()
            share = (image * LEVELS - pixels).clamp(EDGE, 1 - EDGE)
            noise = torch.special.ndtri(share)
            z, log_det = self.flow(noise, self.flow.params(pixels / LEVELS - 0.5, memory))
            moved = unsqueeze(z)
            place = torch.special.ndtr(moved).clamp(EDGE, 1 - EDGE)
            gain = log_det + standard_log_prob(moved) - standard_log_prob(noise)
        return (pixels + place) / LEVELS, gain
