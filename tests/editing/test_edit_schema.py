"""Edit lists: what is read, and what is wrong with an item is said under its number."""

import pytest

from augflow.core.errors import ParamsError
from augflow.data.classes import table
from augflow.editing.edit_schema import Add, Move, Paste, Recolour, Remove, read_edits

CITY = table("cityscapes")

GOOD = """
- add: {class: car, shape: {polygon: [[0.1, 0.1], [0.2, 0.1], [0.2, 0.4]]}}
- paste: {object: {at: [0.8, 0.5]}, from: other.png, instances: ids.png, at: [0.7, 0.2], scale: 0.8}
- move: {object: {at: [0.6, 0.4]}, by: [0, -0.2]}
- remove: {object: {class: car, largest: true}, fill: road}
- recolour: {object: {class: traffic light}, to: pole}
"""


def read(tmp_path, text):
    path = tmp_path / "edits.yaml"
    path.write_text(text)
    return read_edits(path, CITY)


def fault(tmp_path, item):
    found = read(tmp_path, f"- {item}\n- recolour: {{object: {{class: car}}, to: bus}}")
    assert list(found.edits) == [2]
    return found.faults[1]


def test_each_kind_of_edit_is_read(tmp_path):
    found = read(tmp_path, GOOD)
    assert found.faults == {}
    kinds = [type(edit.action) for edit in found.edits.values()]
    assert kinds == [Add, Paste, Move, Remove, Recolour]
    assert found.edits[2].paste.origin == ("other.png", "ids.png")
    assert found.edits[3].move.by == (0.0, -0.2)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("recolour: {object: {class: cra}, to: road}", "no class 'cra'; known: road, "),
        ("recolour: {object: {class: car}, to: raod}", "did you mean 'road'"),
        ("remove: {object: {at: [0.5, 0.5]}, fill: raod}", "did you mean 'road'"),
        (
            "add: {clas: car, shape: {rectangle: {centre: [0, 0], size: [1, 1]}}}",
            "known: class, shape; did you mean 'class'",
        ),
        ("add: {class: car, shape: {}}", "expected one of ellipse, rectangle, polygon, got none"),
        (
            "add: {class: car, shape: {rectangle: {centre: [0, 0], size: [0, 1]}}}",
            "equal to 0.000001, got 0",
        ),
        (
            "add: {class: car, shape: {ellipse: {centre: [0, 0], size: [1.0e-300, 1]}}}",
            "got 1e-300",
        ),
        ("add: {class: car, shape: {polygon: [[0, 0], [1, 1], [1.0e+9, 0]]}}", "equal to 1000"),
        ("move: {object: {class: car}, by: [1.0e+30, 0]}", "equal to 1000, got 1e+30"),
        ("paste: {object: {class: car}, at: [0, -1.0e+30]}", "equal to -1000, got -1e+30"),
        ("add: {class: car, shape: {polygon: [[0, 0], [1, 1]]}}", "at least 3"),
        ("remove: {object: {at: [0.5, 1.5]}}", "less than or equal to 1, got 1.5"),
        ("remove: {object: {at: [0.5, 0.5], class: car}}", "either at: [row, column] or class"),
        ("remove: {object: {at: [0.5, 0.5], largest: true}}", "largest goes with class"),
        ("paste: {object: {class: car}, instances: ids.png}", "instances goes with from"),
        ("move: {object: {class: car}, by: [.nan, 0]}", "move.by.0: Input should be a finite"),
        (
            "{move: {object: {class: car}, by: [0, 1]}, remove: {object: {class: car}}}",
            "got move and remove",
        ),
        ("7", "expected a mapping, got int"),
    ],
)
def test_a_wrong_item_says_what_is_wrong_and_others_are_read(tmp_path, item, words):
    assert words in fault(tmp_path, item)


@pytest.mark.parametrize("text", ["", "[]", "add: 1", "- [", "- a: b: c"])
def test_a_file_that_is_no_list_is_refused(tmp_path, text):
    with pytest.raises(ParamsError, match=r"edits\.yaml: (expected a list|not YAML)"):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"none\.yaml: no such file"):
        read_edits(tmp_path / "none.yaml", CITY)


def test_only_plain_yaml_is_read(tmp_path):
    with pytest.raises(ParamsError, match=r"edits\.yaml: .*of tag !!python/name:os.system"):
        read(tmp_path, "- remove: {object: !!python/name:os.system }")
