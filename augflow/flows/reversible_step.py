"""One step of a level gone back through: its input rebuilt, then its gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from augflow.flows.coupling import StepNet
from augflow.flows.level import Level
from augflow.flows.params import StepParams, leaf
from augflow.flows.transforms import ActNorm, CouplingParams, InvertibleConv


class Undone:
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
                normed = InvertibleConv().inverse(mixed, step.conv)
                x = ActNorm().inverse(normed, step.actnorm)
            else:
                out = torch.cat([half, level.coupling(other, given)[0]], 1)
        assert out is not None
        assert normed is not None
        self.x, self.normed, self.mixed, self.out = x.detach(), normed, mixed, out

    def backward(
        self, d_out: Tensor, d_log_det: Tensor, weights: Mapping[str, Tensor],
        d_trace: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:  # fmt: skip
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


def precision_of(x: Tensor) -> Precision:
    """The precision in which a pass over `x` runs now."""
    device = "cpu" if x.is_meta else x.device.type
    kind, enabled = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
    return Precision(device, kind, enabled, x.dtype)


def same_precision(precision: Precision) -> torch.autocast:
    """The context in which a backward pass runs as its forward pass did."""
    return torch.autocast(precision.device, dtype=precision.autocast, enabled=precision.enabled)


def drifted(found: Tensor, x: Tensor, precision: Precision) -> bool:
    """Whether a rebuilt input is another than the true one; what is not finite always is."""
    if x.is_meta:
        return False
    limit = DRIFT[precision.networks]
    return not bool((found - x).abs().max() <= limit * x.abs().max())
