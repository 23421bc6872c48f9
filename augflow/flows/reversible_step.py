"""Steps of a level gone back through: on leaves, inputs rebuilt, then gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from augflow.flows.coupling import StepNet
from augflow.flows.level import Level
from augflow.flows.params import LevelParams, StepParams, Trace, leaf
from augflow.flows.transforms import CouplingParams


@dataclass(frozen=True)
class TowerLevel:
    """A level of one tower, as a backward pass in pieces sees it.

    Attributes:
        level: its steps.
        conditioner: makes their parameters.
        keeps: whether the inputs of steps are kept instead of rebuilt; for flows that single
            precision cannot invert, as their coupling scales have no floor.
    """

    level: Level
    conditioner: nn.Module
    keeps: bool = False

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        """All that is learned here, by name."""
        nets = {f"nets.{name}": p for name, p in self.level.nets.named_parameters()}
        return nets | {f"given.{name}": p for name, p in self.conditioner.named_parameters()}


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
        self.level, self.chunk = tower.level, chunk
        place = slice(chunk.start, chunk.stop)
        given = tower.conditioner
        self.leaves = {name: leaf(p[place]) for name, p in given.named_parameters()}
        buffers = {name: value[place] for name, value in given.named_buffers()}
        params: LevelParams = functional_call(given, {**self.leaves, **buffers}, (trace, maps))
        self.made = params.steps
        self.steps = tuple(step.leaves() for step in params.steps)
        self.nets: dict[int, dict[str, Tensor]] = {}

    def net(self, index: int) -> StepNet:
        """The coupling network of a step, on leaves."""
        nets = self.level.nets
        own = {name: leaf(p[self.chunk[index]]) for name, p in nets.named_parameters()}
        self.nets[index] = own
        return nets.on(own)

    def step_backward(self, index: int, z: Tensor | None, x: Tensor | None) -> StepBackward:
        """A step, from its output or its input."""
        return StepBackward(self.level, self.steps[index], self.net(index), z, x)

    def conditioner_gradients(
        self, found: dict[int, list[Tensor]], further: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Gradients of the conditioner's weights, by name, and of `further` tensors it read.

        Args:
            found: gradients of what each step was given, by place in the chunk.
            further: the source's trace.
        """
        made = [tensor for step in self.made for tensor in step.tensors()]
        gradients = [part for index in range(len(self.made)) for part in found[index]]
        pairs = [(m, g) for m, g in zip(made, gradients, strict=True) if m.requires_grad]
        wanted = [*self.leaves.values(), *further]
        back = torch.autograd.grad(
            [m for m, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True
        )
        filled = [
            torch.zeros_like(w) if g is None else g for w, g in zip(wanted, back, strict=True)
        ]
        count = len(self.leaves)
        return dict(zip(self.leaves, filled[:count], strict=True)), filled[count:]


class StepBackward:
    """A step whose input and intermediate states are known again, ready for its backward pass.

    The coupling's network runs once: what it makes of the untouched half both undoes the coupling
    and is differentiated.

    Shapes:
        x, normed, mixed, out: (N, C, H, W), before the step and after each of its operations.
    """

    def __init__(
        self, level: Level, step: StepParams, net: StepNet, out: Tensor | None, x: Tensor | None
    ) -> None:
        """Works out the states.

        Args:
            level: whose step it is.
            step: its parameters, all of them leaves.
            net: its network, on leaves.
            out: what it put out, or None if
            x: what it read is known.
        """
        self.level, self.step, self.net = level, step, net
        with torch.no_grad():
            if x is None:
                assert out is not None
                half, changed = out.chunk(2, 1)
            else:
                normed, mixed, _ = level.mix(x, step, traced=True)
                half, other = mixed.chunk(2, 1)
        self.half = leaf(half)
        with torch.enable_grad():
            self.raw = net(self.half, step.features)
        given = CouplingParams(self.raw[0].detach(), self.raw[1].detach())
        with torch.no_grad():
            if x is None:
                mixed = torch.cat([half, level.coupling.inverse(changed, given)], 1)
                normed = step.conv.inverse(mixed)
                x = step.actnorm.inverse(normed)
            else:
                out = torch.cat([half, level.coupling(other, given)[0]], 1)
        assert out is not None
        assert normed is not None
        self.x, self.normed, self.mixed, self.out = x.detach(), normed, mixed, out

    def backward(
        self,
        d_out: Tensor,
        d_log_det: Tensor,
        weights: Mapping[str, Tensor],
        d_trace: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
        """Gradients of the input, of the parameters (scale, shift, matrix, ...) and the network.

        Args:
            d_out: of the output, (N, C, H, W).
            d_log_det: of the log-determinant, (N,).
            weights: the network's leaves, by name.
            d_trace: of `normed`, `mixed` and `out` where something else has read them.
        """
        if d_trace is not None:
            d_out = d_out + d_trace[2]
        d_half, d_changed = d_out.chunk(2, 1)
        d_other, d_raw = self._coupling(d_changed, d_log_det)
        features = [] if self.step.features is None else [self.step.features]
        wanted = [self.half, *features, *weights.values()]
        d_net, *found = torch.autograd.grad(self.raw, wanted, d_raw)
        del self.raw
        d_features = [found.pop(0)] if features else []
        d_mixed = torch.cat([d_half + d_net, d_other], 1)
        d_x, given = self._mixing(d_mixed, d_log_det, d_trace)
        return d_x, [*given, *d_features], dict(zip(weights, found, strict=True))

    def _coupling(self, d_changed: Tensor, d_log_det: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Gradients of the changed half, and of raw scale and shift."""
        other = leaf(self.mixed.chunk(2, 1)[1])
        raw = [leaf(part) for part in self.raw]
        with torch.enable_grad():
            ends = self.level.coupling(other, CouplingParams(*raw))
        d_other, *d_raw = torch.autograd.grad(ends, [other, *raw], [d_changed, d_log_det])
        return d_other, d_raw

    def _mixing(
        self, d_mixed: Tensor, d_log_det: Tensor, d_trace: Sequence[Tensor] | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Gradients of the input, and of actnorm's and the matrix's parameters."""
        x, act, conv = leaf(self.x), self.step.actnorm, self.step.conv
        with torch.enable_grad():
            normed, mixed, log_det = self.level.mix(x, self.step, traced=d_trace is not None)
        one = d_log_det if len(log_det) > 1 else d_log_det.sum(0, keepdim=True)
        ends, gradients = [mixed, log_det], [d_mixed, one]
        if d_trace is not None:
            assert normed is not None
            ends, gradients = [*ends, normed], [d_mixed + d_trace[1], one, d_trace[0]]
        wanted = [x, act.scale, act.shift, conv.weight, conv.log_det]
        d_x, *given = torch.autograd.grad(ends, wanted, gradients)
        return d_x, given


DRIFT = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 2e-2, torch.float16: 5e-3}
"""How far a rebuilt input may be from the true one, as a share of its largest value, by the type
that networks run in."""


@dataclass(frozen=True)
class Precision:
    """In which precision a forward pass ran: the device's autocast, and the type of its states."""

    device: str
    autocast: torch.dtype
    enabled: bool
    states: torch.dtype

    @property
    def networks(self) -> torch.dtype:
        """The type that networks ran in."""
        return self.autocast if self.enabled else self.states


def current_precision(x: Tensor) -> Precision:
    """The precision in which a pass over `x` runs now."""
    device = "cpu" if x.is_meta else x.device.type
    kind, enabled = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
    return Precision(device, kind, enabled, x.dtype)


def same_precision(precision: Precision) -> torch.autocast:
    """The context in which a backward pass runs as its forward pass did."""
    return torch.autocast(precision.device, dtype=precision.autocast, enabled=precision.enabled)


def has_drifted(found: Tensor, x: Tensor, precision: Precision) -> bool:
    """Whether a rebuilt input is another than the true one; what is not finite always is."""
    if x.is_meta:
        return False
    limit = DRIFT[precision.networks]
    return not bool((found - x).abs().max() <= limit * x.abs().max())
