"""The table of predictors, from matrices worked out on paper."""

import numpy as np
import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.report import predictor_files
from augflow.report.evidence import load
from augflow.report.gathering import gather
from augflow.report.predicted import predictions
from augflow.study.params import PredictorParams
from tests.fabricated import NAMES, TABLE, Study

# 10 pixels: 8 right; class 0: 6 of 7, class 1: 2 of 3; IoU 6/8 and 2/4, class 2 is absent
MATRIX = [[6, 1, 0], [1, 2, 0], [0, 0, 0]]
PERFECT = [[7, 0, 0], [0, 3, 0], [0, 0, 0]]


def content(**changes):
    parts = [
        {"samples": count, "items": [{"name": "x", "confusion": matrix}]}
        for count, matrix in ((1, MATRIX), (10, PERFECT))
    ]
    found = {"kind": "predictor", "predictor": "flow", "weights": "feed", "classes": list(NAMES)}
    return {**found, "samples": parts, **changes}


@pytest.fixture
def study(tmp_path):
    """Params that list a predictor, and a study folder."""
    study = Study()
    section = PredictorParams(preset="tiny", training={"steps": 5})
    params = study.write(tmp_path / "study").model_copy(update={"predictors": {"flow": section}})
    return params, tmp_path


def read(params, root):
    gather(params, root / "study", root / "report")
    return load(root / "report")


def test_scores_stand_per_number_of_samples_and_the_judge_beside_them(study):
    params, root = study
    io.write_json(root / "study" / "scores" / "predictors" / "flow.json", content())
    evidence = read(params, root)
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


def test_a_study_without_predictors_has_no_rows(study):
    params, root = study
    assert predictions(read(params, root)).rows == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["a", "b", "c"]}, "classes: expected"),
        ({"predictor": "other"}, "predictor: expected flow, got other"),
        ({"samples": []}, "samples: .*run stage predict again"),
        (
            {"samples": [{"samples": 1, "items": [{"name": "x", "confusion": [[1, 2], [3]]}]}]},
            r"rows of a matrix: expected \{3\}, got \{2\}",
        ),
    ],
)
def test_files_of_something_else_are_refused(study, changes, message):
    params, root = study
    io.write_json(root / "flow.json", content(**changes))
    with pytest.raises(DataError, match=message):
        predictor_files.load(root, params, TABLE)
