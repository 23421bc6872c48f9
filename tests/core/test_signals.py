"""Signals are heard, deferred and told; a stage does not outlive the DVC that runs it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from augflow.core import signals
from augflow.core.signals import Stopped

STAGE = """
import sys, time
from pathlib import Path
from augflow.core import io
from augflow.cli.errors import report_faults
with report_faults(), io.fresh_folder(Path("out")) as folder:
    (folder / "begun").touch()
    print("begun", flush=True)
    time.sleep(60)
"""

STEPPING = """
import time
from pathlib import Path
from augflow.core import signals
from augflow.cli.errors import report_faults
with report_faults(), signals.defer_signal() as asked:
    print("begun", flush=True)
    for _ in range(40):
        time.sleep(0.1)
    Path("finished").write_text(str(asked()))
"""

STARTER = """
import subprocess, sys
subprocess.Popen(["sh", "-c", sys.argv[1] + " -c '" + sys.argv[2] + "'; true"]).wait()
"""


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_signal_raises_and_the_old_handler_comes_back(number):
    before = signal.getsignal(number)
    message = r"^stopped; start again to go on$"
    with pytest.raises(Stopped, match=message) as caught, signals.raise_on_signal():  # noqa: PT012
        os.kill(os.getpid(), number)
        time.sleep(1)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_so_and_other_threads_leave_signals_alone():
    found = []

    def work():
        with signals.raise_on_signal(), signals.defer_signal() as asked:
            found.append(asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [0]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals.raise_on_signal():
            os.kill(os.getpid(), signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_first_signal_waits_and_the_second_does_not():
    seen = []
    with pytest.raises(Stopped), signals.defer_signal() as asked:  # noqa: PT012
        seen.append(asked())
        os.kill(os.getpid(), signal.SIGTERM)
        seen.append(asked())
        os.kill(os.getpid(), signal.SIGINT)
        seen.append("not reached")
    assert seen == [0, signal.SIGTERM]
    # one that nobody has heeded is raised at the end
    with pytest.raises(Stopped), signals.defer_signal():  # noqa: PT012
        os.kill(os.getpid(), signal.SIGTERM)
        seen.append(True)
    assert seen[-1] is True


def started(folder: Path, stage: str = STAGE, **environ: str) -> subprocess.Popen:
    command = [sys.executable, "-c", STARTER, sys.executable, stage]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **environ}, start_new_session=True,
    )  # fmt: skip


def test_a_stage_ends_with_the_dvc_that_runs_it_and_leaves_nothing(tmp_path):
    starter = started(tmp_path, DVC_STAGE="train@full_glow")
    assert starter.stdout is not None
    assert starter.stdout.readline() == "begun\n"
    starter.kill()
    starter.wait()
    # the stage holds the other ends of the pipes as long as it lives
    assert starter.communicate(timeout=20)[1] == "augflow: stopped; start again to go on\n"
    assert list(tmp_path.iterdir()) == []


def test_a_step_is_finished_where_one_signal_ends_dvc_and_reaches_the_stage(tmp_path):
    starter = started(tmp_path, STEPPING, DVC_STAGE="train@full_glow")
    assert starter.stdout is not None
    assert starter.stdout.readline() == "begun\n"
    os.killpg(starter.pid, signal.SIGTERM)
    starter.wait()
    assert starter.communicate(timeout=20)[1] == "augflow: stopped; start again to go on\n"
    assert (tmp_path / "finished").read_text() == str(int(signal.SIGTERM))


def test_without_dvc_a_command_outlives_what_started_it(tmp_path):
    starter = started(tmp_path)
    assert starter.stdout is not None
    assert starter.stdout.readline() == "begun\n"
    starter.kill()
    starter.wait()
    with pytest.raises(subprocess.TimeoutExpired):
        starter.communicate(timeout=3)
    [part] = tmp_path.glob("*.part")
    os.kill(int(part.name.split(".")[2]), signal.SIGTERM)
    starter.communicate(timeout=20)
    assert list(tmp_path.iterdir()) == []
