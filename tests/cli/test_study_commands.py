"""`augflow train`, `score` and `report` run the stages of the project in the current folder."""

from __future__ import annotations

import shutil

import pytest
import yaml

from augflow.core import io
from augflow.stages.runner import run_stage
from augflow.study.project import Project
from tests import tiny_study
from tests.commands import run
from tests.core.test_distributed import torchrun
from tests.mini_network import MINI

PLAIN = {
    "system": "glow", "preset": "tiny", "overrides": {"steps": [1, 1], "width": [8, 8]},
    "training": {"steps": 2, "batch_size": 2, "init_scenes": 2},
}  # fmt: skip
STUDY = {
    **tiny_study.PARAMS,
    "generators": {**tiny_study.PARAMS["generators"], "plain": PLAIN},
    "sets": {"t05": tiny_study.PARAMS["sets"]["t05"]},
    **{key: {} for key in ("arms", "judges", "choices", "selections", "transfers")},
}
"""The tiny study with two generators and without arms."""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study whose generators, scores and report were made by the commands."""
    root = tmp_path_factory.mktemp("done")
    (root / "mini.json").write_text(MINI)
    (root / "params.yaml").write_text(yaml.safe_dump(STUDY))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        project = Project()
        run_stage(project, "prepare")
        outputs = {"train": run("train")}
        run_stage(project, "synthesize", "t05")
        run_stage(project, "judge")
        outputs["score"], outputs["report"] = run("score"), run("report")
    return root, outputs


@pytest.fixture
def project(done, tmp_path, monkeypatch):
    """A copy of the study, in the current folder."""
    shutil.copytree(done[0], tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return Project()


def test_the_commands_make_what_the_stages_make(done):
    root, outputs = done
    assert {name: result.exit_code for name, result in outputs.items()} == dict.fromkeys(outputs, 0)
    assert "flow: trained, in data/mini/generators/flow" in outputs["train"].stdout
    assert "plain: trained, in data/mini/generators/plain" in outputs["train"].stdout
    generators = root / "data/mini/generators"
    assert io.read_json(generators / "flow/config.json")["system"] == "full_glow"
    assert io.read_json(generators / "plain/config.json")["system"] == "glow"
    scores = sorted(path.name for path in (root / "data/mini/scores").iterdir())
    assert scores == ["references.json", "t05.json"]
    assert outputs["report"].stdout == "look at reports/mini/report.html\n"
    assert (root / "reports/mini/report.html").exists()


def test_a_finished_report_is_made_again_without_its_data(project):
    before = (project.reports / "report.html").read_bytes()
    shutil.rmtree(project.data)
    (project.reports / "report.html").write_text("of another time")
    result = run("report", "--again", "reports/mini")
    assert (result.exit_code, result.stdout) == (0, "look at reports/mini/report.html\n")
    assert (project.reports / "report.html").read_bytes() == before
    result = run("report", "--again", "reports")
    assert result.exit_code == 2
    assert result.stderr.startswith("augflow: reports: no claims.json.gz in it")


def test_train_makes_the_named_generator_alone(project):
    shutil.rmtree(project.data / "generators")
    assert run("train", "plain").exit_code == 0
    assert [path.name for path in (project.data / "generators").iterdir()] == ["plain"]


def test_train_is_told_of_devices_that_are_not_there(project, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for words in (["--accelerator", "cuda"], ["--devices", "0"], ["--accelerator", "tpu"]):
        result = run("train", "plain", *words)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"augflow: {words[0]}")
        assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_two_processes_of_torchrun_train_as_one_command(project):
    """Both run the command, one of them writes and says so."""
    before = (project.generator("plain") / "weights.safetensors").read_bytes()
    shutil.rmtree(project.generator("plain"))
    done = torchrun("-m", "augflow", "train", "plain", cwd=project.root.resolve())
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("plain: trained, in") == 1
    assert len((project.generator("plain") / "weights.safetensors").read_bytes()) == len(before)
    assert not list((project.root / ".augflow" / "runs").iterdir())


def test_score_makes_the_named_score_alone_and_the_same_again(project):
    before = project.score("t05").read_bytes()
    shutil.rmtree(project.data / "scores")
    assert run("score", "t05").exit_code == 0
    assert [path.name for path in (project.data / "scores").iterdir()] == ["t05.json"]
    assert project.score("t05").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "flo"], "generators: no 'flo'; known: flow, plain; did you mean 'flow'?"),
        (["score", "arms"], "known: references, t05"),
    ],
)
def test_unknown_names_list_the_known_ones(project, words, message):
    result = run(*words)
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("folder", "words", "stage"),
    [
        ("prepared", ["train"], "prepare"),
        ("segmenters", ["score", "references"], "judge"),
        ("synthetic", ["score", "t05"], "synthesize@t05"),
        ("scores", ["report"], "score_references"),
    ],
)
def test_what_is_missing_names_the_stage_to_run(project, folder, words, stage):
    shutil.rmtree(project.data / folder)
    result = run(*words)
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert line.endswith(f"not there yet; run `dvc repro {stage}` first")
    assert f"data/mini/{folder}" in line
