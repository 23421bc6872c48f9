"""One scale of a flow with transition steps: squeeze, transitions, steps, conditional or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from augflow.core.config import Memory
from augflow.flows.conditioners import Conditioner, Learned
from augflow.flows.coupling import CouplingNets, Injections, StepNet
from augflow.flows.level import StepMaths
from augflow.flows.params import LevelParams, StepParams, Trace
from augflow.flows.reversible import JointLevel, TowerLevel
from augflow.flows.transforms import SoftClampedAffine, squeeze, unsqueeze


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
    cond_term: Tensor | None = None
    known: Tensor | None = None
    memory: Memory = "store"

    def rows(self, rows: Sequence[int]) -> BlockParams:
        """The parameters of some rows of the batch; a row may be taken several times."""
        index = torch.as_tensor(list(rows), device=self.level.steps[0].conv.weight.device)
        return replace(
            self,
            cond_term=None if self.cond_term is None else self.cond_term[index],
            known=None if self.known is None else self.known[index],
        )

    def invert(self) -> BlockParams:
        """The same with every matrix inverted."""
        return replace(self, level=self.level.invert())


class Block(StepMaths):
    """Squeeze, transition steps, K steps of actnorm, 1x1 convolution, (injector,) coupling.

    References:
        CAFLOW, appendices A.1 (unconditional) and A.2 (conditional).
    """

    def __init__(self, shape: BlockShape, rng: torch.Generator) -> None:
        """Makes all weights; the rotations come from `rng`."""
        super().__init__()
        self.shape, self.transitions = shape, shape.transitions
        steps = shape.transitions + shape.steps
        self.learned = Learned(steps, shape.channels, rng, "log", shape.min_std)
        condition = (shape.known + shape.beside) * shape.gain
        self.nets = CouplingNets(shape.steps, shape.channels, condition, shape.width, "zeros")
        self.injections: Injections | None = None
        if condition:
            parts = shape.known * shape.gain, shape.beside * shape.gain
            self.injections = Injections(shape.steps, shape.channels, *parts, shape.width)
        self.coupling = SoftClampedAffine(shape.clamp)

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
            share = self.injections.cond_term(self._squeeze(known), self.nets)
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
            parts = [self._squeeze(part) for part in (params.known, beside) if part is not None]
            condition = torch.cat(parts, 1) if parts else None
            given = _WholeCondition(self.learned, self.injections)
            tower = TowerLevel(self, given, params.memory == "checkpoint", together=1)
            z, log_det = JointLevel(tower)(self._squeeze(x), maps=condition)
            return z, log_det
        x = self._squeeze(x)
        log_det = x.new_zeros(len(x))
        for step, net in self._steps(params, beside, x):
            x, changes = self.step(x, step, net)
            log_det = log_det + sum(changes[1:], changes[0].expand(len(x)))
        return x, log_det

    def initialise(
        self, x: Tensor, params: BlockParams, beside: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, every actnorm set from what it reads; the log-determinant is left at 0."""
        x = self._squeeze(x)
        steps = self._steps(params, beside, x)
        return self.initialise_steps(x, steps, self.learned), x.new_zeros(len(x))

    def inverse(self, z: Tensor, params: BlockParams, beside: Tensor | None = None) -> Tensor:
        """Undoes `forward`; `params` best come inverted (`invert`)."""
        known = params if params.level.steps[0].inverse_mixing is not None else params.invert()
        for step, net in reversed(self._steps(known, beside, z)):
            z = self.invert_step(z, step, net)
        return unsqueeze(z) if self.shape.squeezes else z

    def _steps(
        self, params: BlockParams, beside: Tensor | None, like: Tensor
    ) -> list[tuple[StepParams, StepNet | None]]:
        """Every step's parameters and network; transitions have none."""
        count, steps = self.shape.transitions, params.level.steps
        full = list(steps[count:])
        if self.injections is not None:
            assert params.cond_term is not None
            squeezed = None if beside is None else self._squeeze(beside)
            whole = self.injections.add_source_term(params.cond_term, squeezed, self.nets)
            injectors, shares = self.injections(whole, like)
            full = [
                replace(step, injector=injector, cond_term=share)
                for step, injector, share in zip(full, injectors, shares, strict=True)
            ]
        return [
            *((step, None) for step in steps[:count]),
            *zip(full, self.nets.per_step(), strict=True),
        ]

    def _squeeze(self, x: Tensor) -> Tensor:
        return squeeze(x) if self.shape.squeezes else x


class _WholeCondition(Conditioner):
    """What a block's steps are given where all of the condition is at hand, (N, F, H, W)."""

    def __init__(self, learned: Learned, injections: Injections | None) -> None:
        super().__init__()
        self.learned, self.injections = learned, injections

    def forward(self, trace: Trace | None = None, maps: Tensor | None = None) -> LevelParams:
        """See `Conditioner.forward`; injectors run one by one, on their lean backward pass."""
        own: LevelParams = self.learned()
        if self.injections is None or maps is None:
            return own
        injectors = self.injections.per_step(maps)
        first = len(own.steps) - len(injectors)
        full = [
            replace(step, injector=injector, features=maps)
            for step, injector in zip(own.steps[first:], injectors, strict=True)
        ]
        return replace(own, steps=(*own.steps[:first], *full))
