"""Seconds that a training step of every generator of a study takes, measured in one run.

    python benchmarks/training_steps.py params.yaml --seconds 60

prints, besides, how many steps each may take so that all train equally long.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Annotated

import typer

from augflow import generators, machine, seeds, training
from augflow.learners import GeneratorLearner
from augflow.params import GeneratorParams, load
from augflow.scenes import SceneFolder


def main(
    params: Annotated[Path, typer.Argument(help="A params.yaml whose scenes are prepared.")],
    seconds: Annotated[float, typer.Option(help="Wanted training time of every system.")] = 60.0,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that every system gets.")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="Steps in a turn.")] = 4,
    prepared: Annotated[Path | None, typer.Option(help="The prepared scenes.")] = None,
) -> None:
    """Systems take turns, so that a busy machine slows all of them; the median turn counts."""
    study = load(params)
    machine.keep_pages()
    seeds.deterministic(0, study.threads)
    scenes = SceneFolder(prepared or Path("data") / study.study / "prepared", "train")
    learners = {name: _learner(row, scenes) for name, row in study.generators.items()}
    turns: dict[str, list[float]] = {name: [] for name in learners}
    for turn in range(rounds + 1):
        for name, learner in learners.items():
            taken = _timed(learner, scenes, study.generators[name], turn * steps, steps)
            if turn:  # the first one warms up
                turns[name].append(taken)
    first = statistics.median(next(iter(turns.values())))
    for name, measured in turns.items():
        middle = statistics.median(measured)
        print(
            f"{name:24} {middle:8.4f} s/step {middle / first:6.2f}  {int(seconds / middle)} steps"
        )


def _learner(section: GeneratorParams, scenes: SceneFolder) -> GeneratorLearner:
    config = generators.config_of(section, scenes.size)
    made = generators.built(section.system, config, scenes.table, section.training.seed)
    learner = generators.learner(section.system, made, section.training)
    learner.attend(scenes.scenes())
    count = min(section.training.init_scenes, len(scenes))
    learner.initialise(scenes.scenes(list(range(count))))
    return learner


def _timed(
    learner: GeneratorLearner, scenes: SceneFolder, section: GeneratorParams, start: int, steps: int
) -> float:
    """Seconds per step, over some steps, by the clock on the wall."""
    size = section.training.batch_size
    begun = time.perf_counter()
    for step in range(start, start + steps):
        rows = training.batch_rows(0, step, size, len(scenes))
        learner.step(scenes.scenes(rows), seeds.generator(0, "step", step), step)
    return (time.perf_counter() - begun) / steps


if __name__ == "__main__":
    typer.run(main)
