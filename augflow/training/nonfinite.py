"""Which layer is to blame for numbers that are not finite."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

UNSEEN = "the loss itself"
"""What `first_nonfinite_module` says when every layer's output is finite."""


def first_nonfinite_module(module: nn.Module, run: Callable[[], object]) -> str:
    """The first module whose output is not finite, in the order of the forward pass."""
    found: list[str] = []
    hooks = [
        inner.register_forward_hook(_finder(name, found))
        for name, inner in module.named_modules()
        if name
    ]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else UNSEEN


def _finder(name: str, found: list[str]) -> Callable[[object, object, object], None]:
    def hook(module: object, inputs: object, output: object) -> None:
        values = output if isinstance(output, tuple) else (output,)
        tensors = [value for value in values if isinstance(value, Tensor)]
        if any(not torch.isfinite(value).all() for value in tensors):
            found.append(name)

    return hook


def largest_gradient(module: nn.Module) -> str:
    """The weight with the largest gradient; one that is not a number counts as largest."""
    sizes = {
        name: float(p.grad.abs().max().nan_to_num(nan=float("inf")))
        for name, p in module.named_parameters()
        if p.grad is not None
    }
    return max(sizes, key=lambda name: sizes[name])
