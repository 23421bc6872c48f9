"""Stage predict on four scenes: deterministic, resumable, and scored per photograph."""

import numpy as np
import pytest

from augflow.core import io
from augflow.core.errors import ModelError
from augflow.data.scenes import SceneFolder
from augflow.generators import weights_digest
from augflow.generators.c_glow_predictor import load
from augflow.metrics import confusion_matrix
from augflow.stages.predict import score_predictor, train_predictor
from augflow.study.params import PredictorParams
from augflow.training.params import TrainingParams
from augflow.training.prediction import pixels

PARAMS = PredictorParams(
    preset="tiny",
    overrides={"steps": [1, 1], "width": 8, "conv_channels": 4, "linear_width": 4, "features": 4},
    training=TrainingParams(
        steps=6, batch_size=2, learning_rate=1e-3, ema=0.5, save_every=2, log_every=2,
        eval_every=3, sample_every=6,
    ),
    samples=3,
)  # fmt: skip


def made(root, prepared):
    train_predictor("p", PARAMS, prepared, root / "p", run=root / "run", threads=1)
    score_predictor("p", PARAMS, prepared, root / "p", root / "p.json", threads=1)
    return root


@pytest.fixture(scope="module")
def study(prepared, tmp_path_factory):
    return made(tmp_path_factory.mktemp("predictor"), prepared)


def test_a_trained_predictor_says_what_it_is(study):
    record = io.read_json(study / "p" / "config.json")
    rows = io.read_csv(study / "p" / "history.csv")
    assert [row["step"] for row in rows] == ["2", "3", "4", "6"]
    assert float(rows[1]["val_bpd"]) > 0
    assert rows[0]["val_iou"] == ""
    assert record["config"]["samples"] == 3
    assert record["facts"]["val_scenes"] == 2
    assert (study / "p" / "samples" / "step_000006.png").exists()


def test_scores_hold_a_matrix_per_photograph_from_one_sample_and_from_all(study, prepared):
    content = io.read_json(study / "p.json")
    val = SceneFolder(prepared, "val")
    predictor = load(study / "p")
    assert content["weights"] == weights_digest(predictor.state_dict())
    assert [part["samples"] for part in content["samples"]] == [1, 3]
    for part in content["samples"]:
        assert [item["name"] for item in part["items"]] == val.names
        one = val.scenes([1])
        predicted = predictor.predict(pixels(one.image), part["samples"]).numpy()
        expected = confusion_matrix(one.layout.classes.numpy(), predicted, val.table.count)
        np.testing.assert_array_equal(part["items"][1]["confusion"], expected)


def test_predictors_of_other_classes_are_not_scored(study, prepared, tmp_path):
    record = io.read_json(study / "p" / "config.json")
    row = next(row for row in record["classes"]["rows"] if row["train_id"] == 0)
    row["name"] = "something else"
    for path in ("config.json", "weights.safetensors"):
        io.atomic_write(tmp_path / path, (study / "p" / path).read_bytes())
    io.write_json(tmp_path / "config.json", record)
    with pytest.raises(ModelError, match="trained on classes"):
        score_predictor("p", PARAMS, prepared, tmp_path, tmp_path / "p.json", threads=1)
