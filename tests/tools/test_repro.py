"""Stages side by side: each after what it waits for, none twice, nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from augflow.core.errors import DataError, ParamsError
from augflow.tools.repro import LOGS, Repro, headline, newest_picture, read_pipeline
from tests.commands import run
from tests.tiny_study import PARAMS, dvc, write_params

HOME = Path(__file__).parents[2]
SLOW = """
import sys, time
from augflow.cli.errors import report_faults
with report_faults():
    print("step 1/9", flush=True)
    time.sleep(float(sys.argv[1]))
"""
STAGES = {
    "first": {"cmd": "cat given > one", "deps": ["given"], "outs": ["one"]},
    "both": {
        "foreach": ["left", "right"],
        "do": {"cmd": "cat one > ${item}", "deps": ["one"], "outs": ["${item}"]},
    },
    "last": {"cmd": "cat left right > all", "deps": ["left", "right"], "outs": ["all"]},
    "apart": {"cmd": "echo step 3/4; echo x > other", "outs": ["other"]},
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose stages do next to nothing, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipelines").mkdir()
    write_params(tmp_path, PARAMS)
    (tmp_path / "given").write_text("1\n")
    write_stages(tmp_path, STAGES)
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    return tmp_path


def write_stages(root, stages):
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))


def made(root, jobs=2):
    with Repro(root, jobs) as repro:
        *_, last = repro
    return last


def test_a_stage_waits_for_what_it_reads_and_those_with_most_behind_them_come_first(project):
    pipeline = read_pipeline(project)
    assert pipeline.needs == {
        "first": frozenset(),
        "both@left": {"first"},
        "both@right": {"first"},
        "last": {"both@left", "both@right"},
        "apart": frozenset(),
    }
    assert pipeline.stages[0] == "first"
    assert set(pipeline.stages[-2:]) == {"last", "apart"}


def test_all_is_made_once_and_then_what_has_changed_and_what_follows(project):
    state = made(project)
    assert set(state.done) == set(read_pipeline_names(STAGES))
    assert list(state.done).index("last") > list(state.done).index("both@right")
    assert (project / "all").read_text() == "1\n1\n"
    assert (state.total, state.failed, state.running) == (5, {}, ())
    assert "cat one > left" in (project / LOGS / "both@left.log").read_text()
    assert made(project).total == 0
    dvc(project, "repro")
    (project / "given").write_text("2\n")
    state = made(project)
    assert set(state.done) == {"first", "both@left", "both@right", "last"}
    assert (project / "all").read_text() == "2\n2\n"


def read_pipeline_names(stages):
    return [*(name for name in stages if name != "both"), "both@left", "both@right"]


def test_names_are_made_to_fit_the_parameters_before_dvc_reads_them(project):
    assert not (project / "pipelines" / "names.yaml").exists()
    read_pipeline(project)
    found = yaml.safe_load((project / "pipelines" / "names.yaml").read_text())
    assert found["names"][0]["study"] == "mini"


def test_after_a_fault_no_stage_is_begun_and_what_runs_ends(project):
    faulty = {"cmd": "echo augflow: given: not sound >&2; exit 2", "outs": ["left"]}
    stages = {"faulty": faulty, "next": {"cmd": "echo y > z", "deps": ["left"], "outs": ["z"]}}
    stages["beside"] = {"cmd": "sleep 3; echo x > one", "outs": ["one"]}
    write_stages(project, stages)
    state = made(project)
    assert state.failed == {"faulty": "given: not sound"}
    assert list(state.done) == ["beside"]
    result = run("repro")
    assert result.exit_code == 2
    line = result.stderr.splitlines()[-1]
    assert line == "augflow: faulty: given: not sound (all it said: .augflow/logs/faulty.log)"


def test_a_fault_that_is_no_line_of_ours_is_the_last_that_is_not_dvcs(project):
    write_stages(project, {"faulty": {"cmd": "echo hm; echo KeyError >&2; exit 1", "outs": ["x"]}})
    assert made(project).failed == {"faulty": "KeyError"}


def test_no_project_and_what_dvc_cannot_read_are_refused(project):
    write_stages(project, {"first": {"cmd": 3}})
    with pytest.raises(DataError, match=r"DVC: .*dvc\.yaml"):
        read_pipeline(project)
    (project / "params.yaml").unlink()
    with pytest.raises(ParamsError, match="no params"):
        read_pipeline(project)


def test_time_left_is_that_of_the_stage_or_its_kind_when_it_last_ran(project):
    repro = Repro(project, 2)
    assert repro._left() is None
    repro._times = {"both@left": 10.0, "last": 30.0}
    # first and apart: 20 each, as all known; both@right: as its kind
    assert repro._left() == pytest.approx((20 + 10 + 10 + 30 + 20) / 2)
    repro._done = {"first": 1.0, "both@left": 10.0, "apart": 1.0}
    # one after the other, whatever could run beside
    assert repro._left() == pytest.approx(30)


def test_the_command_says_what_begins_and_ends_the_verdict_and_where_the_page_is(project):
    report = project / "reports" / "mini"
    report.mkdir(parents=True)
    (report / "report.md").write_text("# Mini\n\nStudy `mini`\n\n**Yes: a\\_b helps.**\n\n**no**\n")
    result = run("repro", "--jobs", 2)
    assert result.exit_code == 0, result.output
    first, verdict, page = result.stdout.splitlines()
    assert first.startswith("5 stages made in ")
    assert (verdict, page) == ("verdict: Yes: a_b helps.", "page: reports/mini/report.html")
    lines = result.stderr.splitlines()
    assert {line.split(":")[0] for line in lines if line.endswith("begun")} == set(
        read_pipeline_names(STAGES)
    )
    assert [line.split("]")[0] for line in lines if line.startswith("[")] == [
        f"[{number}/5" for number in range(1, 6)
    ]


def test_a_report_without_an_answer_has_no_headline(tmp_path):
    assert headline(tmp_path) is None
    (tmp_path / "report.md").write_text("# Title\n\ntext\n")
    assert headline(tmp_path) is None


def test_the_newest_picture_is_the_page_that_was_written_last(tmp_path):
    assert newest_picture(tmp_path) is None
    pages = [".augflow/runs/a-1/samples/step_1.png", "data/s/generators/b/samples/step_9.png"]
    for age, name in enumerate(pages):
        page = tmp_path / name
        page.parent.mkdir(parents=True)
        page.touch()
        os.utime(page, (1000 - age, 1000 - age))
    assert newest_picture(tmp_path) == tmp_path / pages[0]
    os.utime(tmp_path / pages[1], (2000, 2000))
    assert newest_picture(tmp_path) == tmp_path / pages[1]


MAKE = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.mark.parametrize(
    ("number", "by"),
    [
        (signal.SIGINT, "command"),
        (signal.SIGTERM, "command"),
        (signal.SIGKILL, "command"),
        pytest.param(signal.SIGTERM, "make", marks=MAKE),
        pytest.param(signal.SIGKILL, "make", marks=MAKE),
    ],
)
def test_killed_it_leaves_no_process_and_goes_on_when_started_again(project, number, by):
    (project / "slow.py").write_text(SLOW)
    slow = {"cmd": "python slow.py 100; echo ${item} > ${item}", "outs": ["${item}"]}
    write_stages(project, {"slow": {"foreach": ["one", "two"], "do": slow}})
    command = [sys.executable, "-m", "augflow", "repro"]
    if by == "make":
        (project / "Makefile").write_text(f"repro:\n\t{' '.join(command)}\n")
        command = ["make", "repro"]
    environment = {**os.environ, "PYTHONPATH": str(HOME), "DVC_NO_ANALYTICS": "1"}
    with (project / "said.txt").open("w") as said:
        running = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    wait_until(lambda: all(said_by(project, name) for name in ("one", "two")))
    below = psutil.Process(running.pid).children(recursive=True)
    assert len(below) >= 4
    running.send_signal(number)
    running.wait(60)
    wait_until(lambda: not any(map(lives, below)))
    assert running.returncode
    assert "stopped; start again to go on" in (project / LOGS / "slow@one.log").read_text()
    slow["cmd"] = "python slow.py 0; echo ${item} > ${item}"
    write_stages(project, {"slow": {"foreach": ["one", "two"], "do": slow}})
    assert set(made(project).done) == {"slow@one", "slow@two"}


def said_by(project, name):
    log = project / LOGS / f"slow@{name}.log"
    return log.exists() and "step 1/9" in log.read_text()


def lives(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_until(holds, most=120):
    until = time.monotonic() + most
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.1)
