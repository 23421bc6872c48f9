"""A study that holds, and copies of it to spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from augflow.study.project import Project
from augflow.verify.workspace import Workspace


@pytest.fixture
def study(whole_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the study, which is the working directory."""
    shutil.copytree(whole_study, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return Project()


@pytest.fixture
def space(study: Project) -> Workspace:
    """The copy, opened."""
    return Workspace(study)
