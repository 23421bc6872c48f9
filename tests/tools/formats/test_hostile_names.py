"""Class names of a set from elsewhere: texts in an exported config, which is a program."""

from __future__ import annotations

import pytest

from augflow.data.classes import ClassRow, ClassTable
from augflow.tools.formats.folders import SYNTHETIC, Package
from augflow.tools.formats.mmseg import config

LONG = "a" * 90  # so that every name has a line of its own


def template(trace):
    """A name whose end becomes code when mmengine puts a default in the place of a variable."""
    return LONG + '"' + "{{$NOWHERE:x\\',open(\"" + str(trace) + '","w").name,#|.}}'


@pytest.mark.parametrize("name", [
    "{{ fileDirname }}", "{{$HOME:x}}", "{{ _base_.x }}", "{x}", "'''", '"""', "\\", "a\nb",
    '"], evil=open("x"), y=["',
])  # fmt: skip
def test_names_are_read_back_as_they_were(tmp_path, name):
    assert read_back(tmp_path, name) == (name, "other")


def test_a_name_that_is_a_template_runs_nothing(tmp_path):
    trace = tmp_path / "ran"
    name = template(trace)
    assert read_back(tmp_path, name) == (name, "other")
    assert not trace.exists()


def read_back(folder, name):
    """The class names that mmseg finds in the config of an export."""
    from mmengine.config import Config

    rows = (ClassRow(name, 0, 0, False, (1, 2, 3)), ClassRow("other", 1, 1, False, (4, 5, 6)))
    package = Package(ClassTable("own", rows), (8, 8), {SYNTHETIC: []})
    (folder / "augflow_data.py").write_text(config(package))
    return tuple(Config.fromfile(folder / "augflow_data.py").augflow_classes["classes"])
