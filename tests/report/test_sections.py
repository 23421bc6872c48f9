"""What tables of the page say: bounds, the paper's numbers, classes."""

import dataclasses

import pytest

from augflow.report.sections import sections
from augflow.report.table import plain
from augflow.report.tables import compute_tables
from tests.fabricated import NAMES, Study
from tests.report.test_tables import loaded


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return loaded(tmp_path_factory.mktemp("study"), Study())


@pytest.fixture(scope="module")
def bounded(exact):
    trained = exact.generators["dual_glow"]
    made = {**exact.generators, "dual_glow": trained.model_copy(update={"bound": True})}
    return dataclasses.replace(exact, generators=made)


def captions(evidence):
    return " ".join(view.caption for view in views(evidence))


def views(evidence):
    found = sections(evidence, compute_tables(evidence), {})
    return [view for section in found for part in section.parts for view in part.tables]


def test_tables_say_what_bits_are(bounded):
    tables = compute_tables(bounded)
    for name in ("systems", "generators"):
        cells = {row.key: row.cells["bits_are"] for row in tables[name].rows}
        wanted = {"dual_glow": "bound", "full_glow": "exact", "pix2pix": None}
        assert {key: cells[key] for key in wanted} == wanted


def test_captions_name_bounds_and_are_silent_without(exact, bounded):
    assert captions(bounded).count("Bits of Dual-Glow are an upper bound") == 2
    assert "upper bound" not in captions(exact)


def test_systems_of_the_paper_stand_beside_it(exact):
    (view,) = [view for view in views(exact) if view.headings.count("in the paper") == 2]
    rows = [[plain(cell) for cell in row] for row in view.rows]
    assert rows[:2] == [
        ["Full-Glow (full_glow)", "61.67 ± 4.71", "23.86", "4.250", "2.345"],
        ["Dual-Glow (dual_glow)", "50.00 ± 0.00", "18.96", "4.000", "2.585"],
    ]
    assert rows[2][0] == "pix2pix"


def test_what_the_answer_is_drawn_from_is_told_class_by_class_in_a_table(exact):
    (view,) = [view for view in views(exact) if view.file.endswith("comparisons_per_class.csv")]
    assert view.headings == ("class", "with all of the photos", "")
    first, _, nowhere = ([plain(cell) for cell in row] for row in view.rows)
    assert first[1].startswith("+20.00 (")
    assert first[2] == "may be chance"
    assert nowhere[1:] == ["–", "–"]
    assert "real photos + images by Full-Glow against real photos" in view.caption


def test_every_arm_has_a_row_of_classes(exact):
    (view,) = [view for view in views(exact) if view.file.endswith("arms_per_class.csv")]
    assert [row[0][0].key for row in view.rows] == ["real", "real_classic", "real_synthetic"]
    assert view.headings == ("arm", *NAMES)
    assert plain(view.rows[0][1]) == "55.00"
