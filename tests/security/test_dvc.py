"""A stranger's `params.yaml` under DVC: no name in it becomes a command or a path unread.

DVC reads both files, makes commands and paths, and removes outputs before any code of a stage runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest
import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo

from augflow.core import io
from augflow.core.errors import ParamsError
from augflow.study.names import NAMES_FILE
from augflow.study.params import load
from augflow.study.template import create, source

COMMAND, FOLDER = "c_glow; touch pwned; echo", "../../../../victim"
"""The folder is one beside the project, where DVC would remove it as an output of a stage."""

HOSTILE = (COMMAND, FOLDER)

SECTIONS = ("generators", "sets", "transfers", "predictors", "judges", "choices", "selections",
            "arms")  # fmt: skip


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A project of which nothing has run, and one whose `prepare` is up to date."""
    top = tmp_path_factory.mktemp("honest")
    create("smoke", None, top / "fresh" / "project")
    (top / "fresh" / "victim").mkdir()
    (top / "fresh" / "victim" / "kept.txt").write_text("kept")
    root = shutil.copytree(top / "fresh", top / "prepared") / "project"
    for made in ("raw", "prepared"):
        (root / "data" / "smoke" / made).mkdir(parents=True)
        (root / "data" / "smoke" / made / "scene.txt").write_text("a scene")
    params = load(root / "params.yaml")
    io.write_json(root / "data" / "params.json", params.model_dump(mode="json"))
    with Repo(str(root)) as repo, chdir(root):
        for stage in ("check", "prepare"):
            repo.commit(stage, force=True)
        assert repo.status(["check", "prepare"]) == {}
    return top


@pytest.fixture
def project(honest, tmp_path, monkeypatch):
    """Lays a project out in a new folder, with other parameters."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    programs = [str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(programs))
    monkeypatch.delenv("DVC_STAGE", raising=False)

    def lay(state, content):
        top = tmp_path / state
        shutil.rmtree(top, ignore_errors=True)
        shutil.copytree(honest / state, top)
        (top / "project" / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        return top / "project"

    return lay


def smoke(**changes):
    return {**yaml.safe_load(source().preset("smoke").read_text()), **changes}


def reproduce(root):
    """`dvc repro` of each stage by itself in which a hostile name stands, then of everything."""
    with chdir(root), Repo(str(root)) as repo:
        for stage in hostile_stages(repo):
            refused(repo, stage, single_item=True)
        refused(repo)


def hostile_stages(repo):
    """Stages of whose command, outputs or dependencies a hostile name is a part."""
    shown = {one.addressing: f"{one.cmd} {one.outs} {one.deps}" for one in repo.index.stages}
    return [name for name, text in shown.items() if any(bad in text for bad in HOSTILE)]


def refused(repo, *words, **options):
    with pytest.raises(DvcException):
        repo.reproduce(*words, **options)


def require_unharmed(root):
    assert list(root.parent.rglob("pwned")) == []
    assert (root.parent / "victim" / "kept.txt").read_text() == "kept"
    assert {path.name for path in root.parent.iterdir()} == {"project", "victim"}


def named(section, *names):
    """The smoke study with more names in a section whose names become stages."""
    content = smoke()
    for name in names:
        if section in SECTIONS:
            content[section][name] = next(iter(content[section].values()))
        else:
            content[section]["generators"].append(name)
    return content


@pytest.mark.parametrize("section", [*SECTIONS, "diversity", "explore"])
def test_no_name_of_a_section_becomes_a_command_or_a_path(project, section, capfd):
    root = project("prepared", named(section, *HOSTILE))
    reproduce(root)
    require_unharmed(root)
    assert f"augflow: params.yaml: {section}." in capfd.readouterr().err


def test_a_fresh_project_refuses_them_too(project, capfd):
    root = project("fresh", named("generators", *HOSTILE))
    reproduce(root)
    require_unharmed(root)
    assert "augflow: params.yaml: generators." in capfd.readouterr().err
    assert not (root / "data").joinpath("smoke").exists()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_study_becomes_a_command_or_a_path(project, hostile, capfd):
    data = {**smoke()["data"], "root": f"data/{hostile}/raw"}
    root = project("prepared", smoke(study=hostile, data=data))
    reproduce(root)
    require_unharmed(root)
    assert "augflow: params.yaml: study: " in capfd.readouterr().err


VALUES = (
    ("data", "root"), ("sets", "train", "generator"), ("transfers", "transfer", "generator"),
    ("choices", "train", "set"), ("selections", "strict", "set"),
    ("selections", "strict", "judge"), ("selections", "strict", "reads"),
    ("arms", "real_synthetic", "reads"), ("arms", "real_synthetic", "train_on"),
    ("report", "sweep"), ("report", "configurations"), ("report", "released"),
)  # fmt: skip
"""Values that are parts of paths, or name what is."""


def with_value(place, hostile):
    content = smoke()
    section = content
    for key in place[:-1]:
        section = section[key]
    lists = {"train_on": ["real", hostile], "sweep": [hostile], "configurations": [hostile],
             "released": {hostile: hostile}}  # fmt: skip
    section[place[-1]] = lists.get(place[-1], hostile)
    return content


@pytest.mark.parametrize("place", VALUES, ids=".".join)
def test_no_value_becomes_a_path(project, place):
    for hostile in (*HOSTILE, "a\nb", "${study}", "x" * 5000):
        root = project("prepared", with_value(place, hostile))
        with pytest.raises(ParamsError) as fault:
            load(root / "params.yaml")
        assert place[-1] in str(fault.value)
        assert len(str(fault.value).splitlines()) == 1
        if hostile in HOSTILE:
            with chdir(root), Repo(str(root)) as repo:
                assert hostile_stages(repo) == []


ODD = ("a\nb", "${study}", "$(touch pwned)", "x" * 65, "..", "a/../../x", "C_GLOW", "-c")


def test_odd_names_are_refused_before_dvc_makes_anything_of_them(project):
    """`C_GLOW` differs in case alone from a name that is there."""
    for name in ODD:
        root = project("prepared", named("generators", name))
        with pytest.raises(ParamsError, match=r"params\.yaml: generators\."):
            load(root / "params.yaml")
    root = project("prepared", named("generators", *ODD))
    with chdir(root), Repo(str(root)) as repo:
        refused(repo)
    require_unharmed(root)
    assert not (root / "data" / "smoke" / "generators").exists()


def test_an_anchor_repeats_no_name_unseen(project, capfd):
    root = project("prepared", smoke())
    text = (root / "params.yaml").read_text()
    text = text.replace("generators:\n", f'generators:\n  "{FOLDER}": &evil\n    system: glow\n', 1)
    (root / "params.yaml").write_text(text.replace("sets:\n", "sets:\n  <<: {a: *evil}\n", 1))
    reproduce(root)
    require_unharmed(root)
    assert "augflow: params.yaml: " in capfd.readouterr().err


INNER = {"study": FOLDER, "generators": [COMMAND], "sets": {FOLDER: {"generator": COMMAND}}}


@pytest.mark.parametrize(
    ("key", "value"),
    [("names", INNER), ("names", [INNER]), ("names", {"0": INNER}), ("names[0]", INNER),
     ("names.0", INNER), ("item", COMMAND), ("key", COMMAND), ("vars", [INNER])],
    ids=str,
)  # fmt: skip
def test_what_dvc_looks_up_cannot_be_given_by_parameters(project, key, value):
    """DVC reads `params.yaml` unasked, and joins what stands there with what `vars` names."""
    root = project("prepared", smoke(**{key: value}))
    with chdir(root), Repo(str(root)) as repo:
        try:
            assert hostile_stages(repo) == []
        except DvcException:  # two that cannot be joined
            return
        refused(repo, "train@full_glow", single_item=True)
    require_unharmed(root)


def test_a_new_name_stops_dvc_once_and_is_there_when_it_is_run_again(project, capfd):
    root = project("prepared", named("generators", "another"))
    with chdir(root):
        with Repo(str(root)) as repo:
            refused(repo, "check")
        said = capfd.readouterr().err
        (line,) = [one for one in said.splitlines() if one.startswith("augflow: ")]
        assert line == (
            f"augflow: params.yaml: has other names than {NAMES_FILE} (see generators), "
            "which is written anew: run dvc repro again"
        )
        with Repo(str(root)) as repo:
            repo.reproduce("check")
            assert "train@another" in {stage.addressing for stage in repo.index.stages}


def test_a_stage_by_itself_refuses_names_that_are_not_those_of_its_parameters(project, capfd):
    for content in (named("generators", "another"), smoke(study="other", data={
            **smoke()["data"], "root": "data/other/raw"})):  # fmt: skip
        root = project("prepared", content)
        before = (root / NAMES_FILE).read_bytes()
        with chdir(root), Repo(str(root)) as repo:
            refused(repo, "train@full_glow", single_item=True)
        said = capfd.readouterr().err
        assert f"has other names than {NAMES_FILE} (see " in said
        assert "run `python pipelines/check.py`" in said
        assert (root / NAMES_FILE).read_bytes() == before


def test_hostile_names_beside_honest_parameters_are_written_anew(project, capfd):
    root = project("prepared", smoke())
    honest = (root / NAMES_FILE).read_text()
    (root / NAMES_FILE).write_text(honest.replace("  explore: [", f'  explore: ["{COMMAND}", '))
    with chdir(root), Repo(str(root)) as repo:
        refused(repo)
    require_unharmed(root)
    assert "which is written anew" in capfd.readouterr().err
    assert (root / NAMES_FILE).read_text() == honest


def test_what_dvc_shows_and_tries_runs_no_hostile_names(project):
    """`dvc status`, `dvc params diff`, `dvc metrics diff`, `dvc exp run`, which ask for git."""
    root = project("prepared", smoke())
    config = root / ".dvc" / "config"
    config.write_text(config.read_text().replace("no_scm = true", "no_scm = false"))
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "-m", "a"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    honest = (root / NAMES_FILE).read_text()
    hostile = honest.replace("  generators: [", f'  generators: ["{COMMAND}", "{FOLDER}", ')
    (root / NAMES_FILE).write_text(hostile)
    with chdir(root), Repo(str(root)) as repo:
        repo.params.diff()
        repo.metrics.diff()
        with pytest.raises(DvcException):
            repo.experiments.run()
    require_unharmed(root)
    assert (root / NAMES_FILE).read_text() == honest
