"""What arms cost, in tables and words."""

from types import SimpleNamespace

import pytest

from augflow.core import io
from augflow.core.errors import DataError
from augflow.report.answers import Answer
from augflow.report.citations import Citations
from augflow.report.cost_file import load
from augflow.report.costing import cost_sentence, costs
from augflow.report.table import Row
from augflow.segmentation.params import SegmenterParams
from augflow.study.params import ArmParams

# as much of the parameters as is asked for
STUDY = SimpleNamespace(
    arms={"real": ArmParams(train_on=("real",), reads="prepared"),
          "both": ArmParams(train_on=("real", "s"), reads="synthetic/s")},
    retrain=SimpleNamespace(segmenter=SegmenterParams(steps=7)),
)  # fmt: skip


@pytest.fixture
def file(tmp_path):
    plain = {"training": 2 * 10**12, "generator": 0, "photographs": 0, "judge": 0, "choice": 0}
    both = {**plain, "generator": 5 * 10**12, "photographs": 10**11, "judge": 4 * 10**11}
    content = {"kind": "costs", "steps": 7, "arms": {"real": plain, "both": both}}
    io.write_json(tmp_path / "costs.json", content)
    return tmp_path / "costs.json"


def test_costs_add_up_and_are_told_in_trainings(file):
    table = costs(load(file, STUDY), STUDY.arms)
    real, both = table.rows
    assert (real.cells["total"], real.cells["times"]) == (2 * 10**12, 1.0)
    assert both.cells["total"] == 7.5 * 10**12
    assert both.cells["times"] == pytest.approx(3.75)


def test_what_most_goes_into_is_said(file):
    table = costs(load(file, STUDY), STUDY.arms)
    cite = Citations({"costs": table})
    answer = Answer(Row("x", {"arm": "both", "against": "real"}, ()), "gain", (), None)
    assert "".join(piece.text for piece in cite.said(cost_sentence(answer, table, cite))) == (
        "One network of both takes 7.50 million million operations, 3.8 times those of one of "
        "real; most of them, 5.00, go into training the generator."
    )


def test_without_a_file_nothing_is_said(tmp_path):
    assert load(tmp_path / "costs.json", STUDY) is None
    assert costs(None, STUDY.arms).rows == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 8}, "counts 2 arms of 8 steps, which are not those of params.yaml"),
        ({"arms": {}}, "counts 0 arms"),
        ({"arms": {"real": {}}}, r"arms\.real\.training: Field required"),
    ],
)
def test_what_does_not_fit_is_named(file, changes, message):
    io.write_json(file, io.read_json(file) | changes)
    with pytest.raises(DataError, match=message):
        load(file, STUDY)
