"""What a training step may take of the memory, and what it takes by the estimate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

USABLE = 0.8
"""The share of the free memory that an estimate may fill; buffers of kernels need some too."""

_LINES = 6
"""How often a line is followed before what is left is halved."""


@dataclass(frozen=True)
class Budget:
    """Bytes of memory on the device that trains.

    Attributes:
        free: what was free before the generator was put there; None where nobody says.
        needed: what a step takes that works through so many rows at once; None where there is no
            estimate.
    """

    free: int | None = None
    needed: Callable[[int], int] | None = None

    def largest(self, most: int) -> int | None:
        """The most rows up to `most` that fit at once, 0 if not one does; None if nobody knows.

        What is needed must not fall as rows grow. It hardly differs from a line, so a few estimates
        do: between rows that fit and rows that do not, those where a line meets what is free.
        """
        if self.free is None or self.needed is None:
            return None
        room = USABLE * self.free
        fits, fails = 1, most
        low, high = self.needed(fits), self.needed(fails)
        if high <= room or low > room:
            return most if high <= room else 0
        tries = 0
        while fails - fits > 1:
            met = fits + int((room - low) / (high - low) * (fails - fits))
            middle = min(max(met, fits + 1), fails - 1) if tries < _LINES else (fits + fails) // 2
            tries, size = tries + 1, self.needed(middle)
            if size <= room:
                fits, low = middle, size
            else:
                fails, high = middle, size
        return fits

    def sizes(self, rows: int) -> str:
        """The estimate for so many rows beside what was free, for messages."""
        known = []
        if self.needed is not None:
            known.append(f"{gibibytes(self.needed(rows))} by the estimate")
        if self.free is not None:
            known.append(f"{gibibytes(self.free)} were free")
        return ", ".join(known) or "no estimate"

    def advice(self, tried: int, whole: str | None = None) -> str:
        """What to do after so many rows at once did not fit.

        `whole` says why a batch cannot be parted, where it cannot.
        """
        smaller = "take a smaller size or preset"
        if tried == 1:
            return f"not even one row fits: {smaller}"
        if whole:
            return f"take a smaller batch_size, size or preset; {whole}"
        largest = self.largest(tried - 1)
        if largest is None:
            return f"set training.micro_batch to less than {tried}, or {smaller}"
        if largest == 0:
            return f"by the estimate not even one row fits ({self.sizes(1)}): {smaller}"
        return f"set training.micro_batch to {largest}, the largest that fits by the estimate"


def gibibytes(size: int) -> str:
    """A number of bytes in GiB."""
    return f"{size / 2**30:.2f} GiB"
