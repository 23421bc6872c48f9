"""Faults of the machine (files, disks, memory) end a command in one line; ours keep a traceback."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from augflow.cli import app
from augflow.cli.errors import report_faults

HOME = Path(__file__).parents[2]

LIMITED = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (64, 64)); "
COMMAND = "from augflow.cli import app; app({words!r})"


def ended(fault, capsys):
    """The line and the exit code of a command in which a fault is raised."""
    with pytest.raises(SystemExit) as end, report_faults():
        raise fault
    line = capsys.readouterr().err
    assert line.startswith("augflow: ")
    assert line.count("\n") == 1
    return line, end.value.code


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "Permission denied; give yourself the right"),
        (errno.EPERM, "give yourself the right"),
        (errno.EROFS, "Read-only file system; name a place"),
        (errno.ENOSPC, "No space left on device; free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EFBIG, "File too large; allow larger files"),
        (errno.ENOENT, "No such file or directory; make it"),
        (errno.ENOTDIR, "a folder is expected"),
        (errno.EISDIR, "a file is expected"),
        (errno.EMFILE, "allow more open files"),
        (errno.ETIMEDOUT, "start again"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(capsys, number, words):
    line, code = ended(OSError(number, os.strerror(number), "some/pla\nce"), capsys)
    assert line.startswith(r"augflow: some/pla\nce: ")
    assert words in line
    assert code == 2


def test_what_is_written_aside_goes_by_the_name_that_it_will_have(capsys):
    line, _ = ended(PermissionError(errno.EACCES, "no", "out/.made.png.71.part"), capsys)
    assert line.startswith("augflow: out/made.png: no; ")


def test_a_fault_without_a_name_is_one_line(capsys):
    line, _ = ended(OSError(errno.ENOSPC, "No space left on device"), capsys)
    assert line.startswith("augflow: a file that was written or read: No space left on device; ")
    line, _ = ended(OSError("encoder error -2 when writing image file"), capsys)
    assert line.startswith("augflow: encoder error -2 when writing image file; ")


def test_a_full_disk_that_a_library_made_something_else_of_is_one_line(capsys):
    fault = RuntimeError("unexpected pos 64 vs 0")
    fault.__context__ = OSError(errno.ENOSPC, "No space left on device", "a.pt")
    line, code = ended(fault, capsys)
    assert line.startswith("augflow: a.pt: No space left on device; ")
    assert code == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (MemoryError(), "out of memory; close"),
        (MemoryError("Unable to allocate 8 TiB"), "out of memory: Unable to allocate 8 TiB; close"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out of memory: "),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried\n8"), "you tried; "),
    ],
)
def test_no_memory_is_one_line(capsys, fault, words):
    import torch  # noqa: F401 - where the last one comes from

    line, code = ended(fault, capsys)
    assert words in line
    assert code == 2


def test_who_reads_our_output_and_goes_hears_no_more():
    endless = (
        "from augflow.cli.errors import report_faults\n"
        "with report_faults():\n while 1: print('word')"
    )
    ran = subprocess.Popen(
        [sys.executable, "-c", endless], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert ran.stdout.readline() == b"word\n"
    ran.stdout.close()
    assert ran.wait(60) == 141
    assert ran.stderr.read() == b""
    ran.stderr.close()


def test_a_fault_of_ours_keeps_its_traceback_while_a_missing_file_is_handled_too():
    with pytest.raises(ValueError, match="ours"), report_faults():
        raise ValueError("ours")
    fault = RuntimeError("ours")
    fault.__context__ = FileNotFoundError(errno.ENOENT, "No such file", "x")
    with pytest.raises(RuntimeError, match="ours"), report_faults():
        raise fault


@pytest.fixture
def maps(tmp_path):
    """A folder with a label map for which new layouts can be made."""
    folder = tmp_path / "maps"
    folder.mkdir()
    ids = np.zeros((64, 64), np.uint8)
    ids[40:] = 7
    Image.fromarray(ids).save(folder / "one_gtFine_labelIds.png")
    edits = "- add: {class: car, shape: {ellipse: {centre: [0.5, 0.5], size: [0.3, 0.3]}}}\n"
    (tmp_path / "edits.yaml").write_text(edits)
    return folder


def edit_words(maps, out):
    return ["edit-layout", "--layout", str(maps), "--edits", str(maps.parent / "edits.yaml"),
            "--classes", "cityscapes", "--out", str(out)]  # fmt: skip


def bound_by_permissions():
    """Root too may do only what a file's owner may: its rights to pass over that are dropped."""
    for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, right, 0, 0, 0)  # PR_CAPBSET_DROP


def run(code, cwd):
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True,
        check=False, preexec_fn=bound_by_permissions,
    )  # fmt: skip


def require_one_line(done, *words):
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("augflow: ")
    assert all(word in last for word in words), last
    assert [line for line in done.stderr.splitlines() if line.startswith("augflow: ")] == [last]


def test_a_command_on_a_disk_that_takes_no_more_ends_in_one_line(maps, tmp_path):
    command = COMMAND.format(words=edit_words(maps, tmp_path / "out"))
    done = run(LIMITED + command, tmp_path)
    require_one_line(done, "File too large", "ulimit -f", "one")
    assert not (tmp_path / "out").exists()


def test_a_read_only_folder_ends_in_one_line(maps, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    done = run(COMMAND.format(words=edit_words(maps, closed / "out")), tmp_path)
    require_one_line(done, f"augflow: {closed / 'out'}: Permission denied; give yourself the right")


@pytest.mark.parametrize("place", ["/proc/none/out", "/dev/null/out"])
def test_a_place_where_nothing_can_be_made_ends_in_one_line(maps, place):
    result = CliRunner().invoke(app, edit_words(maps, place))
    assert result.exit_code == 2, result.exception
    (line,) = result.stderr.splitlines()
    assert line.startswith("augflow: ")
    assert place.rpartition("/")[0] in line


@pytest.mark.parametrize(("given", "wanted"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_commands_do_not_spin_while_they_wait_if_nobody_asks_for_it(
    monkeypatch, given, wanted
):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    with report_faults():
        assert os.environ["OMP_WAIT_POLICY"] == wanted
