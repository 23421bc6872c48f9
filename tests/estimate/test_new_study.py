"""A new project for a folder of photographs: parameters that fit, and that one can read."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from augflow.core.errors import DataError
from augflow.estimate import new_study
from augflow.estimate.new_study import MOST_LINES, create_planned, look_at, params_text
from augflow.estimate.plan import DESIGNS, Photos, Plan
from augflow.stages.check import require_possible
from augflow.study.params import load
from streetscenes import write_streets
from tests.commands import run
from tests.estimate.test_plan import speeds  # noqa: F401 - a fixture


@pytest.fixture
def folder(tmp_path):
    """Ten photographs with as many classes as asked for."""

    def made(classes):
        ids = (np.arange(64 * 96) * classes // (64 * 96)).reshape(64, 96).astype(np.uint8)
        for number in range(10):
            for kind, pixels, ending in (("images", np.zeros((64, 96, 3), np.uint8), "jpg"),
                                         ("labels", ids, "png")):  # fmt: skip
                path = tmp_path / "own" / kind / f"{number}.{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
        return tmp_path / "own"

    return made


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("classes", [2, 7, 12, 40])
def test_parameters_are_sound_and_at_most_sixty_lines(folder, tmp_path, classes, design):
    photographs = look_at(folder(classes))
    plan = Plan((64, 96), design, 1.0, Photos(7, 3, photographs.usual_size))
    boost = ["class_1"] if design.new else []
    text = params_text(photographs, plan, boost, "1h", tmp_path / "p")
    path = tmp_path / "params.yaml"
    path.write_text(text)
    params = load(path)
    require_possible(params, path)
    assert len(text.splitlines()) <= MOST_LINES
    assert len(params.data.classes) == classes
    assert len(params.arms) == design.arms
    assert params.data.counts.model_dump() == {"train": 7, "val": 3}
    assert params.data.val_fraction == 0.3
    assert all(line == line.rstrip() for line in text.splitlines())


def test_classes_stand_a_line_each_with_their_share_where_there_is_room(folder, tmp_path):
    photographs = look_at(folder(4))
    plan = Plan((64, 96), DESIGNS[0], 1.0, Photos(7, 3, (64, 96)))
    text = params_text(photographs, plan, [], "1h", tmp_path)
    assert "    - {name: class_3, id: 3, colour: [" in text
    assert text.count("]}  # 25.0%\n") == 4


def test_a_plan_that_turns_out_longer_than_its_budget_is_shortened(folder, tmp_path, monkeypatch):
    steps = []

    def estimated(project):
        steps.append(project.params.retrain.segmenter.steps)
        return SimpleNamespace(total=SimpleNamespace(seconds=10 * steps[-1]))

    monkeypatch.setattr(new_study, "estimate_study", estimated)
    found, estimate = create_planned(look_at(folder(3)), 3000.0, "50min", tmp_path / "p")
    assert len(steps) >= 2
    assert steps == sorted(steps, reverse=True)
    assert estimate.total.seconds <= 3000
    assert load(tmp_path / "p" / "params.yaml").retrain.segmenter.steps == found.arm_steps


def test_no_more_scenes_are_used_than_can_be_prepared_in_time(tmp_path, monkeypatch):
    write_streets(tmp_path / "own", {"train": 30, "val": 4}, (64, 96), 0)
    fake = SimpleNamespace(total=SimpleNamespace(seconds=1.0))
    monkeypatch.setattr(new_study, "estimate_study", lambda _: fake)
    slow = replace(look_at(tmp_path / "own"), seconds=8.0)
    create_planned(slow, 3600.0, "1h", tmp_path / "p")
    data = load(tmp_path / "p" / "params.yaml").data
    assert data.limit == 22
    assert data.counts.model_dump() == {"train": 22, "val": 4}


def test_nothing_is_written_where_the_budget_is_too_small_or_the_target_is_taken(folder, tmp_path):
    own = folder(3)
    done = run("init", "--data", own, "--budget", "1s", tmp_path / "p")
    assert done.exit_code == 2
    assert "give --budget" in done.stderr
    assert not (tmp_path / "p").exists()
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "mine.txt").write_text("")
    done = run("init", "--data", own, tmp_path / "p")
    assert done.exit_code == 2
    assert "holds mine.txt" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name the folder of your photographs with --data, or a --preset"),
        (("--preset", "smoke", "--budget", "1h"), "--preset and --budget"),
        (("--data", ".", "--budget", "soon"), "--budget soon: expected a time such as 10min"),
        (("--data", ".", "--budget", "0h"), "--budget 0h: expected a time"),
        (("--data", "nowhere"), "nowhere: no such folder"),
    ],
)
def test_what_cannot_be_meant_is_one_line(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("init", *words, tmp_path / "p")
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_init_says_what_it_has_recognised_and_what_it_leaves_out(folder, tmp_path, monkeypatch):
    fake = SimpleNamespace(total=SimpleNamespace(seconds=1200.0))
    monkeypatch.setattr(new_study, "estimate_study", lambda _: fake)
    done = run("init", "--data", folder(3), "--budget", "30min", tmp_path / "p")
    assert done.exit_code == 0, done.stderr
    for said in ("plain folders (10 files of labels/", "10 photographs (10 of 64x96): 7 train",
                 "3 classes", "planned for 30min: ", "about 20 min by augflow estimate",
                 "left out: ", "classes are guessed", "go on with: cd "):  # fmt: skip
        assert said in done.stdout
    assert (tmp_path / "p" / "pipelines" / "params.schema.json").is_file()


def test_only_classes_whose_objects_can_be_pasted_are_boosted(tmp_path):
    write_streets(tmp_path, {"train": 12, "val": 4}, (128, 192), 0)
    photographs = look_at(tmp_path)
    assert "pole" in new_study._pasted(photographs, (64, 96))
    rare = replace(photographs, shares={"road": 0.01, "sky": 0.02})
    assert new_study._pasted(rare, (64, 96)) == []


def test_one_photograph_is_too_few(folder):
    own = folder(2)
    for number in range(1, 10):
        (own / f"images/{number}.jpg").unlink()
    with pytest.raises(DataError, match="1 scenes with photo and labels, expected two at least"):
        look_at(own)
