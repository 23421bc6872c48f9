"""Room on disks: how much is free where something is to be written, and refusal where too little.

A disk that fills up ends a stage in its last minute. What a stage is going to write is known before
it begins, so it asks first.
"""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from augflow.core.errors import DataError

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


@dataclass(frozen=True)
class Need:
    """What is going to be written into a folder.

    Attributes:
        size: bytes that its files will take.
        largest: bytes of the largest of them.
    """

    size: int
    largest: int = 0

    def __add__(self, other: Need) -> Need:
        """Both of them."""
        return Need(self.size + other.size, max(self.largest, other.largest))


def require_room(folder: Path, need: Need, what: str) -> None:
    """Goes on where a folder's disk has room for what is going to be written there.

    Args:
        folder: where to; it need not be there yet.
        need: how much.
        what: what it is, for the message.

    Raises:
        DataError: there is less, or no file may be as large.
    """
    require_rooms({folder: need}, what)


def require_rooms(needs: Mapping[Path, Need], what: str) -> None:
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
        disk = disk_of(folder)
        wanted[disk] = wanted.get(disk, 0) + need.size
        left = free(folder)
        if wanted[disk] > left:
            raise DataError(
                f"{folder}: {what} takes about {binary(wanted[disk])}, but {binary(left)} are free "
                "on its disk; make room, or work on a larger disk (`augflow estimate` tells what "
                "all stages take)"
            )


def free(folder: Path) -> int:
    """Bytes that may still be written where a folder is, or would be."""
    return shutil.disk_usage(standing(folder)).free


def block(folder: Path) -> int:
    """Bytes of the smallest piece of its disk that a file takes."""
    return os.statvfs(standing(folder)).f_frsize


def disk_of(folder: Path) -> int:
    """What tells the disk of a folder from all others."""
    return standing(folder).stat().st_dev


def standing(folder: Path) -> Path:
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
