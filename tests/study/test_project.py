"""A run is gone on with where all that it depends on is what it was."""

import pytest

from augflow.core import io
from augflow.data.classes import table
from augflow.data.scenes import table_facts
from augflow.segmentation.params import SegmenterParams
from augflow.study.project import Project
from tests.mini_network import MINI_PY

OWN = '_base_ = "base.py"\nmodel = dict(decode_head=dict(dropout_ratio=0.2))\n'


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("")
    monkeypatch.setattr(Project, "prepared_folder", tmp_path / "prepared")
    io.write_json(tmp_path / "prepared/dataset.json", {
        "classes": table_facts(table("idd_lite")), "size": [32, 48], "boundary_source": "classes",
    })  # fmt: skip
    (tmp_path / "own.py").write_text(OWN)
    return Project()


def test_a_base_of_a_config_is_a_part_of_it(project, tmp_path):
    params, found = SegmenterParams(config="own.py", trust_config=True, steps=1), []
    for channels in (8, 8, 16):
        (tmp_path / "base.py").write_text(
            MINI_PY.replace("'channels': 8", f"'channels': {channels}")
        )
        found.append(project.own_files(params))
    assert found[0] == found[1] != found[2]


def test_a_config_that_comes_with_augflow_is_a_part_of_its_code(project):
    assert project.own_files(SegmenterParams(config="pspnet_small", steps=1)) == []
