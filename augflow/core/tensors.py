"""Weights on disk: safetensors, whole, of plain numbers, and finite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from augflow.core.errors import ModelError

PLAIN = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
)
"""What NumPy has too, so that it has a digest."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name; no other kind of file is opened.

    Raises:
        ModelError: no such file, not a whole safetensors file, numbers of another type than
            `PLAIN`, or such as are not finite.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load

    if not path.is_file():
        raise ModelError(f"{path}: no such file; make it again, or restore it")
    try:
        with safe_open(path, framework="pt"):  # its head fits its length, before all is read
            pass
        tensors = load(path.read_bytes())
    except (SafetensorError, KeyError) as fault:  # a KeyError for types torch has not
        reason = " ".join(str(fault).split())[:200]
        raise ModelError(f"{path}: not a whole safetensors file ({reason}); restore it") from fault
    odd = sorted(name for name, value in tensors.items() if value.dtype not in PLAIN)
    if odd:
        raise ModelError(
            f"{path}: {odd[0]!r} is {tensors[odd[0]].dtype}; expected floats, integers or bools; "
            "restore it"
        )
    lost = sorted(name for name, value in tensors.items() if not torch.isfinite(value).all())
    if lost:
        raise ModelError(
            f"{path}: {lost[0]!r} and {len(lost) - 1} more are not finite; train it again"
        )
    return tensors


def require_like(state: Mapping[str, Tensor], name: str, like: Tensor) -> Tensor:
    """A tensor of a resume state, of the shape and type of the one that it takes the place of.

    A fused optimizer would not notice another shape, and read and write beyond its end.

    Raises:
        KeyError: the state has none of that name.
        ValueError: it is of another shape or type.
    """
    found = state[name]
    if found.shape != like.shape or found.dtype != like.dtype:
        raise ValueError(
            f"{name} is {found.dtype} {tuple(found.shape)}, "
            f"expected {like.dtype} {tuple(like.shape)}"
        )
    return found


def device_of(module: Any) -> torch.device:
    """Where the weights of a generator, or of any other module, are."""
    return next(module.parameters()).device
