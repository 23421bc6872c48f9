from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augflow.core import io
from augflow.core.errors import DataError, ParamsError
from augflow.data.params import DataParams
from augflow.data.readers import READERS, guessed_reader, read

PHOTO = np.full((8, 12, 3), 90, np.uint8)
IDS = np.zeros((8, 12), np.uint8)
INSTANCES = np.zeros((8, 12), np.uint16)
OWN = [
    {"name": "ground", "id": 3, "train_id": 0, "colour": [9, 9, 9]},
    {"name": "dog", "id": 5, "train_id": 1, "colour": [99, 9, 9], "thing": True},
    {"name": "blur", "id": 6, "train_id": 255, "colour": [0, 0, 0]},
]


def lay(root: Path, *paths: str) -> Path:
    """Small files at the paths: JPEG and colour under photo names, ids else."""
    for name in paths:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jpg":
            Image.fromarray(PHOTO).save(path)
        else:
            is_instance = "instance" in path.as_posix() or "_inst_" in path.name
            io.write_png(path, INSTANCES if is_instance else IDS)
    return root


def found(root: Path, reader: str, **more):
    more.setdefault("classes", OWN if reader in ("folder", "label_studio") else None)
    return read(DataParams(reader=reader, root=str(root), size=(8, 8), **more))


def rows(source):
    return {scene.name: (scene.split, scene.drive) for scene in source.scenes}


def city_files(split, city, *names, labels="labelIds", instances=False):
    for name in names:
        yield f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png"
        yield f"gtFine/{split}/{city}/{name}_gtFine_{labels}.png"
        yield f"gtFine/{split}/{city}/{name}_gtFine_polygons.json"
        yield f"gtFine/{split}/{city}/{name}_gtFine_color.png"
        if instances:
            yield f"gtFine/{split}/{city}/{name}_gtFine_instanceIds.png"


def lay_city(root, *arguments, **more):
    return lay(root, *(p for p in city_files(*arguments, **more) if p.endswith("png")))


def test_cityscapes_scenes_are_named_by_city_sequence_and_frame(tmp_path):
    lay_city(tmp_path, "train", "ulm", "ulm_000000_000019", "ulm_000001_000019", instances=True)
    lay_city(tmp_path, "val", "bonn", "bonn_000000_000019", instances=True)
    lay_city(tmp_path, "test", "berlin", "berlin_000000_000019", instances=True)
    source = found(tmp_path, "cityscapes")
    assert not source.faults
    assert rows(source) == {
        "ulm_000000_000019": ("train", "ulm"),
        "ulm_000001_000019": ("train", "ulm"),
        "bonn_000000_000019": ("val", "bonn"),
    }
    scene = source.scenes[0]
    assert scene.photo == Path("leftImg8bit/train/ulm/ulm_000000_000019_leftImg8bit.png")
    assert scene.labels == Path("gtFine/train/ulm/ulm_000000_000019_gtFine_labelIds.png")
    assert scene.instances == Path("gtFine/train/ulm/ulm_000000_000019_gtFine_instanceIds.png")
    assert source.boundary_source == "instances"


def test_drives_of_one_city_are_its_sequences(tmp_path):
    lay_city(tmp_path, "train", "ulm", *(f"ulm_00000{n}_000019" for n in range(4)))
    source = found(tmp_path, "cityscapes", val_fraction=0.25)
    assert {drive for _, drive in rows(source).values()} == {f"ulm_00000{n}" for n in range(4)}
    assert [len(source.of_split(split)) for split in ("train", "val")] == [3, 1]


def test_train_ids_are_read_where_they_are_asked_for_and_pointed_out_where_not(tmp_path):
    lay_city(tmp_path, "train", "ulm", "ulm_0_1", "ulm_1_1", labels="labelTrainIds")
    source = found(tmp_path, "cityscapes", labels="train_ids")
    assert not source.faults
    assert source.scenes[0].labels.name.endswith("_labelTrainIds.png")
    fault = found(tmp_path, "streets").faults[0]
    assert fault.what == "photo without labels"
    assert "set data.labels: train_ids" in fault.remedy
    assert found(tmp_path, "streets").table.name == "streets"


def test_camvid_frames_of_the_validation_drive_all_count_as_validation(tmp_path):
    paths = ["train/A1_1.jpg", "train/A1_2.png", "train/B2_1.jpg", "train/B2_2.jpg", "val/B2_3.jpg"]
    labels = [f"{p.replace('/', 'annot/')[:-4]}.png" for p in paths]
    source = found(lay(tmp_path, *paths, *labels), "camvid")
    assert rows(source) == {
        "A1_1": ("train", "A1"),
        "A1_2": ("train", "A1"),
        "B2_1": ("val", "B2"),
        "B2_2": ("val", "B2"),
        "B2_3": ("val", "B2"),
    }
    assert [fault.fatal for fault in source.faults] == [False]
    assert "B2; their 2 train scenes count as val" in source.faults[0].what
    assert source.boundary_source == "components"


def idd_files(split, drive, *frames, ends=("_label.png",)):
    return [f"leftImg8bit/{split}/{drive}/{frame}_image.jpg" for frame in frames] + [
        f"gtFine/{split}/{drive}/{frame}{end}" for frame in frames for end in ends
    ]


def test_idd_scenes_are_named_by_drive_and_frame_and_instances_are_no_labels(tmp_path):
    ends = ("_inst_label.png", "_label.png")
    lay(tmp_path, *idd_files("train", "7", "1", "2", ends=ends),
        *idd_files("val", "8", "1", ends=ends))  # fmt: skip
    source = found(tmp_path, "idd_lite")
    assert not source.faults
    assert rows(source) == {"7_1": ("train", "7"), "7_2": ("train", "7"), "8_1": ("val", "8")}
    for scene in source.scenes:
        frame = scene.name.split("_")[1]
        assert scene.labels.name == f"{frame}_label.png"
        assert scene.instances.name == f"{frame}_inst_label.png"
    assert source.instance_factor is None


def test_kitti_scenes_are_held_out_one_by_one(tmp_path):
    names = [f"{n:06d}_10" for n in range(10)]
    folders = ("image_2", "semantic", "instance")
    lay(tmp_path, *(f"training/{folder}/{name}.png" for folder in folders for name in names))
    source = found(tmp_path, "kitti", val_fraction=0.3)
    assert not source.faults
    assert [len(source.of_split(split)) for split in ("train", "val")] == [7, 3]
    assert source.instance_factor == 256
    assert source.boundary_source == "instances"
    assert source.scenes[0].instances == Path(f"training/instance/{source.scenes[0].name}.png")


def test_a_plain_folder_brings_its_own_classes(tmp_path):
    lay(tmp_path, "images/a.jpg", "images/b.png", "labels/a.png", "labels/b.png")
    source = found(tmp_path, "folder")
    assert not source.faults
    assert {split for split, _ in rows(source).values()} == {"train", "val"}
    assert source.table.names == ("ground", "dog")
    assert source.table.things == (1,)
    assert source.table.from_raw(np.array([[3, 5, 6]])).tolist() == [[0, 1, 255]]


def test_a_plain_folder_may_hold_its_splits_and_then_no_photo_beside_them(tmp_path):
    for split, name in (("train", "a"), ("val", "c")):
        lay(tmp_path, f"images/{split}/{name}.jpg", f"labels/{split}/{name}.png")
    source = found(tmp_path, "folder")
    assert not source.faults
    assert {name: split for name, (split, _) in rows(source).items()} == {"a": "train", "c": "val"}
    faults = found(lay(tmp_path, "images/lost.jpg"), "folder").faults
    assert [fault.where for fault in faults] == ["images/lost.jpg"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ([], "no classes"),
        ([OWN[0], OWN[0]], "ids twice: 3"),
        ([OWN[0], {**OWN[1], "train_id": 2}], r"train ids are \[0, 2\]"),
        ([{**OWN[0], "id": 300}], "outside 0..255: 300"),
        ([OWN[2]], r"train ids are \[\]"),
    ],
)
def test_rows_that_make_no_class_table_are_refused(tmp_path, changed, message):
    lay(tmp_path, "images/a.jpg", "labels/a.png")
    with pytest.raises(ParamsError, match=message):
        found(tmp_path, "folder", classes=changed)


@pytest.mark.parametrize(
    ("reader", "path", "expected"),
    [
        ("cityscapes", "leftImg8bit/train/ulm/ulm_2_1.png", "NAME_leftImg8bit.png"),
        ("camvid", "train/A_1.bmp", "NAME.png or NAME.jpg"),
        ("idd_lite", "leftImg8bit/train/7/3.jpg", "FRAME_image.jpg"),
        ("kitti", "training/image_2/1.jpg", "NAME.png"),
        ("folder", "images/a.webp", "NAME.png or NAME.jpg"),
    ],
)
def test_a_photo_that_the_layout_does_not_know_is_named(tmp_path, reader, path, expected):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(b"")
    faults = found(tmp_path, reader).faults
    assert [(fault.where, fault.what) for fault in faults] == [(path, f"is not named {expected}")]


def test_hidden_files_and_files_of_other_kinds_are_no_photos(tmp_path):
    lay(tmp_path, "images/a.jpg", "labels/a.png", "images/b.jpg", "labels/b.png")
    for name in ("images/.a.jpg", "images/Thumbs.db", "labels/notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    source = found(tmp_path, "folder")
    assert not source.faults
    assert set(rows(source)) == {"a", "b"}


LAYOUTS = {
    "cityscapes": list(city_files("train", "ulm", "ulm_0_1"))[:2],
    "idd_lite": idd_files("train", "7", "1"),
    "camvid": ["train/A_1.jpg", "trainannot/A_1.png"],
    "kitti": ["training/image_2/1.png", "training/semantic/1.png"],
    "label_studio": ["1.jpg", "task-1-annotation-1-by-1-tag-dog-0.png"],
    "folder": ["images/a.jpg", "labels/a.png"],
}


@pytest.mark.parametrize("reader", sorted(READERS))
def test_a_layout_is_guessed_and_another_is_refused_with_the_right_reader(tmp_path, reader):
    other = "kitti" if reader != "kitti" else "camvid"
    published = "cityscapes" if reader == "streets" else reader
    assert guessed_reader(lay(tmp_path / "own", *LAYOUTS[published])) == published
    with pytest.raises(DataError, match=f"no photos at .*it looks like {other}"):
        found(lay(tmp_path / "other", *LAYOUTS[other]), reader)
