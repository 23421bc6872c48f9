"""What a training runs on: options before the environment, and plain words where it cannot be."""

import pytest
import torch

from augflow.core import devices
from augflow.core.devices import Devices, asked, start
from augflow.core.distributed import ALONE
from augflow.core.errors import ParamsError
from tests.two_ranks import fitted


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
    assert asked() == Devices("cpu", 1, 1)
    assert start(asked(), "float32") is ALONE


def test_options_come_before_the_environment(monkeypatch):
    monkeypatch.setenv("AUGFLOW_ACCELERATOR", "cuda")
    monkeypatch.setenv("AUGFLOW_DEVICES", "4")
    assert asked() == Devices("cuda", 4, 1)
    assert asked("auto", 2, 3) == Devices("auto", 2, 3)


def test_what_a_launcher_started_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert asked() == asked(devices=4, nodes=2) == Devices("cpu", 4, 2)
    with pytest.raises(ParamsError, match="--devices is 2, but the launcher started 4: leave it"):
        asked(devices=2)


def test_fabric_run_tells_the_accelerator(monkeypatch):
    monkeypatch.setenv("LT_ACCELERATOR", "cuda")
    assert asked().accelerator == "cuda"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accelerator": "cida"}, "no 'cida'; known: cpu, cuda, auto; did you mean 'cuda'"),
        ({"devices": 0}, r"--devices \(AUGFLOW_DEVICES\): expected a number from 1 on, got '0'"),
        ({"nodes": -1}, r"--nodes \(AUGFLOW_NODES\): expected a number from 1 on, got '-1'"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, message):
    with pytest.raises(ParamsError, match=message):
        asked(**options)


def test_a_number_in_the_environment_is_checked_too(monkeypatch):
    monkeypatch.setenv("AUGFLOW_DEVICES", "two")
    with pytest.raises(ParamsError, match="expected a number from 1 on, got 'two'"):
        asked()


def test_gpus_that_are_not_there_are_named(monkeypatch):
    gpus(monkeypatch, 0)
    with pytest.raises(ParamsError, match="cuda, but there is no GPU that torch can use; take cpu"):
        start(Devices("cuda"), "float32")
    gpus(monkeypatch, 2)
    with pytest.raises(ParamsError, match="--devices is 3, but this machine has 2 for cuda"):
        start(Devices("cuda", 3), "float32")


def test_auto_takes_the_processor_where_there_is_no_gpu(monkeypatch):
    gpus(monkeypatch, 0)
    assert start(Devices("auto"), "float32") is ALONE


def test_a_process_by_itself_goes_by_the_environment(monkeypatch):
    gpus(monkeypatch, 1)
    assert devices.device().type == "cpu"
    for wanted in ("auto", "cuda"):
        monkeypatch.setenv("AUGFLOW_ACCELERATOR", wanted)
        assert devices.device().type == "cuda"
    monkeypatch.setenv("AUGFLOW_DEVICES", "4")  # of the trainings that know how to share
    assert devices.device().type == "cuda"
    gpus(monkeypatch, 0)
    with pytest.raises(ParamsError, match="there is no GPU that torch can use"):
        devices.device()


def test_a_gpu_that_nobody_asked_for_is_told_of_once(monkeypatch, caplog):
    gpus(monkeypatch, 1)
    devices._tell_of_gpu.cache_clear()
    with caplog.at_level("INFO", logger="augflow"):
        devices.device()
        devices.device()
        devices.asked("cpu")
    (told,) = caplog.messages
    assert "AUGFLOW_ACCELERATOR=auto" in told


def test_machines_that_do_not_know_each_other_are_told_how_to():
    with pytest.raises(ParamsError, match="--nodes is 2, but this machine knows no other"):
        start(Devices("cpu", 1, 2), "float32")


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
    monkeypatch.setattr(devices.seeds, "exact", lambda: given.update(exact=True))
    ranks = start(Devices("auto"), "bfloat16")
    assert given == {
        "accelerator": "cuda", "strategy": "auto", "devices": 1, "num_nodes": 1,
        "precision": "bf16-mixed", "launched": True, "exact": True,
    }  # fmt: skip
    assert (ranks.device, ranks.count, ranks.leads) == (torch.device("cuda", 0), 1, True)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_fabrics_precision_is_that_of_one_process(precision):
    from lightning_fabric import Fabric

    from augflow.core.distributed import Ranks

    fabric = Fabric(accelerator="cpu", devices=1, precision=devices._PRECISIONS[precision])
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
