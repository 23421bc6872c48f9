"""Two processes, started by torchrun, train as one does: weights, numbers, files, faults."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from augflow.core import io
from tests import two_ranks


def torchrun(*words, cwd=None):
    """Runs a module in two processes; what they print is kept."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [sys.executable, *launcher, *map(str, words)], cwd=cwd, capture_output=True, text=True,
        timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def out(prepared, tmp_path_factory):
    """What two processes left."""
    root = tmp_path_factory.mktemp("two")
    done = torchrun("-m", "tests.two_ranks", prepared, root)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def alone(prepared, tmp_path_factory):
    """The same trainings by one process."""
    root = tmp_path_factory.mktemp("one")
    for system in two_ranks.SYSTEMS:
        two_ranks.trained_on(prepared, root, system)
    for system in two_ranks.OTHERS:
        two_ranks.fitted(system, root / system / "run", 3)
    return root


def state(root, system):
    return load_file(root / system / "run" / "state.safetensors")


def said(out, trial):
    return [(out / f"{trial}.{rank}.txt").read_text() for rank in (0, 1)]


@pytest.mark.parametrize("system", [*two_ranks.SYSTEMS, *two_ranks.OTHERS])
def test_two_ranks_end_with_the_weights_of_one(system, out, alone):
    """Adam turns the rounding of a gradient that is nearly 0 into a step of any length below its
    rate, so weights are held to a share of that, and what the gradients came to more tightly."""
    ours, theirs = state(out, system), state(alone, system)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        kind, scale = name.split(".")[0], float(theirs[name].abs().max())
        error = float((value - theirs[name]).abs().max())
        bound = 1e-3 * scale
        if kind in ("weights", "average"):
            bound += 0.05 * two_ranks.TRAINING["learning_rate"]
        assert error <= bound, name


@pytest.mark.parametrize("system", two_ranks.SYSTEMS)
def test_the_history_is_that_of_the_whole_batches(system, out, alone):
    ours, theirs = (io.read_csv(root / system / "made/history.csv") for root in (out, alone))
    assert len(ours) == two_ranks.TRAINING["steps"]
    for one, other in zip(ours, theirs, strict=True):
        for name, value in one.items():
            if name == "round_trip":  # nothing but rounding
                continue
            assert (value == "") == (other[name] == "")
            if value:
                assert float(value) == pytest.approx(float(other[name]), rel=1e-3, abs=1e-6), name


def test_the_first_rank_alone_holds_the_run_and_writes(out):
    first, second = said(out, "written")
    assert "held run" in first
    for name in ("next.safetensors", "weights.safetensors", "history.csv", "step_000003.png"):
        assert f"wrote {name}" in first
    assert second == ""


def test_one_process_goes_on_where_two_stopped(out, tmp_path):
    whole, history = two_ranks.fitted("full_glow ours", tmp_path / "whole", 6)
    resumed, again = two_ranks.fitted("full_glow ours", out / "stopped", 6)
    assert [row["step"] for row in again] == [row["step"] for row in history] == [1, 2, 3, 4, 5, 6]
    for one, other in zip(again, history, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
    ours, theirs = resumed.state(), whole.state()
    for name in (key for key in ours if key.startswith("adam.exp_avg.")):
        scale = float(theirs[name].abs().max())
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-3 * scale, rtol=0, msg=name)


def test_a_rank_out_of_memory_ends_both_with_what_to_do(out):
    first, second = said(out, "memory")
    assert first == second
    assert first == (
        "ModelError: step 1: out of memory with 2 rows at once (batch_size 3, micro_batch null; "
        "0.01 GiB by the estimate, 0.01 GiB were free): set training.micro_batch to 1, the largest "
        "that fits by the estimate"
    )


def test_rows_of_one_rank_that_are_not_finite_end_both_with_the_layer(out):
    first, second = said(out, "nan")
    assert first == second
    assert first.startswith("ModelError: step 0: the loss is nan, first seen in target.levels.0.")


def test_a_mistake_of_one_rank_ends_both(out):
    first, second = said(out, "mistake")
    assert first == second
    assert first.startswith("RuntimeError: rank 1: TypeError: ")


def test_a_fault_of_what_only_the_first_rank_does_ends_both(out):
    assert said(out, "watch") == ["DataError: the disk is full"] * 2


def test_a_batch_has_a_row_for_every_rank(out):
    first, second = said(out, "small")
    assert first == second
    assert "training.batch_size is 1, but 2 processes train" in first
