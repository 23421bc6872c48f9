"""Files of results are written as they were set, and damaged ones are named with their places."""

import json

import pytest

from augflow.core.errors import DataError
from augflow.study.results import Choice, Exploration, Item, References

ITEM = Item(name="a", confusion=[[1, 0], [2, 3]])
ROWS = {kind: [ITEM] for kind in ("real", "flat", "wrong")}


def choice(**changes):
    content = {"choice": "c", "set": "s", "temperature": 0.5, "folds": [["a"], ["b"]]}
    content |= {"seeds": [0], "steps": 5, "rows": [{"temperature": 0.5, "class_iou": [1.0]}]}
    return content | changes


def test_what_was_not_set_is_not_written(tmp_path):
    References(classes=["x", "y"], judge="j", rows=ROWS).write(tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text())
    assert content.pop("kind") == "references"
    assert content["rows"]["flat"] == [{"name": "a", "confusion": [[1, 0], [2, 3]]}]
    assert content.keys() == {"classes", "judge", "rows"}


def test_a_file_is_read_as_it_was_written(tmp_path):
    whole = Choice.model_validate(choice())
    whole.write(tmp_path / "c.json")
    assert Choice.read(tmp_path / "c.json") == whole
    assert (tmp_path / "c.json").read_text().count("\n") == 1


def test_a_record_for_the_eye_has_no_kind_and_a_line_for_each_fact(tmp_path):
    facts = {"generator": "g", "weights": "w", "layouts": ["a"], "seeds": [1, 2], "steps": 0}
    facts |= {"path": "linear", "temperature": 1.0, "edited": "a", "edits": []}
    Exploration(**facts).write(tmp_path / "record.json")
    assert json.loads((tmp_path / "record.json").read_text()) == facts
    assert (tmp_path / "record.json").read_text().startswith('{\n  "edited": "a",\n')


def test_faults_are_named_with_their_places_and_the_remedy(tmp_path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps(choice(steps=-1, rows=[{"temperature": 0.5, "class_iou": [2]}])))
    with pytest.raises(DataError) as fault:
        Choice.read(path)
    assert str(fault.value) == (
        f"{path}: steps: Input should be greater than or equal to 0; run stage report again; "
        f"{path}: rows.0.class_iou.0: Input should be less than or equal to 1; "
        "run stage report again"
    )


def test_what_does_not_belong_is_said_in_words(tmp_path):
    found = Choice.model_validate(choice())
    found.require(tmp_path / "c.json", choice=("c", found.choice))
    with pytest.raises(DataError, match=r"c\.json: held out: expected 2, got 1; run stage report"):
        found.require(tmp_path / "c.json", held_out=(2, 1))
