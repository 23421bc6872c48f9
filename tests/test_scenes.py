from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from augflow import files
from augflow.classes import TABLES, table
from augflow.errors import DataError
from augflow.scenes import Layout, Scene, SceneFolder, table_facts, table_from


def layout(count=3):
    return Layout(torch.randint(0, 5, (count, 4, 6)), torch.rand(count, 4, 6))


def test_a_layout_of_two_shapes_is_refused():
    with pytest.raises(ValueError, match="must both be"):
        Layout(torch.zeros(1, 4, 6), torch.zeros(1, 4, 5))
    with pytest.raises(ValueError, match="must both be"):
        Layout(torch.zeros(4, 6), torch.zeros(4, 6))


def test_rows_of_a_scene_keep_photo_and_layout_together():
    scene = Scene(torch.arange(3).reshape(3, 1, 1, 1).expand(3, 3, 4, 6), layout())
    picked = scene[[2, 0]]
    assert len(picked) == 2
    assert picked.image[:, 0, 0, 0].tolist() == [2, 0]
    assert (picked.layout.classes == scene.layout.classes[[2, 0]]).all()
    assert (picked.layout.boundary == scene.layout.boundary[[2, 0]]).all()
    assert scene.layout.size == (4, 6)


def test_a_scene_moves_as_a_whole():
    scene = Scene(torch.zeros(3, 3, 4, 6), layout()).to("meta")
    tensors = (scene.image, scene.layout.classes, scene.layout.boundary)
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_class_table_survives_json(name):
    facts = json.loads(files.json_bytes(table_facts(table(name))))
    assert table_from(facts) == table(name)


def test_a_prepared_split_is_read_as_it_lies_on_disk(prepared):
    folder = SceneFolder(prepared, "train")
    assert len(folder) == 4
    assert folder.names == sorted(folder.names)
    assert folder.table == table("cityscapes")
    assert folder.size == (32, 48)
    assert folder.boundary_source == "instances"
    scene = folder.scenes([2])
    for kind, pixels in (
        ("image", scene.image[0].permute(1, 2, 0)),
        ("classes", scene.layout.classes[0]),
        ("boundary", (scene.layout.boundary[0] * 255).round().to(torch.uint8)),
    ):
        stored = files.read_ids(prepared / "train" / kind / f"{folder.names[2]}.png")
        assert (stored == pixels.numpy()).all()
    assert scene.image.dtype == torch.uint8
    assert scene.image.shape == (1, 3, 32, 48)


def test_all_scenes_are_the_rows_one_by_one(prepared):
    folder = SceneFolder(prepared, "val")
    together = folder.scenes()
    assert len(together) == len(folder) == 2
    for row in range(2):
        assert (folder.scenes([row]).image[0] == together.image[row]).all()


@pytest.fixture
def copied(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "prepared")


def test_an_empty_split_says_which_stage_to_run(prepared):
    with pytest.raises(DataError, match="'test' has no scenes; run the prepare stage"):
        SceneFolder(prepared, "test")


def test_a_file_of_another_size_is_named_with_both_sizes(copied):
    path = sorted((copied / "val" / "classes").iterdir())[1]
    files.write_png(path, np.zeros((16, 48), np.uint8))
    with pytest.raises(DataError, match=rf"{path.name}: expected 32x48, got 16x48"):
        SceneFolder(copied, "val")


def test_a_missing_file_is_named(copied):
    path = sorted((copied / "val" / "boundary").iterdir())[0]
    path.unlink()
    with pytest.raises(DataError, match=path.name):
        SceneFolder(copied, "val")


def test_a_folder_that_is_not_prepared_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"dataset\.json"):
        SceneFolder(tmp_path, "train")
