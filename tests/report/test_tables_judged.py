"""What depth, boundary maps and repairs are worth, on the made-up study."""

import dataclasses

import pytest

from augflow.report.sections import sections
from augflow.report.tables import compute_tables
from augflow.report.tables_judged import (
    best_of,
    configurations,
    released_code,
    systems,
    temperature,
)
from tests.fabricated import Study
from tests.report.test_tables import loaded


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    found = loaded(tmp_path_factory.mktemp("study"), Study())
    report = found.params.report.model_copy(
        update={
            "configurations": ("dual_glow", "full_glow"),
            "released": {"dual_glow": "full_glow"},
        }
    )
    made = {
        **found.generators,
        "full_glow": found.generators["full_glow"].model_copy(
            update={"levels": [4, 6, 6], "boundary": "v1"}
        ),
    }
    return dataclasses.replace(
        found, params=found.params.model_copy(update={"report": report}), generators=made
    )


def parts(evidence):
    found = sections(evidence, compute_tables(evidence), {})
    return [part for section in found for part in section.parts]


def test_distances_stand_where_they_were_measured(evidence):
    assert "frechet" not in temperature(evidence).columns
    sets = {
        name: one.model_copy(update={"frechet": [0.25 + n for n in range(len(one.temperatures))]})
        for name, one in evidence.sets.items()
    }
    real = {"real": 0.125, "flat": 2.0, "wrong": 0.5}
    found = dataclasses.replace(
        evidence, sets=sets, references=evidence.references.model_copy(update={"frechet": real})
    )
    table = temperature(found)
    for name, one in sets.items():
        if name in found.params.report.sweep:
            rows = [row for row in table.rows if row.cells["set"] == name]
            assert [row.cells["frechet"] for row in rows] == one.frechet
    rows = {row.key: row.cells for row in systems(found).rows}
    assert {key: rows[f"reference.{key}"]["frechet"] for key in real} == real
    place = sets["sweep"].temperatures.index(rows["full_glow"]["temperature"])
    assert rows["full_glow"]["frechet"] == sets["sweep"].frechet[place]
    views = [view for one in parts(found) for view in one.tables]
    assert sum("Fréchet" in view.headings for view in views) == 2


def test_configurations_are_scored_at_temperature_one_and_count_their_steps(evidence):
    table = configurations(evidence)
    assert [row.key for row in table.rows] == ["dual_glow", "full_glow"]
    ours = table.row("full_glow").cells
    assert ours["steps"] == 16
    assert ours["steps per level"] == "4 6 6"
    assert ours["boundary maps"] == "v1"
    assert ours["temperature"] == 1.0
    assert ours["class_iou.mean"] == pytest.approx(5 / 12)
    assert ours["val_bpd"] == 4.25


def test_released_code_is_compared_at_the_best_temperature_of_each(evidence):
    cells = released_code(evidence).row("dual_glow").cells
    assert cells["repaired.class_iou"] == pytest.approx((7 / 12 + 13 / 20) / 2)
    # dual_glow: 2 of 4 hits at 0.5 is an IoU of one half for both classes
    assert cells["released.class_iou"] == pytest.approx(0.5)
    assert cells["gain"] == pytest.approx((7 / 12 + 13 / 20) / 2 - 0.5)
    assert cells["released.val_bpd"] == 4.0
    assert cells["repaired.val_bpd"] == 4.25


def test_both_tables_are_printed_where_they_are_asked_for_alone(evidence, tmp_path):
    for found, printed in ((evidence, True), (loaded(tmp_path), False)):
        one = next(part for part in parts(found) if "repairs" in part.title)
        assert bool(one.tables) == printed


def test_the_likeliest_of_many_stand_beside_plain_photographs(evidence):
    sets = dict(evidence.params.sets)
    sets["picked"] = sets["sweep"].model_copy(update={"temperatures": (0.8,), "best_of": 5})
    made = dict(evidence.sets)
    # the second system's matrices, whose IoU is one half
    halves = evidence.sets["dual_glow"].model_dump()
    halves["items"] = [
        {**item, "temperature": 0.8} for item in halves["items"] if item["temperature"] == 0.5
    ]
    made["picked"] = type(evidence.sets["dual_glow"]).model_validate(halves)
    found = dataclasses.replace(
        evidence, sets=made, params=evidence.params.model_copy(update={"sets": sets})
    )
    [row] = best_of(found).rows
    assert row.cells["drawn"] == 5
    assert row.cells["class_iou.mean"] == pytest.approx(0.5)
    assert row.cells["plain.mean"] == pytest.approx((7 / 12 + 13 / 20) / 2)
    assert row.cells["gain"] == pytest.approx(0.5 - (7 / 12 + 13 / 20) / 2)
