"""How many rows fit into memory, and what is said when they did not."""

import pytest

from augflow.training.memory import Budget

LINEAR = Budget(100 * 2**20, lambda rows: (20 + 10 * rows) * 2**20)
"""80 MiB may be filled: 20 MiB of weights, and 10 MiB for each of at most 6 rows."""


def test_the_largest_number_of_rows_that_fits_is_found():
    assert [LINEAR.largest(most) for most in (1, 5, 6, 7, 64)] == [1, 5, 6, 6, 6]
    assert Budget(20 * 2**20, LINEAR.needed).largest(8) == 0


ESTIMATES = (
    lambda rows: rows,
    lambda rows: 30,
    lambda rows: 500,
    lambda rows: rows**2,
    lambda rows: int(rows**0.5 * 20),
    lambda rows: max(60, 4 * rows),
    lambda rows: 10 if rows < 33 else 10**6,
    lambda rows: 8 * (rows // 8),
)


@pytest.mark.parametrize("most", [1, 2, 3, 57, 300])
def test_whatever_the_estimate_looks_like_the_largest_is_found_soon(most):
    for needed in ESTIMATES:
        asked = []

        def noted(rows, needed=needed, asked=asked):
            asked.append(rows)
            return needed(rows)

        expected = max((rows for rows in range(1, most + 1) if needed(rows) <= 80), default=0)
        assert Budget(100, noted).largest(most) == expected
        assert all(1 <= rows <= most for rows in asked)
        assert len(asked) <= 2 + 6 + 9


def test_nobody_knows_without_an_estimate_or_without_the_free_memory():
    assert Budget().largest(4) is None
    assert Budget(100).largest(4) is None
    assert Budget(None, lambda rows: rows).largest(4) is None


def test_the_advice_names_what_fits():
    assert LINEAR.advice(8).startswith("set training.micro_batch to 6, the largest that fits")


def test_the_advice_is_less_than_what_was_tried_whatever_the_estimate_says():
    assert LINEAR.advice(4).startswith("set training.micro_batch to 3,")


def test_where_not_even_one_row_fits_it_is_said():
    assert LINEAR.advice(1) == "not even one row fits: take a smaller size or preset"
    small = Budget(20 * 2**20, LINEAR.needed)
    assert small.advice(4) == (
        "by the estimate not even one row fits (0.03 GiB by the estimate, 0.02 GiB were free): "
        "take a smaller size or preset"
    )


def test_a_batch_that_stays_whole_is_not_advised_to_be_parted():
    advice = LINEAR.advice(4, "batch norm looks at the whole batch")
    assert "take a smaller batch_size" in advice
    assert "micro_batch to" not in advice
