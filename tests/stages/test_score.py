"""Stage score: matrices that a network of known answers must give, and what is refused."""

import numpy as np
import pytest
import torch

from augflow.core import io
from augflow.core.errors import DataError, ModelError
from augflow.data.classes import table
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import NewPhoto, SetFacts, write_set
from augflow.metrics import confusion_matrix
from augflow.segmentation.mmseg_config import read_config
from augflow.segmentation.mmseg_model import MmsegSegmenter, load_segmenter
from augflow.stages.score import (
    mean_colours,
    other_scenes,
    paint_classes,
    score_arms,
    score_references,
    score_set,
)


def make_judge(config, out, seed=0, steps=3, names=None):
    names = names or table("cityscapes").names
    segmenter = MmsegSegmenter(read_config(config, len(names)), names, seed=seed)
    segmenter.training = {"seed": seed, "steps": steps}
    segmenter.save(out)
    return out


@pytest.fixture(scope="module")
def judge(config, tmp_path_factory):
    return make_judge(config, tmp_path_factory.mktemp("judge"))


def make_set(prepared, out, **changes):
    """Two rounds for every held-out layout; `changes` go into the first photograph."""
    val = SceneFolder(prepared, "val")
    classes = val.scenes().layout.classes.numpy()
    draw = np.random.default_rng(0)
    photos = []
    for turn in range(2):
        for row, layout in enumerate(val.names):
            given = {"name": f"{layout}_r{turn}", "layout": layout, "classes": classes[row]}
            given |= changes if not photos else {}
            image = draw.integers(0, 256, (*val.size, 3)).astype(np.uint8)
            photos.append(
                NewPhoto(split="val", city="a", temperature=0.8, round=turn, image=image, **given)
            )
    write_set(out, SetFacts("t08", "feed", (0.8,), 2, val.table, val.size), photos)
    return out


def test_set_is_scored_against_its_layouts(prepared, judge, tmp_path):
    folder = make_set(prepared, tmp_path / "t08")
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
        turn, row = divmod(number, len(val))
        assert (item["layout"], item["round"]) == (val.names[row], turn)
        assert item["temperature"] == 0.8
        photo = io.read_photo(
            folder / f"leftImg8bit/val/a/{item['name']}_leftImg8bit.png"
        ).transpose(2, 0, 1)
        predicted = network.predict(torch.from_numpy(photo.copy())[None] / 255)[0].numpy()
        expected = confusion_matrix(labels[row], predicted, 19)
        assert item["confusion"] == expected.tolist()
        assert expected.sum() == (labels[row] != 255).sum()


def test_scoring_twice_gives_equal_bytes(prepared, judge, tmp_path):
    folder = make_set(prepared, tmp_path / "t08")
    for name in "ab":
        score_set(prepared, folder, judge, tmp_path / name / "set.json", threads=1)
        score_references(prepared, judge, tmp_path / name / "references.json", threads=1)
        score_arms(prepared, {"real-0": judge}, tmp_path / name / "arms.json", threads=1)
    for name in ("set.json", "references.json", "arms.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_set_whose_labels_are_not_the_layouts_is_refused(prepared, judge, tmp_path):
    classes = SceneFolder(prepared, "val").scenes().layout.classes[0].numpy().copy()
    classes[3, 4] = (classes[3, 4] + 1) % 19
    folder = make_set(prepared, tmp_path / "t08", classes=classes)
    with pytest.raises(DataError, match="_r0: labels are not those of scene 'gammastadt_000000"):
        score_set(prepared, folder, judge, tmp_path / "t08.json")
    assert not (tmp_path / "t08.json").exists()


def test_set_for_unknown_layouts_is_refused(prepared, judge, tmp_path):
    folder = make_set(prepared, tmp_path / "t08", layout="atlantis_0")
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


def test_arms_are_scored_on_the_same_photographs(prepared, config, judge, tmp_path):
    trained = {
        "real-0": judge,
        "real_synthetic-1": make_judge(config, tmp_path / "other", seed=1),
    }
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
