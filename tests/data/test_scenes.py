from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
import torch

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.classes import TABLES, table
from augflow.data.scenes import Layout, Scene, SceneFolder, saved_table, table_facts, table_from


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
        stored = io.read_ids(prepared / "train" / kind / f"{folder.names[2]}.png")
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
    io.write_png(path, np.zeros((16, 48), np.uint8))
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


@pytest.fixture
def decoded(monkeypatch):
    """The files that have been decoded since."""
    seen = []
    for name in ("read_photo", "read_ids"):
        real = getattr(io, name)
        monkeypatch.setattr(io, name, lambda path, real=real: seen.append(path) or real(path))
    return seen


@pytest.fixture
def caches(tmp_path, monkeypatch):
    monkeypatch.setenv("AUGFLOW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def equal(ours, theirs):
    pairs = [(ours.image, theirs.image), (ours.layout.classes, theirs.layout.classes),
             (ours.layout.boundary, theirs.layout.boundary)]  # fmt: skip
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


def test_a_split_is_decoded_once(prepared, caches, decoded):
    first = SceneFolder(prepared, "train")
    assert len(decoded) == 3 * len(first)
    second = SceneFolder(prepared, "train")
    assert len(decoded) == 3 * len(first)
    assert equal(first.scenes(), second.scenes())


def test_mapped_scenes_are_those_decoded_into_memory(prepared, caches, decoded, monkeypatch):
    SceneFolder(prepared, "train")
    mapped = SceneFolder(prepared, "train")
    monkeypatch.setenv("AUGFLOW_CACHE", "off")
    decoded.clear()
    in_memory = SceneFolder(prepared, "train")
    assert len(decoded) == 12
    assert equal(mapped.scenes(), in_memory.scenes())
    for rows in ([2, 0, 2], [], slice(1, 3), [-1]):
        assert equal(mapped[rows], in_memory.scenes()[rows])


def test_the_prepared_folder_stays_as_it_is(copied, caches):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    SceneFolder(copied, "train")
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before


def test_a_changed_pixel_is_seen_whatever_size_and_time_say(copied, caches):
    before = SceneFolder(copied, "val").scenes()
    path = sorted((copied / "val" / "classes").iterdir())[0]
    times = path.stat()
    pixels = io.read_ids(path).copy()
    pixels[0, 0] = (pixels[0, 0] + 1) % 19
    io.write_png(path, pixels)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    after = SceneFolder(copied, "val").scenes()
    assert (after.layout.classes != before.layout.classes).sum() == 1
    assert (after.layout.classes[0].numpy() == pixels).all()


@pytest.mark.parametrize("name", ["dataset.json", "scenes.csv"])
def test_other_facts_are_another_content(name, copied, caches, decoded):
    SceneFolder(copied, "val")
    decoded.clear()
    (copied / name).write_text((copied / name).read_text() + "\n")
    SceneFolder(copied, "val")
    assert len(decoded) == 6
    places = [path for path in (caches / "scenes").rglob("*") if path.suffix == ".npy"]
    assert len(places) == 3


def test_folders_of_equal_content_do_not_push_each_other_out(copied, prepared, caches, decoded):
    for root in (prepared, copied):
        SceneFolder(root, "val")
    decoded.clear()
    for root in (prepared, copied):
        SceneFolder(root, "val")
    assert decoded == []


def test_what_is_kept_hides_no_missing_file(copied, caches):
    SceneFolder(copied, "val")
    path = sorted((copied / "val" / "image").iterdir())[1]
    path.unlink()
    with pytest.raises(DataError, match=f"{path.name}: no such file"):
        SceneFolder(copied, "val")


def test_a_colour_map_in_place_of_classes_is_refused(copied):
    path = sorted((copied / "val" / "classes").iterdir())[0]
    io.write_png(path, np.zeros((32, 48, 3), np.uint8))
    with pytest.raises(DataError, match=rf"{path.name}: expected one 8-bit value.*32x48x3"):
        SceneFolder(copied, "val")


def test_degrees_of_a_boundary_are_those_that_torch_divides(copied):
    path = sorted((copied / "val" / "boundary").iterdir())[0]
    degrees = np.arange(32 * 48).astype(np.uint8).reshape(32, 48)
    io.write_png(path, degrees)
    found = SceneFolder(copied, "val").scenes([0]).layout.boundary[0]
    assert torch.equal(found, torch.from_numpy(degrees).float() / 255)
