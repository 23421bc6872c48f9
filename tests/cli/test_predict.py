"""`augflow predict`: photographs in, label maps with published ids out, scored where truth is."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from augflow import generators
from augflow.cli import app
from augflow.core import io
from augflow.data.classes import table
from augflow.generators.c_glow_predictor import NAME, CGlowPredictor, CGlowPredictorConfig
from augflow.metrics import confusion_matrix, scores
from tests.conftest import FOUR_SCENES, HEIGHT, WIDTH

CITY = table("cityscapes")
NAMES = list(FOUR_SCENES["val"])
CONFIG = CGlowPredictorConfig(
    size=(16, 24), steps=(1, 1), width=4, conv_channels=2, linear_width=2, features=2,
    matrix="lu", actnorm="log", floor=0.3, samples=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictor")
    generators.save(folder, NAME, CGlowPredictor(CONFIG, CITY, 3), {})
    return folder


@pytest.fixture
def predict(four_scenes, predictor, tmp_path):
    """Runs the command on the held-out photographs, of twice the predictor's size."""

    def run(*words, images=None, folder=predictor, out="out"):
        images = images or four_scenes / "leftImg8bit" / "val"
        given = ["--images", images, "--predictor", folder, "--out", tmp_path / out, *words]
        return CliRunner().invoke(app, ["predict", "--samples", "2", *map(str, given)])

    return run


def test_label_maps_have_the_photographs_size_and_published_ids(predict, tmp_path):
    result = predict()
    assert result.exit_code == 0, result.output
    assert "2 label maps" in result.output
    assert "IoU" not in result.output
    published = {row.id for row in CITY.train_rows}
    for name in NAMES:
        ids = io.read_ids(tmp_path / "out" / "labels" / f"{name}.png")
        assert ids.shape == (HEIGHT, WIDTH)
        assert set(np.unique(ids).tolist()) <= published
    assert io.read_photo(tmp_path / "out" / "contact_sheet.png").ndim == 3


def test_the_same_again_has_equal_bytes_and_replaces_the_folder_only_if_asked(predict, tmp_path):
    predict()
    first = io.digest_tree(tmp_path / "out")
    assert predict("--overwrite").exit_code == 0
    assert io.digest_tree(tmp_path / "out") == first
    assert "give --overwrite to replace it" in predict("--samples", "5").stderr
    assert io.digest_tree(tmp_path / "out") == first
    predict("--samples", "5", "--overwrite")
    assert io.digest_tree(tmp_path / "out") != first


def test_scores_follow_from_the_written_maps(predict, four_scenes, tmp_path):
    result = predict("--layouts", four_scenes / "gtFine" / "val")
    assert result.exit_code == 0, result.output
    matrix = np.zeros((CITY.count, CITY.count), np.int64)
    for path in (four_scenes / "gtFine" / "val").rglob("*_labelIds.png"):
        name = path.stem.removesuffix("_gtFine_labelIds")
        truth = CITY.from_raw(io.read_ids(path))
        made = CITY.from_raw(io.read_ids(tmp_path / "out" / "labels" / f"{name}.png"))
        matrix += confusion_matrix(truth, made, CITY.count)
    assert f"class IoU {100 * scores(matrix).class_iou:.2f}" in result.output
    kept = io.read_json(tmp_path / "out" / "predictions.json")["items"]
    assert np.array_equal(sum(np.array(item["confusion"]) for item in kept), matrix)


def test_every_fault_of_photographs_and_truth_is_named(predict, tmp_path):
    photos, truth = tmp_path / "photos", tmp_path / "truth"
    grey = np.zeros((16, 24, 3), np.uint8)
    for name in ("a", "b"):
        io.write_png(photos / f"{name}.png", grey)
    (photos / "c.png").write_bytes(b"no picture")
    io.write_png(truth / "a.png", np.zeros((8, 8), np.uint8))
    result = predict("--layouts", truth, images=photos)
    assert result.exit_code == 2
    assert "a.png: 16x24, its label map 8x8" in result.output
    assert "no label map 'b'" in result.output
    assert "c.png" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--images", "nowhere"], "nowhere: no such folder"),
        (["--predictor", "nowhere"], "nowhere: no predictor here"),
    ],
)
def test_what_is_not_there_is_one_line(predict, words, message):
    result = predict(*words)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert "Traceback" not in result.output


def test_folders_of_others_are_not_written_to(predict, four_scenes, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "diary.txt").write_text("dear")
    result = predict()
    assert result.exit_code == 2
    assert "holds diary.txt" in result.output
    inside = predict("--out", four_scenes / "leftImg8bit" / "val" / "deep")
    assert inside.exit_code == 2
    assert "give another folder with --out" in inside.output
