"""Blocks whose backward pass rebuilds what their forward pass did not keep (see `rebuilt`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from augflow.flows.injection import Affines
from augflow.flows.params import StepParams, leaf
from augflow.flows.reversible_step import drifted, precision_of, same_precision

if TYPE_CHECKING:
    from augflow.flows.blocks import Block


def through(
    block: Block, x: Tensor, condition: Tensor | None, *, keeps: bool
) -> tuple[Tensor, Tensor]:
    """A block's steps: z (N, C, H, W) and the log-determinant (N,), without a graph of them.

    Args:
        block: whose steps.
        x: (N, C, H, W), squeezed.
        condition: (N, F, H, W), squeezed: all that injectors and couplings read.
        keeps: whether the inputs of steps are kept instead of rebuilt.
    """
    z, log_det = _Rebuilt.apply(block, keeps, x, condition, *block.parameters())
    return z, log_det


class _Rebuilt(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, block: Block, keeps: bool, x: Tensor, condition: Tensor | None, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `through`."""
        z, log_det, kept = _forward(block, x, condition, keeps)
        ctx.save_for_backward(condition, x, z, *kept)
        ctx.block, ctx.keeps, ctx.precision = block, keeps, precision_of(x)
        return z, log_det

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_z: Tensor, d_log_det: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input, condition and weights, from the last step to the first."""
        block: Block = ctx.block
        condition, x, z, *kept = ctx.saved_tensors
        with same_precision(ctx.precision):
            back = _Back(block, condition, d_z, d_log_det)
            found = back.run(z, kept)
            if not ctx.keeps and drifted(found, x, ctx.precision):
                kept = _forward(block, x, condition, True)[2]
                back = _Back(block, condition, d_z, d_log_det)
                back.run(z, kept)
        return None, None, back.d_x, back.d_condition, *back.gradients.values()


@torch.no_grad()
def _forward(
    block: Block, x: Tensor, condition: Tensor | None, keeps: bool
) -> tuple[Tensor, Tensor, list[Tensor]]:
    log_det = x.new_zeros(len(x))
    kept = []
    for number in range(block.count):
        if keeps:
            kept.append(x)
        step, affines = _Step(block, number).given(condition)
        x, change = block.step(x, step, affines)
        log_det = log_det + change
    return x, log_det, kept


class _Step:
    """One step of a block, on leaves for its weights."""

    def __init__(self, block: Block, number: int) -> None:
        self.block, self.number = block, number
        self.leaves = {}
        for name, p in block.named_parameters():
            place = number if name.startswith("learned.") else number - block.shape.transitions
            if place >= 0:
                self.leaves[name] = leaf(p[place])

    @property
    def place(self) -> int:
        """Which of the full steps it is; below 0 it is a transition."""
        return self.number - self.block.shape.transitions

    def given(self, condition: Tensor | None) -> tuple[StepParams, Affines | None]:
        """Its parameters, made from the leaves."""
        learned, n = self.block.learned, self.number
        own = {name: value[None] for name, value in self._of("learned.").items()}
        buffers = {name: value[n : n + 1] for name, value in learned.named_buffers()}
        step = functional_call(learned, {**own, **buffers}, ()).steps[0]
        if self.place < 0:
            return step, None
        net = self.block.nets.on(self._of("nets."))
        if self.block.injections is None:
            return step, Affines(None, net)
        assert condition is not None
        injector = self.block.injections.on(self._of("injections."))
        return step, Affines(injector(condition), net, condition)

    def _of(self, prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(prefix): value
            for name, value in self.leaves.items()
            if name.startswith(prefix)
        }


class _Back:
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
            step = _Step(self.block, number)
            condition = None if self.condition is None else leaf(self.condition)
            with torch.enable_grad():
                given, affines = step.given(condition)
            with torch.no_grad():
                x = kept[number] if kept else self.block.undo(z, given.inverted(), affines)
            self._step(step, given, affines, leaf(x), condition)
            z = x
        return z

    def _step(
        self, step: _Step, given: StepParams, affines: Affines | None, x: Tensor,
        condition: Tensor | None,
    ) -> None:  # fmt: skip
        with torch.enable_grad():
            ends = self.block.step(x, given, affines)
        told = [] if condition is None or affines is None else [condition]
        wanted = [x, *told, *step.leaves.values()]
        self.d_x, *found = torch.autograd.grad(ends, wanted, [self.d_x, self.d_log_det])
        if told:
            assert self.d_condition is not None
            self.d_condition += found.pop(0)
        for name, gradient in zip(step.leaves, found, strict=True):
            place = step.number if name.startswith("learned.") else step.place
            self.gradients[name][place] = gradient
