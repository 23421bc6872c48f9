"""Memory that is left: the system's word, the control groups' limits, and faults for want of it."""

import numpy as np
import pytest
import torch

from augflow.core import hardware

CPU = torch.device("cpu")


def test_some_memory_is_free_here():
    free = hardware.free_memory(CPU)
    assert free is not None
    assert 2**20 < free < 2**50


def test_the_system_says_what_is_available(tmp_path):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  700 kB\n")
    assert hardware._available(path) == 700 * 1024
    assert hardware._available(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("groups", "folder", "limit", "used", "back"),
    [
        ("0::/job/step\n", "job", "memory.max", "memory.current", "inactive_file"),
        ("4:memory:/job\n", "memory/job", "memory.limit_in_bytes", "memory.usage_in_bytes",
         "total_inactive_file"),
    ],
)  # fmt: skip
def test_a_control_group_leaves_its_limit_less_what_is_used(
    groups, folder, limit, used, back, tmp_path, monkeypatch
):
    group = tmp_path / folder
    group.mkdir(parents=True)
    (group / limit).write_text("1000\n")
    (group / used).write_text("900\n")
    (group / "memory.stat").write_text(f"anon 1\n{back} 300\n")
    real = hardware._lines
    monkeypatch.setattr(
        hardware, "_lines",
        lambda path: groups.splitlines() if str(path) == "/proc/self/cgroup" else real(path),
    )  # fmt: skip
    assert hardware._left_by_groups(tmp_path) == [400]
    (group / limit).write_text("max\n")
    assert hardware._left_by_groups(tmp_path) == []


def test_the_least_that_anybody_leaves_is_free(monkeypatch):
    monkeypatch.setattr(hardware, "_available", lambda: 500)
    monkeypatch.setattr(hardware, "_left_by_groups", lambda: [400, 9000])
    assert hardware.free_memory(CPU) == 400
    monkeypatch.setattr(hardware, "_left_by_groups", list)
    assert hardware.free_memory(CPU) == 500


def test_a_gpu_is_asked_itself(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (device.index + 7, 100))
    assert hardware.free_memory(torch.device("cuda", 1)) == 8


def test_want_of_memory_is_told_from_other_faults():
    with pytest.raises(RuntimeError) as fault:
        torch.empty(2**46)
    assert hardware.out_of_memory(fault.value)
    assert hardware.out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert hardware.out_of_memory(MemoryError())
    assert not hardware.out_of_memory(RuntimeError("shapes do not fit"))


def test_the_peak_of_a_piece_of_work_is_what_it_holds_at_most():
    def work():
        held = np.ones(2**25, np.uint8)
        return held.sum()

    before = hardware.resident()
    assert before > 0
    peak = hardware.peak_of(work)
    assert peak is None or 2**24 < peak < 2**27
