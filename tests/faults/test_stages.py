"""Every stage is killed, stopped, refused the disk or started twice, and a rerun ends alike."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.injected import Fault, names
from tests.faults.round import disturb, few, many
from tests.faults.study import HOME, RESUMED, STAGES, UNKNOWN_TO_DVC, lay
from tests.faults.trials import hit

STAGE = "train@flow"


def test_all_stages_of_the_pipeline_are_here(tmp_path, monkeypatch):
    from dvc.repo import Repo

    root = tmp_path / "study"
    lay(root)
    shutil.copy(HOME / "dvc.yaml", root)
    monkeypatch.chdir(root)
    with Repo.init(str(root), no_scm=True) as repo:
        found = {
            stage.addressing: (stage.cmd, {Path(out.fs_path).relative_to(root).as_posix()
                                           for out in stage.outs})
            for stage in repo.index.stages
        }  # fmt: skip
    assert found == {
        stage: (f"python pipelines/{words}", set(outs) - UNKNOWN_TO_DVC)
        for stage, (words, outs) in STAGES.items()
    }


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_comes_through_a_few_faults(study, stage):
    for before, faults in few(stage, study.undisturbed(stage, "nothing")):
        ends = study.disturb(stage, before, faults)
        assert hit(faults[0], ends[0])


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_comes_through_twenty_kills_and_ten_other_faults(study, stage):
    nothing, old = (study.undisturbed(stage, before) for before in ("nothing", "old"))
    counts, failures = disturb(study, stage, many(stage, nothing, old))
    assert not failures, "\n\n".join(failures)
    assert counts.total() >= 20


def run_folder(study):
    (folder,) = (study.root / ".augflow" / "runs").iterdir()
    return folder


def states(study):
    return sorted((study.root / ".augflow" / "runs").glob("**/*.safetensors"))


def killed_when_all_is_learned(study, stage):
    """Kills a stage before its folder gets its name; what it has learned is kept."""
    study.set_back(stage, "nothing")
    log = study.undisturbed(stage, "nothing")
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


def flip(path):
    content = bytearray(path.read_bytes())
    content[-7] ^= 0x10
    path.write_bytes(content)


def slow_after(count, cases):
    """The first few of the cases for every day, the others for the slow round."""
    marks = [()] * count + [pytest.mark.slow] * (len(cases) - count)
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=mark)
        for case, mark in zip(cases, marks, strict=True)
    ]


@pytest.mark.parametrize("stage", slow_after(1, RESUMED))
def test_every_training_goes_on_from_an_older_state(study, stage):
    killed_when_all_is_learned(study, stage)
    newest = [path for path in states(study) if path.name == "state.safetensors"]
    for path in newest:
        flip(path)
    older = [path for path in newest if path.with_name("previous.safetensors").exists()]
    if older == newest:
        (run_folder(study) / "samples" / ".step_000002.png.1.part").write_bytes(b"half a page")
        goes_on(study, stage)
        return
    # with one state that is damaged there is nothing to go on from
    ended = study.runs.run(study.root, stage)
    assert (ended.code, len(ended.lines)) == (2, 1)
    for path in newest:
        path.unlink()
    goes_on(study, stage)


def test_without_any_whole_state_a_training_says_so_and_deletes_nothing(study):
    killed_when_all_is_learned(study, STAGE)
    for path in states(study):
        flip(path)
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


@pytest.mark.parametrize("stage", slow_after(1, ["train@flow", "predict@maps"]))
def test_a_power_cut_leaves_the_pages_of_the_steps_that_are_kept(study, stage):
    study.set_back(stage, "nothing")
    log = study.undisturbed(stage, "nothing")
    named = [n for n, words in enumerate(log, start=1) if names(words)]
    at = max(n for n in named if log[n - 1][-1].endswith("/state.safetensors"))
    ended = study.runs.run(study.root, stage, Fault("power", at + 1))  # after the last state
    assert ended.code == -signal.SIGKILL
    study.lose(ended)
    pages = list((run_folder(study) / "samples").iterdir())
    assert len(pages) == 2
    assert all(page.stat().st_size for page in pages)
    goes_on(study, stage)


@pytest.mark.parametrize(("kind", "code"), slow_after(1, [("term", 143), ("int", 130)]))
def test_a_signal_lets_a_training_finish_its_step(study, kind, code):
    study.set_back(STAGE, "nothing")
    log = study.undisturbed(STAGE, "nothing")
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
    log = study.undisturbed(stage, "old")
    study.set_back(stage, "old")
    at = next(n for n, words in enumerate(log, start=1) if "state.safetensors" in words[-1])
    with halted(study, stage, Fault("stop", at)) as first:
        is_told_who(study.runs.run(study.root, stage), first.pid)
        assert study.state(stage) == found
    assert first.wait().code == 0
    assert study.outputs_are_whole(stage)
    assert study.left_over() == []


@pytest.mark.parametrize(
    "stage", slow_after(1, ["synthesize@most", "select@chosen", "prepare", "report"])
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


@pytest.mark.parametrize(("stage", "place", "room"), slow_after(2, [
    (STAGE, ".augflow/runs", "96k"),
    (STAGE, "data/mini/generators", "32k"),
    ("explore@flow", "data/mini/explored", "40k"),
    ("select@chosen", "data/mini/selected", "60k"),
    ("judges@own", "data/mini/judges", "64k"),
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


@pytest.mark.parametrize(("stage", "place"), slow_after(2, [
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
