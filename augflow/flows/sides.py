"""A tower's part of a level, and some of its steps on leaves, for a backward pass in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from augflow.flows.level import Level
from augflow.flows.params import LevelParams, Trace, leaf
from augflow.flows.reversible_step import Undone


@dataclass(frozen=True)
class Side:
    """A tower's part of a level.

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


class Part:
    """Some steps of a side: leaves for their weights, and their parameters made from these.

    Attributes:
        chunk: which steps.
        leaves: the conditioner's weights for them, by name.
        steps: what the conditioner made of these, as leaves of their own.
        nets: the leaves of the networks that were asked for, by place in the chunk.
    """

    def __init__(self, side: Side, chunk: range, trace: Trace | None, maps: Tensor | None) -> None:
        """Makes the parameters of the steps; see `Conditioner` for what it reads."""
        self.side, self.chunk = side, chunk
        place = slice(chunk.start, chunk.stop)
        given = side.conditioner
        self.leaves = {name: leaf(p[place]) for name, p in given.named_parameters()}
        buffers = {name: value[place] for name, value in given.named_buffers()}
        params: LevelParams = functional_call(given, {**self.leaves, **buffers}, (trace, maps))
        self.made = params.steps
        self.steps = tuple(step.leaves() for step in params.steps)
        self.nets: dict[int, dict[str, Tensor]] = {}

    def net(self, index: int) -> Any:
        """The coupling network of a step, on leaves."""
        nets = self.side.level.nets
        own = {name: leaf(p[self.chunk[index]]) for name, p in nets.named_parameters()}
        self.nets[index] = own
        return nets.on(own)

    def undone(self, index: int, z: Tensor | None, x: Tensor | None) -> Undone:
        """A step, from its output or its input."""
        return Undone(self.side.level, self.steps[index], self.net(index), z, x)

    def conditioned(
        self, found: dict[int, list[Tensor]], further: Sequence[Tensor]
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Gradients of the conditioner's weights, by name, and of `further` tensors it read."""
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
