"""Layers that hold the networks of all steps of a level in one, with a leading step axis.

In the two-tower systems all conditions of a level are known before its first target step, so the
small networks of its K steps run as one grouped convolution or one batched product.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class StackedConv(nn.Module):
    """K convolutions side by side, (N, K * C_in, H, W) -> (N, K * C_out, H', W').

    `weight` is (K, C_out, C_in, k, k) and `bias` (K, C_out), so that step k's network is slice k.
    A `shared` one reads a single input, (N, C_in, H, W), for all steps.
    """

    def __init__(
        self,
        steps: int,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        padding: int = 0,
        stride: int = 1,
        shared: bool = False,
    ) -> None:
        """Makes the weights with the default initialisation of a plain convolution."""
        super().__init__()
        self.padding, self.stride, self.shared = padding, stride, shared
        self.weight = nn.Parameter(torch.empty(steps, outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(steps, outputs))
        bound = 1 / math.sqrt(inputs * kernel * kernel)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """All steps at once."""
        return F.conv2d(
            x,
            self.weight.flatten(0, 1),
            self.bias.flatten(),
            stride=self.stride,
            padding=self.padding,
            groups=1 if self.shared else len(self.weight),
        )


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
    out = conv3x3(x, weight, bias)
    return out + border(weight, out) if edge == "ones" else out


SMALL = 20480
"""Up to so many numbers of a single image torch convolves by its slow path on the CPU."""


def is_small(x: Tensor) -> bool:
    """Whether torch would convolve `x` by its slow path, for want of rows or numbers."""
    return x.device.type == "cpu" and len(x) == 1 and x.numel() <= SMALL


def conv3x3(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 3x3 convolution that keeps the size, padded with zeros: (N, C_in, H, W) -> (N, C, H, W).

    A small map of a single image becomes one matrix product.
    """
    if not is_small(x):
        return F.conv2d(x, weight, bias, padding=1)
    patches = F.unfold(x, 3, padding=1)[0].t()  # (H W, 9 C_in)
    filters = weight.flatten(1).t()
    flat = patches @ filters if bias is None else torch.addmm(bias, patches, filters)
    return flat.view(1, *x.shape[2:], -1).permute(0, 3, 1, 2)


def conv3x3_backward(
    d_out: Tensor, x: Tensor, weight: Tensor, *, wanted: bool = True
) -> tuple[Tensor | None, Tensor, Tensor]:
    """The gradients of input (where it is wanted), weight and bias of a `conv3x3`."""
    if not is_small(x):
        return conv_backward(d_out, x, weight, 1, wanted=wanted)
    flat = d_out.permute(0, 2, 3, 1).reshape(-1, len(weight))  # (H W, C)
    d_weight = flat.t() @ F.unfold(x, 3, padding=1)[0].t()
    d_x = None
    if wanted:
        patches = weight.flatten(1).t() @ flat.t()
        d_x = F.fold(patches[None], tuple(x.shape[2:]), 3, padding=1)
    return d_x, d_weight.view(weight.shape), flat.sum(0)


def conv_backward(
    d_out: Tensor, x: Tensor, weight: Tensor, padding: int, *, wanted: bool = True
) -> tuple[Tensor | None, Tensor, Tensor]:
    """As `conv3x3_backward`, by torch's own kernel, for any size of the filters."""
    bias, one, pad, mask = [len(weight)], (1, 1), (padding, padding), (wanted, True, True)
    found: tuple[Tensor | None, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        d_out, x, weight, bias, one, pad, one, False, (0, 0), 1, mask
    )
    return found


def border(weight: Tensor, like: Tensor) -> Tensor:
    """What a border of ones adds to a 3x3 convolution that is padded with zeros.

    Shapes:
        weight: (C_out, C_in, 3, 3).
        like: (N, C_out, H, W), the convolution's output.
        returns: (C_out, H, W).
    """
    summed = weight.sum(1).flatten(1).to(like.dtype) @ outside(like).t()
    return summed.reshape(-1, *like.shape[2:])


def outside(like: Tensor) -> Tensor:
    """Which of the 3x3 places around each pixel lie outside of the map.

    Shapes:
        like: (..., H, W).
        returns: (H W, 9), 1 where they do, of the type and on the device of `like`.
    """
    return _outside(like.shape[-2], like.shape[-1], like.dtype, like.device)


@lru_cache(maxsize=64)
def _outside(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    inside = torch.zeros(1, 1, height, width, device=device)
    padded = F.pad(inside, (1, 1, 1, 1), value=1.0)
    return F.unfold(padded, 3)[0].t().to(dtype).contiguous()
