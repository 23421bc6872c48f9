"""How fast the library is, beside a plain implementation and the machine's floor: `make bench`.

    python -m benchmarks.bench --sizes 64,128 --rounds 5

Contenders take turns at every task, each in a process of its own, and the median turn counts. It
writes one JSON file per size to `reports/benchmarks/` and prints the tables.
"""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, get_args

import torch
import typer

from augflow.core import io
from augflow.core.config import Memory
from benchmarks.contenders import Task, Work
from benchmarks.floor import matrix_rate, operations
from benchmarks.worker import Turn, Worker

LEVELS = {64: 3, 128: 4, 256: 4}
"""The public code cannot have four levels at 64x64."""
DEPTH = 16
LONG = ("sweep", "transfer")
"""Tasks of many photographs, which get one turn without a warm-up."""


@dataclass(frozen=True)
class Measured:
    """A contender's turns at a task: seconds per photograph, and the peak of its memory."""

    contender: str
    task: Task
    batch: int
    median: float
    low: float
    high: float
    cpu: float
    peak_mib: float

    @classmethod
    def of(cls, contender: str, task: Task, batch: int, turns: Sequence[Turn]) -> Measured:
        """The median turn, and the fastest and slowest."""
        each = sorted(turn.seconds / turn.photographs for turn in turns)
        cpu = statistics.median(turn.cpu / turn.photographs for turn in turns)
        return cls(contender, task, batch, statistics.median(each), each[0], each[-1], cpu,
                   max(turn.peak_mib for turn in turns))  # fmt: skip


def in_turn(
    workers: Mapping[str, Worker], tasks: Sequence[Task], rounds: int, threads: int
) -> tuple[list[Measured], float]:
    """Every contender does every task so many times, one after the other.

    Returns:
        The figures, and the median of the matrix rates that the machine had between the rounds.
    """
    found, rates = [], []
    for task in tasks:
        turns: dict[str, list[Turn]] = {name: [] for name in workers}
        again = 1 if task in LONG else rounds
        for turn in range(again + (task not in LONG)):
            rates.append(matrix_rate(threads))
            for name, worker in workers.items():
                done = worker.turn(task)
                if turn or task in LONG:  # the first one warms up
                    turns[name].append(done)
        found += [
            Measured.of(name, task, workers[name].work.batch, done) for name, done in turns.items()
        ]
    return found, statistics.median(rates)


def contest(
    work: Work, batches: Sequence[int], tasks: Sequence[Task], *, rounds: int, threads: int,
    rivals: Sequence[str] = ("plain",), reference: str = "",
    memories: Sequence[Memory] = ("store",),
) -> dict[str, Any]:  # fmt: skip
    """The library at each batch beside its rivals at batch 1, as the content of a JSON file."""
    with ExitStack() as held:
        workers = {
            f"ours, batch {batch}" + (f", {memory}" if memory != "store" else ""):
            Worker("ours", replace(work, batch=batch, memory=memory), threads)
            for batch in batches for memory in memories
        }  # fmt: skip
        workers |= {
            name: Worker(name, replace(work, batch=1), threads, reference) for name in rivals
        }
        for worker in workers.values():
            held.enter_context(worker)
        parameters = {name: worker.parameters for name, worker in workers.items()}
        measured, rate = in_turn(workers, tasks, rounds, threads)
    needed = operations(work)
    return {
        "work": {"size": list(work.size), "steps": list(work.steps), "preset": work.preset,
                 "width": work.width},
        "machine": hardware(threads),
        "matrix_gflops": rate / 1e9,
        "gflop": {task: flop / 1e9 for task, flop in needed.items()},
        "parameters": parameters,
        "rounds": rounds,
        "measured": [asdict(one) for one in measured],
        "ratios": ratios(measured, rivals),
        "share_of_matrix_rate": {
            f"{one.contender}, {one.task}": needed[one.task] / one.median / rate
            for one in measured if one.task in needed
        },
    }  # fmt: skip


def ratios(measured: Sequence[Measured], rivals: Sequence[str]) -> dict[str, float]:
    """How many times as fast the library is as each rival, by the median time per photograph."""
    found = {}
    for rival in rivals:
        theirs = {one.task: one.median for one in measured if one.contender == rival}
        for one in measured:
            if one.contender not in rivals:
                found[f"{one.task}: {one.contender} over {rival}"] = theirs[one.task] / one.median
    return found


def hardware(threads: int) -> dict[str, Any]:
    """What it was measured on."""
    model = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {"processor": model, "threads": threads, "torch": torch.__version__,
            "python": platform.python_version()}  # fmt: skip


def table(content: Mapping[str, Any]) -> str:
    """The figures of one size as text."""
    height, width = content["work"]["size"]
    head = (
        f"{height}x{width}, {len(content['work']['steps'])} levels of "
        f"{content['work']['steps'][0]}, {content['machine']['threads']} threads, "
        f"{content['matrix_gflops']:.0f} GFLOP/s in matrix products"
    )
    lines = [head, f"{'task':10} {'contender':18} {'s/photo':>9} {'from':>9} {'to':>9} {'MiB':>7}"]
    lines += [
        f"{one['task']:10} {one['contender']:18} {one['median']:9.3f} {one['low']:9.3f} "
        f"{one['high']:9.3f} {one['peak_mib']:7.0f}"
        for one in content["measured"]
    ]
    lines += [f"{name}: {ratio:.2f}x" for name, ratio in content["ratios"].items()]
    lines += [
        f"{name}: {share:.0%} of the matrix rate"
        for name, share in content["share_of_matrix_rate"].items()
    ]
    return "\n".join(lines)


def sides_of(text: str) -> list[int]:
    """Sides of square photographs from `64,128`.

    Raises:
        typer.BadParameter: one is not among `LEVELS`.
    """
    known = ", ".join(map(str, LEVELS))
    for part in text.split(","):
        if not part.isdecimal() or int(part) not in LEVELS:
            raise typer.BadParameter(f"no side {part!r}; known: {known}")
    return [int(part) for part in text.split(",")]


def tasks_of(text: str) -> list[Task]:
    """Tasks from `train,first`, in the order in which they are done.

    Raises:
        typer.BadParameter: there is no such task.
    """
    return chosen(text, "task", get_args(Task))


def memories_of(text: str) -> list[Memory]:
    """What training holds, from `store,reversible`.

    Raises:
        typer.BadParameter: there is no such mode.
    """
    return chosen(text, "memory", get_args(Memory))


def batches_of(text: str) -> list[int]:
    """Batches from `1,4`.

    Raises:
        typer.BadParameter: one is not a number from 1 on.
    """
    for part in text.split(","):
        if not part.isdecimal() or int(part) < 1:
            raise typer.BadParameter(f"no batch {part!r}; expected numbers from 1 on, as 1,4")
    return [int(part) for part in text.split(",")]


def chosen(text: str, what: str, known: Sequence[Any]) -> list[Any]:
    """Names from `one,other`, in the order in which they are known.

    Raises:
        typer.BadParameter: there is no such name.
    """
    for part in text.split(","):
        if part not in known:
            raise typer.BadParameter(f"no {what} {part!r}; known: {', '.join(known)}")
    return [one for one in known if one in text.split(",")]


Sizes = Annotated[str, typer.Option(help="Sides of square photographs: 64, 128, 256.")]
Batches = Annotated[str, typer.Option(help="The library's batches.")]
Tasks = Annotated[str, typer.Option(help="train, first, more, sweep, transfer.")]
Memories = Annotated[str, typer.Option(help="store, checkpoint, reversible: the library's.")]
Rivals = Annotated[str, typer.Option(help="plain, reference: who is measured beside it.")]
Rounds = Annotated[int, typer.Option(min=1, help="Turns at every task.")]
Threads = Annotated[int, typer.Option(min=1, help="Intra-op threads.")]
Out = Annotated[Path, typer.Option(help="Folder of the JSON files.")]
OUT = Path("reports/benchmarks")


def main(
    sizes: Sizes = "64", batches: Batches = "1,4", tasks: Tasks = "train,first,more",
    memories: Memories = "store", rounds: Rounds = 5, threads: Threads = 2, out: Out = OUT,
) -> None:  # fmt: skip
    """Measures, prints, writes."""
    run(sizes, batches, tasks, memories, rounds, threads, out, ["plain"])


def run(
    sizes: str, batches: str, tasks: str, memories: str, rounds: int, threads: int, out: Path,
    rivals: Sequence[str], reference: Path | None = None,
) -> None:  # fmt: skip
    """What `main` does, beside rivals, of which `reference` is the public code in a checkout."""
    sides, wanted, held, many = (
        sides_of(sizes), tasks_of(tasks), memories_of(memories), batches_of(batches)
    )  # fmt: skip
    for side in sides:
        work = Work((side, side), (DEPTH,) * LEVELS[side])
        content = contest(
            work, many, wanted, rounds=rounds,
            threads=threads, rivals=rivals, reference=str(reference or ""), memories=held,
        )  # fmt: skip
        print(table(content), flush=True)
        name = f"compare_{side}.json" if reference else f"bench_{side}.json"
        io.atomic_write(out / name, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    typer.run(main)
