"""Attribute measures, on numbers worked out on paper."""

import numpy as np
import pytest

from augflow.metrics.attributes import accuracy, amp, change, variance


def test_amp_is_the_mean_over_attributes():
    assert amp(np.array([[0.2, 0.4, 0.9], [1.0, 0.0, 0.5]])) == pytest.approx([0.5, 0.5])
    with pytest.raises(ValueError, match="no attributes"):
        amp(np.zeros((2, 0)))


def test_accuracy_counts_what_was_asked_for_alone():
    found = np.array([[0.9, 0.4, 0.5], [0.2, 0.6, 0.1]])
    wanted = np.array([[1, 1, np.nan], [1, 1, np.nan]])
    np.testing.assert_array_equal(accuracy(found, wanted), [0.5, 0.5, np.nan])


def test_variance_is_that_of_each_layouts_mean_distance_from_what_was_asked():
    found = np.array([[[0.5, 0.5], [0.7, 0.3]], [[1.0, 0.6], [1.0, 0.6]]])
    wanted = np.array([[[1, 0], [1, 0]], [[1, 0], [1, 0]]], float)
    gaps = [0.0, 0.3]  # mean of (p - y) per layout: 0.5 - 0.5, 1 - 0.5 - 0.2 ...
    assert variance(found, wanted) == pytest.approx(np.var(gaps))


def test_with_equal_wishes_it_is_the_papers_variance_of_amp():
    found = np.random.default_rng(0).random((5, 3, 4))
    wanted = np.ones((5, 3, 4))
    assert variance(found, wanted) == pytest.approx(np.var(amp(found).mean(1)))


def test_a_change_is_the_distance_of_the_others_means():
    before = np.array([[0.1, 0.5, 0.3], [0.3, 0.5, 0.5]])
    after = np.array([[0.9, 0.6, 0.4], [0.9, 0.8, 0.6]])
    others = np.array([False, True, True])
    assert change(before, after, others) == pytest.approx(0.6 - 0.45)
    assert change(before, after, np.zeros(3, bool)) is None
