"""One scale of a flow: K steps of actnorm, 1x1 convolution and affine coupling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from augflow.flows.conditioners import Conditioner
from augflow.flows.coupling import CouplingNets, StepNet
from augflow.flows.params import LevelParams, StepParams, Trace
from augflow.flows.transforms import AffineCoupling, AffineMap, CouplingParams

Steps = Iterable[tuple[StepParams, StepNet | None]]
"""Steps with their coupling networks; those without one are actnorm and matrix alone."""


class StepMaths(nn.Module):
    """What a step does, and its inverse; all parameters are handed in.

    A step is actnorm, a 1x1 convolution, an affine injector where the condition has one, and an
    affine coupling.

    Attributes:
        transitions: how many steps come first that have no coupling.
    """

    nets: CouplingNets
    coupling: AffineMap
    transitions: int = 0

    @property
    def count(self) -> int:
        """The number of steps."""
        return self.transitions + self.nets.steps

    def mix(
        self, x: Tensor, step: StepParams, *, traced: bool
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Actnorm and 1x1 convolution, in one product or traced one by one; then the injector.

        Shapes:
            returns: what actnorm put out if it is traced, what comes before the coupling, and the
                log-determinant of all (N,) or (1,).
        """
        log_det = step.log_det(x.shape[2] * x.shape[3])
        normed = step.actnorm(x) if traced else None
        mixed = step.actnorm.before(step.conv.weight)(x) if normed is None else step.conv(normed)
        if step.injector is not None:
            mixed, change = self.coupling(mixed, step.injector)
            log_det = log_det + change
        return normed, mixed, log_det

    def couple(self, mixed: Tensor, step: StepParams, net: StepNet) -> tuple[Tensor, Tensor]:
        """The coupling: z (N, C, H, W) and its log-determinant (N,)."""
        half, other = mixed.chunk(2, 1)
        raw = CouplingParams(*net(half, step.features, step.cond_term))
        changed, log_det = self.coupling(other, raw)
        return torch.cat([half, changed], 1), log_det

    def step(self, x: Tensor, step: StepParams, net: StepNet | None) -> tuple[Tensor, list[Tensor]]:
        """Through one step.

        What is worked out after the product here, and before it in `mix`, decides in which order
        gradients are added up, and so their last bits.

        Returns:
            z (N, C, H, W), and the log-determinants of what was done, (N,) or (1,) each.
        """
        x = step.actnorm.before(step.conv.weight)(x)
        changes = [step.log_det(x.shape[2] * x.shape[3])]
        if net is None:
            return x, changes
        if step.injector is not None:
            x, change = self.coupling(x, step.injector)
            changes.append(change)
        z, change = self.couple(x, step, net)
        return z, [*changes, change]

    def invert_step(self, z: Tensor, step: StepParams, net: StepNet | None) -> Tensor:
        """The inverse of `step`; its parameters are inverted (`invert`)."""
        if net is not None:
            half, changed = z.chunk(2, 1)
            raw = CouplingParams(*net(half, step.features, step.cond_term))
            z = torch.cat([half, self.coupling.inverse(changed, raw)], 1)
            if step.injector is not None:
                z = self.coupling.inverse(z, step.injector)
        assert step.inverse_mixing is not None
        return step.inverse_mixing(z)

    @torch.no_grad()
    def initialise_steps(self, x: Tensor, steps: Steps, conditioner: Conditioner) -> Tensor:
        """Sets every actnorm from the data, one step after the other; returns the last output."""
        for index, (step, net) in enumerate(steps):
            std, mean = torch.std_mean(x, dim=(0, 2, 3))
            fitted = replace(step, actnorm=conditioner.initialise_step(index, mean, std))
            x, _ = self.step(x, fitted, net)
        return x


class Level(StepMaths):
    """K steps of actnorm, 1x1 convolution and affine coupling on one resolution."""

    def __init__(
        self,
        steps: int,
        channels: int,
        features: int,
        width: int,
        edge: str,
        floor: float,
        bound: float | None = None,
        scale_bound: float | None = None,
    ) -> None:
        """Makes the coupling networks; all other parameters come from outside."""
        super().__init__()
        self.nets = CouplingNets(steps, channels, features, width, edge, bound)
        self.coupling: AffineCoupling = AffineCoupling(floor, scale_bound)

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

    def inverse(self, z: Tensor, params: LevelParams) -> Tensor:
        """Back through all steps; `params` best come from `precompute_condition` and `invert`."""
        known = params if params.steps[0].inverse_mixing is not None else params.invert()
        for step, net in zip(reversed(known.steps), reversed(self.nets.per_step()), strict=True):
            z = self.invert_step(z, step, net)
        return z

    def precompute_condition(self, params: LevelParams) -> LevelParams:
        """The same with the conditions' shares of all first convolutions worked out."""
        steps = []
        for step, net in zip(params.steps, self.nets.per_step(), strict=True):
            if step.features is not None:
                step = replace(step, features=None, cond_term=net.cond_term(step.features))
            steps.append(step)
        return replace(params, steps=tuple(steps))

    def initialise(self, x: Tensor, params: LevelParams, conditioner: Conditioner) -> Tensor:
        """Sets every actnorm from what the level reads; returns what it puts out."""
        steps = zip(params.steps, self.nets.per_step(), strict=True)
        return self.initialise_steps(x, steps, conditioner)
