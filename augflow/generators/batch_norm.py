"""Batch normalisation of a batch that several processes share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.core.distributed import ALONE, Ranks

_MOMENTUM, _EPSILON = 0.1, 1e-5


class BatchStatistics(nn.Module):
    """A layer that looks at all rows of a batch, those of other ranks too.

    Attributes:
        ranks: the processes that share the batch.
    """

    ranks: Ranks = ALONE

    def over_batch(
        self, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor | None, var: Tensor | None
    ) -> Tensor:
        """`x` normalised by the statistics of the whole batch, then scaled and shifted.

        Args:
            x: this rank's rows.
            weight: scales.
            bias: shifts.
            mean: the running mean, moved along; or None.
            var: the running variance, moved along; or None.

        Shapes:
            x: (N, C, H, W).
            weight, bias, mean, var: (C,).

        References:
            Ioffe and Szegedy 2015, "Batch normalization", algorithm 1.
        """
        if self.ranks.count == 1:
            return F.batch_norm(x, mean, var, weight, bias, training=True)
        wide, axes = x.float(), (0, 2, 3)
        count = wide.new_full((1,), x.numel() / x.shape[1])
        sums = self.ranks.summed(torch.cat([wide.sum(axes), count]))
        centre, total = sums[:-1] / sums[-1], sums[-1].detach()
        centred = wide - centre[:, None, None]
        spread = self.ranks.summed(centred.square().sum(axes)) / total
        with torch.no_grad():
            if mean is not None and var is not None:
                mean.lerp_(centre.to(mean), _MOMENTUM)
                var.lerp_((spread * total / (total - 1)).to(var), _MOMENTUM)
        scale = weight * (spread + _EPSILON).rsqrt()
        return (centred * scale[:, None, None] + bias[:, None, None]).to(x.dtype)


class BatchNorm(BatchStatistics, nn.BatchNorm2d):
    """Batch normalisation of what is only ever trained: it needs no running statistics."""

    def __init__(self, channels: int) -> None:
        """Makes scales of 1 and shifts of 0."""
        super().__init__(channels, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return self.over_batch(x, self.weight, self.bias, None, None)
