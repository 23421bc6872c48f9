from functools import cache
from pathlib import Path

import numpy as np
import pytest

from augflow.core import io
from augflow.data.classes import IGNORE, table
from streetscenes import StreetScene, street_scene, write_streets

TABLE = table("streets")
SIZE = (64, 96)
COUNT = 20


@cache
def sample() -> tuple[StreetScene, ...]:
    return tuple(street_scene(0, index, SIZE) for index in range(COUNT))


def raw_id(name: str) -> int:
    return next(row.id for row in TABLE.rows if row.name == name)


def touching(instances: np.ndarray) -> int:
    """Neighbouring pixels of one thing class that belong to two objects."""
    ids = instances.astype(int)
    pairs = [(ids[1:], ids[:-1]), (ids[:, 1:], ids[:, :-1])]
    return sum(int(((a != b) & (a // 1000 == b // 1000) & (a >= 1000)).sum()) for a, b in pairs)


def test_a_scene_is_a_function_of_seed_and_index_alone():
    backward = [street_scene(0, index, SIZE) for index in (2, 1, 0)][::-1]
    for first, again in zip(sample(), backward, strict=False):
        np.testing.assert_array_equal(first.image, again.image)
        np.testing.assert_array_equal(first.labels, again.labels)
        np.testing.assert_array_equal(first.instances, again.instances)
        assert first.attributes == again.attributes


@pytest.mark.parametrize("size", [(32, 48), (63, 101)])
def test_a_scene_has_the_size_asked_for(size):
    scene = street_scene(3, "a", size)
    assert (scene.image.shape, scene.image.dtype) == ((*size, 3), np.uint8)
    assert (scene.labels.shape, scene.labels.dtype) == (size, np.uint8)
    assert (scene.instances.shape, scene.instances.dtype) == (size, np.uint16)


def test_sizes_show_one_composition():
    for index in range(4):
        small, large = sample()[index], street_scene(0, index, (128, 192))
        assert small.attributes == large.attributes
        agree = (small.labels == large.labels[::2, ::2]) | (
            small.labels == large.labels[1::2, 1::2]
        )
        assert agree.mean() > 0.95
        halved = large.image.reshape(64, 2, 96, 2, 3).mean((1, 3))
        difference = np.abs(halved - small.image.astype(float)).mean()
        assert difference < 12, difference


def test_labels_are_of_the_table_and_hardly_a_pixel_is_ignored():
    known = {row.id for row in TABLE.rows}
    assert all(set(np.unique(scene.labels).tolist()) <= known for scene in sample())
    ignored = [(TABLE.from_raw(scene.labels) == IGNORE).mean() for scene in sample()]
    assert max(ignored) < 0.03
    assert np.mean(ignored) < 0.005


def test_instance_ids_are_coded_as_cityscapes_does():
    things = [row.id for row in TABLE.rows if row.is_thing]
    for scene in sample():
        ids, labels = scene.instances.astype(int), scene.labels
        thing = np.isin(labels, things)
        np.testing.assert_array_equal(ids[thing] // 1000, labels[thing])
        np.testing.assert_array_equal(ids[~thing], labels[~thing])
        for label in things:
            numbers = np.unique(ids[labels == label]) - 1000 * label
            np.testing.assert_array_equal(numbers, np.arange(len(numbers)))


def test_objects_of_one_class_touch_in_most_scenes():
    assert np.mean([touching(scene.instances) >= 5 for scene in sample()]) > 0.7


def test_every_learned_class_is_common():
    shares = {
        "road": 0.95, "sidewalk": 0.7, "building": 0.95, "pole": 0.8, "traffic sign": 0.5,
        "vegetation": 0.7, "sky": 0.9, "person": 0.5, "car": 0.9, "bus": 0.25,
    }  # fmt: skip
    assert set(shares) == set(TABLE.names)
    for name, share in shares.items():
        present = [(scene.labels == raw_id(name)).sum() >= 8 for scene in sample()]
        assert np.mean(present) >= share, name


def test_edges_of_photo_and_ids_agree():
    """Across the sky's edge the photograph changes more than inside the sky."""
    across, inside = [], []
    for scene in sample():
        if scene.attributes["weather"] == "fog":
            continue
        sky = scene.labels == raw_id("sky")
        step = np.abs(np.diff(scene.image.astype(float).mean(-1), axis=1))
        across.append(step[sky[:, 1:] != sky[:, :-1]].mean())
        inside.append(step[sky[:, 1:] & sky[:, :-1]].mean())
    assert np.mean(across) > 4 * np.mean(inside)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("streets")
    write_streets(root, {"train": 13, "val": 2}, (32, 48), seed=5)
    return root


def test_write_streets_keeps_the_layout_of_cityscapes(written):
    rows = io.read_csv(written / "attributes.csv")
    assert [row["split"] for row in rows] == ["train"] * 13 + ["val"] * 2
    train, val = ({r["city"] for r in rows if r["split"] == split} for split in ("train", "val"))
    assert len(train) == 2
    assert not train & val
    expected = {"attributes.csv"}
    for row in rows:
        place, name = f"{row['split']}/{row['city']}", row["name"]
        drive, frame = name.removeprefix(row["city"] + "_").split("_")
        assert (len(drive), len(frame)) == (6, 6)
        expected.add(f"leftImg8bit/{place}/{name}_leftImg8bit.png")
        expected |= {
            f"gtFine/{place}/{name}_gtFine_{kind}Ids.png" for kind in ("label", "instance")
        }
    assert set(io.digest_tree(written)) == expected


def test_written_scenes_are_those_of_their_names(written):
    rows = io.read_csv(written / "attributes.csv")
    for row in (rows[0], rows[-1]):
        place, name = f"{row['split']}/{row['city']}", row["name"]
        scene = street_scene(5, name, (32, 48))
        photo = written / "leftImg8bit" / place / f"{name}_leftImg8bit.png"
        labels = written / "gtFine" / place / f"{name}_gtFine_labelIds.png"
        instances = written / "gtFine" / place / f"{name}_gtFine_instanceIds.png"
        np.testing.assert_array_equal(io.read_photo(photo), scene.image)
        np.testing.assert_array_equal(io.read_ids(labels), scene.labels)
        np.testing.assert_array_equal(io.read_ids(instances), scene.instances)
        assert {key: row[key] for key in scene.attributes} == scene.attributes


def test_what_cannot_be_painted_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected at least 32x48"):
        street_scene(0, 0, (31, 48))
    with pytest.raises(ValueError, match="test"):
        write_streets(tmp_path, {"test": 1}, (32, 48), seed=0)
