"""Stage score: matrices that a network of known answers must give, and what is refused."""

import numpy as np
import pytest
import torch

from augflow.core import io
from augflow.core.errors import DataError, ModelError
from augflow.data.classes import table
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import NewPhoto, SetFacts, read_set, write_set
from augflow.metrics import confusion_matrix
from augflow.metrics.features import features
from augflow.metrics.frechet import frechet_distance, pooled_features
from augflow.segmentation.mmseg_model import load_segmenter
from augflow.stages.score import (
    mean_colours,
    other_scenes,
    paint_classes,
    score_arms,
    score_references,
    score_set,
)
from augflow.study.results import SetScores
from tests.stages.conftest import make_judge, make_set


def made_set(prepared, out, **first):
    return make_set(SceneFolder(prepared, "val"), out, first=first)


def test_set_is_scored_against_its_layouts(prepared, judge, tmp_path):
    folder = made_set(prepared, tmp_path / "t08")
    score_set(prepared, folder, judge, tmp_path / "t08.json", threads=1)
    content = io.read_json(tmp_path / "t08.json")
    network = load_segmenter(judge)
    assert {key: content[key] for key in ("kind", "set", "temperatures", "judge")} == {
        "kind": "set", "set": "t08", "temperatures": [0.8], "judge": network.digest(),
    }  # fmt: skip
    assert tuple(content["classes"]) == table("cityscapes").names
    val = SceneFolder(prepared, "val")
    labels = val.scenes().layout.classes.numpy()
    assert len(content["items"]) == 2 * len(val)
    for number, item in enumerate(content["items"]):
        row, turn = divmod(number, 2)
        assert (item["layout"], item["round"]) == (val.names[row], turn)
        assert item["temperature"] == 0.8
        photo = io.read_photo(
            folder / f"leftImg8bit/val/gammastadt/{item['name']}_leftImg8bit.png"
        ).transpose(2, 0, 1)
        predicted = network.predict(torch.from_numpy(photo.copy())[None] / 255)[0].numpy()
        expected = confusion_matrix(labels[row], predicted, 19)
        assert item["confusion"] == expected.tolist()
        assert expected.sum() == (labels[row] != 255).sum()


def test_images_are_compared_with_all_real_ones_of_their_split(prepared, judge, tmp_path):
    folder = made_set(prepared, tmp_path / "t08")
    score_set(prepared, folder, judge, tmp_path / "t08.json", threads=1)
    content = SetScores.read(tmp_path / "t08.json")
    look = features("scattering")
    real = pooled_features(look, SceneFolder(prepared, "val").scenes().image)
    made = pooled_features(look, read_set(folder).scenes().image)
    assert content.features == "scattering"
    assert content.distances == {0.8: pytest.approx(frechet_distance(made, real))}


def test_a_single_image_has_no_distance(prepared, judge, tmp_path):
    val = SceneFolder(prepared, "val")
    classes, image = val.scenes().layout.classes[0].numpy(), np.zeros((*val.size, 3), np.uint8)
    photo = NewPhoto("one", val.names[0], "val", "a", temperature=0.8, image=image, classes=classes)
    write_set(tmp_path / "t", SetFacts("t", "feed", (0.8,), 1, val.table, val.size), [photo])
    score_set(prepared, tmp_path / "t", judge, tmp_path / "t.json", threads=1)
    assert SetScores.read(tmp_path / "t.json").frechet == [None]


def test_set_whose_labels_are_not_the_layouts_is_refused(prepared, judge, tmp_path):
    classes = SceneFolder(prepared, "val").scenes().layout.classes[0].numpy().copy()
    classes[3, 4] = (classes[3, 4] + 1) % 19
    folder = made_set(prepared, tmp_path / "t08", classes=classes)
    with pytest.raises(DataError, match="_r0: labels are not those of scene 'gammastadt_000000"):
        score_set(prepared, folder, judge, tmp_path / "t08.json")
    assert not (tmp_path / "t08.json").exists()


def test_set_for_unknown_layouts_is_refused(prepared, judge, tmp_path):
    folder = made_set(prepared, tmp_path / "t08", layout="atlantis_0")
    with pytest.raises(DataError, match="no scene 'atlantis_0' in split val"):
        score_set(prepared, folder, judge, tmp_path / "t08.json")


def test_judge_of_other_classes_is_refused(prepared, config, tmp_path):
    judge = make_judge(config, tmp_path / "judge", names=("road", "sky"))
    with pytest.raises(ModelError, match="trained on classes road, sky; expected road, sidewalk"):
        score_references(prepared, judge, tmp_path / "out.json")


def test_references_are_ceiling_and_floors(prepared, judge, tmp_path):
    score_references(prepared, judge, tmp_path / "references.json", threads=1)
    content = io.read_json(tmp_path / "references.json")
    network, val = load_segmenter(judge), SceneFolder(prepared, "val")
    scenes = val.scenes()
    labels = scenes.layout.classes.numpy()
    images = {
        "real": scenes.image,
        "flat": paint_classes(scenes.layout.classes, mean_colours(SceneFolder(prepared, "train"))),
        "wrong": scenes.image[[1, 0]],
    }
    assert content["rows"].keys() == images.keys()
    for kind, photos in images.items():
        predicted = network.predict(photos / 255).numpy()
        for row, item in enumerate(content["rows"][kind]):
            expected = confusion_matrix(labels[row], predicted[row], 19)
            assert item["confusion"] == expected.tolist()
            assert item["layout"] == val.names[row]
    assert [item["name"] for item in content["rows"]["wrong"]] == val.names[::-1]
    look = features("scattering")
    shown = {**images, "real": SceneFolder(prepared, "train").scenes().image}
    pooled = {kind: pooled_features(look, photos) for kind, photos in shown.items()}
    assert content["frechet"] == {
        kind: pytest.approx(frechet_distance(rows, pooled_features(look, scenes.image)), abs=1e-9)
        for kind, rows in pooled.items()
    }
    assert content["frechet"]["wrong"] == pytest.approx(0, abs=1e-9)  # the same two images


def test_arms_are_scored_on_the_same_photographs(prepared, config, judge, tmp_path):
    trained = {"real-0": judge, "real_synthetic-1": make_judge(config, tmp_path / "other", seed=1)}
    score_arms(prepared, trained, tmp_path / "arms.json", threads=1)
    runs = io.read_json(tmp_path / "arms.json")["runs"]
    facts = {key: (run["arm"], run["seed"], run["steps"]) for key, run in runs.items()}
    assert facts == {"real-0": ("real", 0, 3), "real_synthetic-1": ("real_synthetic", 1, 3)}
    names = [[item["name"] for item in run["items"]] for run in runs.values()]
    assert names == [SceneFolder(prepared, "val").names] * 2
    first, second = ([item["confusion"] for item in run["items"]] for run in runs.values())
    assert first != second


def test_arms_of_unequal_steps_are_refused(prepared, config, judge, tmp_path):
    longer = make_judge(config, tmp_path / "other", seed=1, steps=9)
    with pytest.raises(ModelError, match="real-0 3, real-1 9"):
        score_arms(prepared, {"real-0": judge, "real-1": longer}, tmp_path / "arms.json")


def test_mean_colours_are_those_of_the_training_pixels(prepared):
    train = SceneFolder(prepared, "train")
    scenes, colours = train.scenes(), mean_colours(train)
    pixels = scenes.image.permute(0, 2, 3, 1)
    classes = scenes.layout.classes
    present = classes.unique().tolist()
    assert 0 in present
    assert 16 not in present
    for index in present:
        expected = pixels[classes == index].double().mean(0).numpy()
        assert np.abs(colours[index] - expected).max() <= 0.5 + 1e-9
    overall = pixels.reshape(-1, 3).double().mean(0).numpy()
    assert np.abs(colours[16] - overall).max() <= 0.5 + 1e-9


def test_paint_puts_one_colour_on_each_class():
    colours = np.zeros((256, 3), np.uint8)
    colours[[0, 2, 255]] = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    classes = torch.tensor([[[0, 2], [255, 0]]], dtype=torch.uint8)
    expected = [[[1, 4], [7, 1]], [[2, 5], [8, 2]], [[3, 6], [9, 3]]]
    assert paint_classes(classes, colours)[0].tolist() == expected


def test_wrong_photograph_is_of_another_drive_where_there_is_one():
    drives = ["a", "a", "a", "b", "c", "c"]
    others = other_scenes(drives)
    assert all(drives[row] != drives[other] for row, other in enumerate(others))
    assert other_scenes(["a"] * 4) == [2, 3, 0, 1]
    assert other_scenes(["a", "a"]) == [1, 0]
