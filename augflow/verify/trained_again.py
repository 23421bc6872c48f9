"""A few networks trained once more: weights, history and what was measured, bit by bit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from augflow.core.devices import asked, start
from augflow.study.environment import Machines
from augflow.study.params import ArmParams
from augflow.study.project import Project
from augflow.verify.findings import Check
from augflow.verify.selected import compare_trees
from augflow.verify.workspace import Workspace


@dataclass(frozen=True)
class Training:
    """A network that is trained again.

    Attributes:
        folder: of the network.
        needed: the folders that it is trained on.
        train: takes the folder to write and one for the resume state.
        shared: whether several processes train it where the environment asks for them.
    """

    folder: Path
    needed: tuple[Path, ...]
    train: Callable[[Path, Path], object]
    shared: bool = False


def check_trainings(space: Workspace, machines: Machines) -> Check:
    """`params.verify.trainings` networks of the study, drawn by the seed of `verify`."""
    check, project = Check("trainings, again"), space.project
    listed, count = _trainings(project), project.params.verify.trainings
    if not count:
        check.note("no network was trained again: params.yaml has verify.trainings: 0")
    for place in space.sample(count, len(listed), "trainings"):
        one = listed[place]
        if not all([check.has(path) for path in (one.folder, *one.needed)]):
            continue
        if not machines.here(one.folder) or (one.shared and asked().processes > 1):
            check.elsewhere(
                f"{one.folder} was trained on another or an unknown machine or device, or by "
                "several processes: not again"
            )
            continue
        with check.reading(one.folder), tempfile.TemporaryDirectory() as scratch:
            again = Path(scratch) / "network"
            one.train(again, Path(scratch) / "run")
            compare_trees(check, one.folder, again)
    return check


def _trainings(project: Project) -> list[Training]:
    params = project.params
    real = ArmParams(train_on=("real",), reads="prepared")
    return [
        *(_generator(project, name) for name in params.generators),
        *(_predictor(project, name) for name in params.predictors),
        _segmenter(project, real, None, project.judge_folder),
        *(_judge(project, name) for name in params.judges),
        *(_segmenter(project, section, seed, project.segmenter(arm, seed))
          for arm, section in params.arms.items() for seed in params.retrain.seeds),
    ]  # fmt: skip


def _generator(project: Project, name: str) -> Training:
    section, threads = project.params.generators[name], project.params.threads

    def again(out: Path, run: Path) -> None:
        from augflow.stages.train import train

        ranks = start(asked(), section.training.precision)
        train(name, section, project.prepared, out, run=run, threads=threads, ranks=ranks)

    return Training(project.generator(name), (project.prepared,), again, shared=True)


def _predictor(project: Project, name: str) -> Training:
    section, threads = project.params.predictors[name], project.params.threads

    def again(out: Path, run: Path) -> None:
        from augflow.stages.predict import train_predictor

        ranks = start(asked(), section.training.precision)
        train_predictor(name, section, project.prepared, out, run=run, threads=threads, ranks=ranks)

    return Training(project.predictor(name), (project.prepared,), again, shared=True)


def _judge(project: Project, name: str) -> Training:
    section, threads = project.params.judges[name], project.params.threads

    def again(out: Path, run: Path) -> None:
        from augflow.stages.judges import train_judge

        train_judge(name, section, project.prepared, out, run, threads)

    return Training(project.judge_of(name), (project.prepared,), again)


def _segmenter(project: Project, arm: ArmParams, seed: int | None, folder: Path) -> Training:
    """The network of an arm and seed; without a seed the judge of the report."""
    params = project.params
    schedule = params.judge if seed is None else params.retrain.segmenter
    sets = project.sets_of(arm)

    def again(out: Path, run: Path) -> None:
        from augflow.stages.retrain import retrain

        used = schedule.seed if seed is None else seed
        retrain(project.prepared, sets, arm, schedule, used, out, run, threads=params.threads)

    return Training(folder, (project.prepared, *sets.values()), again)
