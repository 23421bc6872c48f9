"""One scale of a flow with transition steps: squeeze, transitions, steps, conditional or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from augflow.core.config import Memory
from augflow.flows import reversible_block
from augflow.flows.conditioners import Learned
from augflow.flows.coupling import CouplingNets
from augflow.flows.injection import Affines, Injections
from augflow.flows.params import LevelParams, StepParams
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
    """Parameters of all steps of a block.

    Attributes:
        level: of actnorms and matrices.
        share: the layout's share of first convolutions, where the layout has a say.
        known: the layout's part of the condition, (N, known, H, W), in place of its share.
        memory: what a pass holds for its backward pass.
    """

    level: LevelParams
    share: Tensor | None = None
    known: Tensor | None = None
    memory: Memory = "store"

    def rows(self, rows: Sequence[int]) -> BlockParams:
        """The parameters of some rows of the batch; a row may be taken several times."""
        index = torch.as_tensor(list(rows), device=self.level.steps[0].conv.weight.device)
        return replace(
            self,
            share=None if self.share is None else self.share[index],
            known=None if self.known is None else self.known[index],
        )

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

    def params(self, known: Tensor | None = None, memory: Memory = "store") -> BlockParams:
        """All that the layout decides.

        Shapes:
            known: (N, known, H, W), on the resolution of the block's input.
        """
        if memory != "store":
            return BlockParams(self.learned(), None, known, memory)
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
        if params.memory != "store":
            parts = [self._squeezed(part) for part in (params.known, beside) if part is not None]
            condition = torch.cat(parts, 1) if parts else None
            keeps = params.memory == "checkpoint"
            return reversible_block.through(self, self._squeezed(x), condition, keeps=keeps)
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
        for step, affines in reversed(self._steps(known, beside, z)):
            z = self.undo(z, step, affines)
        return unsqueeze(z) if self.shape.squeezes else z

    @property
    def count(self) -> int:
        """The number of steps, transitions included."""
        return self.shape.transitions + self.shape.steps

    def step(self, x: Tensor, given: StepParams, affines: Affines | None) -> tuple[Tensor, Tensor]:
        """Through one step; transitions have no affine maps.

        Shapes:
            x: (N, C, H, W).
            returns: z as x, log-determinant (N,).
        """
        area = x.shape[2] * x.shape[3]
        x = given.actnorm.before(given.conv.weight)(x)
        log_det = (given.actnorm.log_det(area) + given.conv.log_det * area).expand(len(x))
        if affines is None:
            return x, log_det
        if affines.injector is not None:
            x, change = self.affine(x, affines.injector)
            log_det = log_det + change
        half, other = x.chunk(2, 1)
        changed, change = self.affine(other, affines.coupling(half))
        return torch.cat([half, changed], 1), log_det + change

    def undo(self, z: Tensor, given: StepParams, affines: Affines | None) -> Tensor:
        """The inverse of `step`; `given` is `inverted`."""
        if affines is not None:
            half, changed = z.chunk(2, 1)
            z = torch.cat([half, self.affine.inverse(changed, affines.coupling(half))], 1)
            if affines.injector is not None:
                z = self.affine.inverse(z, affines.injector)
        assert given.undo is not None
        return given.undo(z)

    def _through(
        self, x: Tensor, params: BlockParams, beside: Tensor | None, actnorm_of: _ActNormOf
    ) -> tuple[Tensor, Tensor]:
        x = self._squeezed(x)
        log_det = x.new_zeros(len(x))
        for index, (step, affines) in enumerate(self._steps(params, beside, x)):
            given = replace(step, actnorm=actnorm_of(index, x, step.actnorm))
            x, change = self.step(x, given, affines)
            log_det = log_det + change
        return x, log_det

    def _steps(
        self, params: BlockParams, beside: Tensor | None, like: Tensor
    ) -> list[tuple[StepParams, Affines | None]]:
        """Every step's parameters; transitions have no affine maps."""
        injectors: list[CouplingParams | None] = [None] * self.shape.steps
        shares: list[Tensor | None] = [None] * self.shape.steps
        if self.injections is not None:
            assert params.share is not None
            squeezed = None if beside is None else self._squeezed(beside)
            whole = self.injections.completed(params.share, squeezed, self.nets)
            found, parts = self.injections(whole, like)
            injectors, shares = [*found], [*parts]
        affines: list[Affines | None] = [None] * self.shape.transitions
        for injector, net, share in zip(injectors, self.nets.per_step(), shares, strict=True):
            affines.append(Affines(injector, net, share=share))
        return list(zip(params.level.steps, affines, strict=True))

    def _squeezed(self, x: Tensor) -> Tensor:
        return squeeze(x) if self.shape.squeezes else x
