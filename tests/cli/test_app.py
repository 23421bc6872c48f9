"""The application itself: its commands, its exit codes, and what it takes to print help."""

from __future__ import annotations

import json
import subprocess
import sys

import augflow
from augflow.cli import COMMANDS
from tests.commands import run

HEAVY = {
    "torch", "torchvision", "numpy", "cv2", "PIL", "pandas", "matplotlib", "mmseg", "mmengine",
    "mmcv", "dvc", "sklearn", "albumentations", "jinja2", "lightning_fabric",
}  # fmt: skip


def modules_after(*words):
    """The top-level modules that are there once `augflow WORDS` has run in a fresh interpreter."""
    code = (
        "import json, sys\n"
        "from augflow.cli import app\n"
        f"app({list(words)!r}, standalone_mode=False)\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    *shown, last = done.stdout.splitlines()
    return "\n".join(shown), set(json.loads(last))


def test_help_imports_nothing_heavy():
    shown, modules = modules_after("train", "--help")
    assert "Usage" in shown
    assert "augflow" in modules
    assert not modules & HEAVY


def test_help_lists_the_commands_in_the_order_of_use_and_each_has_its_own():
    output = run("--help").output
    names = [
        "init", "check-data", "train", "synth", "transfer", "check-leaks", "score", "report",
        "verify", "describe",
    ]  # fmt: skip
    listed = [line.split()[1] for line in output.splitlines() if len(line.split()) > 1]
    assert [word for word in listed if word in names] == names
    for name in COMMANDS:
        command = name.replace("_", "-")
        assert f"Usage: root {command}" in run(command, "--help").output


def test_version_is_that_of_the_package():
    result = run("--version")
    assert result.exit_code == 0
    assert result.output == f"augflow {augflow.__version__}\n"


def test_outside_a_project_one_line_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words, said in (
        (["train"], "params.yaml: no such file"), (["check-leaks"], "augflow init"),
        (["score"], "augflow init"), (["report"], "augflow init"),
        (["predict", "--images", "."], "--predictor"),
        (["layouts", "--boost", "car", "--out", "o"], "give a folder of label maps with --layouts"),
        (["layouts", "--boost", "car", "--out", "o", "--layouts", "."],
         "say the classes of the label maps with --classes"),
        (["check-data"], "name a folder"),
    ):  # fmt: skip
        result = run(*words)
        assert (result.exit_code, result.stdout) == (2, "")
        [line] = result.stderr.splitlines()
        assert line.startswith("augflow: ")
        assert said in line


def test_an_interrupt_ends_with_130_and_no_traceback(monkeypatch, tmp_path):
    from augflow.study.project import Project

    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Project, "params", property(interrupted))
    result = run("train")
    assert result.exit_code == 130
    assert result.stderr == "augflow: stopped; start again to go on\n"


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch):
    from augflow.study.project import Project

    def broken(self):
        raise ZeroDivisionError

    monkeypatch.setattr(Project, "params", property(broken))
    assert isinstance(run("train").exception, ZeroDivisionError)
