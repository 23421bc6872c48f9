"""What continuous integration runs is what this repository can do."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from augflow.cli import app

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
AUGFLOW = re.compile(r"(?:^|[;&|(] *|/)augflow +([^;&|\n]*)", re.MULTILINE)


def steps(workflow):
    """The steps of a workflow that run something: the words, and the folder to run them in."""
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                yield step["run"], step.get("working-directory", ".")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_step_is_a_script_and_its_commands_take_their_options(workflow):
    command, used = typer.main.get_command(app), []
    for text, _ in steps(workflow):
        subprocess.run(["bash", "-n", "-c", text], check=True)
        for words in map(shlex.split, AUGFLOW.findall(text)):
            name, *given = words
            command.commands[name].make_context(name, given)  # refuses what it does not know
            used.append(name)
    assert used


def test_an_option_that_is_none_would_be_found():
    command = typer.main.get_command(app)
    with pytest.raises(Exception, match="No such option"):
        command.commands["verify"].make_context("verify", ["--levle", "1"])


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_the_environment_is_kept_by_all_that_it_is_made_of(workflow):
    for job in yaml.safe_load(workflow.read_text())["jobs"].values():
        names = [step.get("uses", step.get("run")) for step in job["steps"]]
        cache = job["steps"][names.index("actions/cache@v4")]["with"]
        assert cache["path"] == ".venv"
        made_of = re.search(r"^\$\(STAMP\): (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert re.findall(r"'(.*?)'", cache["key"]) == made_of[1].split()
        assert names.index("actions/cache@v4") < names.index("make setup")


@pytest.mark.slow
def test_the_smoke_study_of_the_workflow_is_made_holds_and_is_summed_up(tmp_path):
    summary, path = tmp_path / "summary.md", tmp_path / "path"
    environment = {
        **os.environ, "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_PATH": str(path),
        "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }  # fmt: skip
    for text, folder in steps(ROOT / ".github" / "workflows" / "smoke.yml"):
        if text != "make setup":  # whose environment this is
            subprocess.run(
                ["bash", "-e", "-c", text], cwd=tmp_path / folder, env=environment, check=True
            )
    assert path.read_text() == f"{tmp_path}/.venv/bin\n"
    answer, level, checks = summary.read_text().partition("# Level 1: holds")
    assert answer.startswith("# ")
    assert "\n## " not in answer
    assert re.search(r"^\*\*.+\*\*$", answer, re.MULTILINE)
    assert level
    assert "| check | state |" in checks
