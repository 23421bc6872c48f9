"""Selections and choices in a report: tables worked out by hand, and damaged files named."""

from types import SimpleNamespace

import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.synthetic import Decision, write_decisions
from augflow.report.evidence import load_choices, load_leaks, load_selections
from augflow.report.tables_study import criteria, nearest
from augflow.stages.report import gather_selections
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
    rows = [
        {"temperature": 0.5, "class_iou": [0.25, 0.5]},
        {"temperature": 0.9, "class_iou": [0.5, 0.5]},
    ]
    choice = {"choice": "best", "set": "most", "temperature": 0.9, "rows": rows}
    choice |= {"folds": [["x"], ["y"]], "seeds": [0, 1], "steps": 5}
    io.write_json(tmp_path / "study" / "chosen" / "best.json", choice)
    gather_selections(STUDY, tmp_path / "study", tmp_path / "evidence")
    return tmp_path / "evidence"


def test_a_selection_is_kept_in_short_and_a_choice_as_it_is(evidence):
    (found,) = load_selections(evidence / "selections", STUDY).values()
    assert (found.candidates, found.kept) == (4, 2)
    assert found.dropped == {"agreement": 1, "likelihood": 1}
    assert found.trusted == pytest.approx(0.5)
    assert found.agreement_kept == pytest.approx(0.8)
    assert found.agreement_dropped == pytest.approx(0.2)
    assert found.heaviest == pytest.approx(3 / 2)
    (choice,) = load_choices(evidence / "choices", STUDY).values()
    assert choice.temperature == 0.9
    assert [row.class_iou for row in choice.rows] == [[0.25, 0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kept": 3}, "kept and dropped: expected 4, got 5"),
        ({"selection": "other"}, "selection: expected strict, got other"),
        ({"trusted": 2.0}, "trusted: Input should be less than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_named(evidence, changes, message):
    path = evidence / "selections" / "strict.json"
    io.write_json(path, io.read_json(path) | changes)
    with pytest.raises(DataError, match=message):
        load_selections(evidence / "selections", STUDY)


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


def leaks(folder, quantiles=(0.0, 0.5, 1.0), leaks=(), **near):
    near = {
        "trained_on": True,
        "photographs": 5,
        "distances": [0.1, 0.4, 0.9],
        "nearer_than_any_val": 0.2,
        "nearer_than_1_percent_of_val": 0.4,
        "nearest_has_its_layout": 0.0,
        "copies": ["p"],
        "nearest": [],
    } | near
    content = {"limits": {}, "scenes": {"train": 6, "val": 4}, "quantiles": quantiles}
    content |= {"leaks": leaks, "val": {"distances": [0.5, 0.6, 0.8]}, "sets": {"more": near}}
    io.write_json(folder / "leaks.json", content)
    return load_leaks(folder / "leaks.json")


def test_distances_stand_beside_those_of_unseen_photographs(tmp_path):
    val, more = nearest(SimpleNamespace(leaks=leaks(tmp_path))).rows
    assert (val.cells["photographs"], val.cells["least"], val.cells["copies"]) == (4, 0.5, None)
    assert [more.cells[key] for key in ("least", "median", "copies")] == [0.1, 0.4, 1]
    with pytest.raises(DataError, match="more: 1 distances for 3 quantiles"):
        leaks(tmp_path, distances=[0.1])
    assert load_leaks(tmp_path / "none.json") is None
    assert not nearest(SimpleNamespace(leaks=None)).rows


def test_no_report_is_made_of_a_study_with_leaks(tmp_path):
    leak = {"pool": "train", "name": "a", "val": "b", "shares": "photograph"}
    with pytest.raises(DataError, match=r"leaks\.json: lists 1 leaks .* `augflow check-leaks`"):
        leaks(tmp_path, leaks=[leak])
