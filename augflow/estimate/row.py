"""What one stage takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from augflow.study.sizes import Amount


@dataclass(frozen=True)
class Work:
    """Operations by what they are done with, as all of them are not equally fast.

    Attributes:
        parts: operations of convolutions and matrix products, by the name of what does them.
    """

    parts: tuple[tuple[str, int], ...] = ()

    def __add__(self, other: Work) -> Work:
        """Both."""
        return Work(self.parts + other.parts)

    def times(self, count: int) -> Work:
        """So many times."""
        return Work(tuple((name, count * operations) for name, operations in self.parts))

    @property
    def operations(self) -> int:
        """All of them."""
        return sum(operations for _, operations in self.parts)


@dataclass(frozen=True)
class Row:
    """A stage of the pipeline, as DVC names it; None stands for what is not known.

    Attributes:
        stage: its name.
        work: what is computed.
        seconds: how long it takes on this machine.
        memory: bytes of the processor's memory, or of the GPU's, at the peak.
        disk: its outputs.
        state: bytes that it writes to go on after it was stopped, gone when it is done.
        cached: whether DVC keeps its outputs in its cache.
        made: whether its outputs are there already.
        least: whether the disk is what is known to come, and there will be more.
    """

    stage: str
    work: Work | None = None
    seconds: float | None = None
    memory: int | None = None
    disk: Amount | None = None
    state: int = 0
    cached: bool = True
    made: bool = False
    least: bool = False

    def timed(self, seconds: float | None) -> Row:
        """The same with its time."""
        return replace(self, seconds=seconds)

    def facts(self, copies: bool) -> dict[str, Any]:
        """As plain JSON; `copies` says whether DVC's cache holds everything once more."""
        disk = self.disk
        return {
            "stage": self.stage,
            "operations": self.work.operations if self.work else None,
            "seconds": self.seconds,
            "memory": self.memory,
            "disk": disk.size if disk else None,
            "disk_is_least": self.least,
            "cache": self.in_cache(copies) if disk else None,
            "resume": self.state,
            "made": self.made,
        }

    def in_cache(self, copies: bool) -> int:
        """Bytes that DVC's cache takes for its outputs."""
        return self.disk.distinct if self.disk and self.cached and copies else 0
