"""What folders of labelled photographs are taken for, and the classes that are guessed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data import checks, readers
from augflow.data.class_guess import NamedClass, named_classes
from augflow.data.recognise import photo_sizes, recognise

NAMES = ("a", "b", "c")
IDS = np.repeat(np.arange(40) // 13, 30).reshape(40, 30).astype(np.uint8)
RED, BLUE = (200, 10, 10), (10, 10, 200)
COLOURS = np.array([(0, 0, 0), RED, BLUE, (9, 200, 9)], np.uint8)[IDS]
PHOTO = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


def lay(root, photos, labels, pixels, suffix=".jpg"):
    for name in NAMES:
        for folder, values, ending in ((photos, PHOTO, suffix), (labels, pixels, ".png")):
            path = root / folder / f"{name}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(path)
    return root


def classes(found):
    return [(row.name, row.id, row.train_id, row.colour) for row in found.data.classes]


def sound(found):
    """Whether the data set can be prepared as it is."""
    return checks.check(readers.read(found.data)).faults == ()


def test_two_folders_of_equal_names_and_their_ids(tmp_path):
    found = recognise(lay(tmp_path, "images", "labels", np.where(IDS == 2, 255, IDS)))
    assert found.kind == "plain folders"
    assert "3 files of labels/ have the names of photos in images/" in found.why
    assert [row[:3] for row in classes(found)] == [
        ("class_0", 0, None), ("class_1", 1, None), ("class_3", 3, None), ("unlabelled", 255, 255)
    ]  # fmt: skip
    assert found.shares["class_0"] == pytest.approx(13 / 40)
    assert sound(found)
    assert photo_sizes(tmp_path, [f"images/{name}.jpg" for name in NAMES]) == {(40, 30): 3}


@pytest.mark.parametrize("alpha", [False, True])
def test_folders_of_other_names_and_labels_in_colours(tmp_path, alpha):
    opaque = np.where(COLOURS.any(axis=2, keepdims=True), 255, 0).astype(np.uint8)
    pixels = np.concatenate([COLOURS, opaque], axis=2) if alpha else COLOURS
    found = recognise(lay(tmp_path, "fotos", "ground_truth", pixels, ".png"))
    assert found.data.folders.model_dump() == {
        "photos": "fotos", "labels": "ground_truth", "instances": "instances"
    }  # fmt: skip
    assert {row[3] for row in classes(found)} == {(0, 0, 0), RED, BLUE, (9, 200, 9)}
    assert ("background", (0, 0, 0)) in {(row[0], row[3]) for row in classes(found)}
    assert sound(found)


def test_colours_of_a_published_table_have_its_names(tmp_path):
    road, car = (128, 64, 128), (0, 0, 142)
    pixels = np.where(IDS[..., None] > 1, road, car).astype(np.uint8)
    found = recognise(lay(tmp_path, "images", "labels", pixels))
    assert {(row.name, row.thing) for row in found.data.classes} == {("road", False), ("car", True)}


def test_a_mask_of_0_and_255_has_two_classes(tmp_path):
    found = recognise(lay(tmp_path, "img", "masks", np.where(IDS > 1, 255, 0).astype(np.uint8)))
    assert [row[:3] for row in classes(found)] == [
        ("background", 0, None), ("unlabelled", 254, 255), ("object", 255, None)
    ]  # fmt: skip
    assert sound(found)
    assert readers.read(found.data).table.raw_ids[:2].tolist() == [0, 255]


def test_an_export_of_cvat_brings_names_colours_and_objects(tmp_path):
    lay(tmp_path, "JPEGImages", "SegmentationClass", COLOURS)
    for name in NAMES:
        io.write_png(tmp_path / f"SegmentationObject/{name}.png", COLOURS[::-1].copy())
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:0,0,0::\n"
        "car:200,10,10::\ntraffic sign:10,10,200::\ntree:9,200,9::\nnever:1,2,3::\n"
    )
    found = recognise(tmp_path)
    assert found.kind == "CVAT, segmentation mask"
    assert "labelmap.txt names classes" in found.why
    assert found.data.folders.instances == "SegmentationObject"
    assert [row[0] for row in classes(found)] == [
        "background", "car", "traffic sign", "tree", "never"
    ]  # fmt: skip
    assert sound(found)
    assert readers.read(found.data).boundary_source == "instances"


def test_masks_of_label_studio(tmp_path):
    for number, name in enumerate(NAMES):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(PHOTO).save(tmp_path / f"photos/{name}.jpg")
        for label in (0, 1):
            mask = np.where(label == IDS, 255, 0).astype(np.uint8)
            name_of = f"task-{number}-annotation-1-by-1-tag-{('Car', 'Wall')[label]}-0.png"
            io.write_png(tmp_path / "export" / name_of, mask)
    tasks = [{"id": n, "data": {"image": f"/a/{name}.jpg"}} for n, name in enumerate(NAMES)]
    (tmp_path / "project.json").write_text(json.dumps(tasks))
    found = recognise(tmp_path)
    assert found.kind.startswith("Label Studio")
    assert [row[:3] for row in classes(found)] == [
        ("background", 0, None), ("Car", 1, None), ("Wall", 2, None)
    ]  # fmt: skip
    assert sound(found)


def test_published_layouts_come_first(four_scenes):
    found = recognise(four_scenes)
    assert (found.kind, found.data.reader, found.data.classes) == ("Cityscapes", "cityscapes", None)


def test_what_cannot_be_read_as_classes_is_refused_in_a_line(tmp_path):
    with pytest.raises(DataError, match=r"of no known layout; expected images/NAME\.jpg"):
        recognise(tmp_path)
    lay(tmp_path, "images", "labels", PHOTO)
    with pytest.raises(DataError, match="of no known layout"):
        recognise(tmp_path)
    many = np.arange(1200).reshape(40, 30) % 90
    lay(tmp_path, "images", "labels", many.astype(np.uint8))
    with pytest.raises(DataError, match=r"90 values in the labels .*expected at most 64 classes"):
        recognise(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "row"),
    [
        ("labelmap.txt", "car:0,0,142::\n", NamedClass("car", None, (0, 0, 142))),
        ("class_dict.csv", "name,r,g,b\ncar,0,0,142\n", NamedClass("car", None, (0, 0, 142))),
        ("label_colors.txt", "0 0 142\tcar\n", NamedClass("car", None, (0, 0, 142))),
        ("classes.txt", "7 car\n", NamedClass("car", 7)),
        ("classes.txt", "car\n", NamedClass("car", 0)),
    ],
)
def test_files_that_name_classes(tmp_path, name, text, row):
    (tmp_path / name).write_text(text)
    assert named_classes(tmp_path).rows == (row,)
