"""Lies told to `augflow verify`: every one is found and named, and the truth passes.

Lies of a group are told to one copy of a study. Each has to be found by a line of its own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from augflow.cli.verify import verify as command
from augflow.core import io
from augflow.core.errors import DataError
from augflow.stages.runner import record, recorded_machines, run_stage
from augflow.study.project import Project
from augflow.verify import Sample, state_of, verify
from augflow.verify.lock import check_lock
from augflow.verify.records import check_choices, check_environment
from augflow.verify.replay import REPLAYED, replay_first_steps, replay_stage, replay_trainings
from augflow.verify.workspace import Workspace
from tests.prepared_files import change_map, read_map
from tests.verify.forging import claimed, edit_json, made_elsewhere, rename_seeds, settled
from tests.verify.level_0_lies import (
    CARELESS,
    PIPELINE,
    PIPELINE_ENTRY,
    QUIET,
    REPORT,
    SCENE,
    SCRIPT,
    TRAIN,
    half_as_many_errors,
)
from tests.verify.level_1_lies import MADE, TRAINED
from tests.verify.level_3_lies import EVIDENCE, TOLD, without_data
from tests.verify.truths import TRUTHS, no_cache_of_dvc


def tell(project, lies):
    for lie in lies:
        lie.tell(project)


def quiet(project, lies):
    tell(project, lies)
    settled(project)


def made(project, lies):
    """The figure is drawn by the report, so it is changed after that."""
    *earlier, figure = lies
    tell(project, earlier)
    run_stage(project, "report")
    tell(project, [figure])
    claimed(REPORT)
    settled(project)


def trained(project, lies):
    tell(project, lies)
    for name in project.params.sets:
        run_stage(project, "score", name)
    run_stage(project, "score_references")
    run_stage(project, "score_arms")
    run_stage(project, "select", "strict")
    run_stage(project, "report")
    settled(project)


def told(project, lies):
    """The claims have the digests of the files as they are; the clone has no data."""
    tell(project, lies)
    claimed(REPORT)
    without_data(project)


@dataclass(frozen=True)
class Group:
    """Lies that are told together, how, and the level and sample that are asked."""

    lies: list
    tell: Callable
    level: int
    sample: Sample | None = None


GROUPS = {
    "careless": Group(CARELESS, tell, 0),
    "pipeline": Group(PIPELINE, tell, 0),
    "quiet": Group(QUIET, quiet, 0),
    "made": Group(MADE, made, 1, Sample(items=None)),
    "trained": Group(TRAINED, trained, 1, Sample(items=None, trainings=100)),
    "told": Group(TOLD, told, 3),
    "evidence": Group(EVIDENCE, told, 3),
}
LIES = [(name, lie) for name, group in GROUPS.items() for lie in group.lies]


@pytest.fixture(scope="module")
def found(whole_study, tmp_path_factory):
    """The checks of a group, made once: of level 0, and of the level that is to find it."""

    @cache
    def checked(name):
        root = tmp_path_factory.mktemp(name) / "study"
        shutil.copytree(whole_study, root)
        group = GROUPS[name]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(root)
            group.tell(Project(), group.lies)
            checks = list(verify(Project(), group.level, sample=group.sample))
        shutil.rmtree(root)
        return checks

    return checked


def lines(checks):
    return [str(violation) for check in checks for violation in check.violations]


@pytest.mark.parametrize(
    ("group", "lie"), LIES, ids=[f"{group}: {lie.name}" for group, lie in LIES]
)
def test_a_lie_is_found(found, group, lie):
    matching = [line for line in lines(found(group)) if lie.found in line]
    assert matching, "\n".join(lines(found(group)))


def test_lies_are_many_and_told_apart():
    assert len(LIES) >= 60
    assert len({lie.name for _, lie in LIES}) >= 50
    for group in GROUPS.values():
        wanted = [lie.found for lie in group.lies]
        assert not [(a, b) for a in wanted for b in wanted if a is not b and a in b]


@pytest.mark.parametrize("group", ["made", "trained"])
def test_records_that_agree_hide_them_from_level_0(found, group):
    """Its checks come first at level 1."""
    checks = found(group)
    count = [check.title for check in checks].index("prepare, again")
    assert lines(checks[:count]) == []
    assert count == 10  # a study without bands


def test_records_of_quiet_lies_agree(found):
    pipeline, *_, machines = found("quiet")
    others = [line for line in lines([pipeline]) if not any(one in line for one in PIPELINE_ENTRY)]
    assert others == []
    assert [line for line in lines([machines]) if "one that is listed" not in line] == []


def test_networks_under_other_seeds_are_found_by_their_first_steps(study):
    """What all records and the report agree on, one network of each arm tells."""
    rename_seeds(study, {0: 7, 1: 8})
    study = Project()
    assert study.params.retrain.seeds == (7, 8)
    checks = list(verify(study))
    assert (lines(checks), state_of(checks)) == ([], "holds")
    for machine in (lambda _: None, made_elsewhere):
        machine(study)
        found = lines([replay_first_steps(Workspace(study))])
        for arm in study.params.arms:
            assert any(re.match(rf".*/{arm}/[78]/history\.csv: loss: ", line) for line in found)


def test_first_steps_are_those_of_the_whole_training(study):
    """Of every network; elsewhere, what rounding changes is left out and the rest is near."""
    check = replay_first_steps(Workspace(study, Sample(items=None)))
    assert check.state == "holds", lines([check])
    networks = {"generators/flow", "predictors/maps", "segmenters/judge", "judges/own"}
    assert check.compared >= 3 * (len(networks) + len(study.segmenters))
    before = {path: path.read_bytes() for path in study.data.rglob("*.safetensors")}
    made_elsewhere(study)
    rows = io.read_csv(study.judge_folder / "history.csv")
    near = [{**row, "loss": f"{float(row['loss']) * 1.00005:.8g}"} for row in rows]
    io.write_csv(study.judge_folder / "history.csv", near, list(rows[0]))
    check = replay_first_steps(Workspace(study))
    assert check.state == "holds within tolerance", lines([check])
    assert {path: path.read_bytes() for path in study.data.rglob("*.safetensors")} == before


def test_a_validation_photograph_in_training_is_found_twice(study):
    """By preparing the scene again, and among the leaks."""
    root = study.prepared_folder
    change_map(root, "train", "image", TRAIN, read_map(root, "val", "image", SCENE))
    path = f"{root / 'train' / 'image.npy'}: {TRAIN}"
    record(study)
    space = Workspace(Project(), Sample(items=None))
    assert any(line.startswith(f"{path}: row ") for line in lines([replay_stage(space, "prepare")]))
    leak = f'leaks.0: expected "train: {TRAIN}: photograph {SCENE}", got nothing'
    assert f"{study.score('leaks')}: {leak}" in lines([replay_stage(space, "leaks")])


def test_a_frozen_stage_with_another_command_is_named_twice(study):
    """DVC does not look at what a frozen stage reads, and runs whatever it is told to."""
    text = Path("dvc.yaml").read_text()
    command = "cmd: python pipelines/leaks.py"
    assert command in text
    Path("dvc.yaml").write_text(text.replace(command, "frozen: true\n    cmd: echo nothing"))
    found = lines([check_lock(Project())])
    ours = "as of augflow's own pipeline"
    assert f"dvc.yaml: leaks: frozen: expected none, {ours}, got true" in found
    assert any(line.startswith("dvc.yaml: leaks: cmd: expected python") for line in found)


def test_a_rebuild_is_not_asked_of_scripts_that_are_not_ours_alone(study):
    """The first check of level 2 comes before anything is made again by them."""
    half_as_many_errors(study)
    Path("pipelines/leaks.py").unlink()
    found = lines([next(verify(study, 2))])
    assert "pipelines/leaks.py: expected augflow's script, got no file" in found
    assert any(line.startswith(SCRIPT) for line in found)


def test_more_scores_than_seeds_steer_no_choice(study):
    path = study.choice("best")
    edit_json(path, lambda content: content["rows"][0]["class_iou"].append(0.9))
    [line] = lines([check_choices(Workspace(Project()))])
    assert "expected one of each of 1 seeds" in line


def test_what_only_its_own_machine_can_check_is_not_called_checked(study):
    """An accuracy of attributes that is made up, on another machine."""
    made_elsewhere(study)
    space = Workspace(Project())
    for check in (replay_stage(space, stage) for stage in ("choose", "select", "diversity")):
        assert check.state == "holds within tolerance"
        assert check.notes


@pytest.mark.parametrize("content", ["[]", "{}", '{"machines": {}, "made": {"a": {}}}'])
def test_a_record_of_machines_that_is_none_is_one_line(study, content):
    Path("environment.json").write_text(content)
    [line] = lines([check_environment(Project())])
    assert line.startswith("environment.json: ")
    with pytest.raises(DataError):
        recorded_machines(Project())


def test_networks_that_are_trained_again_are_the_same(study):
    check = replay_trainings(Workspace(Project(), Sample(trainings=100)))
    assert check.state == "holds", lines([check])
    assert check.compared > 20


def test_truths_pass(study):
    """What DVC keeps says that the pixels are the same."""
    for truth in TRUTHS:
        truth(study)
    checks = list(verify(Project()))
    assert (lines(checks), state_of(checks)) == ([], "holds")


def test_truths_pass_when_all_is_looked_at_again(study, tmp_path):
    """Without what DVC keeps; results are equal bit for bit, not within a tolerance."""
    for truth in [*TRUTHS, no_cache_of_dvc]:
        truth(study)
    app = typer.Typer()
    app.command()(command)
    for level in ("1", "3"):
        words = ["--level", level, "--json", f"{tmp_path}/{level}.json"]
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert f"level {level}: holds" in result.output
        assert "grey values" not in result.output
    checks = io.read_json(tmp_path / "1.json")["checks"]
    compared = {check["title"]: check["compared"] for check in checks}
    assert {f"{stage}, again" for stage in REPLAYED} < compared.keys()
    assert [title for title, count in compared.items() if not count] == ["trainings, again"]
