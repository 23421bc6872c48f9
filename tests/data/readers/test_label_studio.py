from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from augflow.core import io
from augflow.data import checks
from augflow.data.params import DataParams
from augflow.data.readers import label_studio

GREY = np.full((6, 8, 3), 90, np.uint8)
CLASSES = [
    {"name": "background", "id": 0, "colour": [0, 0, 0]},
    {"name": "Car", "id": 1, "colour": [0, 0, 142], "thing": True},
    {"name": "road-side", "id": 2, "colour": [244, 35, 232]},
]


def mask(rows: slice, columns: slice) -> np.ndarray:
    found = np.zeros((6, 8), np.uint8)
    found[rows, columns] = 255
    return found


@pytest.fixture
def root(tmp_path):
    """Two tasks, one of them annotated twice; a photo under its uploaded name."""
    photos = {"photos/0ab1cd2e-first.jpg": "/data/upload/1/0ab1cd2e-first.jpg",
              "photos/second.png": "/data/upload/1/99999999-second.png"}  # fmt: skip
    for name in photos:
        path = tmp_path / name
        io.write_png(path.with_suffix(".png"), GREY)
        path.with_suffix(".png").rename(path)
    whole, corner = mask(slice(0, 6), slice(0, 8)), mask(slice(0, 2), slice(0, 3))
    for name, pixels in {
        "task-1-annotation-4-by-1-tag-road-side-0": corner,
        "task-1-annotation-7-by-1-tag-Car-0": corner,
        "task-1-annotation-7-by-1-tag-road-side-0": mask(slice(0, 3), slice(0, 8)),
        "task-12-annotation-8-by-me@a.org-tag-road-side-0": whole,
        "task-12-annotation-8-by-me@a.org-tag-Car-0": mask(slice(5, 6), slice(7, 8)),
    }.items():
        io.write_png(tmp_path / "masks" / f"{name}.png", pixels)
    tasks = [
        {"id": n, "data": {"image": photo}}
        for n, photo in zip((1, 12), photos.values(), strict=True)
    ]
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    return tmp_path


def source(root: Path):
    params = DataParams(reader="label_studio", root=str(root), size=(8, 8), classes=CLASSES)
    return label_studio.read(params)


def test_masks_of_a_task_become_the_labels_of_its_photo_the_smaller_over_the_larger(root):
    found = source(root)
    assert found.faults == ()
    scenes = {scene.name: scene for scene in found.scenes}
    first = checks.examine(found, scenes["0ab1cd2e-first"])
    expected = np.zeros((6, 8), np.uint8)
    expected[:3], expected[:2, :3] = 2, 1
    assert np.array_equal(first.classes, expected)
    second = checks.examine(found, scenes["second"]).classes
    assert second[5, 7] == 1
    assert (second == 2).sum() == 47


def test_all_masks_are_in_the_digest(root):
    before = source(root).digest()
    io.write_png(
        root / "masks/task-12-annotation-8-by-me@a.org-tag-Car-0.png",
        mask(slice(0, 1), slice(0, 1)),
    )
    assert source(root).digest() != before


def test_without_an_export_photos_are_named_after_tasks(root):
    (root / "export.json").unlink()
    faults = source(root).faults
    assert [fault.what for fault in faults] == [
        "no photo for the 2 masks of task 1", "no photo for the 2 masks of task 12"
    ]  # fmt: skip
    assert "JSON export" in faults[0].remedy
    (root / "photos/0ab1cd2e-first.jpg").rename(root / "photos/photo-1.jpg")
    (root / "photos/second.png").rename(root / "photos/012.png")
    assert source(root).faults == ()
    assert {scene.name for scene in source(root).scenes} == {"photo-1", "012"}


def test_a_label_without_a_row_and_masks_of_two_sizes_are_faults(root):
    io.write_png(root / "masks/task-1-annotation-7-by-1-tag-Dog-0.png", mask(slice(1), slice(1)))
    io.write_png(root / "masks/task-12-annotation-8-by-1-tag-Car-1.png", np.zeros((3, 3), np.uint8))
    said = [fault.what for fault in checks.check(source(root)).faults]
    assert "label 'Dog' is no class" in said
    assert any("is not that of the scene's other masks" in what for what in said)


def test_the_names_of_classes_are_read_off_the_masks(root):
    assert label_studio.labels_of(root) == ["Car", "road-side"]
