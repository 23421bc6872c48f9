"""`augflow import-weights`: a folder that the other commands read, or one line and exit code 2."""

from functools import partial

import torch

from augflow import generators
from augflow.data.classes import table
from tests import commands
from tests.tools.checkpoints import test_glow2, test_pix2pix

run = partial(commands.run, "import-weights")


def test_a_full_glow_can_be_loaded_afterwards(tmp_path):
    torch.set_num_threads(1)
    path = test_glow2.checkpoint(tmp_path, test_glow2.state_dict(maps=3))
    done = run(path, "--from", "glow2", "--out", tmp_path / "made", "--size", "20x24",
               "--boundary", "v2")  # fmt: skip
    assert done.exit_code == 0, done.output
    made = generators.load_unchecked(tmp_path / "made")
    assert made.size == (20, 24)
    assert made.config.boundary == "v2"
    assert made.table == table("cityscapes")


def test_a_pix2pix_can_be_loaded_afterwards_and_is_replaced_if_asked(tmp_path):
    path = test_pix2pix.saved(tmp_path, test_pix2pix.state_dict("batch"))
    words = (path, "--from", "pix2pix", "--out", tmp_path / "made", "--size", "64x64",
             "--classes", "idd_lite")  # fmt: skip
    for asked in ((), ("--overwrite",)):
        done = run(*words, *asked)
        assert done.exit_code == 0, done.output
        assert "give --overwrite to replace it, or another" in run(*words).stderr
    made = generators.load_unchecked(tmp_path / "made")
    assert made.table == table("idd_lite")
    assert made.latents == "dropout"


def test_faults_are_one_line_and_nothing_is_written(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(b"nothing")
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    good = test_pix2pix.saved(tmp_path, test_pix2pix.state_dict("batch"))
    for words, message in (
        ((path, "--from", "pix2pix", "--out", tmp_path / "made"), "x.pth"),
        ((path, "--from", "glow2", "--out", tmp_path / "made", "--size", "20"), "--size"),
        ((path, "--from", "glow2", "--out", tmp_path / "made", "--classes", "city"), "cityscapes"),
        ((good, "--from", "pix2pix", "--out", other, "--size", "64x64"), "thesis.txt"),
    ):
        done = run(*words)
        assert done.exit_code == 2
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "made").exists()
    assert (other / "thesis.txt").read_text() == "mine"
