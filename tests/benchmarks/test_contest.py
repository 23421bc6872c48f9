"""The benchmark's processes do the work that they are told, and its figures follow from turns."""

import pytest

from benchmarks.bench import Measured, contest, ratios, table
from benchmarks.contenders import Work
from benchmarks.floor import operations
from benchmarks.memory import measured
from benchmarks.worker import Turn, Worker

SMALL = Work((20, 24), (1, 1), width=8, condition_width=6)


def test_every_contender_does_every_task():
    content = contest(
        SMALL, [1, 2], ("train", "first", "more", "sweep", "transfer"), rounds=1, threads=1
    )
    done = {(one["contender"], one["task"]) for one in content["measured"]}
    assert len(done) == 15
    assert all(one["median"] > 0 and one["peak_mib"] > 50 for one in content["measured"])
    assert content["parameters"]["ours, batch 1"] == content["parameters"]["plain"]
    assert content["share_of_matrix_rate"]
    assert "over plain" in table(content)


def test_a_worker_that_dies_says_who_it_was():
    with pytest.raises(RuntimeError, match="reference: its process ended"):
        Worker("reference", SMALL, 1, "nowhere")


def test_the_median_turn_counts_per_photograph():
    turns = [Turn(seconds, 1.0, 2, 100.0) for seconds in (2.0, 9.0, 4.0)]
    found = Measured.of("ours", "train", 2, turns)
    assert (found.median, found.low, found.high, found.cpu) == (2.0, 1.0, 4.5, 0.5)


def test_ratios_say_how_many_times_as_fast():
    ours = Measured("ours, batch 1", "more", 1, 0.5, 0.5, 0.5, 0.5, 1.0)
    plain = Measured("plain", "more", 1, 2.0, 2.0, 2.0, 2.0, 1.0)
    assert ratios([ours, plain], ["plain"]) == {"more: ours, batch 1 over plain": 4.0}


def test_operations_are_those_of_convolutions_and_matrices():
    count = operations(SMALL)
    assert count["train"] == 3 * count["first"]
    # the source's two steps: per cell coupling network, 1x1 convolution, prior; two products a PLU
    first = 120 * (9 * 6 * 8 + 8 * 8 + 9 * 8 * 12 + 12 * 12 + 9 * 6 * 12) + 2 * 12**3
    second = 30 * (9 * 12 * 8 + 8 * 8 + 9 * 8 * 24 + 24 * 24 + 9 * 24 * 48) + 2 * 24**3
    assert count["first"] - count["more"] == 2 * (first + second)


def test_more_steps_need_more_memory_and_weights():
    few, many = (measured("depth", "ours", Work((40, 48), (n, n), width=64), 1) for n in (1, 6))
    assert many.weights_mib > few.weights_mib
    assert many.peak_mib > few.peak_mib > few.before_mib
    assert many.seconds > 0
