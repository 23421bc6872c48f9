"""`augflow select`: selections of a project, and what is missing for them."""

import shutil
from functools import partial

import pytest

from augflow.core import io
from tests import commands

run = partial(commands.run, "select")


@pytest.fixture
def project(study):
    return study


def test_the_command_makes_what_the_stage_makes(project):
    before = io.digest_tree(project.selected_folder("strict"))
    shutil.rmtree(project.selected_folder("strict"))
    result = run("strict")
    assert result.exit_code == 0, result.output
    assert "strict: selected, in data/mini/selected/strict" in result.output
    assert "agreement" in result.output
    assert io.digest_tree(project.selected_folder("strict")) == before


def test_without_a_name_all_are_made(project):
    shutil.rmtree(project.data / "selected")
    assert run().exit_code == 0
    assert {path.name for path in (project.data / "selected").iterdir()} == {"chosen", "strict"}


def test_an_unknown_name_lists_the_known_ones(project):
    result = run("strickt")
    assert result.exit_code == 2
    assert (
        "selections: no 'strickt'; known: chosen, strict; did you mean 'strict'?" in result.output
    )


@pytest.mark.parametrize(
    ("gone", "stage"),
    [("judges/own", "judges@own"), ("synthetic/most", "synthesize@most"), ("chosen", "choose")],
)
def test_what_is_missing_names_the_stage_to_run(project, gone, stage):
    shutil.rmtree(project.data / gone)
    result = run("chosen")
    assert result.exit_code == 2
    assert f"run `dvc repro {stage}` first" in result.output
