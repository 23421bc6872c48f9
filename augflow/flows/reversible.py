"""Levels and blocks whose backward pass rebuilds what their forward pass did not keep.

A step can be undone, so its input follows from its output: between the passes a level holds what
goes in and what comes out, however many steps it has. Source and target go back together, as the
target's parameters follow from the source's trace, which is rebuilt on the way.

References:
    Gomez et al. 2017, "The reversible residual network: backpropagation without storing
    activations"; Chen et al. 2016, "Training deep nets with sublinear memory cost", for towers that
    keep the inputs of their steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from augflow.flows.coupling import StepNet
from augflow.flows.params import StepParams, Trace, leaf
from augflow.flows.reversible_step import (
    StepBackward,
    StepChunk,
    TowerLevel,
    current_precision,
    has_drifted,
    same_precision,
)

if TYPE_CHECKING:
    from augflow.flows.blocks import Block

TOGETHER = 8
"""How many steps of a level go back together at most."""

WIDE_BYTES = 64 * 2**20
"""How many bytes of a source's hidden maps may be held at once while steps go back together."""


@dataclass(frozen=True)
class JointLevel:
    """A level of the target and, in two-tower systems, the source's beside it."""

    target: TowerLevel
    source: TowerLevel | None = None

    @property
    def towers(self) -> tuple[TowerLevel, ...]:
        """The target, then the source if there is one."""
        return (self.target,) if self.source is None else (self.target, self.source)

    def __call__(
        self, x: Tensor, source_x: Tensor | None = None, maps: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Through all steps.

        Shapes:
            x, source_x: (N, C, H, W), what the levels read.
            maps: see `Conditioner`; no gradients reach it.
            returns: the target's z and log-determinant (N,), then the source's.
        """
        weights = [p for tower in self.towers for p in tower.weights.values()]
        out: tuple[Tensor, ...] = _Rebuilt.apply(self, x, source_x, maps, *weights)
        return out

    def chunks(self, x: Tensor) -> list[range]:
        """Which steps go back together: few, or a deep level takes more memory than a flat one."""
        nets = self.target.level.nets
        wide = 0
        if self.source is not None:
            pixels = x.shape[0] * x.shape[2] * x.shape[3]
            wide = 2 * pixels * self.source.level.nets.width * x.element_size()
        size = max(1, min(TOGETHER, WIDE_BYTES // max(wide, 1)))
        return [range(a, min(a + size, nets.steps)) for a in range(0, nets.steps, size)]


class _Rebuilt(torch.autograd.Function):
    """A `JointLevel` without a graph of its steps."""

    @staticmethod
    def forward(
        ctx: Any,
        joint: JointLevel,
        x: Tensor,
        source_x: Tensor | None,
        maps: Tensor | None,
        *weights: Tensor,
    ) -> tuple[Tensor, ...]:
        """See `JointLevel.__call__`."""
        out, kept = _level_forward(joint, x, source_x, maps)
        starts = [x] if source_x is None else [x, source_x]
        ctx.save_for_backward(maps, *starts, *out[::2], *chain.from_iterable(kept))
        ctx.joint, ctx.counts = joint, [len(inputs) for inputs in kept]
        ctx.precision = current_precision(x)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of inputs and weights, from the last step to the first."""
        joint: JointLevel = ctx.joint
        saved = iter(ctx.saved_tensors)
        maps = next(saved)
        starts, ends = ([next(saved) for _ in joint.towers] for _ in range(2))
        inputs = [list(islice(saved, count)) for count in ctx.counts]
        with same_precision(ctx.precision):
            back = _LevelBackward(joint, maps, ends, inputs, gradients)
            back.run()
            if any(
                not tower.keeps and has_drifted(found, x, ctx.precision)
                for tower, found, x in zip(joint.towers, back.states, starts, strict=True)
            ):
                # what was rebuilt has drifted away: go through again and keep the inputs of steps
                sure = JointLevel(*(replace(tower, keeps=True) for tower in joint.towers))
                x, source_x = (*starts, None)[:2]
                _, inputs = _level_forward(sure, x, source_x, maps)
                back = _LevelBackward(sure, maps, ends, inputs, gradients)
                back.run()
        d_source = back.d_states[1] if joint.source is not None else None
        weights = [gradient for tower in back.gradients for gradient in tower.values()]
        return None, back.d_states[0], d_source, None, *weights


@torch.no_grad()
def _level_forward(
    joint: JointLevel, x: Tensor, source_x: Tensor | None, maps: Tensor | None
) -> tuple[tuple[Tensor, ...], list[list[Tensor]]]:
    """All steps forward; what `JointLevel` returns, and inputs of the steps of towers that keep."""
    states = [x] if source_x is None else [x, source_x]
    log_dets = [state.new_zeros(len(state)) for state in states]
    kept: list[list[Tensor]] = [[] for _ in states]

    def go(tower: int, chunk: StepChunk, traced: bool) -> Trace | None:
        seen: list[tuple[Tensor, ...]] = []
        own = joint.towers[tower]
        for index, step in enumerate(chunk.steps):
            if own.keeps:
                kept[tower].append(states[tower])
            normed, mixed, change = own.level.mix(states[tower], step, traced=traced)
            states[tower], last = own.level.couple(mixed, step, chunk.net(index))
            log_dets[tower] = log_dets[tower] + change + last
            if normed is not None:
                seen.append((normed, mixed, states[tower]))
        return Trace(*zip(*seen, strict=True)) if traced else None

    for steps in joint.chunks(x):
        trace = None
        if joint.source is not None:
            trace = go(1, StepChunk(joint.source, steps, None, None), True)
        go(0, StepChunk(joint.target, steps, trace, maps), False)
    out = tuple(part for pair in zip(states, log_dets, strict=True) for part in pair)
    return out, kept


class _LevelBackward:
    """The backward pass of a level: states and their gradients on the way to the first step.

    Lists have the target's part first, then the source's.
    """

    def __init__(
        self,
        joint: JointLevel,
        maps: Tensor | None,
        states: list[Tensor],
        kept: list[list[Tensor]],
        gradients: Sequence[Tensor],
    ) -> None:
        self.joint, self.maps, self.kept = joint, maps, kept
        self.states = list(states)
        self.d_states = list(gradients[0::2])
        self.d_log_dets = list(gradients[1::2])
        self.gradients = [
            {name: torch.empty_like(p) for name, p in tower.weights.items()}
            for tower in joint.towers
        ]

    def run(self) -> None:
        """From the last steps to the first."""
        for steps in reversed(self.joint.chunks(self.states[0])):
            self._together(steps)

    def _together(self, steps: range) -> None:
        """Some steps; what they needed is let go before the next ones begin."""
        source: StepChunk | None = None
        waiting: list[StepBackward] = []
        trace: Trace | None = None
        with torch.enable_grad():
            if self.joint.source is not None:
                source = StepChunk(self.joint.source, steps, None, None)
                waiting = self._rebuild_source(source)
                trace = Trace(
                    tuple(leaf(step.normed) for step in waiting),
                    tuple(leaf(step.mixed) for step in waiting),
                    tuple(leaf(step.out) for step in waiting),
                )
            target = StepChunk(self.joint.target, steps, trace, self.maps)
        found: dict[int, list[Tensor]] = {}
        for index in reversed(range(len(steps))):
            step = target.step_backward(index, *self._known_state(0, steps[index], self.states[0]))
            found[index] = self._back(0, target, index, step, None)
        read = [] if trace is None else [*trace.actnorm, *trace.conv, *trace.coupling]
        learned, d_trace = target.conditioner_gradients(found, read)
        self._write(0, steps, learned)
        if source is not None:
            self._source_back(source, waiting, d_trace)

    def _known_state(self, tower: int, step: int, z: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """A step's output, or its input where that was kept."""
        return (None, self.kept[tower][step]) if self.joint.towers[tower].keeps else (z, None)

    def _back(
        self,
        tower: int,
        chunk: StepChunk,
        index: int,
        step: StepBackward,
        d_trace: Sequence[Tensor] | None,
    ) -> list[Tensor]:
        """Through one step; returns the gradients of what it was given."""
        own = chunk.nets.pop(index)
        self.d_states[tower], found, nets = step.backward(
            self.d_states[tower], self.d_log_dets[tower], own, d_trace
        )
        self.states[tower] = step.x
        for name, gradient in nets.items():
            self.gradients[tower][f"nets.{name}"][chunk.chunk[index]] = gradient
        return found

    def _write(self, tower: int, steps: range, learned: dict[str, Tensor]) -> None:
        for name, gradient in learned.items():
            self.gradients[tower][f"given.{name}"][steps.start : steps.stop] = gradient

    def _rebuild_source(self, chunk: StepChunk) -> list[StepBackward]:
        """Steps of the source, undone, that wait for the gradients of their trace."""
        steps: list[StepBackward] = []
        z = self.states[1]
        for index in reversed(range(len(chunk.chunk))):
            step = chunk.step_backward(index, *self._known_state(1, chunk.chunk[index], z))
            steps.insert(0, step)
            z = step.x.detach()
        return steps

    def _source_back(
        self, chunk: StepChunk, steps: list[StepBackward], d_trace: Sequence[Tensor]
    ) -> None:
        count = len(steps)
        found: dict[int, list[Tensor]] = {}
        for index in reversed(range(count)):
            found[index] = self._back(1, chunk, index, steps.pop(), d_trace[index::count])
        learned, _ = chunk.conditioner_gradients(found, [])
        self._write(1, chunk.chunk, learned)


def block_steps(
    block: Block, x: Tensor, condition: Tensor | None, *, keeps: bool
) -> tuple[Tensor, Tensor]:
    """A block's steps: z (N, C, H, W) and the log-determinant (N,), without a graph of them.

    Args:
        block: whose steps.
        x: (N, C, H, W), squeezed.
        condition: (N, F, H, W), squeezed: all that injectors and couplings read.
        keeps: whether the inputs of steps are kept instead of rebuilt.
    """
    z, log_det = _RebuiltBlock.apply(block, keeps, x, condition, *block.parameters())
    return z, log_det


class _RebuiltBlock(torch.autograd.Function):
    """A `Block` without a graph of its steps."""

    @staticmethod
    def forward(
        ctx: Any, block: Block, keeps: bool, x: Tensor, condition: Tensor | None, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `block_steps`."""
        z, log_det, kept = _block_forward(block, x, condition, keeps)
        ctx.save_for_backward(condition, x, z, *kept)
        ctx.block, ctx.keeps, ctx.precision = block, keeps, current_precision(x)
        return z, log_det

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_z: Tensor, d_log_det: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input, condition and weights, from the last step to the first."""
        block: Block = ctx.block
        condition, x, z, *kept = ctx.saved_tensors
        with same_precision(ctx.precision):
            back = _BlockBackward(block, condition, d_z, d_log_det)
            found = back.run(z, kept)
            if not ctx.keeps and has_drifted(found, x, ctx.precision):
                kept = _block_forward(block, x, condition, True)[2]
                back = _BlockBackward(block, condition, d_z, d_log_det)
                back.run(z, kept)
        return None, None, back.d_x, back.d_condition, *back.gradients.values()


@torch.no_grad()
def _block_forward(
    block: Block, x: Tensor, condition: Tensor | None, keeps: bool
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """All steps forward: z, the log-determinant, and the inputs of steps where they are kept."""
    log_det = x.new_zeros(len(x))
    kept = []
    for number in range(block.count):
        if keeps:
            kept.append(x)
        x, change = block.through(x, *_BlockStep(block, number).params(condition))
        log_det = log_det + change
    return x, log_det, kept


class _BlockStep:
    """One step of a block, on leaves for its weights.

    Attributes:
        places: where on their axis of steps the weights of this step are, by name.
    """

    def __init__(self, block: Block, number: int) -> None:
        self.block, self.number = block, number
        own = number - block.shape.transitions  # which of the full steps; below 0 a transition
        self.places: dict[str, int] = {}
        self.leaves: dict[str, Tensor] = {}
        for name, p in block.named_parameters():
            place = number if name.startswith("learned.") else own
            if place >= 0:
                self.places[name], self.leaves[name] = place, leaf(p[place])

    def params(self, condition: Tensor | None) -> tuple[StepParams, StepNet | None]:
        """Its parameters and network, made from the leaves; a transition has no network."""
        learned, n = self.block.learned, self.number
        own = {name: value[None] for name, value in self._of("learned.").items()}
        buffers = {name: value[n : n + 1] for name, value in learned.named_buffers()}
        step: StepParams = functional_call(learned, {**own, **buffers}, ()).steps[0]
        if n < self.block.shape.transitions:
            return step, None
        net = self.block.nets.on(self._of("nets."))
        if self.block.injections is None:
            return step, net
        assert condition is not None
        injector = self.block.injections.injector(self._of("injections."), condition)
        return replace(step, injector=injector, features=condition), net

    def _of(self, prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): value
            for name, value in self.leaves.items()
            if name.startswith(prefix)
        }


class _BlockBackward:
    """The backward pass of a block."""

    def __init__(
        self, block: Block, condition: Tensor | None, d_z: Tensor, d_log_det: Tensor
    ) -> None:
        self.block, self.condition, self.d_x, self.d_log_det = block, condition, d_z, d_log_det
        self.d_condition = None if condition is None else torch.zeros_like(condition)
        self.gradients = {name: torch.empty_like(p) for name, p in block.named_parameters()}

    def run(self, z: Tensor, kept: list[Tensor]) -> Tensor:
        """From the last step to the first; returns the input as it was found."""
        for number in reversed(range(self.block.count)):
            step = _BlockStep(self.block, number)
            condition = None if self.condition is None else leaf(self.condition)
            with torch.enable_grad():
                params, net = step.params(condition)
            with torch.no_grad():
                x = kept[number] if kept else self.block.invert_step(z, params.invert(), net)
            x = leaf(x)
            with torch.enable_grad():
                ends = self.block.through(x, params, net)
            read = [] if condition is None or net is None else [condition]
            wanted = [x, *read, *step.leaves.values()]
            self.d_x, *found = torch.autograd.grad(ends, wanted, [self.d_x, self.d_log_det])
            if read:
                assert self.d_condition is not None
                self.d_condition += found.pop(0)
            for name, gradient in zip(step.leaves, found, strict=True):
                self.gradients[name][step.places[name]] = gradient
            z = x
        return z
