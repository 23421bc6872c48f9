"""How many rows `training.micro_batch: auto` takes, and that nothing but rounding depends on it."""

import logging

import pytest
from safetensors.torch import load_file

from augflow.core import hardware
from augflow.core.distributed import Ranks
from augflow.core.errors import ModelError
from augflow.stages import train as stage
from augflow.stages.train import train
from augflow.study.params import GeneratorParams

TRAINING = {
    "steps": 2, "batch_size": 4, "learning_rate": 1e-3, "init_scenes": 4, "sample_every": 2,
}  # fmt: skip
SMALL = {"steps": [1, 1, 1], "width": 8, "source_width": 8, "condition_width": 8}


def made(prepared, root, micro_batch, system="full_glow", overrides=SMALL):
    """The weights of a training, under the choice of rows."""
    section = GeneratorParams(
        system=system, preset="tiny", overrides=overrides,
        training={**TRAINING, "micro_batch": micro_batch},
    )  # fmt: skip
    where = root / str(micro_batch)
    train("g", section, prepared, where, run=root / f"run {micro_batch}", threads=1)
    return load_file(where / "weights.safetensors")


def free(monkeypatch, rows):
    """As much free memory as so many rows may fill, by an estimate of 100 bytes a row."""

    def needed(generator, batch):
        return type("Memory", (), {"total": 100 * batch})

    monkeypatch.setattr(stage, "step_memory", needed)
    monkeypatch.setattr(hardware, "free_memory", lambda device: int(100 * rows / 0.8) + 1)


@pytest.mark.parametrize(("room", "taken"), [(0.5, 1), (3, 3), (50, 4)])
def test_auto_takes_as_many_rows_as_fit_and_says_so(room, taken, prepared, tmp_path, monkeypatch,
                                                    caplog):  # fmt: skip
    free(monkeypatch, room)
    with caplog.at_level(logging.INFO, "augflow"):
        made(prepared, tmp_path, "auto")
    assert f"training.micro_batch: auto takes {taken} of 4 rows at once (" in caplog.text


@pytest.mark.parametrize(("factors", "share"), [(0, 0.05), (6, 0.1)])
def test_the_weights_are_those_of_whole_batches(prepared, tmp_path, monkeypatch, factors, share):
    """But for Adam's steps along gradients near 0: factors round more, as they cancel more."""
    given = {"overrides": {**SMALL, "factors": factors}}
    whole = made(prepared, tmp_path, None, **given)
    free(monkeypatch, 1)
    for micro_batch in ("auto", 3):
        parted = made(prepared, tmp_path, micro_batch, **given)
        assert parted.keys() == whole.keys()
        for name, value in parted.items():
            error = float((value - whole[name]).abs().max())
            assert error <= 1e-4 * float(whole[name].abs().max()) + share * 1e-3, name


def test_auto_leaves_batches_whole_that_batch_norm_looks_at(prepared, tmp_path, monkeypatch,
                                                            caplog):  # fmt: skip
    free(monkeypatch, 1)
    overrides = {"downs": 3, "patch": 16, "norm": "batch"}
    with caplog.at_level(logging.INFO, "augflow"):
        made(prepared, tmp_path, "auto", "pix2pix", overrides)
    assert "auto takes 4 of 4 rows at once (batch norm looks at the whole batch" in caplog.text


def test_the_estimate_of_a_small_flow_is_of_its_size(prepared, tmp_path, monkeypatch, caplog):
    """The real estimate beside the real free memory: everything fits."""
    with caplog.at_level(logging.INFO, "augflow"):
        made(prepared, tmp_path, "auto")
    assert "auto takes 4 of 4 rows at once (0.0" in caplog.text
    assert "GiB by the estimate" in caplog.text


def test_processes_of_one_machine_share_its_memory(monkeypatch):
    monkeypatch.setattr(hardware, "free_memory", lambda device: 1000)
    assert stage.free_for(Ranks(beside=4)) == 250


def test_a_step_that_does_not_fit_ends_in_one_line(prepared, tmp_path, monkeypatch):
    free(monkeypatch, 3)

    def greedy(self, parts, losses):
        raise MemoryError

    monkeypatch.setattr("augflow.training.learner.GeneratorLearner._accumulate_gradients", greedy)
    with pytest.raises(ModelError, match=r"with 4 rows at once .*micro_batch to 3,"):
        made(prepared, tmp_path, None)
