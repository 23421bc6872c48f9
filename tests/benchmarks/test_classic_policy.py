"""Strengths are compared on held-out training scenes, and rows add up in one file."""

import pytest

from augflow.core import io
from benchmarks.classic_policy import main

pytestmark = pytest.mark.usefixtures("free_threads")


def test_each_run_adds_a_row(prepared, tmp_path):
    out = tmp_path / "policy.json"
    for one_in in (1, 2):
        main(prepared, one_in, steps=2, count=2, repeats=2, strengths="0,0.3", out=out)
    whole, half = io.read_json(out)["rows"]
    assert (whole["scenes"], half["scenes"]) == (4, 2)
    assert whole["folds"] == 2
    assert {key: len(values) for key, values in whole["class_iou"].items()} == {"0": 2, "0.3": 2}
    assert whole["class_iou"]["0"] != whole["class_iou"]["0.3"]
