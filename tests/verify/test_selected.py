"""Selected sets are checked against their source, and decided about again."""

import shutil

import pytest

from augflow.core import io
from augflow.data.synthetic import read_rows
from augflow.study.environment import Machines
from augflow.verify.selected import check_again, check_selected


def test_selections_of_a_study_hold(study, space):
    check = check_selected(space)
    assert check.state == "holds", check.violations
    assert check.compared > 20
    again = check_again(space, Machines(study))
    assert again.state == "holds", again.violations
    assert again.compared > 10


def edited_line(folder, old, new):
    path = folder / "selection.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_decision_that_was_turned_round_is_found(study, space):
    edited_line(study.selected("strict"), "true,,", "false,agreement,")
    check = check_selected(space)
    assert any("photographs" in found.where for found in check.violations)
    found = check_again(space, Machines(study)).violations
    assert any(found.where.endswith("selection.csv") for found in found)


def test_a_label_that_the_source_does_not_have_is_found(study, space):
    folder = study.selected("chosen")
    row = read_rows(folder)[0]
    path = folder / row.photo.replace("leftImg8bit", "gtFine", 1).replace(
        "_leftImg8bit.png", "_gtFine_labelIds.png"
    )
    ids = io.read_ids(path).copy()
    ids[3, 5] = 7 if ids[3, 5] != 7 else 8
    io.write_png(path, ids)
    (found,) = check_selected(space).violations
    assert found.where.endswith(f"labels of {row.name}: row 3, column 5")


@pytest.mark.parametrize(("key", "value"), [("judge", "feed"), ("set", "more")])
def test_facts_of_another_selection_are_found(study, space, key, value):
    path = study.selected("strict") / "selection.json"
    io.write_json(path, io.read_json(path) | {key: value})
    (found,) = check_selected(space).violations
    assert found.where == f"{path}: {key}"


def test_what_is_not_there_cannot_be_checked(study, space):
    (study.selected("strict") / "selection.csv").unlink()
    assert check_selected(space).state == "does not hold"
    shutil.rmtree(study.selected("strict"))
    assert check_selected(space).state == "cannot be checked"
