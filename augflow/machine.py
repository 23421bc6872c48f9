"""What depends on the machine: the C allocator's habits, and a fingerprint for bit-equality."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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


def fingerprint(threads: int) -> dict[str, str]:
    """What bit-equal results depend on: processor and device, versions, thread count."""
    import torch

    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": str(threads),
        **{name: _version(name) for name in _DECISIVE},
    }


def _processor() -> str:
    """A digest of the processor's name: libraries pick their kernels by it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
