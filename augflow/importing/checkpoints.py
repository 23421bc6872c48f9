"""Checkpoints of other people's code: only tensors are read, names and shapes have to fit."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from augflow.errors import ModelError

SHOWN = 6

Shape = tuple[int, ...]


def tensors_of(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The tensors of a `torch.save` file by name, on the processor; nothing of it is run.

    Args:
        path: the file.
        key: where in the file the state dict is, if it is not the file itself.

    Raises:
        ModelError: no such file, a damaged one, or one that holds more than tensors and numbers.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; give a checkpoint that torch.save wrote")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as fault:
        raise ModelError(
            f"{path}: not a torch.save file of tensors and plain numbers alone, which is all that "
            f"is read{_asked_for(fault)}; save the state dict itself with torch.save"
        ) from fault
    except (RuntimeError, EOFError, ValueError, KeyError, OSError) as fault:
        raise ModelError(
            f"{path}: damaged, or no torch.save file ({_first_line(fault)}); fetch it again"
        ) from fault
    if key is not None and isinstance(content, dict) and key in content:
        content = content[key]
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{path}: expected a state dict, got {type(content).__name__}")
    foreign = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if foreign:
        raise ModelError(f"{path}: expected tensors by name; not tensors: {shown(foreign)}")
    return {str(name): value.detach().float() for name, value in content.items()}


def check_fit(
    where: Path, found: Mapping[str, Tensor], expected: Mapping[str, Shape], ignored: Sequence[str]
) -> None:
    """Refuses a state dict whose names or shapes are not the expected ones, listing them.

    Args:
        where: the file, for the message.
        found: the state dict.
        expected: the shape of every tensor that is needed.
        ignored: last parts of names that may be there and are not needed.

    Raises:
        ModelError: missing and unexpected names, and shapes that differ.
    """
    missing = [name for name in expected if name not in found]
    extra = [name for name in found
             if name not in expected and name.rsplit(".", 1)[-1] not in ignored]  # fmt: skip
    wrong = [
        f"{name} is {_sides(found[name].shape)} (expected {_sides(shape)})"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != tuple(shape)
    ]
    lost = [name for name in expected if name in found and not torch.isfinite(found[name]).all()]
    faults = {"missing": missing, "not known": extra, "of another shape": wrong,
              "not finite": lost}  # fmt: skip
    lines = [f"{what}: {shown(names)}" for what, names in faults.items() if names]
    if lines:
        raise ModelError(f"{where}: weights do not fit the network; " + "; ".join(lines))


def shown(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _sides(shape: Sequence[int]) -> str:
    return "x".join(str(side) for side in shape) or "a number"


def _asked_for(fault: BaseException) -> str:
    """The code that a file wanted to run; torch's own advice, to let it, is not passed on."""
    found = re.search(r"GLOBAL ([\w.]+)", str(fault))
    return f" (it asks for {found[1]})" if found else ""


def _first_line(fault: BaseException) -> str:
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return lines[0][:160] if lines else type(fault).__name__
