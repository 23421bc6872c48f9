"""Layers that hold the networks of all steps of a level in one, with a leading step axis.

In the two-tower systems all conditions of a level are known before its first target step, so the
small networks of its K steps run as one grouped convolution or one batched product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StackedConv(nn.Module):
    """K convolutions side by side, (N, K * C_in, H, W) -> (N, K * C_out, H', W').

    `weight` is (K, C_out, C_in, k, k) and `bias` (K, C_out), so that step k's network is slice k.
    A `shared` one reads a single input, (N, C_in, H, W), for all steps.
    """

    def __init__(
        self, steps: int, inputs: int, outputs: int, kernel: int, *, padding: int = 0,
        stride: int = 1, shared: bool = False,
    ) -> None:  # fmt: skip
        """Makes the weights with the default initialisation of a plain convolution."""
        super().__init__()
        self.steps, self.padding, self.stride = steps, padding, stride
        self.groups = 1 if shared else steps
        self.weight = nn.Parameter(torch.empty(steps, outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(steps, outputs))
        bound = 1 / math.sqrt(inputs * kernel * kernel)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """All steps at once."""
        return F.conv2d(
            x, self.weight.flatten(0, 1), self.bias.flatten(), stride=self.stride,
            padding=self.padding, groups=self.groups,
        )  # fmt: skip


class StackedLinear(nn.Module):
    """K linear layers side by side, (K, N, C_in) -> (K, N, C_out)."""

    def __init__(self, steps: int, inputs: int, outputs: int) -> None:
        """Makes the weights with the default initialisation of a plain linear layer."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(steps, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(steps, outputs))
        bound = 1 / math.sqrt(inputs)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """All steps at once."""
        return torch.baddbmm(self.bias[:, None], x, self.weight)


class ZeroConv(nn.Module):
    """A 3x3 convolution that starts at zero, its output scaled by exp(3 * scale) per channel.

    `ones` pads with ones, as Glow does, so that the network can tell the image's border; `zeros`
    pads with zeros.

    References:
        Kingma and Dhariwal 2018, "Glow", section 3.3.
    """

    def __init__(self, inputs: int, outputs: int, edge: str = "ones") -> None:
        """Makes weights, bias and log-scale, all zero."""
        super().__init__()
        self.edge = edge
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C_out, H, W)."""
        gain = (3 * self.scale).exp()
        return bordered_conv(
            x, self.weight * gain[:, None, None, None], self.bias * gain, self.edge
        )


def bordered_conv(x: Tensor, weight: Tensor, bias: Tensor, edge: str) -> Tensor:
    """A 3x3 convolution that keeps the size, padded with `ones` or `zeros`."""
    if edge == "ones":
        return F.conv2d(F.pad(x, (1, 1, 1, 1), value=1.0), weight, bias)
    return F.conv2d(x, weight, bias, padding=1)


class CouplingNets(nn.Module):
    """The coupling networks of a level: conv3x3, ReLU, conv1x1, ReLU, zero conv3x3, per step.

    The first convolution reads the untouched half and, where there is one, the condition. Being
    linear it splits: the condition's share is computed for all steps at once, once per layout. With
    `bound` a tanh keeps raw scale and shift within +-bound.

    References:
        Full-Glow, equation 8; widths and initialisation as the authors' code (see `presets`).
    """

    def __init__(
        self, steps: int, channels: int, features: int, width: int, edge: str,
        bound: float | None = None,
    ) -> None:  # fmt: skip
        """Makes the weights of `steps` networks of `width` hidden channels."""
        super().__init__()
        self.bound = bound
        self.steps, self.untouched, self.width, self.edge = steps, channels // 2, width, edge
        self.first = nn.Parameter(torch.randn(steps, width, self.untouched + features, 3, 3) * 0.05)
        self.first_bias = nn.Parameter(torch.zeros(steps, width))
        self.second = nn.Parameter(torch.randn(steps, width, width, 1, 1) * 0.05)
        self.second_bias = nn.Parameter(torch.zeros(steps, width))
        self.last = nn.Parameter(torch.zeros(steps, channels, width, 3, 3))
        self.last_bias = nn.Parameter(torch.zeros(steps, channels))
        self.scale = nn.Parameter(torch.zeros(steps, channels))

    def shares(self, features: Tensor) -> list[Tensor]:
        """The condition's part of every step's first convolution.

        Shapes:
            features: (N, K * F, H, W).
            returns: K tensors (N, width, H, W).
        """
        weight = self.first[:, :, self.untouched :].flatten(0, 1)
        bias = self.first_bias.flatten()
        whole = F.conv2d(features, weight, bias, padding=1, groups=self.steps)
        return list(whole.chunk(self.steps, 1))

    def condition_weight(self) -> Tensor:
        """What first convolutions read the condition with, (K, width, F, 3, 3)."""
        return self.first[:, :, self.untouched :]

    def per_step(self) -> list[StepNet]:
        """The networks of the steps: slices of the weights, the last gain folded in."""
        gain = (3 * self.scale).exp()  # (K, C)
        slices = zip(
            self.first[:, :, : self.untouched].unbind(0),
            self.first_bias.unbind(0),
            self.second.unbind(0),
            self.second_bias.unbind(0),
            (self.last * gain[:, :, None, None, None]).unbind(0),
            (self.last_bias * gain).unbind(0),
            strict=True,
        )
        return [
            StepNet(first, first_bias, second, second_bias, last, last_bias, self.edge, self.bound)
            for first, first_bias, second, second_bias, last, last_bias in slices
        ]


@dataclass(frozen=True)
class StepNet:
    """The coupling network of one step, on weights that `CouplingNets.per_step` cut out."""

    first: Tensor
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor
    last: Tensor
    last_bias: Tensor
    edge: str
    bound: float | None = None

    def __call__(self, half: Tensor, share: Tensor | None) -> tuple[Tensor, Tensor]:
        """Raw scale and shift, each (N, C / 2, H, W); `share` already holds the first bias."""
        if share is None:
            hidden = F.conv2d(half, self.first, self.first_bias, padding=1)
        else:
            hidden = F.conv2d(half, self.first, padding=1) + share
        hidden = F.relu(F.conv2d(F.relu(hidden), self.second, self.second_bias))
        out = bordered_conv(hidden, self.last, self.last_bias, self.edge)
        out = out.to(half.dtype)
        if self.bound is not None:
            out = self.bound * torch.tanh(out / self.bound)
        raw_scale, shift = out.chunk(2, 1)
        return raw_scale, shift
