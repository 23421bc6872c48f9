"""`augflow check-leaks`: exit codes, the table, and what is looked at."""

import shutil
from functools import partial

import pytest

from augflow.core import io
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import NewPhoto, SetFacts, write_set
from augflow.stages.runner import run_stage
from augflow.study.project import Project
from tests import commands, tiny_study

run = partial(commands.run, "check-leaks")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A project with prepared scenes and a set that an arm is trained on."""
    root = tmp_path_factory.mktemp("done")
    tiny_study.write_params(root, tiny_study.PARAMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        project = Project()
        run_stage(project, "prepare")
        write(project, "more", "train", 4)
    return root


@pytest.fixture
def project(done, tmp_path, monkeypatch):
    shutil.copytree(done, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return Project()


def write(project, name, split, count):
    """Photographs that are the mirror images of those whose layouts they are made for."""
    scenes = SceneFolder(project.prepared_folder, split)
    facts = SetFacts(name, "feed", (0.8,), 1, scenes.table, scenes.size)
    batch = scenes.scenes(range(count))
    write_set(project.synthetic(name), facts, [
        NewPhoto(
            f"{scenes.names[row]}_r0", scenes.names[row], split, "a", temperature=0.8,
            image=batch.image[row].permute(1, 2, 0).flip(1).numpy(),
            classes=batch.layout.classes[row].numpy(),
        )
        for row in range(count)
    ])  # fmt: skip


def test_a_sound_project_exits_0_and_says_so(project):
    result = run()
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("no leaks\n")
    [row] = [line for line in result.stdout.splitlines() if " more " in line]
    assert row.split()[-2] == "4"


def test_leaks_exit_1_and_stand_in_the_table(project):
    shutil.rmtree(project.synthetic("more"))
    write(project, "more", "val", 2)
    result = run("--out", "found.json")
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if "layout of" in line]
    assert len(lines) == 2
    names = SceneFolder(project.prepared_folder, "val").names
    assert names[0] in lines[0]
    leaks = io.read_json(project.root / "found.json")["leaks"]
    assert result.stdout.count("more") >= 2
    assert f"{len(leaks)} leaks" in result.stdout


def test_what_is_not_there_yet_is_told(project):
    shutil.rmtree(project.synthetic("more"))
    result = run()
    assert result.exit_code == 0
    assert "more: not there yet, so not looked at" in result.stdout
    shutil.rmtree(project.prepared_folder)
    missing = run()
    assert missing.exit_code == 2
    assert "run `dvc repro prepare` first" in missing.stderr
