"""Floating-point operations, counted as they happen."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry


class Operations(TorchDispatchMode):
    """Adds up, while it lasts, those of convolutions and matrix products, forward and backward.

    torch's `FlopCounterMode` does the same, but as it tells modules apart it hooks into the graph,
    which gradients taken inside of a backward pass do not bear.

    Attributes:
        total: products and sums.
    """

    def __init__(self) -> None:
        """Nothing is counted yet."""
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Runs an operation and counts what it takes."""
        given = kwargs or {}
        out = func(*args, **given)
        name = func.overloadpacket
        if name is torch.ops.aten.convolution_backward:
            self.total += _conv_backward(*args)
        elif name in flop_registry:
            self.total += flop_registry[name](*args, **given, out_val=out)
        return out


def _conv_backward(d_out: Tensor, x: Tensor, weight: Tensor, *rest: Any) -> int:
    """Each of a convolution's two gradients costs what its forward pass does.

    torch's own formula multiplies the weight's gradient by the number of groups; that of grouped
    convolutions, which run the small networks of a level, would count many times over.
    """
    input_is_wanted, weight_is_wanted, _bias = rest[7]
    forward = conv_flop_count(list(x.shape), list(weight.shape), list(d_out.shape))
    return forward * (int(input_is_wanted) + int(weight_is_wanted))
