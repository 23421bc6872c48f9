"""Tables of diversity from files whose numbers are made up."""

import json

import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.report import diversity_files
from augflow.report.diverse import diversity, diversity_spread
from augflow.study.params import DiversityParams
from tests.fabricated import NAMES, TABLE, Study


def level(degree, factor=1.0):
    spread = {"per_class": [0.01 * factor, 0.03 * factor, None], "overall": 0.02 * factor}
    wide = {"per_class": [1.0, 2.0, None], "overall": 1.5}
    mean = {"clustered": spread, "variance": {**spread, "overall": 0.5}, "perceptual": wide}
    return {"temperature": degree, "mean": mean, "layouts": {}}


def content(name, factor=1.0):
    return {
        "kind": "diversity", "generator": name, "weights": "feed", "classes": list(NAMES),
        "features": "scattering", "samples": 20, "clusters": 9, "repeats": 10,
        "layouts": ["x", "y"], "temperatures": [level(0.5), level(0.9, factor)],
    }  # fmt: skip


@pytest.fixture
def params():
    section = DiversityParams(
        generators=("full_glow", "pix2pix"), layouts=2, samples=20, temperatures=(0.5, 0.9)
    )
    return Study().params().model_copy(update={"diversity": section})


@pytest.fixture
def evidence(params, tmp_path):
    """Only what the tables look at."""
    for name, factor in (("full_glow", 1.0), ("pix2pix", 3.0)):
        io.write_json(tmp_path / f"{name}.json", content(name, factor))

    class Held:
        classes = TABLE
        diversity = diversity_files.load(tmp_path, params, TABLE)

    return Held


def test_classes_stand_in_rows_and_systems_in_columns(evidence):
    table = diversity(evidence)
    assert [c.name for c in table.columns] == ["class", "full_glow", "pix2pix", "flat paint"]
    assert [row.key for row in table.rows] == [*NAMES[:2], "all pixels"]
    road = table.rows[0]
    assert [road.cells[c.name] for c in table.columns[1:]] == pytest.approx([0.01, 0.03, 0])
    assert table.rows[2].cells["pix2pix"] == pytest.approx(0.06)


def test_values_are_printed_a_hundredfold_as_in_the_paper(evidence):
    table = diversity(evidence)
    assert table.piece(table.rows[1], "full_glow").text == "3.00"


def test_every_temperature_has_its_line(evidence):
    table = diversity_spread(evidence)
    lines = [(row.cells["generator"], row.cells["temperature"]) for row in table.rows]
    assert lines == [("full_glow", 0.5), ("full_glow", 0.9), ("pix2pix", 0.5), ("pix2pix", 0.9)]
    last = table.rows[-1].cells
    assert (last["layouts"], last["samples"], last["perceptual"]) == (2, 20, 1.5)
    assert (last["clustered"], last["variance"]) == (pytest.approx(0.06), 0.5)
    assert len({row.key for row in table.rows}) == 4


def test_study_without_diversity_has_no_rows(tmp_path):
    class Held:
        classes = TABLE
        diversity = diversity_files.load(tmp_path, Study().params(), TABLE)

    assert not diversity(Held).rows
    assert not diversity_spread(Held).rows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"generator": "other"}, "generator: expected full_glow, got other"),
        ({"classes": ["a"]}, "classes: expected"),
        ({"temperatures": [level(0.5)]}, "temperatures: expected"),
        ({"layouts": []}, "layouts: "),
        ({"temperatures": [level(0.5), level(0.9, -1)]}, "greater than or equal to 0"),
    ],
)
def test_files_that_do_not_belong_are_refused(params, tmp_path, change, said):
    text = json.dumps({**content("full_glow"), **change})
    (tmp_path / "full_glow.json").write_text(text)
    with pytest.raises(DataError, match=said):
        diversity_files.load(tmp_path, params, TABLE)
