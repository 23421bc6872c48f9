"""Our own preset and the paper's model on the same photographs, for equal time on the clock.

    python -m benchmarks.equal_time data/STUDY/prepared --seconds 600
    python -m benchmarks.equal_time data/STUDY/prepared --rival reference --reference DIR

Both train in turns, in one process and on as many threads: the library with a preset of its own, in
batches; the rival with the paper's model and settings, one photograph at a time. After every turn
both are asked for the bits per dimension of held-out photographs given their layouts, the rival's
through the library, which reads its weights. It writes `reports/benchmarks/equal_time.json`.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from augflow import generators
from augflow.core import io, seeding
from augflow.core.hardware import keep_pages
from augflow.data.scenes import Scene, SceneFolder, evenly
from augflow.generators.presets import FULL_GLOW, FullGlowConfig, make_config
from augflow.tools.checkpoints import read_glow2
from augflow.training.learners import learner_of
from augflow.training.likelihood import held_out_bits
from augflow.training.loop import batch_rows
from augflow.training.params import TrainingParams
from benchmarks.bench import LEVELS, OUT, Out, Threads, hardware
from benchmarks.contenders import OneByOne, Plain, Work

HELD_OUT, FIRST = 48, 16


@dataclass(frozen=True)
class Point:
    """Where a contender stood after so many seconds of training."""

    contender: str
    seconds: float
    photographs: int
    bits: float


class Library:
    """The library with one of its own presets."""

    name = "ours"

    def __init__(self, folder: SceneFolder, preset: str, params: TrainingParams) -> None:
        """Builds the generator, initialised from some of the scenes."""
        config = make_config(FullGlowConfig, FULL_GLOW, preset, {"size": folder.size})
        self.scenes, self.done, self.photographs = folder.scenes(), 0, 0
        self.generator: Any = generators.build("full_glow", config, folder.table, 0)
        self.learner = learner_of(self.generator, params)
        self.learner.initialise(self.scenes[list(range(min(FIRST, len(self.scenes))))])

    def step(self) -> None:
        """One update."""
        size = self.learner.params.batch_size
        rows = batch_rows(0, self.done, size, len(self.scenes))
        rng = seeding.generator(0, "step", self.done)
        self.learner.step(self.scenes[rows], rng, self.done)
        self.done, self.photographs = self.done + 1, self.photographs + size

    def bits(self, held_out: Scene) -> float:
        """Bits per dimension of held-out photographs."""
        with self.learner.ema_weights() as generator:
            return held_out_bits(generator, held_out)


class Rival:
    """The paper's model, trained as its authors train it."""

    def __init__(self, folder: SceneFolder, reference: str) -> None:
        """Builds the model, initialised from the first scene."""
        self.name = "reference" if reference else "plain"
        self.folder, self.photographs = folder, 0
        scenes, palette = folder.scenes(), torch.from_numpy(folder.table.palette)

        def pairs(number: int) -> tuple[Tensor, Tensor]:
            (row,) = batch_rows(0, number, 1, len(scenes))
            colours = palette[scenes.layout.classes[[row]].long()].permute(0, 3, 1, 2)
            return colours.float() / 255, scenes.image[[row]].float() / 255

        work = Work(folder.size, (16,) * LEVELS.get(min(folder.size), 4))
        self.contender: OneByOne
        if reference:
            from benchmarks.reference import Reference

            self.contender = Reference(work, reference, pairs)
        else:
            self.contender = Plain(work, pairs)

    def step(self) -> None:
        """One update."""
        self.photographs += self.contender.train()

    def bits(self, held_out: Scene) -> float:
        """Bits per dimension of held-out photographs, by the library."""
        model: Any = self.contender.model
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.pt"
            torch.save(model.state_dict(), path)
            return held_out_bits(read_glow2(path, self.folder.table, self.folder.size), held_out)


def raced(
    contenders: list[Any], held_out: Scene, seconds: float, turns: int,
    show: Callable[[Point], None],
) -> list[Point]:  # fmt: skip
    """All contenders in turns until each has trained for so long."""
    spent = [0.0] * len(contenders)
    found = []
    for turn in range(1, turns + 1):
        for number, one in enumerate(contenders):
            begun = time.perf_counter() - spent[number]
            while spent[number] < seconds * turn / turns:
                one.step()
                spent[number] = time.perf_counter() - begun
            point = Point(one.name, spent[number], one.photographs, one.bits(held_out))
            found.append(point)
            show(point)
    return found


def main(
    prepared: Annotated[Path, typer.Argument(help="A prepared folder; its scenes give the size.")],
    seconds: Annotated[float, typer.Option(help="Training time of each.")] = 600.0,
    turns: Annotated[int, typer.Option(min=1, help="Turns, and points of the curves.")] = 4,
    rival: Annotated[str, typer.Option(help="plain or reference.")] = "plain",
    reference: Annotated[Path | None, typer.Option(help="A checkout of the public code.")] = None,
    preset: Annotated[str, typer.Option(help="The library's.")] = "medium",
    batch: Annotated[int, typer.Option(min=1, help="The library's.")] = 4,
    rate: Annotated[float, typer.Option(help="The library's learning rate.")] = 5e-4,
    precision: Annotated[str, typer.Option(help="Of the library's networks.")] = "bfloat16",
    threads: Threads = 2,
    out: Out = OUT,
) -> None:
    """Measures, prints, writes."""
    if (rival == "reference") != (reference is not None) or rival not in ("plain", "reference"):
        raise typer.BadParameter("--rival is plain, or reference together with --reference DIR")
    keep_pages()
    seeding.deterministic(0, threads)
    folder, other = SceneFolder(prepared, "train"), SceneFolder(prepared, "val")
    params = TrainingParams.model_validate(
        {"steps": 10**6, "batch_size": batch, "learning_rate": rate, "warmup_steps": 50,
         "clip_norm": 50.0, "ema": 0.99, "precision": precision}
    )  # fmt: skip
    contenders = [Library(folder, preset, params), Rival(folder, str(reference or ""))]
    points = raced(contenders, other.scenes(evenly(len(other), HELD_OUT)), seconds, turns, _show)
    content = {
        "machine": hardware(threads),
        "size": list(folder.size),
        "scenes": len(folder),
        "preset": preset,
        "training": {"batch": batch, "rate": rate, "precision": precision},
        "points": [asdict(point) for point in points],
    }
    io.atomic_write(out / "equal_time.json", (json.dumps(content, indent=1) + "\n").encode())


def _show(point: Point) -> None:
    pace = point.photographs / point.seconds
    print(f"{point.contender:10} {point.seconds:7.0f} s {point.photographs:6} photographs "
          f"{pace:6.3f} /s  {point.bits:.4f} bits/dim held out", flush=True)  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
