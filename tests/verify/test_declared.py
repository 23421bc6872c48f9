"""A project's scripts and pipeline beside those of the augflow that verifies."""

from pathlib import Path

import pytest
import yaml

from augflow.study.project import Project
from augflow.study.template import create
from augflow.verify.declared import check_shipped
from augflow.verify.lock import leaves
from tests.verify.forging import edit


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A new project, which is the working directory."""
    create("smoke", None, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")


def stage(name, **keys):
    """Gives a stage other keys; None takes one away."""
    content = yaml.safe_load(Path("dvc.yaml").read_text())
    place = content["stages"][name] = {**content["stages"][name], **keys}
    content["stages"][name] = {key: value for key, value in place.items() if value is not None}
    Path("dvc.yaml").write_text(yaml.safe_dump(content))


def top(**keys):
    content = yaml.safe_load(Path("dvc.yaml").read_text())
    Path("dvc.yaml").write_text(yaml.safe_dump({**content, **keys}))


def write(name, text=""):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)


def link(name):
    write("elsewhere/core.py")
    Path(name).symlink_to(Path("elsewhere").resolve())


EDITS = {
    "pipelines/score.py: line 6": lambda: edit(
        "pipelines/score.py", 'run_script("score")', 'run_script("score"); import halve'
    ),
    "pipelines/check.py: expected augflow's script, got no file": lambda: Path(
        "pipelines/check.py"
    ).unlink(),
    "dvc.yaml: leaks: cmd": lambda: stage("leaks", cmd=["python own.py"]),
    "dvc.yaml: leaks: frozen": lambda: stage("leaks", frozen=True),
    "dvc.yaml: leaks: wdir": lambda: stage("leaks", wdir="."),
    "dvc.yaml: leaks: vars": lambda: stage("leaks", vars=[{"a": 1}]),
    "dvc.yaml: leaks: outs": lambda: stage("leaks", outs=None),
    "dvc.yaml: leaks: params": lambda: stage("leaks", params=None),
    "dvc.yaml: train: foreach": lambda: stage("train", foreach=["flow"]),
    "dvc.yaml: vars": lambda: top(vars=["others.yaml"]),
    "dvc.yaml: metrics": lambda: top(metrics=[]),
    "dvc.yaml: plots": lambda: top(plots=["better.csv"]),
    "pipelines/augflow.py: expected no module": lambda: write("pipelines/augflow.py"),
    "pipelines/torch/__init__.py: exp": lambda: write("pipelines/torch/__init__.py"),
    "pipelines/org/python/core.py: exp": lambda: write("pipelines/org/python/core.py"),
    "pipelines/org: expected no module": lambda: link("pipelines/org"),
    "pipelines/a.so: expected no module": lambda: write("pipelines/a.so"),
    "sitecustomize.py: expected no mod": lambda: write("sitecustomize.py"),
    "torch/: expected no module": lambda: write("torch/__init__.py"),
    "json.py: expected no module": lambda: write("json.py"),
}


@pytest.mark.parametrize("found", EDITS)
def test_what_a_project_runs_beside_our_own_is_named(project, found):
    EDITS[found]()
    violations = check_shipped(Project()).violations
    assert violations
    assert all(str(one).startswith(found) for one in violations), violations


def test_a_stage_that_is_gone_or_of_another_kind_is_named(project):
    content = yaml.safe_load(Path("dvc.yaml").read_text())
    del content["stages"]["leaks"]
    Path("dvc.yaml").write_text(yaml.safe_dump(content))
    stage("score", do=None, foreach=None, cmd="python own.py")
    found = [str(one) for one in check_shipped(Project()).violations]
    assert "dvc.yaml: leaks: expected a stage, as of augflow's own pipeline, got none" in found
    assert any(line.startswith("dvc.yaml: score: foreach: expected") for line in found)
    assert any(line.startswith("dvc.yaml: score: cmd: expected") for line in found)


def test_what_is_a_users_own_is_no_concern(project):
    content = yaml.safe_load(Path("dvc.yaml").read_text())
    for one in content["stages"].values():
        one.get("do", one)["deps"].reverse()
    content["stages"]["leaks"]["deps"].append("own.json")
    content["stages"]["count"] = {"cmd": "python mine/count.py", "outs": ["counts.json"]}
    content["metrics"].append("counts.json")
    Path("dvc.yaml").write_text(yaml.safe_dump(content))
    for name in ("own.py", "own.json", "pipelines/notes.txt", "mine/count.py", "tests/__init__.py"):
        write(name)
    Path("pipelines/params.yaml").symlink_to("../params.yaml")
    check = check_shipped(Project())
    assert (check.violations, check.state) == ([], "holds")


def test_a_project_without_a_pipeline_cannot_be_checked_and_a_damaged_one_is_named(project):
    write("dvc.yaml", "stages: {")
    assert check_shipped(Project()).state == "does not hold"
    Path("dvc.yaml").unlink()
    check = check_shipped(Project())
    assert (check.absent, check.state) == (["dvc.yaml"], "cannot be checked")


def test_values_are_those_of_a_list_of_records_whatever_the_order_of_their_keys():
    one, other = [{"name": "car", "id": 3}], [{"id": 3, "name": "car"}]
    assert leaves({"classes": one}) == leaves({"classes": other})
    assert leaves({"classes": one}) != leaves({"classes": [{"id": 4, "name": "car"}]})
