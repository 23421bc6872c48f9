"""The confusion matrix and its scores: answers worked out on paper, and mmseg's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augflow.metrics import confusion_matrix, scores

TRUTH = np.array([[0, 0, 0, 1], [1, 1, 255, 2]])
PREDICTION = np.array([[0, 0, 1, 1], [1, 0, 2, 2]])


def test_matrix_and_scores_are_the_ones_worked_out_on_paper():
    # classes 0 and 1: 2 of 3 pixels right, IoU 2 / (3 + 3 - 2); 2: all right; 3: nowhere
    matrix = confusion_matrix(TRUTH, PREDICTION, 4)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[2, 1, 0, 0], [1, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    result = scores(matrix)
    assert result.pixel_accuracy == pytest.approx(5 / 7)
    assert result.per_class_accuracy == pytest.approx((2 / 3, 2 / 3, 1.0, None))
    assert result.per_class_iou == pytest.approx((1 / 2, 1 / 2, 1.0, None))
    assert result.class_accuracy == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert result.class_iou == pytest.approx(2 / 3)
    assert result.class_accuracy_absent_zero == pytest.approx((2 / 3 + 2 / 3 + 1) / 4)
    assert result.class_iou_absent_zero == pytest.approx(1 / 2)


def test_class_predicted_but_never_there_has_iou_zero_and_no_accuracy():
    result = scores(confusion_matrix(np.array([[0, 0]]), np.array([[0, 1]]), 2))
    assert result.per_class_accuracy == (0.5, None)
    assert result.per_class_iou == (0.5, 0.0)
    assert (result.class_accuracy, result.class_iou) == (0.5, 0.25)


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (np.array([[0, 7]]), np.array([[0, 1]]), r"truth holds ids 0\.\.7"),
        (np.array([[0, 255]]), np.array([[0, 255]]), r"prediction holds ids 0\.\.255, expected 0"),
        (np.array([[0, 1]]), np.array([[0, -1]]), r"prediction holds ids -1\.\.0"),
        (np.array([[0, 1]]), np.array([[0.0, 1.0]]), "prediction is float64"),
        (np.array([[0, 1]]), np.array([[0], [1]]), "must both be"),
        (np.array([0, 1]), np.array([0, 1]), "must both be"),
    ],
)
def test_wrong_maps_are_refused(truth, prediction, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(truth, prediction, 2)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((3, 3), np.int64), "not one pixel"),
        (np.ones((2, 3), np.int64), "square"),
        (np.ones((2, 2)), "counts"),
        (np.array([[1, -1], [0, 1]]), "counts"),
    ],
)
def test_what_is_no_confusion_matrix_is_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        scores(matrix)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), present=st.integers(1, 7), predicted=st.integers(1, 7))
def test_scores_equal_those_of_mmseg(seed, present, predicted):
    import torch
    from mmseg.evaluation.metrics import IoUMetric

    draw = np.random.default_rng(seed)
    truth = draw.integers(0, present, (3, 9, 11))
    prediction = draw.integers(0, predicted, (3, 9, 11))
    truth[draw.random(truth.shape) < 0.2] = 255
    truth[0, 0, 0] = 0
    areas = [
        IoUMetric.intersect_and_union(torch.tensor(p), torch.tensor(t), 7, 255)
        for t, p in zip(truth, prediction, strict=True)
    ]
    theirs = IoUMetric.total_area_to_metrics(*(sum(part) for part in zip(*areas, strict=True)))
    ours = scores(confusion_matrix(truth, prediction, 7))
    assert ours.pixel_accuracy == pytest.approx(float(theirs["aAcc"]), abs=1e-6)
    assert _nan(ours.per_class_accuracy) == pytest.approx(theirs["Acc"], abs=1e-6, nan_ok=True)
    assert _nan(ours.per_class_iou) == pytest.approx(theirs["IoU"], abs=1e-6, nan_ok=True)
    assert ours.class_accuracy == pytest.approx(np.nanmean(theirs["Acc"]), abs=1e-6)
    assert ours.class_iou == pytest.approx(np.nanmean(theirs["IoU"]), abs=1e-6)


def _nan(values):
    return np.array([np.nan if value is None else value for value in values], np.float64)
