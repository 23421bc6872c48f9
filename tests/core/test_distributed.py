"""What a training runs on, and two processes, started by torchrun, that train as one does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from augflow.core import distributed, io
from augflow.core.distributed import ALONE, Devices, requested_devices, start
from augflow.core.errors import ParamsError
from tests import two_ranks
from tests.two_ranks import fitted


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
    rate, so weights are held to a share of that, and what the gradients came to more tightly.
    Full-Glow has factors, which round more."""
    share = 0.1 if system == "full_glow" else 0.05
    ours, theirs = state(out, system), state(alone, system)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        kind, scale = name.split(".")[0], float(theirs[name].abs().max())
        error = float((value - theirs[name]).abs().max())
        bound = 1e-3 * scale
        if kind in ("weights", "average"):
            bound += share * two_ranks.TRAINING["learning_rate"]
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


@pytest.mark.parametrize(("trial", "words"), [
    ("memory", "ModelError: step 1: out of memory with 2 rows at once (batch_size 3, micro_batch "
     "null; 0.01 GiB by the estimate, 0.01 GiB were free): set training.micro_batch to 1, the "
     "largest that fits by the estimate"),
    ("nan", "ModelError: step 0: the loss is nan, first seen in target.levels.0."),
    ("mistake", "RuntimeError: rank 1: TypeError: "),
    ("watch", "DataError: the disk is full"),
    ("small", "training.batch_size is 1, but 2 processes train"),
])  # fmt: skip
def test_a_fault_of_one_rank_ends_both_with_what_to_do(out, trial, words):
    first, second = said(out, trial)
    assert first == second
    assert words in first


@pytest.fixture(autouse=True)
def nothing_is_told(monkeypatch):
    """An environment that says nothing of devices, launchers or machines."""
    names = ("AUGFLOW_ACCELERATOR", "AUGFLOW_DEVICES", "AUGFLOW_NODES", "LT_ACCELERATOR",
             "LT_STRATEGY", "LT_CLI_USED", "TORCHELASTIC_RUN_ID", "LOCAL_WORLD_SIZE", "WORLD_SIZE",
             "MASTER_ADDR", "NODE_RANK", "SLURM_NTASKS")  # fmt: skip
    for name in names:
        monkeypatch.delenv(name, raising=False)


def gpus(monkeypatch, count):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_by_default_one_process_trains_on_the_processor():
    assert requested_devices() == Devices("cpu", 1, 1)
    assert start(requested_devices(), "float32") is ALONE


def test_options_come_before_the_environment(monkeypatch):
    monkeypatch.setenv("LT_ACCELERATOR", "cuda")
    assert requested_devices() == Devices("cuda", 1, 1)
    monkeypatch.setenv("AUGFLOW_DEVICES", "4")
    assert requested_devices() == Devices("cuda", 4, 1)
    assert requested_devices("auto", 2, 3) == Devices("auto", 2, 3)
    monkeypatch.setenv("AUGFLOW_DEVICES", "two")
    with pytest.raises(ParamsError, match="expected a number from 1 on, got 'two'"):
        requested_devices()


def test_what_a_launcher_started_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert requested_devices() == requested_devices(devices=4, nodes=2) == Devices("cpu", 4, 2)
    with pytest.raises(ParamsError, match="--devices is 2, but the launcher started 4: leave it"):
        requested_devices(devices=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accelerator": "cida"}, "no 'cida'; known: cpu, cuda, auto; did you mean 'cuda'"),
        ({"devices": 0}, r"--devices \(AUGFLOW_DEVICES\): expected a number from 1 on, got '0'"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, message):
    with pytest.raises(ParamsError, match=message):
        requested_devices(**options)


def test_what_is_not_there_is_named_but_auto_takes_the_processor(monkeypatch):
    with pytest.raises(ParamsError, match="--nodes is 2, but this machine knows no other"):
        start(Devices("cpu", 1, 2), "float32")
    gpus(monkeypatch, 0)
    assert start(Devices("auto"), "float32") is ALONE
    with pytest.raises(ParamsError, match="cuda, but there is no GPU that torch can use; take cpu"):
        start(Devices("cuda"), "float32")
    gpus(monkeypatch, 2)
    with pytest.raises(ParamsError, match="--devices is 3, but this machine has 2 for cuda"):
        start(Devices("cuda", 3), "float32")


def test_a_process_by_itself_goes_by_the_environment(monkeypatch):
    gpus(monkeypatch, 1)
    assert distributed.device().type == "cpu"
    for wanted in ("auto", "cuda"):
        monkeypatch.setenv("AUGFLOW_ACCELERATOR", wanted)
        assert distributed.device().type == "cuda"
    monkeypatch.setenv("AUGFLOW_DEVICES", "4")  # of the trainings that know how to share
    assert distributed.device().type == "cuda"
    gpus(monkeypatch, 0)
    with pytest.raises(ParamsError, match="there is no GPU that torch can use"):
        distributed.device()


def test_a_gpu_that_nobody_asked_for_is_told_of_once(monkeypatch, caplog):
    gpus(monkeypatch, 1)
    distributed._tell_of_gpu.cache_clear()
    with caplog.at_level("INFO", logger="augflow"):
        distributed.device()
        distributed.device()
        distributed.requested_devices("cpu")
    (told,) = caplog.messages
    assert "AUGFLOW_ACCELERATOR=auto" in told


def test_fabric_is_given_device_and_precision(monkeypatch):
    given = {}

    class Fabric:
        device, global_rank, world_size = torch.device("cuda", 0), 0, 1

        def __init__(self, **settings):
            given.update(settings)

        def launch(self):
            given["launched"] = True

    gpus(monkeypatch, 1)
    monkeypatch.setattr("lightning_fabric.Fabric", Fabric)
    monkeypatch.setattr(distributed.seeding, "exact", lambda: given.update(exact=True))
    ranks = start(Devices("auto"), "bfloat16")
    assert given == {
        "accelerator": "cuda", "strategy": "auto", "devices": 1, "num_nodes": 1,
        "precision": "bf16-mixed", "launched": True, "exact": True,
    }  # fmt: skip
    assert (ranks.device, ranks.count, ranks.is_main) == (torch.device("cuda", 0), 1, True)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_fabrics_precision_is_that_of_one_process(precision):
    from lightning_fabric import Fabric

    from augflow.core.distributed import Ranks

    fabric = Fabric(
        accelerator="cpu", devices=1, precision=distributed._FABRIC_PRECISION[precision]
    )
    a, b = torch.randn(4, 4), torch.randn(4, 4)
    made = []
    for ranks in (ALONE, Ranks(fabric)):
        with ranks.autocast(precision, torch.device("cpu")):
            made.append(a @ b)
    assert torch.equal(*made)
    assert made[0].dtype == {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]


@pytest.mark.gpu
@pytest.mark.parametrize("system", ["full_glow ours", "caglow", "imle", "pix2pix batch"])
def test_a_gpu_ends_near_where_the_processor_does(system, tmp_path):
    (ours, _), (theirs, _) = (
        fitted(system, tmp_path / where, 3, start(Devices(where), "float32"))
        for where in ("cuda", "cpu")
    )
    assert ours.device.type == "cuda"
    for name, value in theirs.state().items():
        if name.startswith("adam.exp_avg."):
            error = float((ours.state()[name].cpu() - value).abs().max())
            assert error <= 1e-2 * float(value.abs().max()), name
