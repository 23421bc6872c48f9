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
import yaml
from PIL import Image
from typer.testing import CliRunner

from augflow.cli import app
from augflow.cli.errors import report_faults
from augflow.core import io
from tests.tiny_study import PARAMS

HOME = Path(__file__).parents[2]

LIMITED = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({most}, {most})); "

COMMAND = LIMITED + "from augflow.cli import app; app({words!r})"
SCRIPT = LIMITED + "import runpy; runpy.run_path({script!r}, run_name='__main__')"


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


def test_a_full_disk_without_a_name_is_one_line(capsys):
    line, code = ended(OSError(errno.ENOSPC, "No space left on device"), capsys)
    assert line.startswith("augflow: a file that was written or read: No space left on device; ")
    assert code == 2


def test_what_is_written_aside_goes_by_the_name_that_it_will_have(capsys):
    line, _ = ended(PermissionError(errno.EACCES, "no", "out/.made.png.71.part"), capsys)
    assert line.startswith("augflow: out/made.png: no; ")


def test_an_encoder_that_fails_is_one_line(capsys):
    line, code = ended(OSError("encoder error -2 when writing image file"), capsys)
    assert line.startswith("augflow: encoder error -2 when writing image file; ")
    assert code == 2


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


@pytest.mark.parametrize("fault", [RuntimeError("ours"), ValueError("ours"), KeyError("ours")])
def test_any_other_fault_keeps_its_traceback(fault):
    with pytest.raises(type(fault)), report_faults():
        raise fault


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


def test_a_fault_of_ours_while_a_missing_file_is_handled_keeps_its_traceback():
    fault = RuntimeError("ours")
    fault.__context__ = FileNotFoundError(errno.ENOENT, "No such file", "x")
    with pytest.raises(RuntimeError, match="ours"), report_faults():
        raise fault


def test_an_atomic_write_says_what_the_disk_was_full_of(monkeypatch, tmp_path):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as fault:
        io.atomic_write(tmp_path / "a.csv", b"x")
    assert fault.value.filename == str(tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


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
    environment = {**os.environ, "PYTHONPATH": str(HOME), "AUGFLOW_CACHE": "off"}
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
    done = run(COMMAND.format(most=64, words=edit_words(maps, tmp_path / "out")), tmp_path)
    require_one_line(done, "File too large", "ulimit -f", "one")
    assert not (tmp_path / "out").exists()


def test_a_stage_on_a_disk_that_takes_no_more_ends_in_one_line(tmp_path):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    script = str(HOME / "pipelines" / "prepare.py")
    done = run(SCRIPT.format(most=64, script=script), tmp_path)
    require_one_line(done, "no file may be larger", "ulimit -f", "data/")


def test_a_read_only_folder_ends_in_one_line(maps, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    done = run(f"from augflow.cli import app; app({edit_words(maps, closed / 'out')!r})", tmp_path)
    require_one_line(done, f"augflow: {closed / 'out'}: Permission denied; give yourself the right")


@pytest.mark.parametrize("place", ["/proc/none/out", "/dev/null/out"])
def test_a_place_where_nothing_can_be_made_ends_in_one_line(maps, place):
    result = CliRunner().invoke(app, edit_words(maps, place))
    assert result.exit_code == 2, result.exception
    (line,) = result.stderr.splitlines()
    assert line.startswith("augflow: ")
    assert place.rpartition("/")[0] in line


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_made_ends_in_one_line(maps, tmp_path, monkeypatch, number):
    def closed(self, *words, **options):
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(Path, "mkdir", closed)
    result = CliRunner().invoke(app, edit_words(maps, tmp_path / "out"))
    assert result.exit_code == 2, result.exception
    (line,) = result.stderr.splitlines()
    assert os.strerror(number) in line
    assert str(tmp_path) in line
