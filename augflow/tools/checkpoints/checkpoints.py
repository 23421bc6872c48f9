"""Checkpoints of other people's code: only tensors are read, names and shapes have to fit."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from augflow.core.config import Section, validate_section
from augflow.core.errors import ModelError, ParamsError

SHOWN, LONGEST = 6, 120

Shape = tuple[int, ...]
S = TypeVar("S", bound=Section)


def tensors_of(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """The tensors of a `torch.save` file by name, on the processor; nothing of it is run.

    The state dict is the file itself, or stands there under `key`.

    Raises:
        ModelError: no such file, a damaged one, or one that holds more than tensors and numbers, or
            other tensors than dense ones.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; give a checkpoint that torch.save wrote")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as fault:
        raise ModelError(
            f"{path}: not a torch.save file of tensors and plain numbers alone, which is all that "
            f"is read{_asked_for(fault)}; save the state dict itself with torch.save"
        ) from fault
    except Exception as fault:
        # a damaged file makes torch's reader raise whatever it happens to stumble over
        raise ModelError(
            f"{path}: damaged, or no torch.save file ({_first_line(fault)}); fetch it again"
        ) from fault
    if key is not None and isinstance(content, dict) and key in content:
        content = content[key]
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{path}: expected a state dict, got {type(content).__name__}")
    foreign = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if foreign:
        raise ModelError(f"{path}: expected tensors by name; not tensors: {list_names(foreign)}")
    odd = [str(name) for name, value in content.items() if not _is_dense(value)]
    if odd:
        raise ModelError(
            f"{path}: expected dense tensors of real numbers, all of them in the file; not so: "
            f"{list_names(odd)}; save the state dict of the network as it was trained"
        )
    return {str(name): value.detach().float() for name, value in content.items()}


def config_of(section: type[S], content: dict[str, Any], path: Path) -> S:
    """The configuration that a file's shapes ask for.

    Raises:
        ModelError: there is no such network.
    """
    try:
        return validate_section(section, content, str(path))
    except ParamsError as fault:
        raise ModelError(f"{fault}; give a file of that code, or say another size") from fault


def shapes_of(build: Callable[[], nn.Module], path: Path) -> dict[str, Shape]:
    """The shapes of a network's tensors, of which none is made.

    What is built for a file is compared with it before: a small file that asks for a large network
    costs no memory.

    Raises:
        ModelError: no computer has room for such a network.
    """
    try:
        with torch.device("meta"):
            return {name: tuple(value.shape) for name, value in build().state_dict().items()}
    except (RuntimeError, OverflowError) as fault:
        raise ModelError(
            f"{path}: asks for a network too large to be ({_first_line(fault)}); fetch it again"
        ) from fault


def check_fit(
    where: Path, found: Mapping[str, Tensor], expected: Mapping[str, Shape], ignored: Sequence[str]
) -> None:
    """Refuses a state dict whose names or shapes are not the expected ones, listing them.

    Names whose last part is `ignored` may be there and are not needed.

    Raises:
        ModelError: missing and unexpected names, and shapes that differ.
    """
    missing = [name for name in expected if name not in found]
    extra = [
        name for name in found if name not in expected and name.rsplit(".", 1)[-1] not in ignored
    ]
    wrong = [
        f"{name} is {_sides(found[name].shape)} (expected {_sides(shape)})"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != tuple(shape)
    ]
    lost = [name for name in expected if name in found and not torch.isfinite(found[name]).all()]
    faults = {"missing": missing, "not known": extra, "of another shape": wrong, "not finite": lost}
    lines = [f"{what}: {list_names(names)}" for what, names in faults.items() if names]
    if lines:
        raise ModelError(f"{where}: weights do not fit the network; " + "; ".join(lines))


def list_names(names: Sequence[str]) -> str:
    """Some names, and how many more there are; on one line, whatever they are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    plain = [name if name.isprintable() else ascii(name) for name in names[:SHOWN]]
    return ", ".join(name[:LONGEST] for name in plain) + more


def _is_dense(value: Tensor) -> bool:
    """Whether it holds real numbers one by one, and not more of them than are stored."""
    if value.is_nested or value.is_quantized or value.is_complex() or value.device.type != "cpu":
        return False
    if value.layout != torch.strided:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _sides(shape: Sequence[int]) -> str:
    return "x".join(str(side) for side in shape) or "a number"


def _asked_for(fault: BaseException) -> str:
    """The code that a file wanted to run; torch's own advice, to let it, is not passed on."""
    found = re.search(r"GLOBAL ([\w.]+)", str(fault))
    return f" (it asks for {found[1]})" if found else ""


def _first_line(fault: BaseException) -> str:
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    return lines[0][:160] if lines else type(fault).__name__
