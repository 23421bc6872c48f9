from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from augflow.core import io
from augflow.data.params import DataParams
from augflow.data.readers import read

CLASSES = [{"name": "all", "id": 0, "train_id": 0, "colour": [9, 9, 9]}]


@pytest.fixture
def root(tmp_path):
    for name in ("a", "b", "c"):
        put(tmp_path / f"images/{name}.png")
        put(tmp_path / f"labels/{name}.png")
    return tmp_path


def put(path: Path) -> None:
    io.write_png(path, np.zeros((4, 4), np.uint8))


def found(root):
    return read(DataParams(reader="folder", root=str(root), size=(8, 8), classes=CLASSES))


def listed(root):
    return [(fault.where, fault.what) for fault in found(root).faults]


def test_whole_pairs_are_no_fault_through_links_inside_and_to_the_data_set_neither(
    root, tmp_path_factory
):
    (root / "labels/b.png").unlink()
    (root / "labels/b.png").symlink_to(root / "labels/a.png")
    link = tmp_path_factory.mktemp("links") / "data"
    link.symlink_to(root)
    assert listed(link) == []


def test_what_has_no_partner_is_named_with_what_was_expected(root):
    (root / "images/c.png").unlink()
    (root / "labels/b.png").unlink()
    source = found(root)
    assert sorted(listed(root)) == [
        ("images/b.png", "photo without labels"), ("labels/c.png", "labels without photo")
    ]  # fmt: skip
    assert source.faults[0].remedy.startswith("expected labels/NAME.png")
    assert "b" not in {scene.name for scene in source.scenes}


def test_two_photos_of_one_scene_are_named_both(root):
    (root / "images/b.jpg").write_bytes(b"x")
    [(where, what)] = listed(root)
    assert where == "images/b.jpg"
    assert what == "scene b has more than one photo file: also images/b.png"


def test_instances_of_some_scenes_only_are_a_fault_of_the_others(root):
    put(root / "instances/a.png")
    assert listed(root) == [
        ("images/b.png", "no instance ids, other scenes have them"),
        ("images/c.png", "no instance ids, other scenes have them"),
    ]


def test_names_that_differ_only_in_case_are_a_fault(root):
    put(root / "images/B.png")
    put(root / "labels/B.png")
    assert listed(root) == [
        ("images/b.png", "scene name b is, but for the case, also that of images/B.png")
    ]


def test_one_name_in_both_splits_is_a_fault(tmp_path):
    for split, name in (("train", "a"), ("train", "b"), ("val", "a")):
        put(tmp_path / f"images/{split}/{name}.png")
        put(tmp_path / f"labels/{split}/{name}.png")
    assert ("images/val/a.png", "scene name a is also that of images/train/a.png") in listed(
        tmp_path
    )


@pytest.mark.parametrize("folder", ["images", "labels"])
def test_a_link_out_of_the_data_set_is_a_fault(root, tmp_path_factory, folder):
    outside = tmp_path_factory.mktemp("outside") / "b.png"
    (root / folder / "b.png").rename(outside)
    (root / folder / "b.png").symlink_to(outside)
    where, what = listed(root)[0]
    assert where == f"{folder}/b.png"
    assert what == f"is a link out of the data set, to {outside}"
    assert "b" not in {scene.name for scene in found(root).scenes}


def test_a_folder_that_is_a_link_out_of_the_data_set_is_a_fault(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "labels"
    (root / "labels").rename(outside)
    (root / "labels").symlink_to(outside)
    faults = listed(root)
    assert {f"labels/{name}.png" for name in "abc"} <= {where for where, _ in faults}
