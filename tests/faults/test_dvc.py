"""DVC is killed while it runs a training: nothing goes on without it, and it goes on when asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.study import HOME, STAGES, lay, params
from tests.faults.test_stages import state_of, wait_until
from tests.faults.trials import tree

STAGE = "train@flow"
OUT = STAGES[STAGE][1][0]


def long_study(root):
    """A study whose training lasts long enough to be met in its midst."""
    flow = params()["generators"]["flow"]
    longer = {**flow["training"], "steps": 1500, "save_every": 50, "log_every": 50,
              "eval_every": 1500, "sample_every": 1500}  # fmt: skip
    lay(root, generators={"flow": {**flow, "training": longer}})


def dvc(root, *words):
    """Starts DVC on the code of the project folder; what it says goes to a file."""
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "PYTHONPATH": os.pathsep.join(paths),
                   "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
                   "OMP_NUM_THREADS": "1"}  # fmt: skip
    with (root / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "dvc", *words], cwd=root, env=environment, stdout=said,
            stderr=said,
        )  # fmt: skip


def below(process):
    """The processes that a process has started, and those that they have."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and parent_of(entry.name) == process:
            found += [int(entry.name), *below(int(entry.name))]
    return found


def parent_of(process):
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def is_gone(process):
    try:
        return state_of(process) == "Z"
    except OSError:
        return True


@pytest.mark.slow
def test_no_training_outlives_the_dvc_that_runs_it(runs, tmp_path):
    root, other = tmp_path / "study", tmp_path / "undisturbed"
    long_study(root)
    ignored = shutil.ignore_patterns("__pycache__", "names.yaml")  # which is the study's own
    for name in ("augflow", "pipelines"):
        shutil.copytree(HOME / name, root / name, ignore=ignored, dirs_exist_ok=True)
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(HOME / name, root)
    assert dvc(root, "init", "--no-scm", "--quiet").wait() == 0

    running = dvc(root, "repro", STAGE)
    wait_until(lambda: list(root.glob(".augflow/runs/*/previous.safetensors")), most=600)
    started = below(running.pid)
    assert started
    running.kill()
    running.wait()
    wait_until(lambda: all(map(is_gone, started)))
    said = (root / "said.txt").read_text()
    assert "augflow: stopped after step" in said
    assert not (root / OUT).exists()
    assert list(root.glob(".augflow/runs/*/state.safetensors"))

    assert dvc(root, "repro", STAGE).wait() == 0
    assert "going on at step" in (root / "said.txt").read_text().removeprefix(said)
    assert not list((root / ".augflow" / "runs").iterdir())
    long_study(other)
    for stage in ("prepare", STAGE):
        assert runs.run(other, stage).code == 0
    assert tree(root / OUT) == tree(other / OUT)
