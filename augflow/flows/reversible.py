"""Levels whose backward pass rebuilds what their forward pass did not keep.

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
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from augflow.flows.params import Trace, leaf
from augflow.flows.reversible_step import Undone, drifted, precision_of, same_precision
from augflow.flows.sides import Part, Side

TOGETHER = 8
"""How many steps of a level go back together at most."""

WIDE_BYTES = 64 * 2**20
"""How many bytes of a source's hidden maps may be held at once while steps go back together."""


@dataclass(frozen=True)
class JointLevel:
    """A level of the target and, in two-tower systems, the source's beside it."""

    target: Side
    source: Side | None = None

    @property
    def sides(self) -> tuple[Side, ...]:
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
        weights = [p for side in self.sides for p in side.weights.values()]
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
        ctx: Any, joint: JointLevel, x: Tensor, source_x: Tensor | None, maps: Tensor | None,
        *weights: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """See `JointLevel.__call__`."""
        out, kept = _through(joint, x, source_x, maps)
        starts = [x] if source_x is None else [x, source_x]
        ctx.save_for_backward(maps, *starts, *out[::2], *chain.from_iterable(kept))
        ctx.joint, ctx.counts = joint, [len(inputs) for inputs in kept]
        ctx.precision = precision_of(x)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of inputs and weights, from the last step to the first."""
        joint: JointLevel = ctx.joint
        saved = iter(ctx.saved_tensors)
        maps = next(saved)
        starts, ends = ([next(saved) for _ in joint.sides] for _ in range(2))
        inputs = [list(islice(saved, count)) for count in ctx.counts]
        with same_precision(ctx.precision):
            back = _Back(joint, maps, ends, inputs, gradients)
            back.run()
            if any(
                not side.keeps and drifted(found, x, ctx.precision)
                for side, found, x in zip(joint.sides, back.states, starts, strict=True)
            ):
                # what was rebuilt has drifted away: go through again and keep the inputs of steps
                sure = JointLevel(*(Side(s.level, s.conditioner, True) for s in joint.sides))
                x, source_x = (*starts, None)[:2]
                _, inputs = _through(sure, x, source_x, maps)
                back = _Back(sure, maps, ends, inputs, gradients)
                back.run()
        d_source = back.d_states[1] if joint.source is not None else None
        return None, back.d_states[0], d_source, None, *back.weight_gradients()


@torch.no_grad()
def _through(
    joint: JointLevel, x: Tensor, source_x: Tensor | None, maps: Tensor | None
) -> tuple[tuple[Tensor, ...], list[list[Tensor]]]:
    """All steps forward; what `JointLevel` returns, and inputs of the steps of sides that keep."""
    states = [x] if source_x is None else [x, source_x]
    log_dets = [state.new_zeros(len(state)) for state in states]
    kept: list[list[Tensor]] = [[] for _ in states]

    def go(side: int, part: Part, traced: bool) -> Trace | None:
        seen: list[tuple[Tensor, ...]] = []
        for index, step in enumerate(part.steps):
            own = joint.sides[side]
            if own.keeps:
                kept[side].append(states[side])
            normed, mixed, change = own.level.mix(states[side], step, traced=traced)
            states[side], last = own.level.couple(mixed, step, part.net(index))
            log_dets[side] = log_dets[side] + change + last
            if normed is not None:
                seen.append((normed, mixed, states[side]))
        return Trace(*zip(*seen, strict=True)) if traced else None

    for chunk in joint.chunks(x):
        trace = None
        if joint.source is not None:
            trace = go(1, Part(joint.source, chunk, None, None), True)
        go(0, Part(joint.target, chunk, trace, maps), False)
    out = tuple(part for pair in zip(states, log_dets, strict=True) for part in pair)
    return out, kept


class _Back:
    """The backward pass of a level: states and their gradients on the way to the first step."""

    def __init__(
        self, joint: JointLevel, maps: Tensor | None, states: list[Tensor],
        kept: list[list[Tensor]], gradients: Sequence[Tensor],
    ) -> None:  # fmt: skip
        self.joint, self.maps, self.kept = joint, maps, kept
        self.states = list(states)
        self.d_states = list(gradients[0::2])
        self.d_log_dets = list(gradients[1::2])
        self.gradients = [
            {name: torch.empty_like(p) for name, p in side.weights.items()} for side in joint.sides
        ]

    def run(self) -> None:
        """From the last steps to the first."""
        for chunk in reversed(self.joint.chunks(self.states[0])):
            self._together(chunk)

    def _together(self, chunk: range) -> None:
        """Some steps; what they needed is let go before the next ones begin."""
        with torch.enable_grad():
            source = self._source(chunk) if self.joint.source is not None else None
            trace = None if source is None else source.trace
            part = Part(self.joint.target, chunk, trace, self.maps)
        found: dict[int, list[Tensor]] = {}
        for index in reversed(range(len(chunk))):
            step = part.undone(index, *self._known(0, chunk[index], self.states[0]))
            found[index] = self._back(0, part, index, step, None)
        traced = [] if source is None else source.traced
        learned, d_trace = part.conditioned(found, traced)
        self._write(0, chunk, learned)
        if source is not None:
            self._source_back(source, d_trace)

    def weight_gradients(self) -> list[Tensor]:
        """In the order in which the weights were given."""
        return [gradient for side in self.gradients for gradient in side.values()]

    def _known(self, side: int, step: int, z: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """A step's output, or its input where that was kept."""
        return (None, self.kept[side][step]) if self.joint.sides[side].keeps else (z, None)

    def _back(
        self, side: int, part: Part, index: int, step: Undone, d_trace: Sequence[Tensor] | None
    ) -> list[Tensor]:
        """Through one step; returns the gradients of what it was given."""
        own = part.nets.pop(index)
        self.d_states[side], found, nets = step.backward(
            self.d_states[side], self.d_log_dets[side], own, d_trace
        )
        self.states[side] = step.x
        number = part.chunk[index]
        for name, gradient in nets.items():
            self.gradients[side][f"nets.{name}"][number] = gradient
        return found

    def _write(self, side: int, chunk: range, learned: dict[str, Tensor]) -> None:
        for name, gradient in learned.items():
            self.gradients[side][f"given.{name}"][chunk.start : chunk.stop] = gradient

    def _source(self, chunk: range) -> _SourceChunk:
        assert self.joint.source is not None
        part = Part(self.joint.source, chunk, None, None)
        steps: list[Undone] = []
        z = self.states[1]
        for index in reversed(range(len(chunk))):
            step = part.undone(index, *self._known(1, chunk[index], z))
            steps.insert(0, step)
            z = step.x.detach()
        return _SourceChunk(part, steps)

    def _source_back(self, source: _SourceChunk, d_trace: Sequence[Tensor]) -> None:
        count = len(source.steps)
        found: dict[int, list[Tensor]] = {}
        for index in reversed(range(count)):
            step = source.steps.pop()
            own = [d_trace[index], d_trace[count + index], d_trace[2 * count + index]]
            found[index] = self._back(1, source.part, index, step, own)
        learned, _ = source.part.conditioned(found, [])
        self._write(1, source.part.chunk, learned)


class _SourceChunk:
    """Steps of the source that were undone and wait for the gradients of their trace."""

    def __init__(self, part: Part, steps: list[Undone]) -> None:
        self.part, self.steps = part, steps
        self.trace = Trace(
            tuple(leaf(step.normed) for step in steps),
            tuple(leaf(step.mixed) for step in steps),
            tuple(leaf(step.out) for step in steps),
        )

    @property
    def traced(self) -> list[Tensor]:
        """The tensors of the trace: actnorm's of all steps, then the matrices', then the rest."""
        return [*self.trace.actnorm, *self.trace.conv, *self.trace.coupling]
