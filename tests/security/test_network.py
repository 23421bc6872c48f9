"""Nothing that augflow runs asks for the network: not a study, not a command, not DVC beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]

STUDY = """
from pathlib import Path

from typer.testing import CliRunner

from augflow.cli import app
from augflow.segmentation.augment import ClassicPolicy
from tests import tiny_study
from tests.faults.study import params

ClassicPolicy()
tiny_study.PARAMS = params()
tiny_study.make(Path.cwd())
photo = next(Path("data/mini/synthetic/most/leftImg8bit").rglob("*.png"))
for words in (
    "check-data --params params.yaml", f"explain {photo}", f"replay {photo}", "verify",
    "export most --format mmseg --out exported",
    "synth --generator data/mini/generators/flow --layouts data/mini/raw/gtFine/val --out made",
):
    done = CliRunner().invoke(app, words.split())
    assert done.exit_code == 0, (words, done.output, done.exception)
"""


QUIET = """
from dvc.analytics import is_enabled
from dvc.updater import Updater

assert not is_enabled()
assert not Updater(".dvc/tmp").is_enabled()
"""


@pytest.fixture
def offline(tmp_path):
    """Runs a command at an empty folder; returns what it and its children asked the network for."""
    log = tmp_path / "network.txt"
    log.touch()
    kept = {name: value for name, value in os.environ.items() if name != "DVC_NO_ANALYTICS"}
    places = [str(Path(__file__).parent / "offline"), str(HOME)]
    environment = {**kept, "PYTHONPATH": os.pathsep.join(places), "NETWORK_LOG": str(log)}
    (tmp_path / "here").mkdir()

    def run(*words, check=True):
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path / "here", env=environment, capture_output=True,
            text=True,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr
        return log.read_text()

    return run


@pytest.mark.parametrize("text", [
    "import urllib.request as r; r.urlopen('http://127.0.0.1:9')",
    "import socket; socket.create_connection(('localhost', 9))",
    "import socket; socket.socket().connect(('127.0.0.1', 9))",
    "import subprocess as s, sys; "
    "s.run([sys.executable, '-c', 'import socket; socket.getaddrinfo(\"example.org\", 80)'])",
])  # fmt: skip
def test_the_watch_sees_whoever_asks(offline, text):
    assert "by [" in offline("-c", text, check=False)


def test_a_whole_study_and_what_follows_it_asks_for_nothing(offline):
    assert offline("-c", STUDY) == ""


def test_a_new_project_and_dvc_in_it_ask_for_nothing(offline):
    assert offline("-m", "augflow", "--help") == ""
    assert offline("-m", "augflow", "init", "--preset", "smoke") == ""
    assert offline("-m", "dvc", "status") == ""
    assert offline("-c", QUIET) == ""
