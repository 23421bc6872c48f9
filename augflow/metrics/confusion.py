"""The integer confusion matrix of a segmentation, and the scores that the papers derive from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augflow.data.classes import IGNORE


@dataclass(frozen=True)
class Scores:
    """What a confusion matrix says, as fractions in [0, 1].

    A class of which no pixel is there has no accuracy, and one that is neither there nor predicted
    has no IoU: `None` per class, left out of `class_accuracy` and `class_iou`. The `_absent_zero`
    means count such classes as 0 instead, as the code of the Full-Glow paper does.
    """

    pixel_accuracy: float
    class_accuracy: float
    class_iou: float
    per_class_accuracy: tuple[float | None, ...]
    per_class_iou: tuple[float | None, ...]
    class_accuracy_absent_zero: float
    class_iou_absent_zero: float


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, count: int) -> np.ndarray:
    """How many pixels of each true class were given each class; ignored pixels are not counted.

    Shapes:
        truth: (H, W) or (N, H, W) integer train ids, 255 where nothing is scored.
        prediction: the same shape, integers in 0..count-1.
        returns: (count, count) int64, rows ground truth, columns prediction.

    Raises:
        ValueError: shapes differ, ids are not integers, or an id is outside 0..count-1.
    """
    if truth.shape != prediction.shape or truth.ndim not in (2, 3):
        raise ValueError(
            f"truth {truth.shape} and prediction {prediction.shape} must both be "
            "(H, W) or (N, H, W)"
        )
    for what, ids in (("truth", truth), ("prediction", prediction)):
        if not np.issubdtype(ids.dtype, np.integer):
            raise ValueError(f"{what} is {ids.dtype}, expected integer class ids")
    _check_range("prediction", prediction, count)
    scored = truth != IGNORE
    rows = truth[scored].astype(np.int64)
    _check_range("truth", rows, count)
    pairs = rows * count + prediction[scored].astype(np.int64)
    return np.bincount(pairs, minlength=count * count).reshape(count, count).astype(np.int64)


def _check_range(what: str, ids: np.ndarray, count: int) -> None:
    if ids.size and (ids.min() < 0 or ids.max() >= count):
        raise ValueError(f"{what} holds ids {ids.min()}..{ids.max()}, expected 0..{count - 1}")


def scores(matrix: np.ndarray) -> Scores:
    """Pixel accuracy, mean class accuracy and mean class IoU.

    With n_ij the pixels of class i that were given class j and t_i = sum_j n_ij:
    pixel accuracy is sum_i n_ii / sum_i t_i, class accuracy the mean of n_ii / t_i, and IoU the
    mean of n_ii / (t_i + sum_j n_ji - n_ii).

    Shapes:
        matrix: (K, K) integer, rows ground truth.

    Raises:
        ValueError: not a square matrix of counts, or not one pixel was scored.

    References:
        Long, Shelhamer and Darrell 2015, "Fully convolutional networks for semantic segmentation",
        section 5; Full-Glow, section 5.1.
    """
    _check_counts(matrix)
    hits = np.diag(matrix).astype(np.float64)
    truths = matrix.sum(axis=1)
    unions = truths + matrix.sum(axis=0) - np.diag(matrix)
    accuracies, ious = _ratios(hits, truths), _ratios(hits, unions)
    return Scores(
        pixel_accuracy=float(hits.sum() / matrix.sum()),
        class_accuracy=_mean(accuracies),
        class_iou=_mean(ious),
        per_class_accuracy=accuracies,
        per_class_iou=ious,
        class_accuracy_absent_zero=float(np.mean([value or 0.0 for value in accuracies])),
        class_iou_absent_zero=float(np.mean([value or 0.0 for value in ious])),
    )


def _check_counts(matrix: np.ndarray) -> None:
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"a confusion matrix is square, not {matrix.shape}")
    if not np.issubdtype(matrix.dtype, np.integer) or matrix.min(initial=0) < 0:
        raise ValueError("a confusion matrix holds counts: integers from 0")
    if matrix.sum() == 0:
        raise ValueError("not one pixel was scored: the confusion matrix holds zeros only")


def _ratios(hits: np.ndarray, totals: np.ndarray) -> tuple[float | None, ...]:
    return tuple(float(h / t) if t else None for h, t in zip(hits, totals, strict=True))


def _mean(values: tuple[float | None, ...]) -> float:
    return float(np.mean([value for value in values if value is not None]))
