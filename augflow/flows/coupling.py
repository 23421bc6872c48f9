"""The networks inside affine couplings and injectors, and their lean backward pass.

Nearly all of a Glow's arithmetic is here: 3x3, 1x1 and 3x3 convolutions over maps that are many
times wider than the flow itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from augflow.flows.networks import (
    border,
    conv3x3,
    conv3x3_backward,
    conv_backward,
    outside,
)
from augflow.flows.transforms import CouplingParams


class CouplingNets(nn.Module):
    """The coupling networks of a level: conv3x3, ReLU, conv1x1, ReLU, zero conv3x3, per step.

    The first convolution reads the untouched half and, where there is one, the condition. Being
    linear it splits: the condition's share can be worked out once per layout. With `bound` a tanh
    keeps raw scale and shift within +-bound.

    References:
        Full-Glow, equation 8; widths and initialisation as the authors' code (see `presets`).
    """

    def __init__(
        self,
        steps: int,
        channels: int,
        features: int,
        width: int,
        edge: str,
        bound: float | None = None,
    ) -> None:
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

    def condition_weight(self) -> Tensor:
        """What first convolutions read the condition with, (K, width, F, 3, 3)."""
        return self.first[:, :, self.untouched :]

    def per_step(self) -> list[StepNet]:
        """The networks of the steps, on slices of the weights."""
        slices = {name: p.unbind(0) for name, p in self.named_parameters()}
        return [
            self.on({name: parts[k] for name, parts in slices.items()}) for k in range(self.steps)
        ]

    def on(self, weights: Mapping[str, Tensor]) -> StepNet:
        """The network of one step on given weights, named as the parameters."""
        return StepNet(**weights, untouched=self.untouched, edge=self.edge, bound=self.bound)


@dataclass(frozen=True)
class NetWeights:
    """The weights of one network: conv3x3, ReLU, conv1x1, ReLU, conv3x3.

    Shapes:
        first: (width, C_in, 3, 3).
        second: (width, width, 1, 1).
        last: (C, width, 3, 3).
    """

    first: Tensor
    first_bias: Tensor
    second: Tensor
    second_bias: Tensor
    last: Tensor
    last_bias: Tensor

    def through(self, x: Tensor, share: Tensor | None = None, *, ones: bool) -> Tensor:
        """Through all three convolutions, (N, C_in, H, W) -> (N, C, H, W).

        Args:
            x: all planes, or with a share the first of them.
            share: what the further planes, and the first bias, add to the first convolution.
            ones: whether the last convolution is padded with ones instead of zeros.
        """
        first = self.first if share is None else self.first[:, : x.shape[1]]
        weights = (first, self.first_bias, self.second, self.second_bias, self.last, self.last_bias)
        out: Tensor = _Network.apply(x, share, ones, *weights)
        return out


@dataclass(frozen=True)
class StepNet(NetWeights):
    """The coupling network of one step, on weights that `CouplingNets` cut out.

    Shapes:
        first: reads C / 2 + F planes.
        scale: (C,), the logarithm of the output's gain, over 3.
    """

    scale: Tensor
    untouched: int
    edge: str
    bound: float | None = None

    def __call__(
        self, half: Tensor, features: Tensor | None = None, share: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Raw scale and shift, each (N, C / 2, H, W).

        Shapes:
            half: (N, C / 2, H, W).
            features: (N, F, H, W), the condition, if there is one.
            share: (N or 1, width, H, W), what `cond_term` made of it; it then takes their place.
        """
        x = half
        if share is None and features is not None:
            x = torch.cat([half, features.to(half.dtype)], 1)
        out = self.through(x, share, ones=self.edge == "ones")
        out = out.to(half.dtype) * (3 * self.scale).exp()[:, None, None]
        if self.bound is not None:
            out = self.bound * torch.tanh(out / self.bound)
        raw_scale, shift = out.chunk(2, 1)
        return raw_scale, shift

    def cond_term(self, features: Tensor) -> Tensor:
        """The condition's part of the first convolution, its bias included, (N, width, H, W)."""
        return conv3x3(features, self.first[:, self.untouched :], self.first_bias)


class Injections(nn.Module):
    """The injector networks of K steps, and the condition's share of their coupling networks.

    All steps of a block read one condition. It comes in two parts, one that the layout decides and
    one that becomes known on the way (`beside`); first convolutions being linear, the layout's part
    of all networks of the block is one convolution, worked out once per layout.

    References:
        CAFLOW, appendix A.2 (injectors and couplings read the condition through equal networks:
        conv3x3, conv1x1, conv3x3); Lugmayr et al. 2020, "SRFlow", section 3.2.
    """

    def __init__(self, steps: int, channels: int, known: int, beside: int, width: int) -> None:
        """Makes the injectors' weights; `known` and `beside` count the condition's channels."""
        super().__init__()
        self.steps, self.known, self.beside = steps, known, beside
        inputs = known + beside
        self.first = nn.Parameter(torch.randn(steps, width, inputs, 3, 3) * 0.05)
        self.first_bias = nn.Parameter(torch.zeros(steps, width))
        self.second = nn.Parameter(torch.randn(steps, width, width, 1, 1) * 0.05)
        self.second_bias = nn.Parameter(torch.zeros(steps, width))
        self.last = nn.Parameter(torch.zeros(steps, 2 * channels, width, 3, 3))
        self.last_bias = nn.Parameter(torch.zeros(steps, 2 * channels))

    def cond_term(self, known: Tensor, nets: CouplingNets) -> Tensor:
        """The layout's part of every first convolution, biases included.

        Shapes:
            known: (N, known, H, W).
            returns: (N, 2 K width, H, W), the injectors' share before the couplings'.
        """
        weight = torch.cat([self.first, nets.condition_weight()])[:, :, : self.known]
        bias = torch.cat([self.first_bias, nets.first_bias])
        return F.conv2d(known, weight.flatten(0, 1), bias.flatten(), padding=1)

    def add_source_term(self, share: Tensor, beside: Tensor | None, nets: CouplingNets) -> Tensor:
        """The share of the whole condition.

        Shapes:
            beside: (N, beside, H, W), or None if there is no such part.
        """
        if beside is None:
            return share
        weight = torch.cat([self.first, nets.condition_weight()])[:, :, self.known :]
        return share + F.conv2d(beside, weight.flatten(0, 1), padding=1)

    def forward(self, whole: Tensor, like: Tensor) -> tuple[list[CouplingParams], list[Tensor]]:
        """The injector's parameters and the coupling's share for every step.

        Shapes:
            whole: what `add_source_term` gave.
            like: any tensor of the wanted type.
        """
        own, shares = whole.chunk(2, 1)
        hidden = F.conv2d(
            F.relu(own), self.second.flatten(0, 1), self.second_bias.flatten(), groups=self.steps
        )
        out = F.conv2d(
            F.relu(hidden),
            self.last.flatten(0, 1),
            self.last_bias.flatten(),
            padding=1,
            groups=self.steps,
        ).to(like.dtype)
        injectors = [CouplingParams(*part.chunk(2, 1)) for part in out.chunk(self.steps, 1)]
        return injectors, list(shares.chunk(self.steps, 1))

    def per_step(self, condition: Tensor) -> list[CouplingParams]:
        """The injectors' parameters, from all of the condition, (N, F, H, W)."""
        slices = [NetWeights(*parts) for parts in zip(*self.parameters(), strict=True)]
        outs = (net.through(condition, ones=False).to(condition.dtype) for net in slices)
        return [CouplingParams(*out.chunk(2, 1)) for out in outs]


class _Network(torch.autograd.Function):
    """conv3x3, ReLU, conv1x1, ReLU, conv3x3, with a backward pass of its own.

    Between the passes it holds the two hidden maps after their ReLU and nothing else that is wide:
    the last convolution's border of ones is a small map that is added, not padding of a copy. In
    the backward pass gradients of hidden maps are masked in place. Under autocast the convolutions
    run in its type.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, share: Tensor | None, ones: bool, *weights: Tensor) -> Tensor:
        """(N, C_in, H, W) -> (N, C, H, W); with a share, the first bias is in it already."""
        first, first_bias, second, second_bias, last, last_bias = weights
        kind = _network_type(x)
        x = x.to(kind)
        bias = first_bias.to(kind) if share is None else None
        with torch.autocast(_device(x), enabled=False):
            hidden = conv3x3(x, first.to(kind), bias)
            if share is not None:
                hidden.add_(share)
            hidden.relu_()
            deep = F.conv2d(hidden, second.to(kind), second_bias.to(kind)).relu_()
            out = conv3x3(deep, last.to(kind), last_bias.to(kind))
            if ones:
                out.add_(border(last.to(kind), out))
        ctx.save_for_backward(x, first, second, last, hidden, deep)
        ctx.ones, ctx.shared = ones, share is not None
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of everything, those of the hidden maps one after the other."""
        x, first, second, last, hidden, deep = ctx.saved_tensors
        kind = x.dtype
        d_out = d_out.to(kind).contiguous(memory_format=torch.channels_last)
        with torch.autocast(_device(x), enabled=False):
            d_deep, d_last, d_last_bias = conv3x3_backward(d_out, deep, last.to(kind))
            assert d_deep is not None
            if ctx.ones:
                summed = d_out.sum(0).flatten(1) @ outside(d_out)
                d_last += summed.reshape(-1, 1, 3, 3)
            _mask(d_deep, deep)
            d_hidden, d_second, d_second_bias = conv_backward(d_deep, hidden, second.to(kind), 0)
            assert d_hidden is not None
            del d_deep
            _mask(d_hidden, hidden)
            d_x, d_first, d_first_bias = conv3x3_backward(
                d_hidden, x, first.to(kind), wanted=ctx.needs_input_grad[0]
            )
        d_share, d_own = (d_hidden, None) if ctx.shared else (None, d_first_bias)
        weights = [d_first, d_own, d_second, d_second_bias, d_last, d_last_bias]
        cast = (None if d is None else d.to(first.dtype) for d in weights)
        return d_x, d_share, None, *cast


def _network_type(x: Tensor) -> torch.dtype:
    """The type that networks run in: autocast's where it is on, else the input's own."""
    device = _device(x)
    if x.dtype == torch.float32 and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return x.dtype


def _device(x: Tensor) -> str:
    """The device type whose autocast counts; meta tensors know none, and CPU's stands in."""
    return "cpu" if x.is_meta else x.device.type


def _mask(gradient: Tensor, activated: Tensor) -> None:
    """The backward pass of a ReLU, in place, from what the ReLU put out."""
    torch.ops.aten.threshold_backward.grad_input(gradient, activated, 0, grad_input=gradient)
