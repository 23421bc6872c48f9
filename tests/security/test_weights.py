"""Every door through which weights come in: no program runs, and a lie is one line for the user."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load
from typer.testing import CliRunner

from augflow import generators
from augflow.cli import app
from augflow.core import io
from augflow.core.errors import AugflowError
from augflow.generators import c_glow_predictor
from augflow.metrics.vgg import vgg19
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter, load_mmseg_checkpoint, load_segmenter
from augflow.verify import records
from augflow.verify.check import Check
from tests import small_makers
from tests.generators.test_c_glow_predictor import CONFIG, THREE
from tests.mini_network import MINI
from tests.security import attacks

WEIGHTS = "weights.safetensors"
DOORS = ("generator", "predictor", "segmenter")


class Door:
    """A folder of saved weights and what reads it."""

    def __init__(self, folder, read, key):
        self.folder, self.read, self.key = folder, read, key
        self.good = (folder / WEIGHTS).read_bytes()

    def put(self, raw):
        """Other weights, with the digest that fits them, as somebody who means ill would."""
        path = self.folder / WEIGHTS
        path.write_bytes(raw)
        record = io.read_json(self.folder / "config.json")
        try:
            record[self.key] = generators.weights_digest(load(raw))
        except (SafetensorError, KeyError, TypeError):
            record[self.key] = "0" * 16
        (self.folder / "config.json").write_text(json.dumps(record))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A generator, a predictor and a judge, as training leaves them."""
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("saved")
    small_makers.save("plain", root)
    predictor = c_glow_predictor.CGlowPredictor(CONFIG, THREE)
    generators.save(root / "predictor", c_glow_predictor.NAME, predictor, {})
    (root / "mini.json").write_text(MINI)
    MmsegSegmenter(read_config(str(root / "mini.json"), 3), ("a", "b", "c")).save(root / "judge")
    return root


@pytest.fixture
def door(saved, tmp_path, request):
    """A copy of the folder that the test's first parameter names."""
    name, read, key = {
        "generator": ("plain", generators.load_unchecked, "weights"),
        "predictor": ("predictor", c_glow_predictor.load, "weights"),
        "segmenter": ("judge", load_segmenter, "digest"),
    }[request.param]
    shutil.copytree(saved / name, tmp_path / name)
    return Door(tmp_path / name, read, key)


def refused(act, *named):
    """Runs what has to be refused; the words of its one line."""
    with pytest.raises(AugflowError) as fault:
        act()
    (line,) = str(fault.value).splitlines()
    assert all(str(name) in line for name in named)
    assert "; " in line
    return line


every_door = pytest.mark.parametrize("door", DOORS, indirect=True)


@every_door
def test_weights_that_are_spoiled_or_another_networks_are_refused(door):
    """What else a file of weights may not be, `core/test_tensors.py` says."""
    lies, misfits = attacks.lies(door.good), attacks.misfits(door.good)
    for lie in ("truncated", "huge_shape", "not_a_number"):
        door.put(lies[lie])
        refused(lambda: door.read(door.folder), door.folder)
    for misfit in misfits.values():
        door.put(misfit)
        refused(lambda: door.read(door.folder), door.folder / WEIGHTS, "do not fit")
    door.put(attacks.retyped(door.good, torch.float64))
    refused(lambda: door.read(door.folder), door.folder / WEIGHTS)
    (door.folder / WEIGHTS).unlink()
    (door.folder / WEIGHTS).mkdir()
    refused(lambda: door.read(door.folder), door.folder / WEIGHTS)


@every_door
def test_a_program_in_the_place_of_weights_does_not_run(door, tmp_path):
    trace = tmp_path / "ran"
    for program in attacks.programs(trace).values():
        door.put(program)
        refused(lambda: door.read(door.folder), door.folder / WEIGHTS)
    assert not trace.exists()


def test_a_program_in_the_place_of_a_checkpoint_or_of_features_does_not_run(saved, tmp_path):
    trace, judge = tmp_path / "ran", load_segmenter(saved / "judge")
    for program in attacks.programs(trace).values():
        for name in ("own.pth", "own.safetensors"):
            path = tmp_path / name
            path.write_bytes(program)
            refused(lambda path=path: vgg19(path), path)
        path = tmp_path / "own.pth"
        refused(lambda path=path: load_mmseg_checkpoint(judge, str(path)), path)
    assert not trace.exists()


@pytest.mark.parametrize("door", ["generator"], indirect=True)
def test_verify_finds_a_program_and_does_not_run_it(door, tmp_path):
    trace = tmp_path / "ran"
    for raw in (*attacks.programs(trace).values(), *attacks.lies(door.good).values()):
        (door.folder / WEIGHTS).write_bytes(raw)
        check = Check("models")
        with check.reading(door.folder):
            records._read_network(check, door.folder, steps=0)
        assert len(check.violations) == 1
    assert not trace.exists()


@pytest.mark.parametrize("door", ["generator"], indirect=True)
def test_commands_end_with_one_line_and_exit_code_2(door, tmp_path, prepared):
    trace = tmp_path / "ran"
    layouts = str(prepared / "val" / "classes")
    for raw in attacks.programs(trace).values():
        (door.folder / WEIGHTS).write_bytes(raw)
        own = tmp_path / "own.pth"
        own.write_bytes(raw)
        for words in (
            ("synth", "--layouts", layouts, "--generator", str(door.folder), "--out", "made"),
            ("import-weights", str(own), "--from", "pix2pix", "--out", "made"),
            ("import-weights", str(own), "--from", "glow2", "--out", "made"),
        ):
            done = CliRunner().invoke(app, words)
            assert done.exit_code == 2, done.output
            (line,) = done.stderr.splitlines()
            assert line.startswith("augflow: ")
    assert not trace.exists()
