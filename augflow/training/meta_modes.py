"""Modes that count operations and bytes as they happen, on torch's meta device too.

There shapes and operations are those of real work, and numbers are none.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

META = torch.device("meta")


class MetaScalarMode(TorchDispatchMode):
    """While it lasts, whatever is read back from the meta device is made up.

    Numbers with a point are one, whole numbers and tensors nought. A truth is what it is told to
    be: `torch.isfinite(x)` wants true, `mask.sum() == 0` false.
    """

    def __init__(self, truth: bool = True) -> None:
        """All truths are `truth`."""
        super().__init__()
        self.truth = truth

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given, name, aten = kwargs or {}, func.overloadpacket, torch.ops.aten
        if name is aten._local_scalar_dense and args[0].is_meta:
            if args[0].dtype == torch.bool:
                return self.truth
            return 1.0 if args[0].is_floating_point() else 0
        to = given.get("device")
        if name is aten._to_copy and args[0].is_meta and to and torch.device(to) != META:
            return torch.zeros(args[0].shape, dtype=given.get("dtype") or args[0].dtype, device=to)
        if name is aten.copy_ and args[1].is_meta and not args[0].is_meta:
            return args[0]
        return func(*args, **given)


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


class PeakBytes(TorchDispatchMode):
    """Counts, while it lasts, the bytes of all tensors of a device that live at the same time.

    A storage counts once, whatever views there are of it, from the operation that makes it (or that
    first reads it, if it was there before) until nothing refers to it any more, graphs included.
    What a kernel takes for itself while it runs is not seen.

    Attributes:
        now: bytes that live now.
        most: the most there have been.
    """

    def __init__(self, device: torch.device, apart: Iterable[Tensor] = ()) -> None:
        """Nothing lives yet; the tensors `apart` do not count."""
        super().__init__()
        self.now = self.most = 0
        self._device = device
        self._apart = [tensor.untyped_storage() for tensor in apart]
        self._known: dict[int, object] = {storage._cdata: storage for storage in self._apart}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        self._see(args)
        self._see(given.values())
        out = func(*args, **given)
        self._see((out,))
        return out

    def _see(self, values: Iterable[Any]) -> None:
        for value in values:
            if isinstance(value, Tensor):
                self._meet(value)
            elif isinstance(value, list | tuple):
                self._see(value)

    def _meet(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        name = storage._cdata  # tells it from all others that live
        if name in self._known or tensor.device != self._device:
            return
        size = storage.nbytes()
        self._known[name] = weakref.ref(storage, partial(self._forget, name, size))
        self.now += size
        self.most = max(self.most, self.now)

    def _forget(self, name: int, size: int, _: object) -> None:
        del self._known[name]
        self.now -= size
