"""The harness itself: it sees what is half done, left over or not explained, and kills in time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.injected import FLUSH, SYNC, Fault, changes, names, unsynced
from tests.faults.runs import Ended
from tests.faults.study import HOME, STAGES
from tests.faults.trials import FaultError, Study

STAGE = "explore@flow"
(OUT,) = STAGES[STAGE][1]
KILL = Fault.read("kill:3")


class Obedient:
    """Stages that write a line for each output at once, but for what a test has one do."""

    def __init__(self):
        self.disturbed = lambda root: Ended(-9)
        self.plain = write

    def run(self, root, stage, fault=None):
        if fault is not None:
            return self.disturbed(root)
        return self.plain(root, stage)


def write(root, stage):
    for out in STAGES[stage][1]:
        path = root / out if Path(out).suffix else root / out / "made.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{stage}\n")
        (path.parent / "old").unlink(missing_ok=True)
    return Ended(0)


@pytest.fixture
def obedient():
    return Obedient()


@pytest.fixture
def small(obedient, tmp_path):
    return Study(tmp_path / "study", obedient)


def disturbed_by(change, code=-9, said="", log=()):
    def run(root):
        change(root)
        return Ended(code, said, tuple(log))

    return run


@pytest.mark.parametrize("before", ["nothing", "old"])
def test_a_stage_that_writes_all_or_nothing_comes_through(small, before):
    assert len(small.disturb(STAGE, before, [KILL, Fault.read("power:c1")])) == 2


def test_another_file_or_another_end_is_seen(small, obedient):
    obedient.disturbed = disturbed_by(lambda root: (root / "params.yaml").write_text(""))
    with pytest.raises(FaultError, match=r"other files changed: params\.yaml"):
        small.disturb(STAGE, "nothing", [KILL])
    assert (small.root / "params.yaml").read_text()  # set back for the next test

    def other(root, stage):
        write(root, stage)
        (root / OUT / "made.txt").write_text("other\n")
        return Ended(0)

    obedient.disturbed, obedient.plain = disturbed_by(lambda root: None), other
    with pytest.raises(FaultError, match="after a plain run"):
        small.disturb(STAGE, "nothing", [KILL])


def test_what_waits_for_the_disk_follows_files_to_their_names():
    moved = ("os.rename", "/p/.a.1.part", "/p/a")
    log = [("open", "/p/.a.1.part/x"), ("open", "/p/.a.1.part/y"), (SYNC, "/p/.a.1.part/y"),
           ("open", "/p/z"), ("os.remove", "/p/z"), moved, ("open", "/p/late")]  # fmt: skip
    assert unsynced(log) == [Path("/p/a/x")]
    assert unsynced([*log, (FLUSH,), ("open", "/p/b")]) == []
    assert len(changes([*log, (FLUSH,)])) == 6
    others = [("os.rename", "/p/a", "/p/.a.1.old"), ("open", "/p/a"),
              ("os.rename", "/p/.a.1.part/.x.1.part", "/p/.a.1.part/x")]  # fmt: skip
    assert [names(one) for one in (moved, *others)] == [True, False, False, False]


@pytest.mark.parametrize(
    ("before", "name", "text"), [("nothing", "other.txt", "x"), ("old", "made.txt", "")]
)
def test_a_half_written_output_is_seen(small, obedient, before, name, text):
    def half(root):
        (root / OUT).mkdir(parents=True, exist_ok=True)
        (root / OUT / name).write_text(text)

    obedient.disturbed = disturbed_by(half)
    with pytest.raises(FaultError, match=rf"{OUT} is neither as before nor whole.*\n.*kill:3"):
        small.disturb(STAGE, before, [KILL])


@pytest.mark.parametrize("place", [
    "data/mini/explored/.flow.12.part", "data/mini/explored/.flow.lock", ".augflow/runs/train-x",
])  # fmt: skip
def test_what_a_plain_run_leaves_over_is_seen(small, obedient, place):
    def left(root):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text("")

    obedient.disturbed = disturbed_by(left)
    with pytest.raises(FaultError, match=f"leaves {place}"):
        small.disturb(STAGE, "nothing", [KILL])


@pytest.mark.parametrize(("code", "said", "expected"), [
    (1, "Traceback (most recent call last):", "exit code 1, expected 2"),
    (2, "", "not one line"),
    (2, "augflow: one\naugflow: two", "not one line"),
    (2, "Traceback\naugflow: one", "not one line"),
    (0, "", "outputs are not whole"),
])  # fmt: skip
def test_a_fault_that_is_not_explained_is_seen(small, obedient, code, said, expected):
    obedient.disturbed = disturbed_by(lambda root: None, code, said)
    with pytest.raises(FaultError, match=expected):
        small.disturb(STAGE, "nothing", [Fault.read("full:1")])


def test_a_power_cut_empties_what_was_not_on_the_disk(small, obedient):
    path = small.root / OUT / "made.txt"
    obedient.disturbed = disturbed_by(lambda root: write(root, STAGE), log=[
        ("open", str(path)), ("os.rename", "a", "b"),
    ])  # fmt: skip
    small.disturb(STAGE, "nothing", [KILL])
    with pytest.raises(FaultError, match="neither as before nor whole"):
        small.disturb(STAGE, "nothing", [Fault.read("power:2")])


def test_a_fault_is_written_as_it_is_read_and_what_is_none_is_refused():
    for text in ("kill:17", "kill:c2", "power:1", "limit:4096"):
        assert str(Fault.read(text)) == text
    for text in ("kill", "kill17", "burn:3", "kill:x"):
        with pytest.raises(ValueError, match="is no fault"):
            Fault.read(text)


WATCHED = """
import os, shutil, sys
from pathlib import Path
from tests.faults.injected import Changes, Fault

root = Path(sys.argv[1])
Changes(root, Fault.read(sys.argv[2]) if sys.argv[2] else None, 1).watch()
(root / "folder" / "deep").mkdir(parents=True)
(root / "folder" / "deep" / "file").write_text("x" * 100)
Path(root, "folder").rename(root / "moved")
shutil.rmtree(root / "moved")
(root.parent / "elsewhere").write_text("not watched")
with (root / "synced").open("wb") as stream:
    stream.write(b"y")
    stream.flush()
    os.fsync(stream.fileno())
(root / "synced").read_bytes()
"""


def watched(root, fault=""):
    root.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", WATCHED, str(root), fault], cwd=HOME, capture_output=True, text=True
    )
    events = [line.split('"')[1] for line in ended.stdout.splitlines()]
    return ended, events, sorted(path.name for path in root.rglob("*"))


ALL = ["os.mkdir", "os.mkdir", "os.mkdir", "open", "os.rename", "os.remove", "os.rmdir",
       "os.rmdir", "open", SYNC]  # fmt: skip
"""`mkdir` with parents asks for the deepest folder first, in vain."""


def test_all_changes_below_a_folder_are_watched(tmp_path):
    ended, events, there = watched(tmp_path / "root")
    assert (ended.returncode, events, there) == (0, ALL, ["synced"])


def test_death_comes_before_a_change_is_done(tmp_path):
    for at, there in ((4, ["deep", "folder"]), (6, ["deep", "file", "moved"])):
        ended, events, found = watched(tmp_path / str(at), f"kill:{at}")
        assert (ended.returncode, events, found) == (-9, ALL[:at], there)
    assert watched(tmp_path / "named", "kill:c1")[2] == ["deep", "file", "folder"]


def test_a_full_disk_lets_files_go_and_a_read_only_one_does_not(tmp_path):
    full, events, _ = watched(tmp_path / "full", "full:4")
    assert "No space left on device" in full.stderr
    assert events == ALL[:4]
    full, events, there = watched(tmp_path / "later", "full:6")
    assert "No space left on device" in full.stderr
    assert (events, there) == (ALL[:9], [])
    only, events, there = watched(tmp_path / "readonly", "readonly:6")
    assert "Read-only file system" in only.stderr
    assert (events[:6], there) == (ALL[:6], ["deep", "file", "moved"])
