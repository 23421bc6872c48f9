"""The raw data set is the one that was prepared, scene by scene, and as large as params say."""

import shutil

import pytest

from augflow.core import io
from augflow.data import readers
from augflow.stages.runner import run_stage
from augflow.study.project import Project
from augflow.verify.records import check_raw_files
from augflow.verify.replay import replay_stage
from augflow.verify.workspace import Workspace
from tests.verify.forging import edit_json, flip, params_with

RECORD = "data/mini/prepared/dataset.json"


def lines(check):
    return [str(violation) for violation in check.violations]


def test_a_study_has_the_raw_files_that_it_was_made_from(space):
    check = check_raw_files(space)
    assert (check.state, check.compared, check.notes) == ("holds", 4, [])


def test_a_validation_scene_that_is_gone_everywhere_alike_is_missed(study):
    data = study.params.data
    scene = readers.read(data).of_split("val")[0]
    for path in (scene.photo, scene.labels, scene.instances):
        (study.root / data.root / path).unlink()
    fewer = readers.read(data)
    edit_json(RECORD, lambda facts: facts.update(
        counts={"train": 6, "val": 3}, content=fewer.digest()
    ))  # fmt: skip
    assert lines(check_raw_files(Workspace(study))) == [
        "data/mini/raw: scenes: expected 6 train and 4 val, got 6 train and 3 val"
    ]


def test_another_byte_of_a_raw_file_is_told_from_the_record(study):
    flip(next((study.root / study.params.data.root).rglob("*_leftImg8bit.png")))
    [line] = lines(check_raw_files(Workspace(study)))
    assert line.startswith("data/mini/raw: content: expected ")


def test_without_raw_files_or_their_digest_nothing_can_be_said(study):
    edit_json(RECORD, lambda facts: facts.pop("content"))
    check = check_raw_files(Workspace(study))
    assert check.state == "cannot be checked"
    assert check.absent == [
        f"{RECORD}: content, the digest of the raw files; run the prepare stage"
    ]
    shutil.rmtree(study.root / study.params.data.root)
    check = check_raw_files(Workspace(study))
    assert (check.state, check.absent) == ("cannot be checked", ["data/mini/raw"])


@pytest.fixture
def faulty(study, four_scenes):
    """The study of photographs of which one is missing and one is no whole file."""
    root = shutil.copytree(four_scenes, study.root / "photos")
    lost, cut, *_ = sorted(root.rglob("train/*/*_leftImg8bit.png"))
    lost.unlink()
    cut.write_bytes(b"")
    data = {"reader": "cityscapes", "root": "photos", "size": [32, 48], "levels": 2}
    params_with(data={**data, "skip_faulty": True, "counts": {"train": 2, "val": 2}})
    run_stage(Project(), "prepare")
    return Project()


def test_what_was_left_out_for_faults_is_looked_at_again(faulty):
    assert len(io.read_json(faulty.prepared_folder / "dataset.json")["left_out"]) == 2
    assert check_raw_files(Workspace(faulty)).state == "holds"
    check = replay_stage(Workspace(faulty), "prepare")
    assert lines(check) == []


def test_a_sound_scene_that_is_said_to_be_faulty_is_found(faulty):
    source = readers.read(faulty.params.data)
    scene = source.of_split("val")[0]
    edit_json(faulty.prepared_folder / "dataset.json", lambda facts: facts["left_out"].append(
        {"scene": scene.name, "faults": [f"{scene.photo}: an empty file"]}
    ))  # fmt: skip
    found = lines(replay_stage(Workspace(faulty), "prepare"))
    assert any("dataset.json: left_out.2.scene" in line for line in found)
    assert lines(check_raw_files(Workspace(faulty)))


def test_a_scene_that_was_spoilt_until_it_was_left_out_is_found(study, four_scenes):
    """Its file is sound again, and all records fit each other."""
    root = shutil.copytree(four_scenes, study.root / "photos")
    scene = next(iter(sorted(root.rglob("val/*/*_leftImg8bit.png"))))
    whole = scene.read_bytes()
    scene.write_bytes(b"")
    data = {"reader": "cityscapes", "root": "photos", "size": [32, 48], "levels": 2}
    params_with(data={**data, "skip_faulty": True, "counts": {"train": 4, "val": 1}})
    run_stage(Project(), "prepare")
    check = check_raw_files(Workspace(Project()))
    name = scene.name.removesuffix("_leftImg8bit.png")
    assert (check.state, check.notes) == ("holds", [f"left out for faults: {name}"])
    scene.write_bytes(whole)
    found = lines(check_raw_files(Workspace(Project())))
    assert f'{RECORD}: left_out.0.scene: expected nothing, got "{name}"' in found
    assert "photos: scenes: expected 4 train and 1 val, got 4 train and 2 val" in found
