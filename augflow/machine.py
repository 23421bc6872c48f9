"""What depends on the machine: the C allocator's habits, and a fingerprint for bit-equality."""

from __future__ import annotations

import ctypes
import os
import platform
from importlib.metadata import PackageNotFoundError, version

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
    """What bit-equal results depend on: versions, processor capability, thread count."""
    import torch

    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": str(threads),
        **{name: _version(name) for name in ("torch", "numpy", "opencv-python-headless", "pillow")},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
