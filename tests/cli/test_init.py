from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from augflow import __version__, generators
from augflow.cli import app
from augflow.data import readers
from augflow.stages.prepare import require_fitting
from augflow.stages.runner import STAGES
from augflow.study import params
from augflow.study.template import source

HOME = Path(__file__).parents[2]
PRESETS = [
    "camvid", "cityscapes_128", "cityscapes_256", "folder", "idd_lite", "idd_lite_configurations",
    "idd_lite_shares", "kitti", "smoke", "streets",
]  # fmt: skip
MAKES_ITS_OWN = ("smoke", "streets")


def run(*words):
    return CliRunner().invoke(app, ["init", *(str(word) for word in words)])


def fault(result):
    """The one line of a run that was refused."""
    assert result.exit_code == 2
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    return line


@pytest.fixture
def photographs(tmp_path):
    """A folder with one photograph where the reader of a preset looks."""

    def made(preset):
        reader = params.load(source().preset(preset)).data.reader
        place = readers.PHOTOS[reader].replace("**", "train").replace("*.*", "x.png")
        path = tmp_path / f"photos of {reader}" / place.replace("*", "x").replace("x.x", "x.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        return tmp_path / f"photos of {reader}"

    return made


@pytest.fixture
def project(photographs, tmp_path):
    """Makes a project from a preset; returns its folder."""

    def made(preset):
        target = tmp_path / "projects" / preset
        data = [] if preset in MAKES_ITS_OWN else ["--data", photographs(preset)]
        result = run("--preset", preset, *data, target)
        assert result.exit_code == 0, result.output
        return target

    return made


def test_presets_are_those_of_the_help():
    assert list(source().presets) == PRESETS
    assert all(name in run("--help").output for name in PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_a_sound_study(preset):
    study = params.load(source().preset(preset))
    require_fitting(study.data.size, study.data.levels)
    assert study.study == preset
    for section in study.generators.values():
        config = generators.config_of(section, study.data.size)
        assert len(config.model_dump().get("steps", ())) <= study.data.levels
        assert config.model_dump()["size"] == study.data.size
    swept = [study.sets[name] for name in study.report.sweep]
    assert all(s.layouts == "val" and s.seed == 0 for s in swept)
    assert all(list(s.temperatures) == sorted(s.temperatures) for s in swept)
    if preset != "smoke":
        assert {s.rounds for s in swept} == {3}
    if preset not in ("smoke", "idd_lite_shares") and not study.report.configurations:
        assert swept[0].temperatures == tuple(n / 10 for n in range(11))


def test_streets_is_the_study_of_the_source_tree():
    assert source().preset("streets").read_text() == (HOME / "params.yaml").read_text()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_project_keeps_all_of_its_preset_but_the_root(preset, project):
    target = project(preset)
    made, given = params.load(target / "params.yaml"), params.load(source().preset(preset))
    assert made.model_copy(update={"data": given.data}) == given
    assert made.data.model_copy(update={"root": given.data.root}) == given.data
    changed = set((target / "params.yaml").read_text().splitlines())
    changed ^= set(source().preset(preset).read_text().splitlines())
    assert all(line.startswith("  root: ") for line in changed)
    if preset not in MAKES_ITS_OWN:
        assert not Path(made.data.root).is_absolute()
        assert readers.has_layout(target / made.data.root, made.data.reader)


@pytest.mark.parametrize("preset", ["smoke", "idd_lite"])
def test_a_project_depends_on_nothing_that_it_lacks(preset, project):
    target = project(preset)
    stages = yaml.safe_load((target / "dvc.yaml").read_text())["stages"]
    ours = yaml.safe_load((HOME / "dvc.yaml").read_text())["stages"]
    assert list(stages) == list(ours)
    made = {out for s in stages.values() for out in s.get("do", s)["outs"] if isinstance(out, str)}
    made |= {"data/${study}/${item.reads}", "data/${study}/generators/${item.generator}"}
    for name, stage in stages.items():
        stage = stage.get("do", stage)
        deps = stage["deps"]
        assert deps[0] == "augflow.version"
        assert not any(dep.startswith("augflow/") for dep in deps)
        script = stage["cmd"].split()[1]
        assert (target / script).read_bytes() == (HOME / script).read_bytes(), name
    assert (target / "augflow.version").read_text() == f"augflow {__version__}\n"
    own = preset in MAKES_ITS_OWN
    assert ("data/${study}/raw" in stages["prepare"]["outs"]) == own
    assert ("${data.root}" in stages["prepare"]["deps"]) != own
    assert "data/${study}/prepared" in stages["prepare"]["outs"]


def test_every_project_is_one_that_dvc_reads(project):
    """One DVC process goes through the projects of all presets, none of them under git."""
    targets = [str(project(preset)) for preset in PRESETS]
    code = (
        "import sys\n"
        "from dvc.repo import Repo\n"
        "for root in sys.argv[1:]:\n"
        "    with Repo(root) as repo:\n"
        "        names = [stage.name for stage in repo.index.stages]\n"
        "        print(len(names), 'prepare' in names, 'report' in names, repo.config['core'])\n"
    )
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *targets], check=True, capture_output=True, text=True,
        env=environment,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == len(PRESETS)
    for preset, line in zip(PRESETS, lines, strict=True):
        study = params.load(source().preset(preset))
        stages = sum(len(stage.keys(study)) for stage in STAGES.values())
        assert line.startswith(f"{stages} True True"), line
        assert "'analytics': False" in line
        assert "'check_update': False" in line
        assert "'no_scm': True" in line


def test_dvc_itself_lists_the_stages(project):
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "stage", "list", "--name-only"], cwd=project("idd_lite"),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    names = done.stdout.split()
    assert {"prepare", "train@glow", "synthesize@full_glow", "retrain@real", "report"} <= set(names)


def test_below_a_git_repository_dvc_works_with_it(tmp_path):
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    target = tmp_path / "repository" / "study"
    assert run("--preset", "smoke", target).exit_code == 0
    assert "no_scm" not in (target / ".dvc" / "config").read_text()


def test_a_fresh_repository_is_as_good_as_an_empty_folder(tmp_path):
    (tmp_path / ".git").mkdir()
    assert run("--preset", "smoke", tmp_path).exit_code == 0
    assert (tmp_path / "params.yaml").exists()


def test_the_current_folder_is_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("--preset", "smoke")
    assert result.exit_code == 0
    assert result.stdout.endswith("go on with: dvc repro\n")
    assert (tmp_path / "dvc.yaml").exists()


def test_photographs_may_lie_in_the_target(four_scenes, tmp_path):
    shutil.copytree(four_scenes, tmp_path / "photos")
    assert run("--preset", "cityscapes_128", "--data", tmp_path / "photos", tmp_path).exit_code == 0
    assert params.load(tmp_path / "params.yaml").data.root == "photos"


def test_a_project_prepares_what_it_was_given(four_scenes, tmp_path, monkeypatch):
    from augflow.stages.runner import run_stage
    from augflow.study.project import Project

    target = tmp_path / "study"
    assert run("--preset", "cityscapes_128", "--data", four_scenes, target).exit_code == 0
    monkeypatch.chdir(target)
    run_stage(Project(), "prepare")
    assert len(list((target / "data/cityscapes_128/prepared/train/image").iterdir())) == 4


def test_odd_names_of_folders_survive(four_scenes, tmp_path):
    data = tmp_path / "my: photos #1 \\1 'ä'"
    shutil.copytree(four_scenes, data)
    target = tmp_path / "study"
    assert run("--preset", "cityscapes_128", "--data", data, target).exit_code == 0
    assert (target / params.load(target / "params.yaml").data.root).samefile(data)


def test_a_target_with_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    line = fault(run("--preset", "smoke", tmp_path))
    assert line == f"augflow: {tmp_path}: holds thesis.tex; name a new or an empty folder"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_second_init_is_refused(tmp_path):
    assert run("--preset", "smoke", tmp_path).exit_code == 0
    assert "holds .dvc, .dvcignore" in fault(run("--preset", "smoke", tmp_path))


def test_an_unknown_preset_names_the_nearest(tmp_path):
    line = fault(run("--preset", "idd_light", tmp_path / "new"))
    assert "no preset 'idd_light'; known: camvid" in line
    assert line.endswith("did you mean 'idd_lite'?")
    assert not (tmp_path / "new").exists()


def test_another_layout_is_recognised(four_scenes, tmp_path):
    line = fault(run("--preset", "idd_lite", "--data", four_scenes, tmp_path / "new"))
    assert "no photos at leftImg8bit/*/*/*_image.*, where preset idd_lite looks" in line
    assert "it looks like cityscapes" in line
    assert not (tmp_path / "new").exists()


def test_all_faults_are_listed(tmp_path):
    (tmp_path / "x").write_text("x")
    line = fault(run("--preset", "kitti", "--data", tmp_path / "nowhere", tmp_path))
    assert "nowhere: no such folder" in line
    assert "holds x; name a new" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "camvid"], "preset camvid needs photographs; name their folder with --data"),
        (["--preset", "streets", "--data", "."], "paints its own scenes; leave it out"),
    ],
)
def test_data_is_wanted_by_presets_of_photographs_alone(words, message, tmp_path):
    assert message in fault(run(*words, tmp_path / "new"))
