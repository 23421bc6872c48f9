"""How much memory a training step takes: over depth, over resolution, and of the largest models.

    python -m benchmarks.memory
    python -m benchmarks.memory --points depth --memories reversible

Every point is a process of its own that trains two steps at batch 1, after which weights, gradients
and the optimizer's moments are all there; its peak is what counts. `depth` is 128x128 over 16 to
120 steps with bounded scales, `resolution` 64x64 to 256x256 with 4 levels of 16 (3 at 64x64) as
in the paper, `config_h` the paper's largest at 256x256, and `high_res` its 512x1024.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated

import typer

from augflow.core import io
from augflow.core.config import Memory
from augflow.generators.presets import FULL_GLOW
from benchmarks.bench import (
    DEPTH,
    LEVELS,
    OUT,
    Memories,
    Out,
    Threads,
    chosen,
    hardware,
    memories_of,
)  # fmt: skip
from benchmarks.contenders import Work
from benchmarks.worker import Worker

DEPTHS = (16, 32, 64, 120)
POINTS = ("depth", "resolution", "config_h", "high_res")
FLOOR = 0.3
"""The bound of coupling scales that our own presets have."""


@dataclass(frozen=True)
class Point:
    """A contender's peak in MiB, of which `weights_mib` are what four copies of its weights take.

    `before_mib` is what the process held before it trained; `seconds` those of the second step.
    """

    point: str
    contender: str
    memory: str
    size: tuple[int, int]
    steps: int
    parameters: int
    weights_mib: float
    before_mib: float
    peak_mib: float
    seconds: float

    @property
    def rest_mib(self) -> float:
        """What the peak has beyond weights, gradients and moments, the program included."""
        return self.peak_mib - self.weights_mib


def divided(steps: int, levels: int) -> tuple[int, ...]:
    """So many steps over levels, the finest ones first served."""
    return tuple(steps // levels + (level < steps % levels) for level in range(levels))


def works(point: str) -> Iterator[Work]:
    """The models of a point, all at batch 1."""
    if point == "depth":
        for depth in DEPTHS:
            yield Work((128, 128), divided(depth, LEVELS[128]), floor=FLOOR)
    elif point == "resolution":
        for side, levels in LEVELS.items():
            yield Work((side, side), (DEPTH,) * levels)
    else:
        preset = FULL_GLOW[point]
        yield Work(preset["size"], preset["steps"])


def measured(point: str, contender: str, work: Work, threads: int) -> Point:
    """One process, two steps."""
    with Worker(contender, work, threads) as worker:
        worker.turn("train")
        done = worker.turn("train")
    memory = work.memory if contender == "ours" else "store"
    weights = 4 * 4 * worker.parameters / 2**20
    return Point(
        point, contender, memory, work.size, sum(work.steps), worker.parameters, weights,
        worker.built_mib, done.peak_mib, done.seconds,
    )  # fmt: skip


def contenders(point: str, work: Work, memories: list[Memory]) -> Iterator[tuple[str, Work]]:
    """Who takes part: the library in every mode, the plain code where it is not too large."""
    for memory in memories:
        if memory == "reversible" or point in ("depth", "resolution"):
            yield "ours", replace(work, memory=memory)
    if point in ("depth", "resolution"):
        yield "plain", work


def main(
    points: Annotated[str, typer.Option(help=", ".join(POINTS))] = ",".join(POINTS),
    memories: Memories = "store,checkpoint,reversible",
    threads: Threads = 2,
    out: Out = OUT,
) -> None:
    """Measures, prints, writes."""
    wanted, modes = chosen(points, "point", POINTS), memories_of(memories)
    found = []
    print(
        "point       contender  memory      size       steps  parameters  weights   rest   peak MiB"
    )
    for point in wanted:
        for work in works(point):
            for name, own in contenders(point, work, modes):
                one = measured(point, name, own, threads)
                found.append(one)
                size = "x".join(map(str, one.size))
                print(
                    f"{point:11} {name:10} {one.memory:11} {size:10} {one.steps:5} "
                    f"{one.parameters:12,} {one.weights_mib:7.0f} {one.rest_mib:7.0f} "
                    f"{one.peak_mib:7.0f}  {one.seconds:.1f} s",
                    flush=True,
                )
    content = {"machine": hardware(threads), "points": [asdict(one) for one in found]}
    io.atomic_write(out / "memory.json", (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    typer.run(main)
