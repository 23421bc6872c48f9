"""What the steps of a conditional block read from their common condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.flows.coupling import CouplingNets, NetWeights, StepNet
from augflow.flows.transforms import CouplingParams


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

    def share(self, known: Tensor, nets: CouplingNets) -> Tensor:
        """The layout's part of every first convolution, biases included.

        Shapes:
            known: (N, known, H, W).
            returns: (N, 2 K width, H, W), the injectors' share before the couplings'.
        """
        weight = torch.cat([self.first, nets.condition_weight()])[:, :, : self.known]
        bias = torch.cat([self.first_bias, nets.first_bias])
        return F.conv2d(known, weight.flatten(0, 1), bias.flatten(), padding=1)

    def completed(self, share: Tensor, beside: Tensor | None, nets: CouplingNets) -> Tensor:
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
            whole: what `completed` gave.
            like: any tensor of the wanted type.
        """
        own, shares = whole.chunk(2, 1)
        hidden = F.conv2d(
            F.relu(own), self.second.flatten(0, 1), self.second_bias.flatten(), groups=self.steps
        )
        out = F.conv2d(
            F.relu(hidden), self.last.flatten(0, 1), self.last_bias.flatten(), padding=1,
            groups=self.steps,
        ).to(like.dtype)  # fmt: skip
        injectors = [CouplingParams(*part.chunk(2, 1)) for part in out.chunk(self.steps, 1)]
        return injectors, list(shares.chunk(self.steps, 1))

    def on(self, weights: Mapping[str, Tensor]) -> StepInjector:
        """The injector network of one step on given weights, named as the parameters."""
        return StepInjector(**weights)


class StepInjector(NetWeights):
    """The injector network of one step, on weights that `Injections` cut out."""

    def __call__(self, condition: Tensor) -> CouplingParams:
        """Raw scale and shift of all channels, from the condition (N, F, H, W)."""
        out = self.through(condition, ones=False)
        return CouplingParams(*out.to(condition.dtype).chunk(2, 1))


@dataclass(frozen=True)
class Affines:
    """What a step does after its matrix.

    Attributes:
        injector: scale and shift that the condition alone decides, if there is one.
        net: the coupling's network.
        features: the condition, (N, F, H, W), or
        share: what the network's first convolution made of it, (N, width, H, W).
    """

    injector: CouplingParams | None
    net: StepNet
    features: Tensor | None = None
    share: Tensor | None = None

    def coupling(self, half: Tensor) -> CouplingParams:
        """Raw scale and shift of the half that changes."""
        return CouplingParams(*self.net(half, self.features, self.share))
