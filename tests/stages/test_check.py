"""What parameters ask for is looked at before anything is trained, whichever stage is run first."""

from __future__ import annotations

import json

import pytest
import yaml

from augflow.core.errors import ParamsError
from augflow.stages.check import require_possible
from augflow.stages.runner import run_stage
from augflow.study.params import load
from augflow.study.project import Project
from augflow.study.template import source
from tests import commands, tiny_study
from tests.mini_network import MINI
from tests.study.test_params import changed

NEW = {"generator": "flow", "layouts": "train", "temperatures": [0.8]}
NETWORK = tiny_study.PARAMS["judge"]
MISTAKES = {
    "generators.flow: no system 'full_glo'; .*did you mean 'full_glow'": {
        "generators__flow__system": "full_glo"},
    "generators.flow: no preset 'tinny'; .*did you mean 'tiny'": {
        "generators__flow__preset": "tinny"},
    "generators.flow: preset tiny: widht: no such parameter; .*did you mean 'width'": {
        "generators__flow__overrides__widht": 4},
    "generators.flow: preset tiny: width has 3 entries for 2 levels": {
        "generators__flow__overrides__width": [8, 8, 8]},
    "generators.flow: preset tiny: size 36x52: 3 levels need sides divisible by 8": {
        "data__size": [36, 52], "generators__flow__overrides": {}},
    "generators.other: training.memory is reversible, which only flows know": {
        "generators__other": {"system": "pix2pix", "preset": "tiny", "overrides": {"patch": 16},
                              "training": {"steps": 4, "memory": "reversible"}}},
    "generators.other: training.mean_steps is 2, but there is no mean to learn": {
        "generators__other": {"system": "pix2pix", "preset": "tiny", "overrides": {"patch": 16},
                              "training": {"steps": 4, "mean_steps": 2}}},
    "predictors.maps: no preset 'tinny'": {"predictors__maps__preset": "tinny"},
    "predictors.maps: preset tiny: linear_widht: no such": {
        "predictors__maps__overrides__linear_widht": 4},
    "judge: segmenter config 'pspnet_smal' is neither a file .*'pspnet_small'": {
        "judge__config": "pspnet_smal"},
    "judges.own: segmenter config 'x'": {"judges__own__config": "x"},
    "choices.best.segmenter: segmenter config 'x'": {"choices__best__segmenter__config": "x"},
    "retrain.segmenter: program.py: a Python file runs code": {
        "retrain__segmenter__config": "program.py"},
    "retrain.segmenter: broken.json: `model` has no decode_head": {
        "retrain__segmenter__config": "broken.json"},
    "retrain.segmenter: lost.pth: no such file": {"retrain__segmenter__checkpoint": "lost.pth"},
    "score.weights: vgg19.pth: no such file": {
        "score": {"features": "vgg19", "weights": "vgg19.pth"}},
    "sets.extra.new_layouts.boost: no class 'persn'; .*did you mean 'person'": {
        "sets__extra": {**NEW, "new_layouts": {"boost": ["persn"]}}},
    "sets.best.best_of: pix2pix does not know which": {
        "generators__flow": {"system": "pix2pix", "preset": "tiny", "training": {"steps": 4},
                             "overrides": {"patch": 16, "downs": 3}}},
    "data.classes: no classes": {"data__reader": "folder", "data__root": "photos"},
}  # fmt: skip
"""What is said, and of what."""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Lays the tiny study's parameters with some changes, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mini.json").write_text(MINI)
    (tmp_path / "program.py").write_text("raise SystemExit('it was run')")
    (tmp_path / "broken.json").write_text(json.dumps({"model": {"type": "EncoderDecoder"}}))

    def lay(**changes):
        content = changed(tiny_study.PARAMS, **changes)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    lay()
    return lay


@pytest.mark.parametrize("said", MISTAKES)
def test_what_cannot_be_built_or_found_is_told_by_a_stage_that_does_not_need_it(asked, said):
    asked(**MISTAKES[said])
    for stage in ("check", "prepare"):
        with pytest.raises(ParamsError, match=rf"^params\.yaml: .*{said}") as fault:
            run_stage(Project(), stage)
        assert len(str(fault.value).splitlines()) == 1


def test_all_of_it_is_told_at_once(asked):
    asked(generators__flow__system="flow", judge__config="x", predictors__maps__preset="y")
    with pytest.raises(ParamsError) as fault:
        run_stage(Project(), "prepare")
    for said in ("no system 'flow'", "config 'x'", "no preset 'y'"):
        assert said in str(fault.value)


def test_a_misspelt_system_is_told_once_where_a_set_wants_the_best_of_several(asked):
    asked(generators__flow__system="full_glo", sets__more__best_of=2)
    with pytest.raises(ParamsError) as fault:
        run_stage(Project(), "check")
    assert str(fault.value).count("full_glo'") == 1


def test_estimate_and_check_data_tell_it(asked, tmp_path, monkeypatch):
    asked(generators__flow__system="full_glo")
    done = commands.run("estimate", "--no-timing")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no system 'full_glo'" in done.stderr
    monkeypatch.chdir("/")  # files are looked for beside the parameters
    done = commands.run("check-data", "--params", str(tmp_path / "params.yaml"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no system 'full_glo'" in done.stderr
    assert "mini.json" not in done.stderr


@pytest.mark.parametrize("preset", [name for name in source().presets if name != "folder"])
def test_presets_ask_for_nothing_that_cannot_be_had(preset):
    """Classes of `folder` are the user's to fill in."""
    require_possible(load(source().preset(preset)), source().preset(preset))
