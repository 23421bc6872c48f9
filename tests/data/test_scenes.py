from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.classes import TABLES, table
from augflow.data.scenes import (
    Layout,
    Scene,
    SceneFolder,
    saved_table,
    scene_writer,
    table_facts,
    table_from,
)
from tests.prepared_files import change_map, read_map


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


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_class_table_survives_json(name):
    facts = json.loads(io.json_bytes(table_facts(table(name))))
    assert table_from(facts) == table(name)


@pytest.mark.parametrize(
    "change",
    [
        {"colour": [728, 0, 0]}, {"colour": [-1, 0, 0]}, {"colour": [0, 0]}, {"train_id": 256},
        {"id": 300}, {"id": "7"}, {"name": 3}, {"train_id": 200},
    ],
)  # fmt: skip
def test_a_saved_table_out_of_range_is_one_line(tmp_path, change):
    facts = table_facts(table("streets"))
    path = tmp_path / "config.json"
    io.write_json(path, {"classes": facts})
    assert saved_table(path) == table("streets")
    facts["rows"][0] |= change
    io.write_json(path, {"classes": facts})
    with pytest.raises(DataError, match=r"config\.json: no class table in it \(.*\); restore it"):
        saved_table(path)


@pytest.mark.parametrize("content", ["[]", "{}", '{"classes": 3}', '{"classes": {"rows": [1]}}'])
def test_a_file_without_a_class_table_is_one_line(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(DataError, match=r"config\.json: no class table in it"):
        saved_table(tmp_path / "config.json")


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
        assert (read_map(prepared, "train", kind, folder.names[2]) == pixels.numpy()).all()
    assert scene.image.dtype == torch.uint8
    assert scene.image.shape == (1, 3, 32, 48)


@pytest.fixture
def copied(prepared, tmp_path):
    return shutil.copytree(prepared, tmp_path / "prepared")


def test_an_empty_split_and_an_empty_folder_say_what_is_missing(prepared, tmp_path):
    with pytest.raises(DataError, match="'test' has no scenes; run the prepare stage"):
        SceneFolder(prepared, "test")
    with pytest.raises(DataError, match=r"dataset\.json"):
        SceneFolder(tmp_path, "train")


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def grow(path):
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Path.unlink, "no such file"),
        (cut, "not a whole array of numbers"),
        (grow, "holds more than its array"),
        (lambda path: path.write_bytes(b""), "not a whole array of numbers"),
        (lambda path: path.write_bytes(b"a picture"), "not a whole array of numbers"),
        (lambda path: np.save(path, np.array([{}])), "not a whole array of numbers"),
        (lambda path: np.save(path, np.zeros((2, 16, 48), np.uint8)), "2x32x48, got uint8 2x16x48"),
        (lambda path: np.save(path, np.zeros((1, 32, 48), np.uint8)), "2x32x48, got uint8 1x32x48"),
        (lambda path: np.save(path, np.zeros((2, 32, 48))), "2x32x48, got float64 2x32x48"),
    ],
)
def test_a_damaged_array_is_one_line_that_names_it(copied, damage, said):
    path = copied / "val" / "classes.npy"
    damage(path)
    with pytest.raises(DataError, match=rf"classes\.npy: .*{said}.*; run the prepare stage again"):
        SceneFolder(copied, "val")


def test_a_folder_that_is_not_prepared_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"dataset\.json"):
        SceneFolder(tmp_path, "train")


def equal(ours, theirs):
    pairs = [(ours.image, theirs.image), (ours.layout.classes, theirs.layout.classes),
             (ours.layout.boundary, theirs.layout.boundary)]  # fmt: skip
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("rows", [[2, 0, 2], [], slice(1, 3), [-1]])
def test_any_rows_are_those_of_all_scenes(prepared, rows):
    folder = SceneFolder(prepared, "train")
    assert equal(folder[rows], folder.scenes()[rows])


def test_every_other_scene_is_every_other_row(prepared):
    whole, half = SceneFolder(prepared, "train"), SceneFolder(prepared, "train", one_in=2)
    assert half.names == whole.names[::2]
    assert equal(half.scenes(), whole.scenes([0, 2]))


def test_rows_that_are_taken_are_copies(prepared):
    folder = SceneFolder(prepared, "val")
    folder.scenes([0]).image.zero_()
    assert folder.scenes([0]).image.any()


def test_degrees_of_a_boundary_are_those_that_torch_divides(copied):
    degrees = np.arange(32 * 48).astype(np.uint8).reshape(32, 48)
    folder = SceneFolder(copied, "val")
    change_map(copied, "val", "boundary", folder.names[0], degrees)
    found = SceneFolder(copied, "val").scenes([0]).layout.boundary[0]
    assert torch.equal(found, torch.from_numpy(degrees).float() / 255)


def test_a_scene_of_another_shape_is_not_written(tmp_path):
    image, flat = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
    with pytest.raises(ValueError, match="not uint8 of shape"):  # noqa: SIM117
        with scene_writer(tmp_path, (4, 6)) as append:
            append("train", image, flat[:2], flat)
