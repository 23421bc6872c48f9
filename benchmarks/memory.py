"""How much memory a training step takes, over depth and over resolution.

    python -m benchmarks.memory --sides 64 --depths 16,32,64,120
    python -m benchmarks.memory --sides 64,128,256 --depths 48

Every point is a process of its own that trains two steps at batch 1, after which weights, gradients
and the optimizer's moments are all there; its peak is what counts.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from augflow import files
from benchmarks.bench import LEVELS, OUT, Out, Sizes, Threads, hardware, sides_of
from benchmarks.contenders import Work
from benchmarks.worker import Worker


@dataclass(frozen=True)
class Point:
    """A contender's peak in MiB, of which `weights` are what four copies of its weights take."""

    contender: str
    side: int
    steps: int
    parameters: int
    weights_mib: float
    peak_mib: float


def divided(steps: int, levels: int) -> tuple[int, ...]:
    """So many steps over levels, the finest ones first served."""
    return tuple(steps // levels + (level < steps % levels) for level in range(levels))


def point(contender: str, work: Work, threads: int, reference: str = "") -> Point:
    """One process, two steps."""
    with Worker(contender, work, threads, reference) as worker:
        worker.turn("train")
        done = worker.turn("train")
    weights = 4 * 4 * worker.parameters / 2**20
    return Point(
        contender, work.size[0], sum(work.steps), worker.parameters, weights, done.peak_mib
    )


def main(
    sides: Sizes = "64",
    depths: Annotated[str, typer.Option(help="Steps of flow, over all levels.")] = "16,32,64,120",
    contenders: Annotated[str, typer.Option(help="ours, plain.")] = "ours,plain",
    width: Annotated[int, typer.Option(min=1, help="Of the coupling networks.")] = 512,
    threads: Threads = 2,
    out: Out = OUT,
) -> None:
    """Measures, prints, writes."""
    points = []
    print("contender   side steps   parameters   weights  peak MiB")
    for side in sides_of(sides):
        for depth in (int(text) for text in depths.split(",")):
            for name in contenders.split(","):
                work = Work((side, side), divided(depth, LEVELS[side]), width=width)
                one = point(name, work, threads)
                points.append(one)
                print(
                    f"{name:10} {side:5} {depth:5} {one.parameters:12,} {one.weights_mib:9.0f} "
                    f"{one.peak_mib:9.0f}",
                    flush=True,
                )
    content = {"machine": hardware(threads), "points": [asdict(one) for one in points]}
    files.atomic_write(out / "memory.json", (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    typer.run(main)
