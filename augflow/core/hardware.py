"""What depends on the machine: memory and disks, the C allocator, a fingerprint of bit-equality."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from augflow.core.errors import DataError

if TYPE_CHECKING:
    import torch

_DECISIVE = (
    "torch",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "matplotlib",
    "onedl-mmsegmentation",
)
"""Packages whose versions change bits."""

_FACTS = ("python", "machine", "processor", "capability", "device", "threads")
"""What else a fingerprint says of every machine."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4


def keep_pages() -> bool:
    """Asks glibc to keep freed memory; whether it does, as other C libraries do not know how.

    Without it every large activation is mapped and unmapped anew, and a good part of a step on the
    CPU is page faults. Set `AUGFLOW_KEEP_PAGES=0` to leave the allocator alone.
    """
    if os.environ.get("AUGFLOW_KEEP_PAGES") == "0":
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        settings = ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_MMAP_MAX, 0))
        return all(libc.mallopt(key, value) == 1 for key, value in settings)
    except (OSError, AttributeError):
        return False


def free_memory(device: torch.device) -> int:
    """Bytes that can still be taken on a device.

    Of the processor's memory that is what the system calls available, or what the control groups of
    this process leave of their limits, if that is less.
    """
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return min([psutil.virtual_memory().available, *_left_by_groups()])


def out_of_memory(fault: BaseException) -> bool:
    """Whether a fault says that there was no memory left, on whatever device."""
    import torch

    if isinstance(fault, MemoryError | torch.OutOfMemoryError):
        return True
    # torch has no type of its own for the processor's allocator
    return isinstance(fault, RuntimeError) and "can't allocate memory" in str(fault)


def _left_by_groups(root: Path = Path("/sys/fs/cgroup")) -> list[int]:
    """What each control group above this process leaves of its limit, of either version."""
    left = []
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top, limit, used = root, "memory.max", "memory.current"
        if controllers:  # version 1
            top, limit, used = root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
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

    `device` is `cpu` or the name of the GPU in use; `processes` are those that train together.
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


def is_fingerprint(facts: Mapping[str, str]) -> bool:
    """Whether facts say all that every fingerprint says: others do not tell a machine."""
    return facts.keys() >= {*_FACTS, *_DECISIVE}


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


@dataclass(frozen=True)
class DiskUsage:
    """What is going to be written into a folder, in bytes.

    Attributes:
        size: that its files will take.
        largest: of the largest of them.
        distinct: of files of different content, of which DVC keeps one each.
    """

    size: int = 0
    largest: int = 0
    distinct: int = 0

    def __add__(self, other: DiskUsage) -> DiskUsage:
        """Both of them."""
        largest = max(self.largest, other.largest)
        return DiskUsage(self.size + other.size, largest, self.distinct + other.distinct)

    def times(self, count: int, distinct: int | None = None) -> DiskUsage:
        """So many of it, of which `distinct` differ; all by default."""
        kinds = count if distinct is None else min(count, distinct)
        return DiskUsage(self.size * count, self.largest if count else 0, self.distinct * kinds)


def check_disk_space(folder: Path, need: DiskUsage, what: str) -> None:
    """Goes on where the disk of a folder, there or not, has room for what is to be written there.

    Raises:
        DataError: there is less, or no file may be as large; names `what` it is.
    """
    check_disk_spaces({folder: need}, what)


def check_disk_spaces(needs: Mapping[Path, DiskUsage], what: str) -> None:
    """The same for several folders at once; those of one disk share its room.

    Raises:
        DataError: a disk has less, or no file may be as large; says of the first such folder.
    """
    limit = largest_file()
    wanted: dict[int, int] = {}
    for folder, need in needs.items():
        if limit is not None and need.largest > limit:
            raise DataError(
                f"{folder}: {what} has a file of about {binary(need.largest)}, but no file may be "
                f"larger than {binary(limit)} here; raise the limit (ulimit -f)"
            )
        disk = disk_id(folder)
        wanted[disk] = wanted.get(disk, 0) + need.size
        left = free_disk_bytes(folder)
        if wanted[disk] > left:
            raise DataError(
                f"{folder}: {what} takes about {binary(wanted[disk])}, but {binary(left)} are free "
                "on its disk; make room, or work on a larger disk (`augflow estimate` tells what "
                "all stages take)"
            )


def free_disk_bytes(folder: Path) -> int:
    """Bytes that may still be written where a folder is, or would be."""
    return shutil.disk_usage(nearest_existing_parent(folder)).free


def disk_block_size(folder: Path) -> int:
    """Bytes of the smallest piece of its disk that a file takes."""
    return os.statvfs(nearest_existing_parent(folder)).f_frsize


def disk_id(folder: Path) -> int:
    """What tells the disk of a folder from all others."""
    return nearest_existing_parent(folder).stat().st_dev


def nearest_existing_parent(folder: Path) -> Path:
    """A folder, or the nearest above it that is there."""
    place = folder.absolute()
    return next((one for one in (place, *place.parents) if one.is_dir()), Path(place.anchor))


def largest_file() -> int | None:
    """Bytes that a single file may have in this process; None for any number."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def binary(size: int) -> str:
    """A number of bytes with a binary unit: 4.67 GiB."""
    power = 0
    while size >= 1024 ** (power + 1) and power < len(_UNITS) - 1:
        power += 1
    return f"{size / 1024**power:.4g} {_UNITS[power]}"
