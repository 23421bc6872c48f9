"""A study that holds, and copies of it to spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from augflow.study.project import Project
from augflow.verify.workspace import Workspace
from tests import tiny_study


@pytest.fixture(scope="session")
def whole_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study with its DVC cache; read only."""
    root = tmp_path_factory.mktemp("whole") / "study"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        tiny_study.make(root)
    return root


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
