"""The most bytes that tensors have held at once, on whatever device: on meta, nothing is held."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


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
        self._known: dict[int, object] = {_name(storage): storage for storage in self._apart}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Runs an operation and looks at what it reads and makes."""
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
        name = _name(storage)
        if name in self._known or tensor.device != self._device:
            return
        size = storage.nbytes()
        self._known[name] = weakref.ref(storage, partial(self._gone, name, size))
        self.now += size
        self.most = max(self.most, self.now)

    def _gone(self, name: int, size: int, _: object) -> None:
        del self._known[name]
        self.now -= size


def _name(storage: torch.UntypedStorage) -> int:
    """What tells a storage from all others that live."""
    return storage._cdata
