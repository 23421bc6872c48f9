"""Level 1: a few items of every stage made again from what is recorded of them, and compared.

Stages whose results are small run once more as they are, in a folder where links stand for what
they read. Of the others a few scenes, images, matrices or networks are made.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from augflow.core import io, seeding
from augflow.core.distributed import requested_devices
from augflow.core.errors import DataError
from augflow.stages.runner import STAGES
from augflow.study.params import Params
from augflow.study.project import Project
from augflow.training.loop import first_row
from augflow.verify import replay_items as items
from augflow.verify.check import Check, Finding, contents
from augflow.verify.workspace import Workspace

Replay = Callable[[Check, Workspace, str], None]
"""Makes something of a stage's key again and compares."""


LOSS = 0.0001
"""Share by which a loss in the first row of a history may differ on another machine.

Under AVX2 in place of AVX-512 it was 0.000026 at most.
"""

_UNSTEADY = ("grad_norm", "round_trip")
"""Numbers of a history that rounding changes more."""


def replay_checks(space: Workspace) -> Iterator[Check]:
    """The stages of a study in their order, what trainings begin with, then whole trainings.

    Raises:
        DataError: `environment.json` cannot be read.
    """
    seeding.deterministic(space.sample.seed, space.project.params.threads)
    for stage in REPLAYED:
        yield replay_stage(space, stage)
    yield replay_first_steps(space)
    yield replay_trainings(space)


def replay_stage(space: Workspace, stage: str) -> Check:
    """What a stage has made, again."""
    check, project = Check(f"{stage}, again"), space.project
    for key in STAGES[stage].keys(project.params):
        made = STAGES[stage].outputs(project, key)
        with check.reading(made[-1]):
            if _is_whole(check, space, stage, key, *made):
                (_REPLAYS.get(stage) or _replay_some(stage))(check, space, key)
    return check


def replay_first_steps(space: Workspace) -> Check:
    """Some networks of each kind, and of each arm, trained again up to their first logged step.

    Initial weights, batches and noise follow from the seed, which is thus the recorded one.
    """
    check, params = Check("first steps, again"), space.project.params
    for stage in ("train", "predict", "judge", "judges"):
        keys = STAGES[stage].keys(params)
        for key in (keys[place] for place in space.draw_items(len(keys), "first steps", stage)):
            _begin_again(check, space, stage, key, STAGES[stage].outputs(space.project, key)[0])
    for arm in params.arms:
        for seed in space.draw_seeds(arm):
            alone = _with_values(params, "retrain", seeds=(seed,))
            _begin_again(check, space, "retrain", arm, space.project.segmenter(arm, seed), alone)
    return check


def _begin_again(
    check: Check,
    space: Workspace,
    stage: str,
    key: str,
    folder: Path,
    params: Params | None = None,
) -> None:
    """Compares the first row of a network's history; elsewhere its losses, within `LOSS`."""
    where = folder / "history.csv"
    if not _is_whole(check, space, stage, key, where):
        return
    here, made = space.made_here(check, folder), STAGES[stage].outputs(space.project, key)
    if requested_devices().processes > 1 or not space.machines.same_device(folder):
        check.elsewhere(f"{folder} was trained on other devices: not begun again")
        return
    with _scratch(check, space, made, params) as again:
        row = first_row(lambda: STAGES[stage].run(again, key))
        stored = io.read_csv(where)[0] if row else {}
        for column, value in (row or {}).items():
            if here or not column.startswith(_UNSTEADY):
                _compare_number(check, f"{where}: {column}", value, stored[column], here)


def _compare_number(check: Check, where: str, expected: float | None, got: str, here: bool) -> None:
    """Compares a number with what a table has of it."""
    near = not here and expected is not None and math.isclose(expected, float(got), rel_tol=LOSS)
    equal = io.cell(expected) == got
    check.add(None if equal or near else Finding(where, io.cell(expected), got), equal)


def replay_trainings(space: Workspace) -> Check:
    """A few networks trained again: equal bit by bit."""
    check, project = Check("trainings, again"), space.project
    networks = [
        (stage, key, path)
        for stage in ("train", "predict", "judge", "judges", "retrain")
        for key in STAGES[stage].keys(project.params)
        for path in (STAGES[stage].artefacts or STAGES[stage].outputs)(project, key)
        if path.suffix != ".json"
    ]
    if not space.sample.trainings:
        check.note("no network was trained again to its end, as --trainings N asks for")
    for place in space.draw(space.sample.trainings, len(networks), "trainings"):
        stage, key, folder = networks[place]
        with check.reading(folder):
            shared = "devices" in STAGES[stage].computed_on and requested_devices().processes > 1
            if not _is_whole(check, space, stage, key, folder):
                continue
            if shared or not space.made_here(check, folder):
                check.elsewhere(
                    f"{folder} was trained on another or an unknown machine or device, or by "
                    "several processes: not again"
                )
            elif stage == "retrain":
                _train_again(check, space, key, int(folder.name))
            else:
                run_again(check, space, stage, key)
    return check


def _train_again(check: Check, space: Workspace, arm: str, seed: int) -> None:
    """The network of an arm and seed alone."""
    stored, params = space.project.segmenter(arm, seed), space.project.params

    def compare(again: Project) -> None:
        check.files(stored, again.segmenter(arm, seed))

    run_again(check, space, "retrain", arm, compare, _with_values(params, "retrain", seeds=(seed,)))


def run_again(
    check: Check,
    space: Workspace,
    stage: str,
    key: str = "",
    compare: Callable[[Project], None] | None = None,
    params: Params | None = None,
) -> None:
    """Runs a stage in a folder of its own, and compares what it leaves with what is there.

    All outputs are compared, unless `compare` looks at the project in that folder itself.
    """
    row = STAGES[stage]
    made = row.outputs(space.project, key)
    with _scratch(check, space, made, params) as again:
        try:
            row.run(again, key)
        except DataError:
            if not all(path.exists() for path in row.outputs(again, key)):
                raise  # else it is refused after it was written, as leaks are
        if compare:
            compare(again)
            return
        for stored, fresh in zip(made, row.outputs(again, key), strict=True):
            if stored.is_dir():
                check.files(stored, fresh)
            else:
                check.json(stored, io.read_json(fresh), io.read_json(stored))


@contextmanager
def _scratch(
    check: Check, space: Workspace, leaving: tuple[Path, ...], params: Params | None
) -> Iterator[Project]:
    """A project in a folder of its own with links to all of the study but what is made there."""
    project = space.project
    with tempfile.TemporaryDirectory() as scratch, check.reading(leaving[0], inside=f"{scratch}/"):
        again = Project(Path(scratch), project.trust_config)
        vars(again)["params"] = params or project.params  # not read from a file there
        _link(project, again, leaving)
        yield again


def _link(project: Project, again: Project, leaving: tuple[Path, ...]) -> None:
    """Links to all that stages of a project have made, for another folder's stages to read."""
    for stage in STAGES.values():
        for key in stage.keys(project.params):
            for path in stage.outputs(project, key):
                wanted = path not in leaving and path.is_relative_to(project.data)
                if wanted and path.exists():
                    link = again.root / path.relative_to(project.root)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(path.resolve())


def _is_whole(check: Check, space: Workspace, stage: str, key: str, *made: Path) -> bool:
    """Whether what a stage made, and what of the study it read by `dvc.lock`, is there."""
    project = space.project
    ran = space.lock.stages.get(f"{stage}@{key}" if key else stage, {})
    read = [project.root / dep["path"] for dep in ran.get("deps", [])]
    return check.has(*made, *(path for path in read if path.is_relative_to(project.data)))


def _with_values(params: Params, section: str, **values: object) -> Params:
    """Parameters with other values in a section."""
    changed = getattr(params, section).model_copy(update=values)
    return params.model_copy(update={section: changed})


def _is_here(check: Check, space: Workspace, path: Path, alone: bool = False) -> bool:
    """Whether a path, or all of the study, was made on this machine; noted where it was not."""
    here = space.made_here(check, path) if alone else space.all_made_here(check)
    if not here:
        check.elsewhere(f"{path} was made on another or an unknown machine: not made again")
    return here


def _replay_selection(check: Check, space: Workspace, key: str) -> None:
    """The judge looks at every candidate again and decides; the same machine decides the same."""
    if _is_here(check, space, space.project.selected_folder(key), alone=True):
        run_again(check, space, "select", key)


def _replay_some(stage: str) -> Replay:
    """A stage runs again for a few of its keys."""

    def replay(check: Check, space: Workspace, key: str) -> None:
        keys = STAGES[stage].keys(space.project.params)
        [out] = STAGES[stage].outputs(space.project, key)
        chosen = [keys[place] for place in space.draw_items(len(keys), stage)]
        if key in chosen and _is_here(check, space, out):
            run_again(check, space, stage, key)

    return replay


def _replay_choice(check: Check, space: Workspace, key: str) -> None:
    """All networks of one choice and one of its seeds."""
    project, where = space.project, space.project.choice(key)
    choices = project.params.choices
    tries = [(name, n) for name, one in choices.items() for n in range(len(one.seeds))]
    chosen = [tries[place] for place in space.draw_one(len(tries), "choose")]
    for number in (number for name, number in chosen if name == key):
        seed = choices[key].seeds[number]
        one = choices[key].model_copy(update={"seeds": (seed,)})
        params = project.params.model_copy(update={"choices": {**choices, key: one}})

        def compare(again: Project, number: int = number, seed: int = seed) -> None:
            made, stored = (io.read_json(path)["rows"] for path in (again.choice(key), where))
            check.json(
                f"{where}: seed {seed}: class_iou",
                {f"{row['temperature']:g}": row["class_iou"][0] for row in made},
                {f"{row['temperature']:g}": row["class_iou"][number] for row in stored},
            )

        if _is_here(check, space, where, alone=True):
            run_again(check, space, "choose", key, compare, params)


def _replay_leaks(check: Check, space: Workspace, _: str) -> None:
    """All pairs of scenes; elsewhere it is the leaks alone that count."""
    where = space.project.score("leaks")

    def pairs(record: dict[str, Any]) -> dict[str, Any]:
        named = (
            f"{one['pool']}: {one['name']}: {one['shares']} {one['val']}" for one in record["leaks"]
        )
        return {"leaks": sorted(named)}

    def compare(again: Project) -> None:
        found, stored = (io.read_json(path) for path in (again.score("leaks"), where))
        check.json(where, pairs(found), pairs(stored))
        if space.all_made_here(check):
            check.json(where, found, stored)
        else:
            check.elsewhere(f"{where}: made on another or an unknown machine: no distances")

    run_again(check, space, "leaks", "", compare)


def _replay_attributes(check: Check, space: Workspace, _: str) -> None:
    """The reader learns again and looks at the images of a few generators."""
    section, where = space.project.params.attributes, space.project.score("attributes")
    if section is None or not _is_here(check, space, where):
        return
    names = section.generators
    names = tuple(names[place] for place in space.draw_items(len(names), "attributes"))

    def compare(again: Project) -> None:
        found, stored = (io.read_json(path) for path in (again.score("attributes"), where))
        kept = {name: stored["generators"][name] for name in names}
        check.json(where, found, {**stored, "generators": kept})

    params = _with_values(space.project.params, "attributes", generators=names)
    run_again(check, space, "attributes", "", compare, params)


def _replay_report(check: Check, space: Workspace, _: str) -> None:
    """All files; elsewhere without what depends on fonts."""
    reports = space.project.reports
    loose = space.made_elsewhere(check, reports)

    def compare(again: Project) -> None:
        fresh, stored = contents(again.reports), contents(reports)
        for name in sorted(fresh.keys() | stored.keys()):
            expected, got = (found.get(name, "no such file") for found in (fresh, stored))
            files = again.reports / name, reports / name
            if loose and expected != got and _same_but_for_fonts(*files):
                check.add(None, equal=False)
            else:
                check.same(f"{reports}/{name}", expected, got)

    run_again(check, space, "report", "", compare)


def _same_but_for_fonts(ours: Path, theirs: Path) -> bool:
    """Whether two files differ in nothing but pictures, or their digests, that depend on fonts."""
    if not (ours.is_file() and theirs.is_file()):
        return False
    if ours.suffix in (".png", ".webp") or ours.name == "claims.json.gz":
        return True
    pages = (
        re.sub(rb"data:image/webp;base64,[^\"]*", b"", path.read_bytes()) for path in (ours, theirs)
    )
    return next(pages) == next(pages)


REPLAYED = tuple(stage for stage in STAGES if stage not in ("check", "judge", "judges", "retrain"))
"""What `check` makes is the same whatever the parameters are; the others only train networks, a few
of which are trained again (`replay_trainings`)."""

_REPLAYS: dict[str, Replay] = {
    "prepare": items.compare_scenes,
    "train": items.measure_generator,
    "predict": items.measure_predictor,
    "synthesize": items.compare_images,
    "transfer": items.compare_transfers,
    "choose": _replay_choice,
    "select": _replay_selection,
    "score_references": items.compare_references,
    "score": items.compare_set_scores,
    "leaks": _replay_leaks,
    "costs": lambda check, space, _: run_again(check, space, "costs"),
    "attributes": _replay_attributes,
    "score_arms": items.compare_arms,
    "report": _replay_report,
}
"""How a stage is replayed where it does not just run again for a few of its keys."""
