"""What depends on the machine: the C allocator, free memory, a fingerprint for bit-equality."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_DECISIVE = (
    "torch", "numpy", "opencv-python-headless", "pillow", "matplotlib", "onedl-mmsegmentation",
)  # fmt: skip
"""Packages whose versions change bits."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4


def keep_pages() -> bool:
    """Asks glibc to keep freed memory, as training frees and takes the same megabytes every step.

    Without it every large activation is mapped and unmapped anew, and a good part of a step on the
    CPU is page faults. Set `AUGFLOW_KEEP_PAGES=0` to leave the allocator alone.

    Returns:
        Whether the allocator took the settings; other C libraries do not know them.
    """
    if os.environ.get("AUGFLOW_KEEP_PAGES") == "0":
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        settings = ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_MMAP_MAX, 0))
        return all(libc.mallopt(key, value) == 1 for key, value in settings)
    except (OSError, AttributeError):
        return False


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be taken on a device; None where nobody says.

    Of the processor's memory that is what the system calls available, or what the control groups of
    this process leave of their limits, if that is less.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    left = [_available(), *_left_by_groups()]
    return min((size for size in left if size is not None), default=None)


def resident() -> int:
    """Bytes of memory that this process has now; 0 where the system does not say."""
    return _of_status("VmRSS")


def peak_of(work: Callable[[], object]) -> int | None:
    """By how many bytes a piece of work raises what this process has at most; None if unknown."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    except OSError:
        return None
    before = resident()
    work()
    return max(0, _of_status("VmHWM") - before)


def _of_status(name: str) -> int:
    found = [line.split()[1] for line in _lines(Path("/proc/self/status"))
             if line.startswith(f"{name}:")]  # fmt: skip
    return int(found[0]) * 1024 if found else 0


def out_of_memory(fault: BaseException) -> bool:
    """Whether a fault says that there was no memory left, on whatever device."""
    import torch

    if isinstance(fault, MemoryError | torch.OutOfMemoryError):
        return True
    # torch has no type of its own for the processor's allocator
    return isinstance(fault, RuntimeError) and "can't allocate memory" in str(fault)


def _available(path: Path = Path("/proc/meminfo")) -> int | None:
    """What the system calls available: free pages, and those it can take back."""
    for line in _lines(path):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _left_by_groups(root: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """What each control group above this process leaves of its limit, of either version."""
    left = []
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, path = line.split(":", 2)
        own = {"": (root, "memory.max", "memory.current"), "memory": (
            root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
        )}.get(controllers)  # fmt: skip
        if own is None:
            continue
        top, limit, used = own
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(top):
                break
            left += _left(folder, limit, used)
    return left


def _left(folder: Path, limit: str, used: str) -> list[int]:
    """What a control group leaves of its limit, nothing where it has none.

    Pages of files count as used but are given back when they are wanted.
    """
    numbers = [line for name in (limit, used) for line in _lines(folder / name)]
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        return []
    facts = dict(line.split() for line in _lines(folder / "memory.stat"))
    back = int(facts.get("total_inactive_file", facts.get("inactive_file", 0)))
    return [int(numbers[0]) - int(numbers[1]) + back]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def fingerprint(threads: int, device: str = "cpu", processes: int = 1) -> dict[str, str]:
    """What bit-equal results depend on: processor and device, versions, threads and processes.

    Args:
        threads: of each process.
        device: `cpu`, or the name of the GPU that is used.
        processes: that train together; named where it is more than one.
    """
    import torch

    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "device": device,
        "threads": str(threads),
        # records without it are of a time when a GPU's name said that there was one, not that it
        # was used
        **({"accelerated": "yes"} if device != "cpu" else {}),
        **({"processes": str(processes)} if processes > 1 else {}),
        **{name: _version(name) for name in _DECISIVE},
    }


def _processor() -> str:
    """A digest of the processor's name: libraries pick their kernels by it."""
    lines = _lines(Path("/proc/cpuinfo"))
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
