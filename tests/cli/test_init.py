from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import yaml

from augflow import __version__, generators
from augflow.data import readers
from augflow.data.scenes import SceneFolder
from augflow.stages.prepare import require_fitting
from augflow.stages.runner import STAGES, run_stage
from augflow.study import params
from augflow.study.project import Project
from augflow.study.template import source
from tests import commands

HOME = Path(__file__).parents[2]
PRESETS = [
    "camvid", "cityscapes_128", "cityscapes_256", "folder", "idd_lite",
    "idd_lite_shares", "kitti", "smoke", "streets", "streets_systems",
]  # fmt: skip
MAKES_ITS_OWN = ("smoke", "streets", "streets_systems")
CITY = ("--preset", "cityscapes_128")


run = partial(commands.run, "init")


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


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_a_sound_study(preset):
    assert preset in run("--help").output
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
    if preset not in ("smoke", "streets", "idd_lite_shares") and not study.report.configurations:
        assert swept[0].temperatures == tuple(n / 10 for n in range(11))


def test_presets_are_these_and_streets_is_the_study_of_the_source_tree():
    assert list(source().presets) == PRESETS
    assert source().preset("streets").read_text() == (HOME / "params.yaml").read_text()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_project_keeps_all_of_its_preset_but_the_root_and_what_is_counted_there(preset, project):
    target = project(preset)
    data = params.load(target / "params.yaml").data
    changed = set((target / "params.yaml").read_text().splitlines())
    changed ^= set(source().preset(preset).read_text().splitlines())
    assert all(line.startswith(("  root: ", "  counts: ")) for line in changed)
    if preset not in MAKES_ITS_OWN:
        assert not Path(data.root).is_absolute()
        assert readers.has_layout(target / data.root, data.reader)


@pytest.mark.parametrize("preset", ["smoke", "idd_lite"])
def test_a_project_depends_on_nothing_that_it_lacks(preset, project):
    target = project(preset)
    stages = yaml.safe_load((target / "dvc.yaml").read_text())["stages"]
    ours = yaml.safe_load((HOME / "dvc.yaml").read_text())["stages"]
    assert list(stages) == list(ours)
    for name, stage in stages.items():
        stage = stage.get("do", stage)
        deps = stage["deps"]
        assert deps[0] == "augflow.version"
        assert not any(dep.startswith("augflow/") for dep in deps)
        script = stage["cmd"].split()[1]
        assert (target / script).read_bytes() == (HOME / script).read_bytes(), name
    assert (target / "augflow.version").read_text() == f"augflow {__version__}\n"
    own = preset in MAKES_ITS_OWN
    assert ("data/${names[0].study}/raw" in stages["prepare"]["outs"]) == own
    assert ("${names[0].root}" in stages["prepare"]["deps"]) != own
    assert "data/${names[0].study}/prepared" in stages["prepare"]["outs"]


def test_every_project_is_one_that_dvc_reads(project):
    """One DVC process goes through the projects of all presets, none of them under git."""
    code = (
        "import sys\n"
        "from dvc.repo import Repo\n"
        "for root in sys.argv[1:]:\n"
        "    with Repo(root) as repo:\n"
        "        names = [stage.name for stage in repo.index.stages]\n"
        "        print(len(names), 'prepare' in names, 'report' in names, repo.config['core'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(project, PRESETS)], check=True, capture_output=True,
        text=True, env={**os.environ, "DVC_NO_ANALYTICS": "1"},
    )  # fmt: skip
    for preset, line in zip(PRESETS, done.stdout.splitlines(), strict=True):
        study = params.load(source().preset(preset))
        stages = sum(len(stage.keys(study)) for stage in STAGES.values())
        assert line.startswith(f"{stages} True True"), line
        for told in ("'analytics': False", "'check_update': False", "'no_scm': True"):
            assert told in line


def test_in_or_below_a_git_repository_dvc_works_with_it(tmp_path):
    for repository, target in (("one", "one"), ("two", "two/study")):
        (tmp_path / repository / ".git").mkdir(parents=True)
        target = tmp_path / target
        assert run("--preset", "smoke", target).exit_code == 0
        assert "no_scm" not in (target / ".dvc" / "config").read_text()


def test_the_current_folder_is_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("--preset", "smoke")
    assert result.exit_code == 0
    assert result.stdout.endswith("go on with: augflow repro\n")
    assert (tmp_path / "dvc.yaml").exists()


def test_photographs_in_the_target_are_prepared(four_scenes, tmp_path, monkeypatch):
    shutil.copytree(four_scenes, tmp_path / "photos")
    assert run(*CITY, "--data", tmp_path / "photos", tmp_path).exit_code == 0
    assert params.load(tmp_path / "params.yaml").data.root == "photos"
    monkeypatch.chdir(tmp_path)
    run_stage(Project(), "prepare")
    assert len(SceneFolder(tmp_path / "data/cityscapes_128/prepared", "train")) == 4


def test_odd_names_of_folders_survive(four_scenes, tmp_path):
    data = tmp_path / "my: photos #1 \\1 'ä'"
    shutil.copytree(four_scenes, data)
    target = tmp_path / "study"
    assert run(*CITY, "--data", data, target).exit_code == 0
    assert (target / params.load(target / "params.yaml").data.root).samefile(data)


def test_a_target_with_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    result = run("--preset", "smoke", tmp_path)
    assert (result.exit_code, result.stdout, result.stderr) == (
        2, "", f"augflow: {tmp_path}: holds thesis.tex; name a new or an empty folder\n"
    )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_cannot_be_made_is_refused_in_one_line(four_scenes, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    new = tmp_path / "new"
    for words, said in (
        (("idd_light", new), ("no preset 'idd_light'; known: camvid", "did you mean 'idd_lite'?")),
        (("idd_lite", "--data", four_scenes, new),
         ("no photos at leftImg8bit/*/*/*_image.*, where preset idd_lite looks",
          "it looks like cityscapes")),
        (("kitti", "--data", tmp_path / "nowhere", tmp_path / "full"),
         ("nowhere: no such folder", "holds x; name a new")),
        (("camvid", new), ("preset camvid needs photographs; name their folder with --data",)),
        (("streets", "--data", ".", new), ("paints its own scenes; leave it out",)),
    ):  # fmt: skip
        result = run("--preset", *words)
        assert (result.exit_code, result.stdout) == (2, "")
        [line] = result.stderr.splitlines()
        assert all(part in line for part in said), line
        assert not new.exists()


@pytest.mark.parametrize("name", ["new\nline", "${HOME}", "tab\t", b"\xe9"])
def test_a_folder_whose_name_no_parameter_may_hold_leaves_no_half_project(
    name, four_scenes, tmp_path
):
    data = shutil.copytree(four_scenes, tmp_path / os.fsdecode(name))
    result = run(*CITY, "--data", data, tmp_path / "study")
    assert (result.exit_code, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert "--data " in line
    assert "root: expected the path of a folder" in line
    assert not (tmp_path / "study").exists()


def test_a_project_says_how_many_scenes_there_are_beside_what_was_published(four_scenes, tmp_path):
    result = run(*CITY, "--data", four_scenes, tmp_path / "whole")
    assert params.load(tmp_path / "whole" / "params.yaml").data.expected_counts == {
        "train": 4, "val": 2,
    }  # fmt: skip
    assert "4 train and 2 val scenes; the published set has 2975 train and 500 val" in result.stdout
    root = shutil.copytree(four_scenes, tmp_path / "data")
    next(root.rglob("*_leftImg8bit.png")).unlink()
    result = run(*CITY, "--data", root, tmp_path / "faulty")
    assert params.load(tmp_path / "faulty" / "params.yaml").data.counts is None
    assert "data.counts: not known, as files have faults" in result.stdout
