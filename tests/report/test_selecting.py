"""Selections and choices in a report: tables worked out by hand, and damaged files named."""

import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.synthetic import Decision, write_decisions
from augflow.report import leak_file, selection_files
from augflow.report.selecting import criteria
from augflow.study.params import Params, SelectionParams
from tests.tiny_study import PARAMS

STUDY = Params.model_validate(PARAMS)


def decision(name, reason="", weight=1.0, agreement=0.5, trusted=0.75):
    kept = not reason
    return Decision(name, "a", 0, 0.8, kept, reason, weight if kept else None, agreement, trusted,
                    None)  # fmt: skip


@pytest.fixture
def evidence(tmp_path):
    """The evidence of two selections, of which one is there, and of a choice."""
    folder = tmp_path / "study" / "selected" / "strict"
    decisions = [
        decision("a", weight=3.0, agreement=0.9), decision("b", agreement=0.7, trusted=0.25),
        decision("c", "agreement", agreement=0.1), decision("d", "likelihood", agreement=0.3),
    ]  # fmt: skip
    facts = {"selection": "strict", "set": "most", "judge": "feed", "thresholds": {}}
    write_decisions(folder, decisions, facts)
    io.write_json(tmp_path / "study" / "chosen" / "best.json", {
        "choice": "best", "set": "most", "temperature": 0.9, "folds": [["x"], ["y"]], "steps": 5,
        "rows": [{"temperature": 0.5, "class_iou": [0.25, 0.5]},
                 {"temperature": 0.9, "class_iou": [0.5, 0.5]}],
    })  # fmt: skip
    selection_files.gather(STUDY, tmp_path / "study", tmp_path / "evidence")
    return tmp_path / "evidence"


def test_a_selection_in_short(evidence):
    (found,) = selection_files.selections(evidence, STUDY).values()
    assert (found.candidates, found.kept) == (4, 2)
    assert found.dropped == {"agreement": 1, "likelihood": 1}
    assert found.trusted == pytest.approx(0.5)
    assert found.agreement_kept == pytest.approx(0.8)
    assert found.agreement_dropped == pytest.approx(0.2)
    assert found.heaviest == pytest.approx(3 / 2)


def test_a_choice_is_kept_as_it_is(evidence):
    (found,) = selection_files.choices(evidence, STUDY).values()
    assert found.temperature == 0.9
    assert [row.class_iou for row in found.rows] == [[0.25, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kept": 3}, "3 kept and 2 dropped of 4"),
        ({"selection": "other"}, "is about 'other', expected 'strict'"),
        ({"trusted": 2.0}, "trusted: Input should be less than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_named(evidence, changes, message):
    path = evidence / "selections" / "strict.json"
    io.write_json(path, io.read_json(path) | changes)
    with pytest.raises(DataError, match=message):
        selection_files.selections(evidence, STUDY)


def test_criteria_are_said_in_words():
    section = SelectionParams(
        set="s", judge="j", reads="prepared", temperature=0.8, agreement=0.1, hardness=True,
        typicality={"low": 0.05, "high": 0.95}, pixel_filter=1.25, ignore_band=1,
    )  # fmt: skip
    assert criteria(section) == (
        "temperature 0.8, all but the 10% read worst, densities from 5% to 95%, hard layouts more "
        "often, pixels up to 1.25 x class loss, no labels within 1 px of edges"
    )
    assert criteria(SelectionParams(set="s", judge="j", reads="prepared")) == "none"


def test_distances_stand_beside_those_of_unseen_photographs(tmp_path):
    near = {
        "trained_on": True, "photographs": 5, "distances": [0.1, 0.4, 0.9],
        "nearer_than_any_val": 0.2, "nearer_than_1_percent_of_val": 0.4, "copies": ["p"],
    }  # fmt: skip
    content = {"quantiles": [0.0, 0.5, 1.0], "scenes": {"train": 6, "val": 4}, "leaks": [],
               "val": {"distances": [0.5, 0.6, 0.8]}, "sets": {"more": near}}  # fmt: skip
    io.write_json(tmp_path / "leaks.json", content)
    val, more = leak_file.nearest(leak_file.load(tmp_path / "leaks.json")).rows
    assert (val.cells["photographs"], val.cells["least"], val.cells["copies"]) == (4, 0.5, None)
    assert [more.cells[key] for key in ("least", "median", "copies")] == [0.1, 0.4, 1]
    content["sets"]["more"]["distances"] = [0.1]
    io.write_json(tmp_path / "leaks.json", content)
    with pytest.raises(DataError, match="more: 1 distances for 3 quantiles"):
        leak_file.load(tmp_path / "leaks.json")
    assert leak_file.nearest(leak_file.load(tmp_path / "none.json")).rows == ()


def test_no_report_is_made_of_a_study_with_leaks(tmp_path):
    leak = {"pool": "train", "name": "a", "val": "b", "shares": "photograph"}
    content = {"quantiles": [0.0], "scenes": {"train": 6, "val": 4}, "leaks": [leak],
               "val": {"distances": [0.5]}, "sets": {}}  # fmt: skip
    io.write_json(tmp_path / "leaks.json", content)
    with pytest.raises(DataError, match=r"leaks\.json: lists 1 leaks .* `augflow check-leaks`"):
        leak_file.load(tmp_path / "leaks.json")
