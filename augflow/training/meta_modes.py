"""Work on torch's meta device, to its end: shapes and operations are real, numbers are none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

META = torch.device("meta")


class Dry(TorchDispatchMode):
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
        """Runs an operation, unless it needs a number that is not there."""
        given, name = kwargs or {}, func.overloadpacket
        aten = torch.ops.aten
        if name is aten._local_scalar_dense and args[0].is_meta:
            return self._scalar(args[0])
        if name is aten._to_copy and args[0].is_meta and _leaves(given.get("device")):
            kind = given.get("dtype") or args[0].dtype
            return torch.zeros(args[0].shape, dtype=kind, device=given["device"])
        if name is aten.copy_ and args[1].is_meta and not args[0].is_meta:
            return args[0]
        return func(*args, **given)

    def _scalar(self, tensor: Tensor) -> bool | float | int:
        if tensor.dtype == torch.bool:
            return self.truth
        return 1.0 if tensor.is_floating_point() else 0


def _leaves(device: torch.device | None) -> bool:
    return device is not None and torch.device(device).type != "meta"
