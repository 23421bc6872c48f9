"""The stages of a study in one table: what each is run for, what it leaves, and how it is run.

`dvc.yaml` lists the same stages with what they depend on; a test holds the two together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from augflow.core import io
from augflow.core.config import Section
from augflow.core.distributed import (
    ALONE,
    Devices,
    Ranks,
    Used,
    read_note,
    requested_devices,
    start,
)
from augflow.core.errors import ParamsError, suggest
from augflow.study.environment import Artefact, ComputedOn, Machines, update_environment
from augflow.study.params import ArmParams, Params
from augflow.study.project import Project, folder_digest, run_folder

if TYPE_CHECKING:
    from augflow.data.synthetic import Decision
    from augflow.segmentation.params import SegmenterParams


@dataclass(frozen=True)
class Stage:
    """A stage of the pipeline.

    Attributes:
        run: runs it for one of its keys.
        outputs: the files and folders that a run leaves.
        section: the section of `params.yaml` whose names are its keys; without it, it is run once,
            for the key "".
        module: the file of `stages/` that does the work.
        computed_on: what it uses of a machine for each artefact, repeated as far as there are more;
            empty where no machine is recorded.
        artefacts: what has a machine of its own, where that is not each of the outputs.
        records: whether it writes down its machine itself, as a training does, which knows what it
            was done on.
    """

    run: Callable[..., Any]
    outputs: Callable[[Project, str], tuple[Path, ...]]
    module: str
    section: str | None = None
    computed_on: tuple[ComputedOn, ...] = ("device",)
    artefacts: Callable[[Project, str], tuple[Path, ...]] | None = None
    records: bool = False

    def keys(self, params: Params) -> tuple[str, ...]:
        """What the stage is run for in a study."""
        if self.section is None:
            return ("",)
        found: Any = params
        for name in self.section.split("."):
            found = getattr(found, name) if found is not None else None
        return tuple(found or ())


def artefacts(project: Project) -> dict[str, Artefact]:
    """Everything of a study whose machine is recorded, by its path in the project."""
    return {
        path.relative_to(project.root).as_posix(): Artefact(path, computed_on)
        for stage in STAGES.values()
        for key in stage.keys(project.params)
        for path, computed_on in zip(
            (stage.artefacts or stage.outputs)(project, key), cycle(stage.computed_on)
        )
    }


def recorded_machines(project: Project) -> Machines:
    """What of a study this machine makes again bit by bit."""
    return Machines(project.root, project.params.threads, artefacts(project))


def record(project: Project, *only: Path, used: Used | None = None) -> None:
    """Writes down on which machine a study was made, see `update_environment`."""
    update_environment(project.root, project.params.threads, artefacts(project), *only, used=used)


def run_stage(project: Project, name: str, key: str = "", **options: Any) -> Any:
    """Runs a stage of a project for one of its keys, whether it is up to date or not.

    Args:
        project: whose stage it is.
        name: a stage of `STAGES`.
        key: the generator, set, arm, ... that it is run for; "" for a stage that is run once.
        options: what the stage takes besides.

    Returns:
        What the stage returns: of `train`, whether this process has written the generator; of
        `select`, what was decided.

    Raises:
        ParamsError: no such stage, or the study has no such key: names the nearest; or some of the
            parameters, of this stage or of another, cannot be met.
    """
    from augflow.stages.check import require_possible

    if name not in STAGES:
        raise ParamsError(f"no stage {name!r}; {suggest(name, sorted(STAGES))}")
    stage = STAGES[name]
    known = stage.keys(project.params)
    if key not in known:
        where = stage.section or name
        raise ParamsError(f"params.yaml: {where}: no {key!r}; {suggest(key, sorted(known))}")
    require_possible(project.params, project.root / "params.yaml")
    result = stage.run(project, key, **options)
    made = (stage.artefacts or stage.outputs)(project, key)
    if made and stage.computed_on and not stage.records:
        record(project, *made)
    return result


def _check(project: Project, _: str) -> None:
    from augflow.stages.check import check

    check(project.root, project.checked_file, by_dvc="DVC_STAGE" in os.environ)


def _prepare(project: Project, _: str) -> None:
    from augflow.stages.prepare import prepare

    prepare(project.params.data, project.prepared_folder)


def _train(project: Project, name: str, devices: Devices | None = None) -> bool:
    """On devices of the environment by default; whether this process has written the generator."""
    from augflow.stages.train import train

    section, out = project.params.generators[name], project.generator(name)
    ranks = start(devices or requested_devices(), section.training.precision)
    with _resumable(project, "train", name, section, out, ranks) as run:
        fixed: Any = {"run": run, "threads": project.params.threads, "ranks": ranks}
        train(name, section, project.prepared_folder, out, **fixed)
    return ranks.is_main


def _predict(project: Project, name: str) -> bool:
    """Learns on devices of the environment, then looks at the held-out images."""
    from augflow.stages.predict import score_predictor, train_predictor

    section, out = project.params.predictors[name], project.predictor(name)
    prepared, threads = project.prepared_folder, project.params.threads
    ranks = start(requested_devices(), section.training.precision)
    with _resumable(project, "predict", name, section, out, ranks) as run:
        train_predictor(name, section, prepared, out, run=run, threads=threads, ranks=ranks)
    if ranks.is_main:
        scores = project.score(f"predictors/{name}")
        score_predictor(name, section, prepared, out, scores, threads=threads)
        record(project, scores)
    return ranks.is_main


def _judges(project: Project, name: str) -> None:
    """A segmenter that selections ask, trained on its share of real scenes."""
    from augflow.stages.judges import train_judge

    section, out = project.params.judges[name], project.judge_of(name)
    own = project.own_files(section)
    with _resumable(project, "judges", name, section, out, ALONE, own) as run:
        train_judge(name, section, project.prepared_folder, out, run, project.params.threads)


def _judge(project: Project, _: str) -> None:
    """A segmenter trained on the real training images."""
    arm, params = ArmParams(train_on=("real",), reads="prepared"), project.params.judge
    run = _network_run(project, "judge", arm, params, params.seed)
    _train_network(project, arm, params, params.seed, project.judge_folder, run)
    _finish(project, project.judge_folder, run)


def _retrain(project: Project, name: str) -> None:
    """One arm, once per seed."""
    arm, section = project.params.arms[name], project.params.retrain
    runs = [_network_run(project, name, arm, section.segmenter, seed) for seed in section.seeds]
    with io.fresh_folder(project.data / "segmenters" / name) as folder:
        for done, seed in enumerate(section.seeds):
            out = folder / str(seed)
            _train_network(project, arm, section.segmenter, seed, out, *runs[done:])
    for seed, run in zip(section.seeds, runs, strict=True):
        _finish(project, project.segmenter(name, seed), run)


def _synthesize(project: Project, name: str) -> None:
    from augflow.stages.synthesize import synthesize

    section = project.params.sets[name]
    _generate(synthesize, project, name, section, section.generator, project.synthetic(name))


def _transfer(project: Project, name: str) -> None:
    from augflow.stages.transfer import transfer

    section = project.params.transfers[name]
    _generate(transfer, project, name, section, section.generator, project.synthetic(name))


def _diversity(project: Project, name: str) -> None:
    from augflow.stages.diversity import diversity

    out = project.score(f"diversity/{name}")
    _generate(diversity, project, name, project.params.diversity, name, out)


def _explore(project: Project, name: str) -> None:
    from augflow.stages.explore import explore

    out = project.explored_folder(name)
    _generate(explore, project, name, project.params.explore, name, out)


def _choose(project: Project, name: str) -> None:
    from augflow.stages.choose import choose

    section, out = project.params.choices[name], project.choice(name)
    one_in, threads = project.params.sets[section.set].one_in, project.params.threads
    folders = project.synthetic(section.set), project.prepared_folder
    choose(name, section, *folders, out, one_in=one_in, threads=threads)


def _select(project: Project, name: str) -> list[Decision]:
    """What was decided about each image."""
    from augflow.stages.select import select

    section = project.params.selections[name]
    chosen = project.data / section.reads if section.temperature == "chosen" else None
    judge, source = project.judge_of(section.judge), project.synthetic(section.set)
    folders = source, project.prepared_folder, judge, project.selected_folder(name)
    threads, trusted = project.params.threads, project.trusts(judge)
    return select(name, section, *folders, chosen=chosen, threads=threads, trust_config=trusted)


def _score(project: Project, name: str) -> None:
    """The judge looks at a synthetic set."""
    from augflow.stages.score import score_set

    _judge_scores(project, score_set, project.synthetic(name), out=project.score(name))


def _score_references(project: Project, _: str) -> None:
    """The judge looks at real images, flat paint and wrong images."""
    from augflow.stages.score import score_references

    _judge_scores(project, score_references, out=project.score("references"))


def _score_arms(project: Project, _: str) -> None:
    """The retrained networks look at the real held-out images."""
    from augflow.stages.score import score_arms

    trusted = project.trust_config or project.params.retrain.segmenter.trust_config
    folders, out = (project.prepared_folder, project.segmenters), project.score("arms")
    score_arms(*folders, out, threads=project.params.threads, trust_config=trusted)


def _leaks(project: Project, _: str) -> None:
    """Nothing of the validation scenes is learned from."""
    from augflow.stages.leaks import check_leaks, trained_sets

    params, out = project.params, project.score("leaks")
    sets = {name: project.synthetic(name) for name in (*params.sets, *params.transfers)}
    trained_on = trained_sets(params)
    check_leaks(project.prepared_folder, sets, out, trained_on, threads=params.threads)


def _costs(project: Project, _: str) -> None:
    """The operations behind every arm."""
    from augflow.stages.costs import costs

    params = project.params
    costs(params, project.prepared_folder, project.score("costs"), threads=params.threads)


def _attributes(project: Project, _: str) -> None:
    """Without a section it leaves a file that says so."""
    from augflow.stages.attributes import attributes

    section, out = project.params.attributes, project.score("attributes")
    if section is None:
        io.write_records(out, {"kind": "attributes", "generators": {}})
        return
    folders = {name: project.generator(name) for name in section.generators}
    attributes(section, folders, project.prepared_folder, out, threads=project.params.threads)


def _report(project: Project, _: str) -> None:
    from augflow.stages.report import report

    report(project.params, project.data, project.reports)
    record(project)


def _path(attribute: str) -> Callable[[Project, str], tuple[Path, ...]]:
    """The one output that a property of the project names."""
    return lambda project, _: (getattr(project, attribute),)


def _path_of(method: str, name: str = "{}") -> Callable[[Project, str], tuple[Path, ...]]:
    """The one output that a method of the project gives for the key, as it stands in `name`."""
    return lambda project, key: (getattr(project, method)(name.format(key)),)


_CPU: tuple[ComputedOn, ...] = ("processor",)

STAGES = {
    "check": Stage(_check, _path("checked_file"), "check", computed_on=()),
    "prepare": Stage(
        _prepare,
        lambda project, _: (Path(project.params.data.root), project.prepared_folder),
        "prepare",
        computed_on=_CPU,
        artefacts=_path("prepared_folder"),
    ),
    "train": Stage(
        _train, _path_of("generator"), "train", "generators", ("devices",), records=True
    ),
    "predict": Stage(
        _predict,
        lambda project, key: (project.predictor(key), project.score(f"predictors/{key}")),
        "predict",
        "predictors",
        computed_on=("devices", "processor"),
        records=True,
    ),
    "judge": Stage(_judge, _path("judge_folder"), "retrain", records=True),
    "synthesize": Stage(_synthesize, _path_of("synthetic"), "synthesize", "sets", _CPU),
    "transfer": Stage(_transfer, _path_of("synthetic"), "transfer", "transfers", _CPU),
    "judges": Stage(_judges, _path_of("judge_of"), "judges", "judges", records=True),
    "choose": Stage(_choose, _path_of("choice"), "choose", "choices"),
    "select": Stage(_select, _path_of("selected_folder"), "select", "selections"),
    "score_references": Stage(_score_references, _path_of("score", "references"), "score"),
    "score": Stage(_score, _path_of("score"), "score", "sets"),
    "leaks": Stage(_leaks, _path_of("score", "leaks"), "leaks", computed_on=()),
    "costs": Stage(_costs, _path_of("score", "costs"), "costs", computed_on=()),
    "diversity": Stage(
        _diversity, _path_of("score", "diversity/{}"), "diversity", "diversity.generators", _CPU
    ),
    "attributes": Stage(
        _attributes,
        _path_of("score", "attributes"),
        "attributes",
        computed_on=_CPU,
        artefacts=lambda project, _: (
            (project.score("attributes"),) if project.params.attributes else ()
        ),
    ),
    "explore": Stage(
        _explore, _path_of("explored_folder"), "explore", "explore.generators", computed_on=()
    ),
    "retrain": Stage(
        _retrain,
        lambda project, key: (project.data / "segmenters" / key,),
        "retrain",
        "arms",
        artefacts=lambda project, key: tuple(
            project.segmenter(key, seed) for seed in project.params.retrain.seeds
        ),
        records=True,
    ),
    "score_arms": Stage(_score_arms, _path_of("score", "arms"), "score"),
    "report": Stage(_report, _path("reports"), "report", computed_on=_CPU, records=True),
}
"""By their names in `dvc.yaml`, in its order."""


@contextmanager
def _resumable(
    project: Project, stage: str, name: str, section: Section, out: Path, ranks: Ranks, *own: Any
) -> Iterator[Path]:
    """Gives a training the folder of its resume state, and finishes it when it is done."""
    prepared = folder_digest(project.prepared_folder)
    facts = (section.model_dump(mode="json"), project.params.threads, prepared, *own)
    run = project.root / run_folder(stage, name, *facts)
    yield run
    if ranks.is_main:
        _finish(project, out, run)


def _finish(project: Project, out: Path, run: Path) -> None:
    """A finished run is not resumed: trained again, it begins anew."""
    record(project, out, used=read_note(run))
    rmtree(run)


def _network_run(
    project: Project, name: str, arm: ArmParams, params: SegmenterParams, seed: int
) -> Path:
    """The folder of the resume state of one network."""
    digests = {name: folder_digest(path) for name, path in project.sets_of(arm).items()}
    sections = (arm.model_dump(mode="json"), params.model_dump(mode="json"))
    prepared, own = folder_digest(project.prepared_folder), project.own_files(params)
    facts = (*sections, project.params.threads, prepared, digests, own)
    return project.root / run_folder("retrain", f"{name}-{seed}", *facts)


def _train_network(
    project: Project,
    arm: ArmParams,
    params: SegmenterParams,
    seed: int,
    out: Path,
    run: Path,
    *later: Path,
) -> None:
    """Trains one network; its resume state is in `run`, those of the next ones in `later`."""
    from augflow.stages.retrain import retrain

    threads, sets = project.params.threads, project.sets_of(arm)
    retrain(project.prepared_folder, sets, arm, params, seed, out, run, threads, later)


def _generate(
    stage: Callable[..., None], project: Project, name: str, section: Any, generator: str, out: Path
) -> None:
    """Runs a stage that makes images with one generator for prepared layouts."""
    folders = project.generator(generator), project.prepared_folder
    stage(name, section, *folders, out, threads=project.params.threads)


def _judge_scores(
    project: Project, stage: Callable[..., None], *looked_at: Path, out: Path
) -> None:
    """Runs a stage in which the judge looks at images."""
    judge, threads = project.judge_folder, project.params.threads
    trusted = project.trusts(judge)
    folders = (project.prepared_folder, *looked_at, judge, out)
    stage(*folders, project.params.score, threads=threads, trust_config=trusted)
