"""One scale of a flow: K steps of actnorm, 1x1 convolution and affine coupling."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from augflow.flows.coupling import CouplingNets, StepNet
from augflow.flows.params import HoldsActNorms, LevelParams, StepParams, Trace
from augflow.flows.transforms import ActNorm, AffineCoupling, CouplingParams, InvertibleConv


class Level(nn.Module):
    """K steps of actnorm, 1x1 convolution and affine coupling on one resolution."""

    def __init__(
        self, steps: int, channels: int, features: int, width: int, edge: str, floor: float,
        bound: float | None = None,
    ) -> None:  # fmt: skip
        """Makes the coupling networks; all other parameters come from outside."""
        super().__init__()
        self.nets = CouplingNets(steps, channels, features, width, edge, bound)
        self.actnorm, self.conv, self.coupling = ActNorm(), InvertibleConv(), AffineCoupling(floor)

    def forward(
        self, x: Tensor, params: LevelParams, *, traced: bool = False
    ) -> tuple[Tensor, Tensor, Trace | None]:
        """Through all steps.

        Shapes:
            x: (N, C, H, W).
            returns: z (N, C, H, W), log-determinant (N,), the trace if it is asked for.
        """
        log_det = x.new_zeros(len(x))
        kept: list[tuple[Tensor, Tensor, Tensor]] = []
        for step, net in zip(params.steps, self.nets.per_step(), strict=True):
            normed, mixed, change = self.mix(x, step, traced=traced)
            x, last = self.couple(mixed, step, net)
            log_det = log_det + change + last
            if normed is not None:
                kept.append((normed, mixed, x))
        return x, log_det, Trace(*zip(*kept, strict=True)) if traced else None

    def mix(
        self, x: Tensor, step: StepParams, *, traced: bool
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Actnorm and 1x1 convolution: in one product, or one by one where both are traced.

        Shapes:
            returns: what actnorm put out if it is traced, what the matrix did, and both their
                log-determinants (N,) or (1,).
        """
        area = x.shape[2] * x.shape[3]
        log_det = step.actnorm.log_det(area) + step.conv.log_det * area
        if not traced:
            return None, step.actnorm.before(step.conv.weight)(x), log_det
        normed, _ = self.actnorm(x, step.actnorm)
        mixed, _ = self.conv(normed, step.conv)
        return normed, mixed, log_det

    def couple(self, mixed: Tensor, step: StepParams, net: StepNet) -> tuple[Tensor, Tensor]:
        """The coupling: z (N, C, H, W) and its log-determinant (N,)."""
        half, other = mixed.chunk(2, 1)
        changed, log_det = self.coupling(
            other, CouplingParams(*net(half, step.features, step.share))
        )
        return torch.cat([half, changed], 1), log_det

    def inverse(self, z: Tensor, params: LevelParams) -> Tensor:
        """Back through all steps; `params` best come `inverted` and with `shared` conditions."""
        known = params if params.steps[0].undo is not None else params.inverted()
        for step, net in zip(reversed(known.steps), reversed(self.nets.per_step()), strict=True):
            half, changed = z.chunk(2, 1)
            coupling = CouplingParams(*net(half, step.features, step.share))
            z = torch.cat([half, self.coupling.inverse(changed, coupling)], 1)
            assert step.undo is not None
            z = step.undo(z)
        return z

    def shared(self, params: LevelParams) -> LevelParams:
        """The same with the conditions' shares of all first convolutions worked out."""
        steps = tuple(
            step if step.features is None
            else replace(step, features=None, share=net.shared(step.features))
            for step, net in zip(params.steps, self.nets.per_step(), strict=True)
        )  # fmt: skip
        return replace(params, steps=steps)

    @torch.no_grad()
    def initialise(self, x: Tensor, params: LevelParams, conditioner: HoldsActNorms) -> LevelParams:
        """Sets every actnorm from the data, one step after the other.

        Returns:
            `params` with the new actnorm values.
        """
        steps = []
        nets = self.nets.per_step()
        for index, step in enumerate(params.steps):
            std, mean = torch.std_mean(x, dim=(0, 2, 3))
            step = replace(step, actnorm=conditioner.initialise_step(index, mean, std))
            steps.append(step)
            _, mixed, _ = self.mix(x, step, traced=False)
            x, _ = self.couple(mixed, step, nets[index])
        return replace(params, steps=tuple(steps))
