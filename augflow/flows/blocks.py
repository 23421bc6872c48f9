"""One scale of a flow with transition steps: squeeze, transitions, steps, conditional or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from augflow.flows.conditioners import Learned
from augflow.flows.coupling_nets import CouplingNets, StepNet
from augflow.flows.injection import Injections
from augflow.flows.step_params import LevelParams, StepParams
from augflow.flows.transforms import (
    ActNormParams,
    CouplingParams,
    SoftClampedAffine,
    squeeze,
    unsqueeze,
)


@dataclass(frozen=True)
class BlockShape:
    """What fixes a block.

    Attributes:
        inputs: channels before the squeeze.
        squeezes: whether it halves the resolution first.
        transitions: steps of actnorm and 1x1 convolution alone.
        steps: full steps.
        width: hidden channels of every network.
        known: channels of the condition's part that the layout decides; 0 if unconditional.
        beside: channels of the part that becomes known on the way.
        clamp: bound of the logarithm of the affine scales.
        min_std: smallest standard deviation that actnorms are initialised with.
    """

    inputs: int
    steps: int
    width: int
    transitions: int = 2
    squeezes: bool = True
    known: int = 0
    beside: int = 0
    clamp: float = 2.0
    min_std: float = 1e-6

    @property
    def channels(self) -> int:
        """Channels inside the block."""
        return self.inputs * self.gain

    @property
    def gain(self) -> int:
        """By how much squeezing multiplies channels."""
        return 4 if self.squeezes else 1


@dataclass(frozen=True)
class BlockParams:
    """Parameters of all steps of a block, and the layout's share of its first convolutions."""

    level: LevelParams
    share: Tensor | None = None

    def rows(self, rows: Sequence[int]) -> BlockParams:
        """The parameters of some rows of the batch; a row may be taken several times."""
        share = self.share
        if share is None:
            return self
        return replace(self, share=share[torch.as_tensor(list(rows), device=share.device)])

    def inverted(self) -> BlockParams:
        """The same with every matrix inverted."""
        return replace(self, level=self.level.inverted())


_ActNormOf = Callable[[int, Tensor, ActNormParams], ActNormParams]


class Block(nn.Module):
    """Squeeze, transition steps, K steps of actnorm, 1x1 convolution, (injector,) coupling.

    References:
        CAFLOW, appendices A.1 (unconditional) and A.2 (conditional).
    """

    def __init__(self, shape: BlockShape, rng: torch.Generator) -> None:
        """Makes all weights; the rotations come from `rng`."""
        super().__init__()
        self.shape = shape
        self.learned = Learned(
            shape.transitions + shape.steps, shape.channels, rng, actnorm="log",
            min_std=shape.min_std,
        )  # fmt: skip
        condition = (shape.known + shape.beside) * shape.gain
        self.nets = CouplingNets(shape.steps, shape.channels, condition, shape.width, "zeros")
        self.injections = (
            Injections(
                shape.steps, shape.channels, shape.known * shape.gain, shape.beside * shape.gain,
                shape.width,
            )
            if condition
            else None
        )  # fmt: skip
        self.affine = SoftClampedAffine(shape.clamp)

    def params(self, known: Tensor | None = None) -> BlockParams:
        """All that the layout decides.

        Shapes:
            known: (N, known, H, W), on the resolution of the block's input.
        """
        share = None
        if self.injections is not None:
            assert known is not None
            share = self.injections.share(self._squeezed(known), self.nets)
        return BlockParams(self.learned(), share)

    def forward(
        self, x: Tensor, params: BlockParams, beside: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Towards the latents.

        Shapes:
            x: (N, inputs, H, W).
            beside: (N, beside, H, W).
            returns: z (N, channels, H / 2, W / 2), or H, W without squeeze; log-determinant (N,).
        """
        return self._through(x, params, beside, lambda index, x, known: known)

    @torch.no_grad()
    def initialise(
        self, x: Tensor, params: BlockParams, beside: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, every actnorm set from what it reads."""

        def from_data(index: int, x: Tensor, known: ActNormParams) -> ActNormParams:
            std, mean = torch.std_mean(x, dim=(0, 2, 3))
            return self.learned.initialise_step(index, mean, std)

        return self._through(x, params, beside, from_data)

    def inverse(self, z: Tensor, params: BlockParams, beside: Tensor | None = None) -> Tensor:
        """Undoes `forward`; `params` best come `inverted`."""
        known = params if params.level.steps[0].undo is not None else params.inverted()
        for step, act in reversed(self._steps(known, beside, z)):
            if act is not None:
                half, changed = z.chunk(2, 1)
                z = torch.cat([half, self.affine.inverse(changed, act.coupling(half))], 1)
                if act.injector is not None:
                    z = self.affine.inverse(z, act.injector)
            assert step.undo is not None
            z = step.undo(z)
        return unsqueeze(z) if self.shape.squeezes else z

    def _through(
        self, x: Tensor, params: BlockParams, beside: Tensor | None, actnorm_of: _ActNormOf
    ) -> tuple[Tensor, Tensor]:
        x = self._squeezed(x)
        log_det = x.new_zeros(len(x))
        for index, (step, act) in enumerate(self._steps(params, beside, x)):
            area = x.shape[2] * x.shape[3]
            actnorm = actnorm_of(index, x, step.actnorm)
            x = actnorm.before(step.conv.weight)(x)
            log_det = log_det + actnorm.log_det(area) + step.conv.log_det * area
            if act is None:
                continue
            if act.injector is not None:
                x, change = self.affine(x, act.injector)
                log_det = log_det + change
            half, other = x.chunk(2, 1)
            changed, change = self.affine(other, act.coupling(half))
            x, log_det = torch.cat([half, changed], 1), log_det + change
        return x, log_det

    def _steps(
        self, params: BlockParams, beside: Tensor | None, like: Tensor
    ) -> list[tuple[StepParams, _Affines | None]]:
        """Every step's parameters; transitions have no affine maps."""
        injectors: list[CouplingParams | None] = [None] * self.shape.steps
        shares: list[Tensor | None] = [None] * self.shape.steps
        if self.injections is not None:
            assert params.share is not None
            squeezed = None if beside is None else self._squeezed(beside)
            whole = self.injections.completed(params.share, squeezed, self.nets)
            found, parts = self.injections(whole, like)
            injectors, shares = [*found], [*parts]
        acts: list[_Affines | None] = [None] * self.shape.transitions
        acts += [_Affines(*a) for a in zip(injectors, self.nets.per_step(), shares, strict=True)]
        return list(zip(params.level.steps, acts, strict=True))

    def _squeezed(self, x: Tensor) -> Tensor:
        return squeeze(x) if self.shape.squeezes else x


@dataclass(frozen=True)
class _Affines:
    injector: CouplingParams | None
    net: StepNet
    share: Tensor | None

    def coupling(self, half: Tensor) -> CouplingParams:
        return CouplingParams(*self.net(half, share=self.share))
