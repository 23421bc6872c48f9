"""Tables of attributes from a file whose numbers are made up."""

import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.report import attribute_file
from augflow.report.attributed import attribute_changes, attributes
from augflow.study.params import AttributesParams
from tests.fabricated import Study


def read(accuracy, each):
    return {
        "accuracy": accuracy, "accuracy_layout": 0.5, "accuracy_each": each, "variance": 0.004,
    }  # fmt: skip


def content():
    free = {"light": False, "changes": [0.01, None], "weights": "feed"}
    asked = {"light": True, "changes": [0.02, 0.03], "weights": "beef"}
    return {
        "kind": "attributes", "names": ["dark", "bright", "much road"], "layouts": ["x"],
        "samples": 2, "temperature": 0.8, "real": read(0.9, [0.9, 0.8, 1.0]),
        "generators": {
            "glow": {**read(0.5, [None, None, 0.5]), **free},
            "caglow": {**read(0.7, [0.8, 0.6, 0.7]), **asked},
        },
    }  # fmt: skip


@pytest.fixture
def params():
    section = AttributesParams(generators=("glow", "caglow"), changes=2)
    return Study().params().model_copy(update={"attributes": section})


@pytest.fixture
def evidence(params, tmp_path):
    """Only what the tables look at."""
    io.write_json(tmp_path / "attributes.json", content())

    class Held:
        attributes = attribute_file.load(tmp_path / "attributes.json", params)

    return Held


def test_real_photographs_stand_first_and_light_is_the_mean_of_dark_and_bright(evidence):
    table = attributes(evidence)
    assert [row.key for row in table.rows] == ["real photographs", "glow", "caglow"]
    assert table.row("caglow").cells["light"] == pytest.approx(0.7)
    assert table.row("glow").cells["light"] is None
    assert table.row("real photographs").cells["accuracy"] == 0.9


def test_changes_stand_in_rows_and_systems_in_columns(evidence):
    table = attribute_changes(evidence)
    assert [column.name for column in table.columns] == ["change", "glow", "caglow"]
    assert [row.cells["caglow"] for row in table.rows] == [0.02, 0.03]
    assert table.rows[1].cells["glow"] is None


def test_without_a_section_there_are_no_tables(tmp_path):
    class Held:
        attributes = attribute_file.load(tmp_path / "attributes.json", Study().params())

    assert not attributes(Held).rows
    assert not attribute_changes(Held).rows


def test_files_of_other_generators_or_damaged_ones_are_refused(params, tmp_path):
    path = tmp_path / "attributes.json"
    for change, what in (
        ({"generators": {}}, "generators"),
        ({"names": ["dark"]}, "attributes"),
        ({"samples": "many"}, "samples"),
    ):
        io.write_json(path, {**content(), **change})
        with pytest.raises(DataError, match=f"{what}.*run stage attributes again"):
            attribute_file.load(path, params)
