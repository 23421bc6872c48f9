"""Student's t against printed tables and SciPy."""

import pytest

from augflow.metrics.student import quantile, upper_tail


@pytest.mark.parametrize(
    ("freedom", "value"),
    [(1, 12.706), (2, 4.303), (5, 2.571), (30, 2.042), (120, 1.980), (1e6, 1.960)],
)
def test_quantiles_are_those_of_the_tables(freedom, value):
    assert quantile(0.975, freedom) == pytest.approx(value, abs=6e-4)


@pytest.mark.parametrize("freedom", [1.0, 1.7, 4.4, 39.5, 900.0])
@pytest.mark.parametrize("t", [0.0, 0.5, 2.5, 6.0])
def test_tails_are_those_of_scipy(freedom, t):
    from scipy.stats import t as student

    assert upper_tail(t, freedom) == pytest.approx(student.sf(t, freedom), rel=1e-3)


def test_too_little_freedom_and_wrong_shares_are_refused():
    with pytest.raises(ValueError, match="freedom >= 1"):
        upper_tail(1.0, 0.5)
    with pytest.raises(ValueError, match=r"share is 1\.0"):
        quantile(1.0, 3)
