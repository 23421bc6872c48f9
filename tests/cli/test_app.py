"""The application itself: its commands, its exit codes, and what it takes to print help."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import augflow
from augflow.cli import app

HEAVY = {
    "torch", "torchvision", "numpy", "cv2", "PIL", "pandas", "matplotlib", "mmseg", "mmengine",
    "mmcv", "dvc", "sklearn", "albumentations", "jinja2", "lightning_fabric",
}  # fmt: skip


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


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


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(words):
    shown, modules = modules_after(*words)
    assert "Usage" in shown
    assert "augflow" in modules
    assert not modules & HEAVY


def test_help_lists_the_commands_in_the_order_of_use():
    output = run("--help").output
    names = [
        "init", "check-data", "train", "synth", "transfer", "check-leaks", "score", "report",
        "verify", "describe",
    ]  # fmt: skip
    listed = [line.split()[1] for line in output.splitlines() if len(line.split()) > 1]
    assert [word for word in listed if word in names] == names


@pytest.mark.parametrize(
    "command", ["init", "check-data", "train", "check-leaks", "score", "report", "describe"]
)
def test_every_command_has_help(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: root {command}" in result.output


def test_version_is_that_of_the_package():
    result = run("--version")
    assert result.exit_code == 0
    assert result.output == f"augflow {augflow.__version__}\n"


@pytest.mark.parametrize("command", ["train", "check-leaks", "score", "report"])
def test_outside_a_project_one_line_says_so(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(command)
    assert result.exit_code == 2
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("augflow: params.yaml: no such file")
    assert "augflow init" in line


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
