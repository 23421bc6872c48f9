"""Modes that count operations and bytes as they happen, on torch's meta device too.

There shapes and operations are those of real work, and numbers are none.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

META = torch.device("meta")

_Form = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]
"""Shape, strides and type of a tensor."""


class _Mode(TorchDispatchMode):
    """A mode that torch's compiler, which nothing here uses, is not asked to stay away from."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class MetaScalarMode(_Mode):
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


class Operations(_Mode):
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
        out, operations = _run(func, args, kwargs or {})
        self.total += operations
        return out


def _run(func: Any, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[Any, int]:
    """What an operation gives, and its products and sums.

    torch works out the shapes of most operations on the meta device in Python, which takes longer
    than all else, and networks repeat theirs: both are worked out once for arguments of a form.
    """
    known = _KNOWN.get(id(func))  # operations last as long as torch does
    if known is None:
        known = _KNOWN[id(func)] = _Known(func)
    if not known.makes_new:
        out = func(*args, **given)
        return out, known.count(args, given, out)
    try:
        key = (*map(_form, args), *map(_form, given.items()))
        found = known.found.get(key)
    except TypeError:  # not all on the meta device, or nothing that a dictionary takes
        out = func(*args, **given)
        return out, known.count(args, given, out)
    if found is None:
        out = func(*args, **given)
        made, operations = [out] if known.single else out, known.count(args, given, out)
        theirs = set(map(_storage, args))  # some views, as `_unsafe_view`, do not say so
        if all(_is_plain(one) and _storage(one) not in theirs for one in made):
            forms = [(tuple(one.shape), one.stride(), one.dtype) for one in made]
            known.found[key] = forms, operations
        return out, operations
    empty = [torch.empty_strided(*form[:2], dtype=form[2], device=META) for form in found[0]]
    return empty[0] if known.single else tuple(empty), found[1]


class _Known:
    """What is known of an operation.

    Attributes:
        makes_new: whether it gives nothing but tensors of its own, and changes no argument.
        single: whether it gives one thing.
        found: the forms of what it gives, and how many products and sums that takes, by the forms
            of its arguments.
    """

    def __init__(self, func: Any) -> None:
        takes, gives = func._schema.arguments, func._schema.returns
        tensors = [one.type.kind() == "TensorType" for one in gives]
        alias = any(one.alias_info for one in (*takes, *gives))
        self.makes_new = bool(tensors) and all(tensors) and not alias
        self.single = len(gives) == 1
        self.found: dict[Hashable, tuple[list[_Form], int]] = {}
        self._name = func.overloadpacket
        self._formula = flop_registry.get(self._name)

    def count(self, args: tuple[Any, ...], given: dict[str, Any], out: Any) -> int:
        """Products and sums, 0 for what is no convolution or matrix product."""
        if self._name is torch.ops.aten.convolution_backward:
            return _conv_backward(*args)
        return 0 if self._formula is None else self._formula(*args, **given, out_val=out)


_KNOWN: dict[int, _Known] = {}


def _form(value: Any) -> Hashable:
    """What of an argument decides the form of a result.

    Raises:
        TypeError: a tensor that is not on the meta device.
    """
    if isinstance(value, Tensor):
        if not value.is_meta:
            raise TypeError("not on the meta device")
        return value.shape, value.stride(), value.dtype
    if isinstance(value, list | tuple):
        return tuple(map(_form, value))
    return type(value), value


def _is_plain(value: object) -> bool:
    """Whether it is a tensor on the meta device that fills storage of its own."""
    return (
        isinstance(value, Tensor)
        and value.is_meta
        and value.untyped_storage().nbytes() == value.numel() * value.element_size()
    )


def _storage(value: object) -> int | None:
    return value.untyped_storage()._cdata if isinstance(value, Tensor) else None


def _conv_backward(d_out: Tensor, x: Tensor, weight: Tensor, *rest: Any) -> int:
    """Each of a convolution's two gradients costs what its forward pass does.

    torch's own formula multiplies the weight's gradient by the number of groups; that of grouped
    convolutions, which run the small networks of a level, would count many times over.
    """
    input_is_wanted, weight_is_wanted, _bias = rest[7]
    forward = conv_flop_count(list(x.shape), list(weight.shape), list(d_out.shape))
    return forward * (int(input_is_wanted) + int(weight_is_wanted))


class PeakBytes(Operations):
    """Counts operations, and the bytes of all tensors of a device that live at the same time.

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
        out = super().__torch_dispatch__(func, types, args, given)
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
