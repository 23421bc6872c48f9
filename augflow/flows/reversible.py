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
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from augflow.flows.coupling import StepNet
from augflow.flows.level import StepMaths
from augflow.flows.params import LevelParams, StepParams, Trace, leaf
from augflow.flows.transforms import CouplingParams

TOGETHER = 8
"""How many steps of a level go back together at most."""

WIDE_BYTES = 64 * 2**20
"""How many bytes of a source's hidden maps may be held at once while steps go back together."""

DRIFT = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 5e-3}
"""How far a rebuilt input may be from the true one, as a share of its largest value, by the type
that networks run in."""


@dataclass(frozen=True)
class TowerLevel:
    """The steps of a level or block of one tower, and what makes their parameters.

    Attributes:
        level: the steps.
        conditioner: makes their parameters. Of its weights, as of the networks', the leading axis
            is that of the steps; where it is shorter, the first steps have none.
        keeps: whether the inputs of steps are kept instead of rebuilt; for flows that single
            precision cannot invert, as their coupling scales have no floor.
        together: how many steps go back together at most.
    """

    level: StepMaths
    conditioner: nn.Module
    keeps: bool = False
    together: int = TOGETHER

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        """All that is learned here, by name."""
        nets = {f"nets.{name}": p for name, p in self.level.nets.named_parameters()}
        return nets | {f"given.{name}": p for name, p in self.conditioner.named_parameters()}

    def place(self, weight: Tensor, steps: range) -> slice:
        """Where on its leading axis a weight has its part of some steps."""
        first = self.level.count - len(weight)
        return slice(max(steps.start - first, 0), max(steps.stop - first, 0))


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
            maps: what the target's conditioner reads beside the trace, see `Conditioner`.
            returns: the target's z and log-determinant (N,), then the source's.
        """
        weights = [p for tower in self.towers for p in tower.weights.values()]
        out: tuple[Tensor, ...] = _Rebuilt.apply(self, x, source_x, maps, *weights)
        return out

    def chunks(self, x: Tensor) -> list[range]:
        """Which steps go back together: few, or a deep level takes more memory than a flat one."""
        wide = 0
        if self.source is not None:
            pixels = x.shape[0] * x.shape[2] * x.shape[3]
            wide = 2 * pixels * self.source.level.nets.width * x.element_size()
        size = max(1, min(self.target.together, WIDE_BYTES // max(wide, 1)))
        count = self.target.level.count
        return [range(a, min(a + size, count)) for a in range(0, count, size)]


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
        ctx.autocast = current_autocast(x)
        ctx.kind = ctx.autocast["dtype"] if ctx.autocast["enabled"] else x.dtype
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of inputs, maps and weights, from the last step to the first."""
        joint: JointLevel = ctx.joint
        saved = iter(ctx.saved_tensors)
        maps = next(saved)
        starts, ends = ([next(saved) for _ in joint.towers] for _ in range(2))
        inputs = [list(islice(saved, count)) for count in ctx.counts]
        d_maps = torch.zeros_like(maps) if ctx.needs_input_grad[3] else None
        with torch.autocast(**ctx.autocast):
            back = _LevelBackward(joint, maps, d_maps, ends, inputs, gradients)
            back.run()
            if any(
                not tower.keeps and has_drifted(found, x, ctx.kind)
                for tower, found, x in zip(joint.towers, back.states, starts, strict=True)
            ):
                # what was rebuilt has drifted away: go through again and keep the inputs of steps
                sure = JointLevel(*(replace(tower, keeps=True) for tower in joint.towers))
                x, source_x = (*starts, None)[:2]
                _, inputs = _level_forward(sure, x, source_x, maps)
                d_maps = None if d_maps is None else d_maps.zero_()
                back = _LevelBackward(sure, maps, d_maps, ends, inputs, gradients)
                back.run()
        d_source = back.d_states[1] if joint.source is not None else None
        weights = [gradient for tower in back.gradients for gradient in tower.values()]
        return None, back.d_states[0], d_source, d_maps, *weights


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
            normed, states[tower], change = own.level.mix(states[tower], step, traced=traced)
            mixed, net = states[tower], chunk.net(index)
            log_dets[tower] = log_dets[tower] + change
            if net is not None:
                states[tower], change = own.level.couple(mixed, step, net)
                log_dets[tower] = log_dets[tower] + change
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

    Lists have the target's part first, then the source's; gradients of maps are added to `d_maps`.
    """

    def __init__(
        self,
        joint: JointLevel,
        maps: Tensor | None,
        d_maps: Tensor | None,
        states: list[Tensor],
        kept: list[list[Tensor]],
        gradients: Sequence[Tensor],
    ) -> None:
        self.joint, self.maps, self.d_maps, self.kept = joint, maps, d_maps, kept
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
        maps = self.maps
        with torch.enable_grad():
            if self.joint.source is not None:
                source = StepChunk(self.joint.source, steps, None, None)
                waiting = self._rebuild_source(source)
                trace = Trace(
                    tuple(leaf(step.normed) for step in waiting),
                    tuple(leaf(step.mixed) for step in waiting),
                    tuple(leaf(step.out) for step in waiting),
                )
            if maps is not None and self.d_maps is not None:
                maps = leaf(maps)
            target = StepChunk(self.joint.target, steps, trace, maps)
        found: dict[int, list[Tensor]] = {}
        for index in reversed(range(len(steps))):
            step = self._step_backward(0, target, index, self.states[0])
            found[index] = self._back(0, target, index, step, None)
        read = [] if trace is None else [*trace.actnorm, *trace.conv, *trace.coupling]
        if maps is not None and self.d_maps is not None:
            *d_trace, d_maps = self._write(0, target, found, [*read, maps])
            self.d_maps += d_maps
        else:
            d_trace = self._write(0, target, found, read)
        if source is not None:
            self._source_back(source, waiting, d_trace)

    def _step_backward(self, tower: int, chunk: StepChunk, index: int, z: Tensor) -> StepBackward:
        """A step, from its output, or from its input where that was kept."""
        kept = self.joint.towers[tower].keeps
        x = self.kept[tower][chunk.chunk[index]] if kept else None
        level = self.joint.towers[tower].level
        return StepBackward(level, chunk.steps[index], chunk.net(index), None if kept else z, x)

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
            self.d_states[tower], self.d_log_dets[tower], list(own.values()), d_trace
        )
        self.states[tower] = step.x
        for name, gradient in zip(own, nets, strict=True):
            whole = self.gradients[tower][f"nets.{name}"]
            whole[self.joint.towers[tower].place(whole, chunk.chunk[index : index + 1])] = gradient
        return found

    def _write(
        self,
        tower: int,
        chunk: StepChunk,
        found: dict[int, list[Tensor]],
        further: Sequence[Tensor],
    ) -> list[Tensor]:
        """Notes the gradients of the conditioner's weights; those of `further` tensors it read."""
        learned, rest = chunk.conditioner_gradients(found, further)
        for name, gradient in learned.items():
            whole = self.gradients[tower][f"given.{name}"]
            whole[self.joint.towers[tower].place(whole, chunk.chunk)] = gradient
        return rest

    def _rebuild_source(self, chunk: StepChunk) -> list[StepBackward]:
        """Steps of the source, undone, that wait for the gradients of their trace."""
        steps: list[StepBackward] = []
        z = self.states[1]
        for index in reversed(range(len(chunk.chunk))):
            steps.insert(0, self._step_backward(1, chunk, index, z))
            z = steps[0].x.detach()
        return steps

    def _source_back(
        self, chunk: StepChunk, steps: list[StepBackward], d_trace: Sequence[Tensor]
    ) -> None:
        count = len(steps)
        found: dict[int, list[Tensor]] = {}
        for index in reversed(range(count)):
            found[index] = self._back(1, chunk, index, steps.pop(), d_trace[index::count])
        self._write(1, chunk, found, [])


class StepChunk:
    """Some steps of a level: leaves for their weights, and their parameters made from these.

    Attributes:
        chunk: which steps.
        leaves: the conditioner's weights for them, by name.
        steps: what the conditioner made of these, as leaves of their own.
        nets: the leaves of the networks that were asked for, by place in the chunk.
    """

    def __init__(
        self, tower: TowerLevel, chunk: range, trace: Trace | None, maps: Tensor | None
    ) -> None:
        """Makes the parameters of the steps; see `Conditioner` for what it reads."""
        self.tower, self.chunk = tower, chunk
        given = tower.conditioner
        self.leaves = {n: leaf(p[tower.place(p, chunk)]) for n, p in given.named_parameters()}
        buffers = {name: value[tower.place(value, chunk)] for name, value in given.named_buffers()}
        params: LevelParams = functional_call(given, {**self.leaves, **buffers}, (trace, maps))
        self.made = params.steps
        self.steps = tuple(step.leaves() for step in params.steps)
        self.nets: dict[int, dict[str, Tensor]] = {}

    def net(self, index: int) -> StepNet | None:
        """The coupling network of a step, on leaves; None where it is a transition."""
        nets, number = self.tower.level.nets, self.chunk[index] - self.tower.level.transitions
        if number < 0:
            self.nets[index] = {}
            return None
        self.nets[index] = {name: leaf(p[number]) for name, p in nets.named_parameters()}
        return nets.on(self.nets[index])

    def conditioner_gradients(
        self, found: dict[int, list[Tensor]], further: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Gradients of the conditioner's weights, by name, and of `further` tensors it read.

        Args:
            found: gradients of what each step was given, by place in the chunk.
            further: the source's trace, and maps.
        """
        made = [tensor for step in self.made for tensor in step.tensors()]
        gradients = [part for index in range(len(self.made)) for part in found[index]]
        pairs = [(m, g) for m, g in zip(made, gradients, strict=True) if m.requires_grad]
        wanted = [*self.leaves.values(), *further]
        back = torch.autograd.grad(
            [m for m, _ in pairs],
            wanted,
            [g for _, g in pairs],
            allow_unused=True,
            materialize_grads=True,
        )
        count = len(self.leaves)
        return dict(zip(self.leaves, back[:count], strict=True)), list(back[count:])


class StepBackward:
    """A step whose input and intermediate states are known again, ready for its backward pass.

    The coupling's network runs once: what it makes of the untouched half both undoes the coupling
    and is differentiated.

    Shapes:
        x, normed, mixed, out: (N, C, H, W), before the step, after actnorm, before the coupling and
            after it.
    """

    def __init__(
        self,
        level: StepMaths,
        step: StepParams,
        net: StepNet | None,
        out: Tensor | None,
        x: Tensor | None,
    ) -> None:
        """Works out the states.

        Parameters and network are on leaves. Of `out` and `x`, what the step put out and what it
        read, one is known.
        """
        self.level, self.step = level, step
        self.raw: tuple[Tensor, Tensor] | None = None
        if x is not None:
            with torch.no_grad():
                normed, mixed, _ = level.mix(x, step, traced=True)
            out = self._couple(mixed, net, level.coupling.forward)
        else:
            assert out is not None
            mixed = self._couple(out, net, lambda *given: (level.coupling.inverse(*given), None))
            with torch.no_grad():
                before = mixed
                if step.injector is not None:
                    before = level.coupling.inverse(mixed, step.injector)
                normed = step.conv.inverse(before)
                x = step.actnorm.inverse(normed)
        assert normed is not None
        self.x, self.normed, self.mixed, self.out = x.detach(), normed, mixed, out

    def _couple(self, x: Tensor, net: StepNet | None, change: Any) -> Tensor:
        """The coupling in one direction or the other."""
        if net is None:
            return x
        half, other = x.chunk(2, 1)
        self.half = leaf(half)
        with torch.enable_grad():
            self.raw = net(self.half, self.step.features)
        with torch.no_grad():
            given = CouplingParams(*(part.detach() for part in self.raw))
            return torch.cat([half, change(other, given)[0]], 1)

    def backward(
        self,
        d_out: Tensor,
        d_log_det: Tensor,
        weights: Sequence[Tensor],
        d_trace: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor], Sequence[Tensor]]:
        """Gradients of the input, of the parameters (`StepParams.tensors`) and of the network.

        Args:
            d_out: of the output, (N, C, H, W).
            d_log_det: of the log-determinant, (N,).
            weights: the network's leaves.
            d_trace: of `normed`, `mixed` and `out` where something else has read them.
        """
        d_mixed = d_out if d_trace is None else d_out + d_trace[2]
        features = [] if self.step.features is None else [self.step.features]
        found: list[Tensor] = []
        if self.raw is not None:
            mixed = leaf(self.mixed)
            with torch.enable_grad():
                half, other = mixed.chunk(2, 1)
                changed, log_det = self.level.coupling(other, CouplingParams(*self.raw))
            ends, gradients = [half, changed, log_det], [*d_mixed.chunk(2, 1), d_log_det]
            wanted = [mixed, self.half, *features, *weights]
            d_mixed, d_half, *found = torch.autograd.grad(ends, wanted, gradients)
            d_mixed.chunk(2, 1)[0].add_(d_half)
            self.raw = None
        d_x, given = self._mixing(d_mixed, d_log_det, d_trace)
        count = len(features)
        return d_x, [*given[:4], *found[:count], *given[4:]], found[count:]

    def _mixing(
        self, d_mixed: Tensor, d_log_det: Tensor, d_trace: Sequence[Tensor] | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Gradients of the input, and of the parameters of actnorm, matrix and injector."""
        x, act, conv, injector = leaf(self.x), self.step.actnorm, self.step.conv, self.step.injector
        with torch.enable_grad():
            normed, mixed, log_det = self.level.mix(x, self.step, traced=d_trace is not None)
        one = d_log_det if len(log_det) > 1 else d_log_det.sum(0, keepdim=True)
        ends, gradients = [mixed, log_det], [d_mixed, one]
        if d_trace is not None:
            assert normed is not None
            ends, gradients = [*ends, normed], [d_mixed + d_trace[1], one, d_trace[0]]
        wanted = [x, act.scale, act.shift, conv.weight, conv.log_det]
        wanted += [] if injector is None else [injector.raw_scale, injector.shift]
        d_x, *given = torch.autograd.grad(ends, wanted, gradients)
        return d_x, given


def current_autocast(x: Tensor) -> dict[str, Any]:
    """The arguments of the autocast in which a pass over `x` runs now."""
    device = "cpu" if x.is_meta else x.device.type
    kind, enabled = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
    return {"device_type": device, "dtype": kind, "enabled": enabled}


def has_drifted(found: Tensor, x: Tensor, kind: torch.dtype) -> bool:
    """Whether a rebuilt input is another than the true one; what is not finite always is.

    `kind` is the type that networks ran in.
    """
    if x.is_meta:
        return False
    return not bool((found - x).abs().max() <= DRIFT[kind] * x.abs().max())
