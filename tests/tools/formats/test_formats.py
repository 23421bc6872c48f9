"""Every format, read back by other means than those that wrote it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from augflow.cli import app
from augflow.core import io
from augflow.data import checks, readers
from augflow.data.classes import ClassRow, ClassTable
from augflow.data.params import DataParams
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import read_set
from augflow.tools.export import export
from augflow.tools.formats import FORMATS
from augflow.tools.formats.folders import SYNTHETIC, Package
from augflow.tools.formats.mmseg import config, repeat_counts
from tests import traced
from tests.tools.formats.conftest import SIZE, TABLE, drawn
from tests.traced import DATA, T05


def pixels(path):
    return np.asarray(Image.open(path))


def counted(path):
    """How many files of each ending a folder holds, by folder."""
    return sorted(found.relative_to(path).as_posix() for found in path.rglob("*.png"))


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_set_gives_the_same_bytes_and_every_photograph_is_listed(own_set, tmp_path, form):
    for name in "ab":
        export(str(own_set), form, tmp_path / name)
    trees = [
        {path.relative_to(tmp_path / name): path.read_bytes()
         for path in (tmp_path / name).rglob("*") if path.is_file()}
        for name in "ab"
    ]  # fmt: skip
    assert trees[0] == trees[1]
    with (tmp_path / "a/manifest.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == ["floe_0", "floe_1", "floe_2"]
    for row, image in zip(rows, read_set(own_set).image, strict=True):
        assert np.array_equal(pixels(tmp_path / "a" / row["photo"]), image)
        assert pixels(tmp_path / "a" / row["labels"]).shape[:2] == SIZE
        assert (row["generator"], row["weight"], row["seed"]) == ("0123abcd", "1", row["name"][-1])


def test_cityscapes_holds_published_ids_train_ids_and_instances(own_set, tmp_path):
    export(str(own_set), "cityscapes", tmp_path / "out")
    for number in range(3):
        classes, ids = drawn(number)
        truth = tmp_path / f"out/gtFine/train/north/floe_{number}_gtFine"
        raw = np.array([200, 40, 0, 61] + [254] * 252)[classes]
        assert np.array_equal(pixels(f"{truth}_labelIds.png"), raw)
        assert np.array_equal(pixels(f"{truth}_labelTrainIds.png"), classes)
        instances = pixels(f"{truth}_instanceIds.png")
        hole = classes == 255
        assert np.array_equal(instances[~hole], ids[~hole])
        assert set(instances[hole].tolist()) == {254}
    assert len(counted(tmp_path / "out")) == 12


@pytest.mark.parametrize("real", [False, True])
def test_the_reader_of_cityscapes_and_check_data_find_no_fault(study, tmp_path, real):
    traced.select(T05, DATA / "selected/lax", {})
    export("lax", "cityscapes", tmp_path / "out", real=real)
    params = DataParams(reader="cityscapes", root=str(tmp_path / "out"), size=(32, 48))
    source = readers.read(params)
    found = checks.check(source)
    made = read_set(DATA / "selected/lax")
    assert (found.faults, sum(found.counts.values())) == ((), len(made))
    names = {scene.name: scene for scene in source.scenes}
    assert sorted(names) == sorted(row.name for row in made.rows)
    labels = tmp_path / "out" / names[made.rows[0].name].labels
    half = pixels(labels)[:16]
    assert np.array_equal(made.facts.table.from_raw(half), made.classes[0][:16])
    assert (made.classes[0][:16] == 255).all()
    checked = CliRunner().invoke(app, ["check-data", str(tmp_path / "out")])
    assert checked.exit_code == 0, checked.output
    beside = list((tmp_path / "out/leftImg8bit/train_real").rglob("*.png"))
    assert len(beside) == (6 if real else 0)


def test_the_reader_of_folders_reads_plain_folders(own_set, tmp_path):
    export(str(own_set), "folder", tmp_path / "out")
    with (tmp_path / "out/classes.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["name"], row["id"], row["thing"]) for row in rows] == [
        ("sea \\ | ice", "200", "False"), ("seal", "40", "True"), ("sky", "0", "False"),
        ("boat", "61", "True"),
    ]  # fmt: skip
    classes = [
        {"name": row["name"], "id": int(row["id"]), "train_id": int(row["train_id"]),
         "colour": [int(row[channel]) for channel in ("red", "green", "blue")]}
        for row in rows
    ]  # fmt: skip
    source = readers.read(DataParams.model_validate({
        "reader": "folder", "root": str(tmp_path / "out"), "labels": "train_ids", "size": SIZE,
        "classes": classes, "val_fraction": 0.4,
    }))  # fmt: skip
    assert checks.check(source).faults == ()
    for scene in source.scenes:
        classes = drawn(int(scene.name[-1]))[0]
        assert np.array_equal(checks.examine(source, scene).classes, classes)


def test_panoptic_areas_boxes_and_categories_are_those_of_the_pixels(own_set, tmp_path):
    export(str(own_set), "coco_panoptic", tmp_path / "out")
    content = json.loads((tmp_path / "out/annotations/panoptic_synthetic.json").read_text())
    names = {one["id"]: one["name"] for one in content["categories"]}
    assert list(names.values()) == list(TABLE.names)
    assert [one["isthing"] for one in content["categories"]] == [0, 1, 0, 1]
    images = {one["id"]: one for one in content["images"]}
    assert len(images) == len(content["annotations"]) == 3
    for number, annotation in enumerate(content["annotations"]):
        image = images[annotation["image_id"]]
        assert (image["height"], image["width"]) == SIZE
        assert pixels(tmp_path / "out/synthetic" / image["file_name"]).shape == (*SIZE, 3)
        colours = pixels(tmp_path / "out/annotations/panoptic_synthetic" / annotation["file_name"])
        ids = colours.astype(int) @ [1, 256, 65536]
        classes, _ = drawn(number)
        assert np.array_equal(ids == 0, classes == 255)
        segments = annotation["segments_info"]
        assert sorted(one["id"] for one in segments) == sorted(set(ids[ids > 0].tolist()))
        for one in segments:
            mask = ids == one["id"]
            assert one["area"] == mask.sum()
            rows, columns = np.where(mask.any(1))[0], np.where(mask.any(0))[0]
            assert one["bbox"] == [columns[0], rows[0], columns[-1] - columns[0] + 1,
                                   rows[-1] - rows[0] + 1]  # fmt: skip
            assert {TABLE.names[k] for k in classes[mask]} == {names[one["category_id"]]}
        # sea, two seals that touch, sky, and boats that nobody told apart
        kinds = sorted((names[one["category_id"]], one["iscrowd"]) for one in segments)
        assert kinds == [("boat", 1), ("sea \\ | ice", 0), ("seal", 0), ("seal", 0), ("sky", 0)]


def test_without_instances_connected_things_are_segments(study, tmp_path):
    export("t05", "coco_panoptic", tmp_path / "out", real=True)
    made = read_set(T05)
    content = io.read_json(tmp_path / "out/annotations/panoptic_synthetic.json")
    table = made.facts.table
    for annotation, classes in zip(content["annotations"], made.classes, strict=True):
        stuff = [one for one in annotation["segments_info"]
                 if one["category_id"] - 1 not in table.things]  # fmt: skip
        expected = set(np.unique(classes).tolist()) - {255, *table.things}
        assert sorted(one["category_id"] - 1 for one in stuff) == sorted(expected)
        assert sum(one["area"] for one in annotation["segments_info"]) == (classes != 255).sum()
        assert {one["iscrowd"] for one in annotation["segments_info"]} == {0}
    real = io.read_json(tmp_path / "out/annotations/panoptic_real.json")
    assert len(real["annotations"]) == len(SceneFolder(DATA / "prepared", "train"))


def test_real_scenes_are_the_prepared_ones(study, tmp_path):
    export("t05", "folder", tmp_path / "out", real=True)
    train = SceneFolder(DATA / "prepared", "train")
    scenes = train.scenes()
    for row, name in enumerate(train.names):
        image = pixels(tmp_path / f"out/real/images/{name}.png")
        assert np.array_equal(image.transpose(2, 0, 1), scenes.image[row].numpy())
        labels = pixels(tmp_path / f"out/real/labels/{name}.png")
        assert np.array_equal(labels, scenes.layout.classes[row].numpy())


def test_lists_of_mmseg_name_photographs_as_often_as_their_weights_ask(study, tmp_path):
    traced.select(T05, DATA / "selected/lax", {})
    export("lax", "mmseg", tmp_path / "out")
    lines = (tmp_path / "out/lists/synthetic.txt").read_text().splitlines()
    names = [row.name for row in read_set(T05).rows]
    # weights are 1 and 3 in turn
    assert [lines.count(f"synthetic/{name}") for name in names[:4]] == [1, 3, 1, 3]
    assert repeat_counts({"a": 0.5, "b": 1.2, "c": 100.0, "d": 0.0}) == {"a": 1, "b": 2, "c": 8}


def read_back(folder, name):
    """The class names that mmseg finds in the config of an export, which is a program."""
    from mmengine.config import Config

    rows = (ClassRow(name, 0, 0, False, (1, 2, 3)), ClassRow("other", 1, 1, False, (4, 5, 6)))
    package = Package(ClassTable("own", rows), (8, 8), {SYNTHETIC: []})
    (folder / "augflow_data.py").write_text(config(package))
    return tuple(Config.fromfile(folder / "augflow_data.py").augflow_classes["classes"])


@pytest.mark.parametrize("name", [
    "{{ fileDirname }}", "{{$HOME:x}}", "{{ _base_.x }}", "{x}", "'''", '"""', "\\", "a\nb",
    '"], evil=open("x"), y=["',
])  # fmt: skip
def test_names_of_classes_are_read_back_as_they_were(tmp_path, name):
    assert read_back(tmp_path, name) == (name, "other")


def test_a_name_that_is_a_template_runs_nothing(tmp_path):
    """Its end becomes code when mmengine puts a default in the place of a variable."""
    trace = tmp_path / "ran"
    # so long that every name has a line of its own
    name = "a" * 90 + '"' + "{{$NOWHERE:x\\',open(\"" + str(trace) + '","w").name,#|.}}'
    assert read_back(tmp_path, name) == (name, "other")
    assert not trace.exists()
