"""The stages of a study in one table: what each is run for, what it leaves, and how it is run.

`dvc.yaml` lists the same stages with what they depend on; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from augflow.core import io
from augflow.core.distributed import Devices, Used, read_note, requested_devices, start
from augflow.core.errors import ParamsError, suggest
from augflow.study.environment import Artefact, ComputedOn, update_environment
from augflow.study.params import ArmParams, Params
from augflow.study.project import Project
from augflow.study.runs import folder_digest, run_folder

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
    """

    run: Callable[..., Any]
    outputs: Callable[[Project, str], tuple[Path, ...]]
    module: str
    section: str | None = None
    computed_on: tuple[ComputedOn, ...] = ("device",)
    artefacts: Callable[[Project, str], tuple[Path, ...]] | None = None

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
        ParamsError: no such stage, or the study has no such key: names the nearest.
        AugflowError: whatever the stage raises.
    """
    if name not in STAGES:
        raise ParamsError(f"no stage {name!r}; {suggest(name, sorted(STAGES))}")
    stage = STAGES[name]
    known = stage.keys(project.params)
    if key not in known:
        where = stage.section or name
        raise ParamsError(f"params.yaml: {where}: no {key!r}; {suggest(key, sorted(known))}")
    return stage.run(project, key, **options)


def _check(project: Project, _: str) -> None:
    from augflow.stages.check import check

    check(project.root / "params.yaml", project.checked_file)


def _prepare(project: Project, _: str) -> None:
    from augflow.stages.prepare import prepare

    prepare(project.params.data, project.prepared_folder)
    record(project, project.prepared_folder)


def _train(project: Project, name: str, devices: Devices | None = None) -> bool:
    """On devices of the environment by default; whether this process has written the generator."""
    from augflow.stages.train import train

    section, threads = project.params.generators[name], project.params.threads
    ranks = start(devices or requested_devices(), section.training.precision)
    facts = (section.model_dump(mode="json"), threads, folder_digest(project.prepared_folder))
    run, out = project.root / run_folder("train", name, *facts), project.generator(name)
    train(name, section, project.prepared_folder, out, run=run, threads=threads, ranks=ranks)
    if ranks.is_main:
        record(project, out, used=read_note(run))
        rmtree(run)  # a finished run is not resumed: trained again, it begins anew
    return ranks.is_main


def _predict(project: Project, name: str) -> bool:
    """Learns on devices of the environment, then looks at the held-out photographs."""
    from augflow.stages.predict import score_predictor, train_predictor

    section, threads = project.params.predictors[name], project.params.threads
    ranks = start(requested_devices(), section.training.precision)
    facts = (section.model_dump(mode="json"), threads, folder_digest(project.prepared_folder))
    run, out = project.root / run_folder("predict", name, *facts), project.predictor(name)
    train_predictor(
        name, section, project.prepared_folder, out, run=run, threads=threads, ranks=ranks
    )
    if ranks.is_main:
        record(project, out, used=read_note(run))
        rmtree(run)
        scores = project.score(f"predictors/{name}")
        score_predictor(name, section, project.prepared_folder, out, scores, threads=threads)
        record(project, scores)
    return ranks.is_main


def _judge(project: Project, _: str) -> None:
    """A segmenter trained on the real training photographs."""
    arm, params = ArmParams(train_on=("real",), reads="prepared"), project.params.judge
    run = _network_run(project, "judge", arm, params, params.seed)
    _train_network(project, arm, params, params.seed, project.judge_folder, run)
    record(project, project.judge_folder, used=read_note(run))
    rmtree(run)


def _judges(project: Project, name: str) -> None:
    """A segmenter that selections ask, trained on its share of real scenes."""
    from augflow.stages.judges import train_judge

    section, threads = project.params.judges[name], project.params.threads
    facts = (
        section.model_dump(mode="json"),
        threads,
        folder_digest(project.prepared_folder),
        project.own_files(section),
    )
    run, out = project.root / run_folder("judges", name, *facts), project.judge_of(name)
    train_judge(name, section, project.prepared_folder, out, run, threads)
    record(project, out, used=read_note(run))
    rmtree(run)


def _synthesize(project: Project, name: str) -> None:
    from augflow.stages.synthesize import synthesize

    section, out = project.params.sets[name], project.synthetic(name)
    synthesize(
        name,
        section,
        project.generator(section.generator),
        project.prepared_folder,
        out,
        threads=project.params.threads,
    )
    record(project, out)


def _transfer(project: Project, name: str) -> None:
    from augflow.stages.transfer import transfer

    section, out = project.params.transfers[name], project.synthetic(name)
    transfer(
        name,
        section,
        project.generator(section.generator),
        project.prepared_folder,
        out,
        threads=project.params.threads,
    )
    record(project, out)


def _choose(project: Project, name: str) -> None:
    from augflow.stages.choose import choose

    section, out = project.params.choices[name], project.choice(name)
    choose(
        name,
        section,
        project.synthetic(section.set),
        project.prepared_folder,
        out,
        one_in=project.params.sets[section.set].one_in,
        threads=project.params.threads,
    )
    record(project, out)


def _select(project: Project, name: str) -> list[Decision]:
    """What was decided about each photograph."""
    from augflow.stages.select import select

    section, out = project.params.selections[name], project.selected_folder(name)
    chosen = project.data / section.reads if section.temperature == "chosen" else None
    judge = project.judge_of(section.judge)
    decided = select(
        name,
        section,
        project.synthetic(section.set),
        project.prepared_folder,
        judge,
        out,
        chosen=chosen,
        threads=project.params.threads,
        trust_config=project.trusts(judge),
    )
    record(project, out)
    return decided


def _retrain(project: Project, name: str) -> None:
    """One arm, once per seed."""
    arm, section = project.params.arms[name], project.params.retrain
    runs = [_network_run(project, name, arm, section.segmenter, seed) for seed in section.seeds]
    with io.fresh_folder(project.data / "segmenters" / name) as folder:
        for done, seed in enumerate(section.seeds):
            out = folder / str(seed)
            _train_network(project, arm, section.segmenter, seed, out, *runs[done:])
    for seed, run in zip(section.seeds, runs, strict=True):
        record(project, project.segmenter(name, seed), used=read_note(run))
    for run in runs:
        rmtree(run)


def _score(project: Project, name: str) -> None:
    """The judge looks at a synthetic set."""
    from augflow.stages.score import score_set

    judge, out = project.judge_folder, project.score(name)
    score_set(
        project.prepared_folder,
        project.synthetic(name),
        judge,
        out,
        threads=project.params.threads,
        trust_config=project.trusts(judge),
    )
    record(project, out)


def _score_references(project: Project, _: str) -> None:
    """The judge looks at real photographs, flat paint and wrong photographs."""
    from augflow.stages.score import score_references

    judge, out = project.judge_folder, project.score("references")
    score_references(
        project.prepared_folder,
        judge,
        out,
        threads=project.params.threads,
        trust_config=project.trusts(judge),
    )
    record(project, out)


def _score_arms(project: Project, _: str) -> None:
    """The retrained networks look at the real held-out photographs."""
    from augflow.stages.score import score_arms

    out = project.score("arms")
    trusted = project.trust_config or project.params.retrain.segmenter.trust_config
    score_arms(
        project.prepared_folder,
        project.segmenters,
        out,
        threads=project.params.threads,
        trust_config=trusted,
    )
    record(project, out)


def _leaks(project: Project, _: str) -> None:
    """Nothing of the validation scenes is learned from."""
    from augflow.stages.leaks import check_leaks, trained_sets

    params = project.params
    sets = {name: project.synthetic(name) for name in (*params.sets, *params.transfers)}
    check_leaks(
        project.prepared_folder,
        sets,
        project.score("leaks"),
        trained_sets(params),
        threads=params.threads,
    )


def _costs(project: Project, _: str) -> None:
    """The operations behind every arm."""
    from augflow.stages.costs import costs

    costs(
        project.params,
        project.prepared_folder,
        project.score("costs"),
        threads=project.params.threads,
    )


def _diversity(project: Project, name: str) -> None:
    from augflow.stages.diversity import diversity

    section, out = project.params.diversity, project.score(f"diversity/{name}")
    assert section is not None
    diversity(
        name,
        section,
        project.generator(name),
        project.prepared_folder,
        out,
        threads=project.params.threads,
    )
    record(project, out)


def _attributes(project: Project, _: str) -> None:
    """Without a section it leaves a file that says so."""
    from augflow.stages.attributes import attributes

    section, out = project.params.attributes, project.score("attributes")
    if section is None:
        io.write_records(out, {"kind": "attributes", "generators": {}})
        return
    folders = {name: project.generator(name) for name in section.generators}
    attributes(section, folders, project.prepared_folder, out, threads=project.params.threads)
    record(project, out)


def _explore(project: Project, name: str) -> None:
    from augflow.stages.explore import explore

    section = project.params.explore
    assert section is not None
    explore(
        name,
        section,
        project.generator(name),
        project.prepared_folder,
        project.explored_folder(name),
        threads=project.params.threads,
    )


def _report(project: Project, _: str) -> None:
    from augflow.stages.report import report

    report(project.params, project.data, project.reports)
    record(project)


STAGES = {
    "check": Stage(_check, lambda project, _: (project.checked_file,), "check", computed_on=()),
    "prepare": Stage(
        _prepare,
        lambda project, _: (Path(project.params.data.root), project.prepared_folder),
        "prepare",
        computed_on=("processor",),
        artefacts=lambda project, _: (project.prepared_folder,),
    ),
    "train": Stage(
        _train,
        lambda project, key: (project.generator(key),),
        "train",
        "generators",
        computed_on=("devices",),
    ),
    "predict": Stage(
        _predict,
        lambda project, key: (project.predictor(key), project.score(f"predictors/{key}")),
        "predict",
        "predictors",
        computed_on=("devices", "processor"),
    ),
    "judge": Stage(_judge, lambda project, _: (project.judge_folder,), "retrain"),
    "synthesize": Stage(
        _synthesize,
        lambda project, key: (project.synthetic(key),),
        "synthesize",
        "sets",
        computed_on=("processor",),
    ),
    "transfer": Stage(
        _transfer,
        lambda project, key: (project.synthetic(key),),
        "transfer",
        "transfers",
        computed_on=("processor",),
    ),
    "judges": Stage(_judges, lambda project, key: (project.judge_of(key),), "judges", "judges"),
    "choose": Stage(_choose, lambda project, key: (project.choice(key),), "choose", "choices"),
    "select": Stage(
        _select, lambda project, key: (project.selected_folder(key),), "select", "selections"
    ),
    "score_references": Stage(
        _score_references, lambda project, _: (project.score("references"),), "score"
    ),
    "score": Stage(_score, lambda project, key: (project.score(key),), "score", "sets"),
    "leaks": Stage(_leaks, lambda project, _: (project.score("leaks"),), "leaks", computed_on=()),
    "costs": Stage(_costs, lambda project, _: (project.score("costs"),), "costs", computed_on=()),
    "diversity": Stage(
        _diversity,
        lambda project, key: (project.score(f"diversity/{key}"),),
        "diversity",
        "diversity.generators",
        computed_on=("processor",),
    ),
    "attributes": Stage(
        _attributes,
        lambda project, _: (project.score("attributes"),),
        "attributes",
        computed_on=("processor",),
        artefacts=lambda project, _: (
            (project.score("attributes"),) if project.params.attributes else ()
        ),
    ),
    "explore": Stage(
        _explore,
        lambda project, key: (project.explored_folder(key),),
        "explore",
        "explore.generators",
        computed_on=(),
    ),
    "retrain": Stage(
        _retrain,
        lambda project, key: (project.data / "segmenters" / key,),
        "retrain",
        "arms",
        artefacts=lambda project, key: tuple(
            project.segmenter(key, seed) for seed in project.params.retrain.seeds
        ),
    ),
    "score_arms": Stage(_score_arms, lambda project, _: (project.score("arms"),), "score"),
    "report": Stage(
        _report, lambda project, _: (project.reports,), "report", computed_on=("processor",)
    ),
}
"""By their names in `dvc.yaml`, in its order."""


def _network_run(
    project: Project, name: str, arm: ArmParams, params: SegmenterParams, seed: int
) -> Path:
    """The folder of the resume state of one network."""
    digests = {name: folder_digest(path) for name, path in project.sets_of(arm).items()}
    facts = (
        arm.model_dump(mode="json"),
        params.model_dump(mode="json"),
        project.params.threads,
        folder_digest(project.prepared_folder),
        digests,
        project.own_files(params),
    )
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

    retrain(
        project.prepared_folder,
        project.sets_of(arm),
        arm,
        params,
        seed,
        out,
        run,
        threads=project.params.threads,
        later=later,
    )
