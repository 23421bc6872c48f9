"""Files that are not what they say: programs, lies about sizes, and numbers that are none."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
from pathlib import Path

import torch
from safetensors.torch import load, save


class Command:
    """Makes a file when it is unpickled the common way."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


def programs(trace: Path) -> dict[str, bytes]:
    """Files that make `trace` when somebody runs them."""
    found = {"pickle": pickle.dumps({"a": Command(trace)})}
    for name, zipped in (("torch", True), ("torch_legacy", False)):
        stream = io.BytesIO()
        content = {"state_dict": {"a": torch.ones(2)}, "a": Command(trace)}
        torch.save(content, stream, _use_new_zipfile_serialization=zipped)
        found[name] = stream.getvalue()
    return found


def lies(good: bytes) -> dict[str, bytes]:
    """A safetensors file, spoiled in every way that can be told without knowing its network."""
    head, body = opened(good)
    first = next(iter(head))
    start, end = head[first]["data_offsets"]

    def other(**facts) -> bytes:
        return closed({**head, first: {**head[first], **facts}}, body)

    length = struct.pack("<Q", 2**30)
    return {
        "empty": b"",
        "text": b"these are no weights at all",
        "truncated": good[:-1],
        "longer": good + b"more",
        "gigabyte_header": length + b"{}",
        "no_json": struct.pack("<Q", 4) + b"####",
        "deep_json": struct.pack("<Q", 10**5) + b"[" * 10**5,
        "huge_shape": other(shape=[10**9, 10**9, 10**9]),
        "beyond_the_end": other(data_offsets=[start, end + 10**12]),
        "unknown_type": other(dtype="OBJECT"),
        "overlapping": closed({**head, "zz": {**head[first]}}, body),
        "type_without_numbers": closed(
            {"a": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}, b"0"
        ),
        "type_numpy_has_not": save({"a": torch.ones(2, dtype=torch.bfloat16)}),
        "not_a_number": _first(good, float("nan")),
        "infinite": _first(good, float("inf")),
    }


def misfits(good: bytes) -> dict[str, bytes]:
    """Whole safetensors files of finite numbers that are another network's."""
    tensors = load(good)
    name = next(iter(tensors))
    rest = {key: value for key, value in tensors.items() if key != name}
    return {
        "foreign": save({**tensors, "foreign": torch.ones(1)}),
        "missing": save(rest),
        "empty_dict": save({}),
        "wrong_shape": save({**rest, name: torch.ones(7)}),
    }


def retyped(good: bytes, kind: torch.dtype) -> bytes:
    """The same numbers as another type."""
    tensors = load(good)
    name = next(key for key, value in tensors.items() if value.is_floating_point())
    return save({**tensors, name: tensors[name].to(kind)})


def opened(raw: bytes) -> tuple[dict, bytes]:
    """Header and numbers of a safetensors file."""
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def closed(head: object, body: bytes) -> bytes:
    """A safetensors file with that header, whatever it says."""
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + body


def _first(good: bytes, value: float) -> bytes:
    tensors = load(good)
    name = next(key for key, tensor in tensors.items() if tensor.is_floating_point())
    return save({**tensors, name: torch.full_like(tensors[name], value)})
