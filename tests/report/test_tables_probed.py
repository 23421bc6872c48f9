"""Tables of diversity, attributes and predictors, from files whose numbers are made up."""

from types import SimpleNamespace

import numpy as np
import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.report.evidence import load, load_attributes, load_diversity, load_predictors
from augflow.report.tables_probed import (
    attribute_changes,
    attributes,
    diversity,
    diversity_spread,
    predictions,
)
from augflow.stages.report import gather
from augflow.study.params import AttributesParams, DiversityParams, PredictorParams
from tests.fabricated import NAMES, TABLE, Study

DIVERSE = DiversityParams(
    generators=("full_glow", "pix2pix"), layouts=2, samples=20, temperatures=(0.5, 0.9)
)
ASKED = AttributesParams(generators=("glow", "caglow"), changes=2)
PREDICTORS = {"flow": PredictorParams(preset="tiny", training={"steps": 5})}


@pytest.fixture(scope="module")
def params():
    sections = {"diversity": DIVERSE, "attributes": ASKED, "predictors": PREDICTORS}
    return Study().params().model_copy(update=sections)


def level(degree, factor=1.0):
    spread = {"per_class": [0.01 * factor, 0.03 * factor, None], "overall": 0.02 * factor}
    wide = {"per_class": [1.0, 2.0, None], "overall": 1.5}
    mean = {"clustered": spread, "variance": {**spread, "overall": 0.5}, "perceptual": wide}
    return {"temperature": degree, "mean": mean, "layouts": {}}


def diverse(name="full_glow", factor=1.0, **changes):
    content = {"generator": name, "weights": "feed", "classes": NAMES, "features": "scattering"}
    content |= {"samples": 20, "clusters": 9, "repeats": 10, "layouts": ["x", "y"]}
    return content | {"temperatures": [level(0.5), level(0.9, factor)]} | changes


@pytest.fixture
def found(params, tmp_path):
    """Only what the tables of diversity look at."""
    for name, factor in (("full_glow", 1.0), ("pix2pix", 3.0)):
        io.write_json(tmp_path / f"{name}.json.gz", diverse(name, factor))
    return SimpleNamespace(classes=TABLE, diversity=load_diversity(tmp_path, params, TABLE))


def test_classes_stand_in_rows_and_systems_in_columns(found):
    table = diversity(found)
    assert list(table.columns) == ["class", "full_glow", "pix2pix", "flat paint"]
    assert [row.key for row in table.rows] == [*NAMES[:2], "all pixels"]
    assert list(table.rows[0].cells.values()) == [NAMES[0], 0, 0.01, pytest.approx(0.03)]
    assert table.rows[2].cells["pix2pix"] == pytest.approx(0.06)
    assert table.span(table.rows[1], "full_glow").text == "3.00"  # a hundredfold, as in the paper


def test_every_temperature_has_its_line(found):
    table = diversity_spread(found)
    lines = [(row.cells["generator"], row.cells["temperature"]) for row in table.rows]
    assert lines == [("full_glow", 0.5), ("full_glow", 0.9), ("pix2pix", 0.5), ("pix2pix", 0.9)]
    last = table.rows[-1].cells
    assert (last["layouts"], last["samples"], last["perceptual"]) == (2, 20, 1.5)
    assert (last["clustered"], last["variance"]) == (pytest.approx(0.06), 0.5)
    assert len({row.key for row in table.rows}) == 4


def read(accuracy, each, **more):
    own = {"accuracy": accuracy, "accuracy_layout": 0.5, "accuracy_each": each, "variance": 0.004}
    return own | more


def asked(**changes):
    glow = read(0.5, [None, None, 0.5], light=False, changes=[0.01, None], weights="feed")
    caglow = read(0.7, [0.8, 0.6, 0.7], light=True, changes=[0.02, 0.03], weights="beef")
    content = {"names": ["dark", "bright", "much road"], "layouts": ["x"], "samples": 2}
    content |= {"temperature": 0.8, "real": read(0.9, [0.9, 0.8, 1.0])}
    return content | {"generators": {"glow": glow, "caglow": caglow}} | changes


@pytest.fixture
def read_back(params, tmp_path):
    """Only what the tables of attributes look at."""
    io.write_json(tmp_path / "attributes.json.gz", asked())
    return SimpleNamespace(attributes=load_attributes(tmp_path / "attributes.json.gz", params))


def test_real_photographs_stand_first_and_light_is_the_mean_of_dark_and_bright(read_back):
    table = attributes(read_back)
    assert [row.key for row in table.rows] == ["real photographs", "glow", "caglow"]
    assert table.row("caglow").cells["light"] == pytest.approx(0.7)
    assert table.row("glow").cells["light"] is None
    assert table.row("real photographs").cells["accuracy"] == 0.9


def test_changes_stand_in_rows_and_systems_in_columns(read_back):
    table = attribute_changes(read_back)
    assert list(table.columns) == ["change", "glow", "caglow"]
    assert [row.cells["caglow"] for row in table.rows] == [0.02, 0.03]
    assert table.rows[1].cells["glow"] is None


# 10 pixels: 8 right; class 0: 6 of 7, class 1: 2 of 3; IoU 6/8 and 2/4, class 2 is absent
MATRIX = [[6, 1, 0], [1, 2, 0], [0, 0, 0]]
PERFECT = [[7, 0, 0], [0, 3, 0], [0, 0, 0]]


def predicted(**changes):
    parts = [
        {"samples": count, "items": [{"name": "x", "confusion": matrix}]}
        for count, matrix in ((1, MATRIX), (10, PERFECT))
    ]
    content = {"predictor": "flow", "weights": "feed", "classes": NAMES, "samples": parts}
    return content | changes


def test_scores_stand_per_number_of_samples_and_the_judge_beside_them(tmp_path):
    params = Study().write(tmp_path / "study").model_copy(update={"predictors": PREDICTORS})
    io.write_json(tmp_path / "study" / "scores" / "predictors" / "flow.json", predicted())
    gather(params, tmp_path / "study", tmp_path / "report")
    evidence = load(tmp_path / "report")
    table = predictions(evidence)
    assert [row.key for row in table.rows] == ["flow@1", "flow@10", "judge"]
    first = table.row("flow@1").cells
    assert first["pixel_accuracy"] == pytest.approx(0.8)
    assert first["class_accuracy"] == pytest.approx((6 / 7 + 2 / 3) / 2)
    assert first["class_iou"] == pytest.approx((6 / 8 + 2 / 4) / 2)
    assert first["class_iou_absent_zero"] == pytest.approx((6 / 8 + 2 / 4) / 3)
    assert table.row("flow@10").cells["class_iou"] == 1
    real = sum(np.array(item.confusion) for item in evidence.references.rows.real)
    judge = table.row("judge").cells
    assert judge["pixel_accuracy"] == pytest.approx(np.trace(real) / real.sum())
    assert judge["samples"] is None


def test_a_study_without_sections_has_no_rows(tmp_path):
    params = Study().params()
    nothing = SimpleNamespace(
        classes=TABLE,
        diversity=load_diversity(tmp_path, params, TABLE),
        attributes=load_attributes(tmp_path / "attributes.json.gz", params),
        predictors=load_predictors(tmp_path, params, TABLE),
    )
    tables = (diversity, diversity_spread, attributes, attribute_changes, predictions)
    assert not [table for table in tables if table(nothing).rows]


RAGGED = [{"samples": 1, "items": [{"name": "x", "confusion": [[1, 2], [3]]}]}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (diverse(generator="other"), "generator: expected full_glow, got other"),
        (diverse(temperatures=[level(0.5)]), "temperatures: expected"),
        (diverse(layouts=[]), "layouts: .*run stage diversity again"),
        (diverse(factor=-1), "greater than or equal to 0"),
        (predicted(classes=["a", "b", "c"]), "classes: expected"),
        (predicted(predictor="other"), "predictor: expected flow, got other"),
        (predicted(samples=RAGGED), r"rows of a matrix: expected \{3\}, got \{2\}"),
        (asked(generators={}), "generators: expected"),
        (asked(names=["dark"]), r"attributes: expected \{1\}, got \{3\}"),
        (asked(samples="many"), "samples: .*run stage attributes again"),
    ],
)
def test_files_that_do_not_belong_are_refused(params, tmp_path, content, said):
    for name in ("full_glow", "flow", "attributes"):
        io.write_json(tmp_path / f"{name}.json.gz", content)
    loads = {
        "generator": lambda: load_diversity(tmp_path, params, TABLE),
        "predictor": lambda: load_predictors(tmp_path, params, TABLE),
        "generators": lambda: load_attributes(tmp_path / "attributes.json.gz", params),
    }
    load_it = next(load for key, load in loads.items() if key in content)
    with pytest.raises(DataError, match=said):
        load_it()
