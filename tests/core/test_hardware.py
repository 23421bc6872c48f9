"""Memory and disk that are left: the system's word, limits, and faults for want of it."""

import shutil

import pytest
import torch

from augflow.core import hardware
from augflow.core.errors import DataError
from augflow.core.hardware import DiskUsage, check_disk_space, check_disk_spaces

CPU = torch.device("cpu")


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
    system = type("Memory", (), {"available": 500})
    monkeypatch.setattr(hardware.psutil, "virtual_memory", lambda: system)
    monkeypatch.setattr(hardware, "_left_by_groups", lambda: [400, 9000])
    assert hardware.free_memory(CPU) == 400
    monkeypatch.setattr(hardware, "_left_by_groups", list)
    assert hardware.free_memory(CPU) == 500
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (device.index + 7, 100))
    assert hardware.free_memory(torch.device("cuda", 1)) == 8


def test_want_of_memory_is_told_from_other_faults():
    with pytest.raises(RuntimeError) as fault:
        torch.empty(2**46)
    assert hardware.out_of_memory(fault.value)
    assert hardware.out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert hardware.out_of_memory(MemoryError())
    assert not hardware.out_of_memory(RuntimeError("shapes do not fit"))


def test_a_folder_that_is_not_there_is_on_the_disk_of_the_one_above(tmp_path):
    assert hardware.nearest_existing_parent(tmp_path / "a" / "b") == tmp_path
    assert hardware.disk_id(tmp_path / "a") == tmp_path.stat().st_dev
    assert 0 < hardware.free_disk_bytes(tmp_path / "a" / "b") <= shutil.disk_usage(tmp_path).total


def test_what_fits_passes_and_what_does_not_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "free_disk_bytes", lambda folder: 5 * 2**20)
    out = tmp_path / "out"
    check_disk_space(out, DiskUsage(5 * 2**20), "set x")
    with pytest.raises(DataError) as caught:
        check_disk_space(out, DiskUsage(6 * 2**20), "set x")
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"{out}: set x takes about 6 MiB, but 5 MiB are free")
    assert "make room" in line
    # folders of one disk share its room
    needs = {out: DiskUsage(3 * 2**20), tmp_path / "b": DiskUsage(3 * 2**20)}
    with pytest.raises(DataError, match="takes about 6 MiB, but 5 MiB are free"):
        check_disk_spaces(needs, "both")
    monkeypatch.setattr(hardware, "disk_id", lambda folder: folder.name)
    check_disk_spaces(needs, "on two disks")
    monkeypatch.setattr(hardware, "largest_file", lambda: 1024)
    check_disk_space(tmp_path, DiskUsage(4096, largest=1024), "files")
    with pytest.raises(DataError, match=r"a file of about 2 KiB, .* larger than 1 KiB .*ulimit -f"):
        check_disk_space(tmp_path, DiskUsage(4096, largest=2048), "files")


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**40, "3 TiB")]
)
def test_sizes_have_binary_units(size, text):
    assert hardware.binary(size) == text
