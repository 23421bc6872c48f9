"""Every door through which weights come in: no program runs, and a lie is one line for the user."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from typer.testing import CliRunner

from augflow import generators
from augflow.cli import app
from augflow.core import io
from augflow.core.errors import AugflowError
from augflow.generators import c_glow_predictor
from augflow.metrics.vgg import vgg19
from augflow.segmentation.checkpoint import load_mmseg_checkpoint
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter, load_segmenter
from augflow.verify import records
from augflow.verify.check import Check
from tests import small_makers
from tests.generators.test_c_glow_predictor import CONFIG, THREE
from tests.mini_network import MINI
from tests.security import attacks

PROGRAMS = ("pickle", "torch", "torch_legacy")
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


def cases(*names):
    """Every door with every case."""
    return [(door, name) for door in DOORS for name in names]


SPOILED = [name for name in attacks.lies(save({"a": torch.ones(2)}))]


@pytest.mark.parametrize(("door", "lie"), cases(*SPOILED), indirect=["door"])
def test_a_spoiled_file_is_refused(door, lie):
    door.put(attacks.lies(door.good)[lie])
    refused(lambda: door.read(door.folder), door.folder)


@pytest.mark.parametrize(
    ("door", "misfit"), cases("foreign", "missing", "empty_dict", "wrong_shape"), indirect=["door"]
)
def test_weights_of_another_network_are_refused(door, misfit):
    door.put(attacks.misfits(door.good)[misfit])
    refused(lambda: door.read(door.folder), door.folder / WEIGHTS, "do not fit")


@pytest.mark.parametrize(("door", "kind"), cases("float64"), indirect=["door"])
def test_weights_of_another_type_are_refused(door, kind):
    door.put(attacks.retyped(door.good, getattr(torch, kind)))
    refused(lambda: door.read(door.folder), door.folder / WEIGHTS)


@pytest.mark.parametrize(("door", "what"), cases("folder"), indirect=["door"])
def test_a_folder_in_the_place_of_weights_is_refused(door, what):
    (door.folder / WEIGHTS).unlink()
    (door.folder / WEIGHTS).mkdir()
    refused(lambda: door.read(door.folder), door.folder / WEIGHTS)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("door", DOORS, indirect=True)
def test_a_program_in_the_place_of_weights_does_not_run(door, program, tmp_path):
    trace = tmp_path / "ran"
    door.put(attacks.programs(trace)[program])
    refused(lambda: door.read(door.folder), door.folder / WEIGHTS)
    assert not trace.exists()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_in_the_place_of_a_checkpoint_does_not_run(saved, tmp_path, program):
    path, trace = tmp_path / "own.pth", tmp_path / "ran"
    path.write_bytes(attacks.programs(trace)[program])
    judge = load_segmenter(saved / "judge")
    refused(lambda: load_mmseg_checkpoint(judge, str(path)), path)
    assert not trace.exists()


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", ["vgg.pth", "vgg.safetensors"])
def test_a_program_in_the_place_of_features_does_not_run(tmp_path, program, name):
    path, trace = tmp_path / name, tmp_path / "ran"
    path.write_bytes(attacks.programs(trace)[program])
    refused(lambda: vgg19(path), path)
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
