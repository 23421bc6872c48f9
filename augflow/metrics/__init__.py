"""Measures of segmentations and of synthetic photographs."""

from augflow.metrics.confusion import Scores, confusion_matrix, scores

__all__ = ["Scores", "confusion_matrix", "scores"]
