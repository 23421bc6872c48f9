"""Trainings that are stopped, started twice, or find their states damaged or nowhere to write."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.injected import Fault, changes, names
from tests.faults.study import RESUMED

STAGE = "train@flow"


def run_folder(study):
    (folder,) = (study.root / ".augflow" / "runs").iterdir()
    return folder


def states(study):
    return sorted((study.root / ".augflow" / "runs").glob("**/*.safetensors"))


def killed_when_all_is_learned(study, stage):
    """Kills a stage before its folder gets its name; what it has learned is kept."""
    study.set_back(stage, "nothing")
    log = changes(study.undisturbed(stage, "nothing").log)
    out = str(study.root / study.outputs(stage)[0])
    at = next(n for n, words in enumerate(log, start=1) if names(words) and words[-1] == out)
    ended = study.runs.run(study.root, stage, Fault("kill", at))
    assert ended.code == -signal.SIGKILL
    assert {path.name for path in states(study)} >= {"state.safetensors"}


def goes_on(study, stage=STAGE):
    """Starts again without a fault; all has to be as if nothing had been."""
    ended = study.runs.run(study.root, stage)
    assert ended.code == 0, ended.said
    assert study.outputs_are_whole(stage)
    assert study.left_over() == []
    return ended


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[-7] ^= 0x10
    path.write_bytes(content)


def text(path):
    path.write_text("not a state\n")


DAMAGE = (cut, empty, flip, text)


def slow_after(count, cases):
    """The first few of the cases for every day, the others for the slow round."""
    marks = [()] * count + [pytest.mark.slow] * (len(cases) - count)
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=mark)
        for case, mark in zip(cases, marks, strict=True)
    ]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_is_named_and_the_one_before_it_taken(study, damage):
    killed_when_all_is_learned(study, STAGE)
    damage(run_folder(study) / "state.safetensors")
    said = goes_on(study).said
    assert re.search(r"state\.safetensors: damaged state \(.+\); the one before it is taken", said)
    assert "going on at step 3" in said


@pytest.mark.slow
@pytest.mark.parametrize("stage", RESUMED)
def test_every_training_goes_on_from_an_older_state(study, stage):
    killed_when_all_is_learned(study, stage)
    newest = [path for path in states(study) if path.name == "state.safetensors"]
    for path in newest:
        flip(path)
    older = [path for path in newest if path.with_name("previous.safetensors").exists()]
    if older == newest:
        goes_on(study, stage)
        return
    # with one state that is damaged there is nothing to go on from
    ended = study.runs.run(study.root, stage)
    assert (ended.code, len(ended.lines)) == (2, 1)
    for path in newest:
        path.unlink()
    goes_on(study, stage)


def test_a_state_that_is_missing_is_replaced_by_the_one_before_it(study):
    killed_when_all_is_learned(study, STAGE)
    (run_folder(study) / "state.safetensors").unlink()
    assert "going on at step 3" in goes_on(study).said


@pytest.mark.parametrize("damage", slow_after(1, DAMAGE))
def test_without_any_whole_state_a_training_says_so_and_deletes_nothing(study, damage):
    killed_when_all_is_learned(study, STAGE)
    for path in states(study):
        damage(path)
    before = [path.read_bytes() for path in states(study)]
    ended = study.runs.run(study.root, STAGE)
    (line,) = ended.lines
    assert ended.code == 2
    assert "Traceback" not in ended.said
    assert all(path.name in line for path in states(study))
    assert line.endswith("to start over")
    assert [path.read_bytes() for path in states(study)] == before
    for path in states(study):
        path.unlink()
    goes_on(study)


@pytest.mark.parametrize("stage", ["train@flow", "predict@maps"])
def test_a_page_of_samples_that_was_only_begun_is_none(study, stage):
    killed_when_all_is_learned(study, stage)
    (run_folder(study) / "samples" / ".step_000002.png.1.part").write_bytes(b"half a page")
    goes_on(study, stage)


@pytest.mark.parametrize("stage", ["train@flow", "predict@maps"])
def test_a_power_cut_leaves_the_pages_of_the_steps_that_are_kept(study, stage):
    study.set_back(stage, "nothing")
    log = changes(study.undisturbed(stage, "nothing").log)
    named = [n for n, words in enumerate(log, start=1) if names(words)]
    at = max(n for n in named if log[n - 1][-1].endswith("/state.safetensors"))
    ended = study.runs.run(study.root, stage, Fault("power", at + 1))  # after the last state
    assert ended.code == -signal.SIGKILL
    study.lose(ended)
    pages = list((run_folder(study) / "samples").iterdir())
    assert len(pages) == 2
    assert all(page.stat().st_size for page in pages)
    goes_on(study, stage)


@pytest.mark.parametrize("at", [40, 70])
def test_a_selection_that_is_killed_in_its_midst_leaves_nothing_over(study, at):
    study.set_back("select@chosen", "nothing")
    assert study.runs.run(study.root, "select@chosen", Fault("kill", at)).code == -signal.SIGKILL
    goes_on(study, "select@chosen")


@pytest.mark.parametrize(("kind", "code"), [("term", 143), ("int", 130)])
def test_a_signal_lets_a_training_finish_its_step(study, kind, code):
    study.set_back(STAGE, "nothing")
    log = changes(study.undisturbed(STAGE, "nothing").log)
    # a page of samples is made after the second step, before anything of it is kept
    at = next(n for n, words in enumerate(log, start=1) if "samples/.step_000002" in words[-1])
    ended = study.runs.run(study.root, STAGE, Fault(kind, at))
    assert ended.code == code
    (line,) = ended.lines
    assert line.startswith("augflow: stopped after step 2 of 4")
    assert line.endswith("start again to go on")
    assert "Traceback" not in ended.said
    assert not any(path.exists() for path in map(study.root.joinpath, study.outputs(STAGE)))
    assert "going on at step 2" in goes_on(study).said


@contextmanager
def halted(study, stage, fault):
    """A stage that is stopped in its midst and goes on at the end of the block."""
    started = study.runs.start(study.root, stage, fault)
    try:
        wait_until(lambda: state_of(started.pid) == "T")
        yield started
    finally:
        with suppress(ProcessLookupError):  # a test may have ended it
            os.kill(started.pid, signal.SIGCONT)


def state_of(process):
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def wait_until(reached, most=120):
    end = time.monotonic() + most
    while not reached():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def is_told_who(ended, process):
    (line,) = ended.lines
    assert ended.code == 4
    assert re.search(rf"held by process {process} on {re.escape(socket.gethostname())} "
                     r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", line)  # fmt: skip
    assert "Traceback" not in ended.said


@pytest.mark.parametrize("stage", slow_after(1, RESUMED))
def test_a_second_training_is_told_who_trains(study, stage):
    study.set_back(stage, "old")
    found = study.state(stage)
    log = changes(study.undisturbed(stage, "old").log)
    study.set_back(stage, "old")
    at = next(n for n, words in enumerate(log, start=1) if "state.safetensors" in words[-1])
    with halted(study, stage, Fault("stop", at)) as first:
        is_told_who(study.runs.run(study.root, stage), first.pid)
        assert study.state(stage) == found
    assert first.wait().code == 0
    assert study.outputs_are_whole(stage)
    assert study.left_over() == []


@pytest.mark.parametrize(
    "stage", slow_after(2, ["synthesize@most", "select@chosen", "prepare", "report"])
)
def test_a_second_maker_of_a_folder_is_told_who_makes_it(study, stage):
    study.set_back(stage, "old")
    found = study.state(stage)
    with halted(study, stage, Fault("stop", 12)) as first:
        is_told_who(study.runs.run(study.root, stage), first.pid)
        assert study.state(stage) == found
    assert first.wait().code == 0
    assert study.outputs_are_whole(stage)
    assert study.left_over() == []


def test_what_a_killed_process_held_is_free_at_once(study):
    study.set_back(STAGE, "old")
    log = changes(study.undisturbed(STAGE, "old").log)
    study.set_back(STAGE, "old")
    at = next(n for n, words in enumerate(log, start=1) if "state.safetensors" in words[-1])
    with halted(study, STAGE, Fault("stop", at)) as first:
        assert study.runs.run(study.root, STAGE).code == 4
        os.kill(first.pid, signal.SIGKILL)
        assert first.wait().code == -signal.SIGKILL
        goes_on(study)


@contextmanager
def mounted(folder, *words):
    """A file system at a folder, taken off at the end; skips where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    ran = subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True)
    if ran.returncode:
        pytest.skip(f"nothing can be mounted here: {ran.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(("stage", "place", "room"), slow_after(3, [
    (STAGE, ".augflow/runs", "96k"),
    (STAGE, "data/mini/generators", "32k"),
    ("judges@own", "data/mini/judges", "64k"),
    ("explore@flow", "data/mini/explored", "40k"),
    ("select@chosen", "data/mini/selected", "60k"),
    ("choose@best", "data/mini/chosen", "4k"),
]))  # fmt: skip
def test_a_disk_that_is_really_full_is_said_and_more_room_is_all_it_takes(
    study, stage, place, room
):
    study.set_back(stage, "nothing")
    folder = study.root / place
    with mounted(folder, "-t", "tmpfs", "-o", f"size={room}", "none"):
        if room == "4k":
            (folder / "filler").write_bytes(bytes(4096))
        found = study.state(stage)
        ended = study.runs.run(study.root, stage)
        assert ended.code == 2, ended.said
        (line,) = ended.lines
        assert re.search(r"No space left on device|\bfree\b", line)
        assert "Traceback" not in ended.said
        assert study.state(stage) == found
        (folder / "filler").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
        ended = study.runs.run(study.root, stage)
        assert ended.code == 0, ended.said
        assert study.outputs_are_whole(stage)
    study.restore()


@contextmanager
def read_only(folder):
    """A folder in which nothing can be changed."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid():
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)
        return
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield


@pytest.mark.parametrize(("stage", "place"), slow_after(4, [
    (STAGE, ".augflow/runs"),
    (STAGE, "data/mini/generators"),
    ("synthesize@most", "data/mini/synthetic"),
    ("score@most", "data/mini/scores"),
    ("retrain@picked", "data/mini/segmenters"),
    ("report", "reports"),
    ("score_arms", "data/mini/scores"),
]))  # fmt: skip
@pytest.mark.parametrize("before", slow_after(1, ["old", "nothing"]))
def test_a_folder_that_cannot_be_written_is_named(study, stage, place, before):
    study.set_back(stage, before)
    found = study.state(stage)
    with read_only(study.root / place):
        ended = study.runs.run(study.root, stage)
    assert ended.code == 2, ended.said
    (line,) = ended.lines
    assert place in line
    assert "Traceback" not in ended.said
    assert study.state(stage) == found
    goes_on(study, stage)


def test_a_cache_that_cannot_be_written_is_done_without(study):
    study.set_back(STAGE, "nothing")
    with read_only(study.root / ".augflow" / "cache"):
        ended = study.runs.run(study.root, STAGE)
        assert ended.code == 0, ended.said
        assert "pixels are decoded into memory" in ended.said
        assert study.outputs_are_whole(STAGE)


def test_a_run_that_is_killed_between_the_two_renames_leaves_the_old_output_aside(study):
    study.set_back(STAGE, "old")
    found = study.state(STAGE)
    log = changes(study.undisturbed(STAGE, "old").log)
    study.set_back(STAGE, "old")
    out = study.root / study.outputs(STAGE)[0]
    at = next(n for n, words in enumerate(log, start=1) if names(words) and words[-1] == str(out))
    assert study.runs.run(study.root, STAGE, Fault("kill", at)).code == -signal.SIGKILL
    assert not out.exists()
    assert study.state(STAGE) == found
    study.runs.run(study.root, STAGE, Fault("kill", at // 2))
    assert study.state(STAGE) == found
    goes_on(study)
