"""Seconds that a training step of every network of a study takes, measured in one run.

    python -m benchmarks.training_steps params.yaml --seconds 60
    python -m benchmarks.training_steps params.yaml --devices cpu,cuda --only full_glow_16,crn_16

prints, besides, how many steps each may take so that all train equally long, and writes a file.
"""

from __future__ import annotations

import platform
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from augflow import generators
from augflow.core import hardware, io, seeding
from augflow.data.scenes import SceneFolder
from augflow.segmentation.learner import SupervisedLearner
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter
from augflow.study import params
from augflow.study.params import GeneratorParams, Params
from augflow.training import loop
from augflow.training.learner import GeneratorLearner
from augflow.training.learners import learner_of
from augflow.training.params import TrainingParams

SEGMENTER = "segmenter"
"""What the arms of the study train, without synthetic photographs."""


@dataclass
class Timed:
    """A network that learns on a device, and the seconds of its steps, a mean for each turn.

    A flow with a mean learns in two phases: each is a learner, with its share of the steps.
    """

    phases: list[tuple[float, Any]]
    batch_size: int
    device: str
    turns: list[float] = field(default_factory=list)

    def take(self, scenes: SceneFolder, start: int, steps: int) -> None:
        """Takes some steps of each phase; photographs go to the device as they do in a training."""
        total = 0.0
        for share, learner in self.phases:
            if self.device == "cuda":
                torch.cuda.synchronize()
            begun = time.perf_counter()
            for step in range(start, start + steps):
                rows = loop.batch_rows(0, step, self.batch_size, len(scenes))
                learner.step(scenes.scenes(rows), seeding.generator(0, "step", step), step)
            if self.device == "cuda":
                torch.cuda.synchronize()
            total += share * (time.perf_counter() - begun) / steps
        self.turns.append(total)


def main(
    path: Annotated[Path, typer.Argument(help="A params.yaml whose scenes are prepared.")],
    seconds: Annotated[float, typer.Option(help="Wanted training time of every network.")] = 60.0,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that every network gets.")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="Steps in a turn.")] = 4,
    prepared: Annotated[Path | None, typer.Option(help="The prepared scenes.")] = None,
    devices: Annotated[str, typer.Option(help="cpu, cuda, or both with a comma.")] = "cpu",
    only: Annotated[str, typer.Option(help="Names of generators, or segmenter; else all.")] = "",
    out: Annotated[Path | None, typer.Option(help="The JSON file to write.")] = None,
) -> None:
    """Networks take turns, so that a busy machine slows all of them; the median turn counts."""
    study = params.load(path)
    hardware.keep_pages()
    seeding.deterministic(0, study.threads)
    scenes = SceneFolder(prepared or Path("data") / study.study / "prepared", "train")
    known = [*study.generators, SEGMENTER]
    names = only.split(",") if only else known
    unknown = [name for name in names if name not in known]
    if unknown:
        raise typer.BadParameter(f"--only: no {', '.join(unknown)}; known: {', '.join(known)}")
    timed = [(name, made(study, name, scenes, device)) for name in names
             for device in devices.split(",")]  # fmt: skip
    for turn in range(rounds + 1):
        for _, one in timed:
            one.take(scenes, turn * steps, steps)
    first = statistics.median(timed[0][1].turns[1:])  # the first turn warms up
    rows = []
    for name, one in timed:
        middle = statistics.median(one.turns[1:])
        rows.append({"network": name, "device": one.device, "batch_size": one.batch_size,
                     "seconds": middle, "turns": one.turns[1:]})  # fmt: skip
        print(
            f"{name:24} {one.device:4} {middle:8.4f} s/step {middle / first:6.2f}  "
            f"{int(seconds / middle)} steps"
        )
    if out is not None:
        card = torch.cuda.get_device_name() if "cuda" in devices else None
        facts = {"torch": torch.__version__, "python": platform.python_version(), "gpu": card,
                 "threads": study.threads, "size": list(scenes.size)}  # fmt: skip
        io.write_json(out, {"machine": facts, "steps": rows})


def made(study: Params, name: str, scenes: SceneFolder, device: str) -> Timed:
    """A network of the study, ready to learn on a device."""
    if name == SEGMENTER:
        section = study.retrain.segmenter
        config = read_config(section.config, scenes.table.count, section.trust_config)
        network = MmsegSegmenter(config, scenes.table.names).to(device)
        return Timed([(1.0, SupervisedLearner(network, section))], section.batch_size, device)
    row = study.generators[name]
    training = row.training
    learner = _learner(row, training, scenes, device)
    # steps of the mean alone, of which the first learner takes no other
    alone = getattr(learner, "border", 0) / training.steps
    phases = [(alone, learner)] if alone else []
    if alone < 1:
        whole = training.model_copy(update={"mean_steps": 0}) if alone else training
        phases.append((1 - alone, _learner(row, whole, scenes, device)))
    return Timed(phases, training.batch_size, device)


def _learner(
    section: GeneratorParams, training: TrainingParams, scenes: SceneFolder, device: str
) -> GeneratorLearner:
    config = generators.config_of(section, scenes.size)
    made = generators.build(section.system, config, scenes.table, training.seed)
    learner = learner_of(made.to(device), training)
    learner.on_fit_start(scenes.scenes())
    count = min(training.init_scenes, len(scenes))
    learner.initialise(scenes.scenes(list(range(count))))
    return learner


if __name__ == "__main__":
    typer.run(main)
