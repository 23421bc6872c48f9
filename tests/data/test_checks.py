"""A corpus of broken files: each is found, named and explained."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data import checks
from augflow.data.boundaries import boundary_map
from augflow.data.classes import table
from augflow.data.params import DataParams
from augflow.data.readers import read
from augflow.data.readers.source import Fault

NAME = "betaburg_000000_000019"
PHOTO = f"leftImg8bit/train/betaburg/{NAME}_leftImg8bit.png"
LABELS = f"gtFine/train/betaburg/{NAME}_gtFine_labelIds.png"
INSTANCES = f"gtFine/train/betaburg/{NAME}_gtFine_instanceIds.png"


@pytest.fixture
def root(four_scenes, tmp_path):
    return shutil.copytree(four_scenes, tmp_path / "data")


def checked(root, **changes):
    params = {"reader": "cityscapes", "root": str(root), "size": (32, 48), **changes}
    return checks.check(read(DataParams(**params)))


def faults(root, **changes):
    return checked(root, **changes).faults


def only(root, **changes) -> Fault:
    found = faults(root, **changes)
    assert len(found) == 1, found
    return found[0]


def rewritten(path, change):
    io.write_png(path, change(io.read_ids(path)))


def as_palette(path, colours):
    image = Image.fromarray(io.read_ids(path)).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    image.save(path)


def test_a_sound_data_set_has_no_fault(four_scenes):
    report = checked(four_scenes)
    assert report.faults == ()
    assert report.counts == {"train": 4, "val": 2}
    assert report.pixels["train"].sum() == 4 * 32 * 48


def test_shares_are_those_of_the_label_files(four_scenes):
    counts = np.zeros(256, int)
    for path in (four_scenes / "gtFine" / "val").rglob("*_labelIds.png"):
        ids, pixels = np.unique(table("cityscapes").from_raw(io.read_ids(path)), return_counts=True)
        counts[ids] += pixels
    assert (checked(four_scenes).pixels["val"] == counts).all()


@pytest.mark.parametrize("where", [PHOTO, LABELS, INSTANCES])
@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda content: b"", "an empty file"),
        (lambda content: b"404: not found\n", "text, not an image"),
        (lambda content: b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (lambda content: content[: len(content) // 2], "not a whole image"),
        (lambda content: b"\x00\xff" * 40, "not a whole image"),
    ],
    ids=["empty", "text", "lfs", "truncated", "noise"],
)
def test_a_file_that_is_no_whole_image_is_found(root, where, damage, what):
    path = root / where
    path.write_bytes(damage(path.read_bytes()))
    fault = only(root)
    assert fault.where == where
    assert fault.what.startswith(what)
    assert fault.remedy


@pytest.mark.parametrize("where", [LABELS, INSTANCES])
def test_ids_of_another_size_than_the_photo_are_found(root, where):
    rewritten(
        root / where, lambda ids: ids[:-2].astype(ids.dtype if ids.max() < 256 else np.uint16)
    )
    fault = only(root)
    assert fault.where == where
    assert fault.what == "size 30x48 is not that of the photo, 32x48"


def test_a_photo_of_sixteen_bits_is_found(root):
    rewritten(root / PHOTO, lambda photo: photo[..., 0].astype(np.uint16) * 256)
    fault = only(root)
    assert fault.where == PHOTO
    assert fault.remedy == "convert it to 8-bit RGB"


def test_labels_of_sixteen_bits_are_found(root):
    shutil.copy(root / INSTANCES, root / LABELS)
    fault = only(root)
    assert fault.where == LABELS
    assert fault.what == "16-bit labels (largest id 26002)"
    assert "instance ids" in fault.remedy


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_colour_map_in_place_of_ids_is_recognised(root, mode):
    t = table("cityscapes")
    colours = t.palette[t.from_raw(io.read_ids(root / LABELS))]
    Image.fromarray(colours).convert(mode).save(root / LABELS)
    fault = only(root)
    assert (fault.where, fault.what) == (LABELS, "RGB labels: the colour map of table cityscapes")


def test_other_colours_in_place_of_ids_are_counted(root):
    shutil.copy(root / PHOTO, root / LABELS)
    assert "colours, not those of table cityscapes" in only(root).what


def test_grey_stored_as_colour_is_recognised(root):
    rewritten(root / LABELS, lambda ids: np.repeat(ids[..., None], 3, axis=2))
    assert only(root).remedy == "save one channel as 8-bit grey"


def test_ids_with_alpha_are_refused(root):
    Image.fromarray(io.read_ids(root / LABELS)).convert("LA").save(root / LABELS)
    assert "LA" in only(root).what


def test_an_unknown_id_is_named_with_the_known_span(root):
    def change(ids):
        ids = ids.copy()
        ids[3, 4], ids[5, 6] = 77, 99
        return ids

    rewritten(root / LABELS, change)
    fault = only(root)
    assert (fault.where, fault.what) == (LABELS, "class ids 77, 99 neither in 0..33 nor 255")


def test_raw_ids_where_train_ids_are_expected_are_recognised(root):
    for path in sorted(root.rglob("*_labelIds.png")):
        path.rename(path.with_name(path.name.replace("labelIds", "labelTrainIds")))
    found = faults(root, labels="train_ids")
    assert len(found) == 6
    assert {f.remedy for f in found} == {"it looks like raw labelIds: set data.labels: label_ids"}


def test_train_ids_where_raw_ids_are_expected_are_recognised_though_each_is_a_known_raw_id(root):
    for path in root.rglob("*_labelIds.png"):
        rewritten(path, table("cityscapes").from_raw)
    for path in root.rglob("*_instanceIds.png"):
        path.unlink()
    fault = only(root)
    assert fault.where == ""
    assert fault.remedy == "set data.labels: train_ids"


def test_a_palette_of_unknown_indices_is_recognised(root):
    rewritten(root / LABELS, lambda ids: ids + np.uint8(100))
    as_palette(root / LABELS, np.arange(768) % 251)
    assert only(root).remedy.startswith("palette PNG")


def test_a_palette_whose_colours_contradict_its_indices_is_found(root):
    rows = [row for row in table("cityscapes").rows if row.train_id != 255]
    colours = np.zeros((256, 3), np.uint8)
    for index, row in enumerate(rows):
        colours[index] = row.colour
    rewritten(root / LABELS, lambda ids: np.where(ids > 20, 2, 0).astype(np.uint8))
    as_palette(root / LABELS, colours)
    (root / INSTANCES).unlink()
    for path in root.rglob("*_instanceIds.png"):
        path.unlink()
    fault = only(root)
    assert fault.what == "palette PNG: its colours are other classes than its indices"


def test_a_palette_that_only_colours_its_ids_is_no_fault(root):
    colour_of = {row.id: row.colour for row in table("cityscapes").rows}
    as_palette(root / LABELS, [colour_of.get(index, (1, 2, 3)) for index in range(256)])
    assert faults(root) == ()


@pytest.fixture
def own(tmp_path):
    """A plain folder of four scenes with two classes; `labels(n)` writes scene n's ids."""
    rng = np.random.default_rng(0)

    def labels(number, ids):
        io.write_png(tmp_path / f"own/labels/{number}.png", ids.astype(np.uint8))

    for number in range(4):
        photo = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        io.write_png(tmp_path / f"own/images/{number}.png", photo)
        labels(number, rng.integers(0, 2, (8, 8)))
    return tmp_path / "own", labels


OWN = [
    {"name": "ground", "id": 0, "train_id": 0, "colour": [9, 9, 9]},
    {"name": "dog", "id": 1, "train_id": 1, "colour": [99, 9, 9], "thing": True},
]


def test_ids_that_count_from_one_are_recognised(own):
    root, labels = own
    for number in range(4):
        labels(number, 1 + np.arange(64).reshape(8, 8) % 2)
    found = faults(root, reader="folder", classes=OWN)
    assert {fault.where for fault in found} == {f"labels/{number}.png" for number in range(4)}
    assert all("off by one" in fault.remedy for fault in found)


def test_a_mask_of_0_and_255_is_recognised(own):
    root, labels = own
    for number in range(4):
        labels(number, 255 * (np.arange(64).reshape(8, 8) % 2))
    fault = only(root, reader="folder", classes=OWN)
    assert fault.what == "labels hold only 0 and 255"
    assert fault.remedy == "255 is ignored: code masks as 0, 1"


def test_255_is_ignored_and_no_fault(own):
    root, labels = own
    labels(2, np.where(np.eye(8) > 0, 255, 1))
    assert faults(root, reader="folder", classes=OWN) == ()


def test_labels_without_any_class_are_found(own):
    root, labels = own
    labels(2, np.full((8, 8), 255))
    fault = only(root, reader="folder", classes=OWN)
    assert (fault.where, fault.what) == ("labels/2.png", "no pixel belongs to a class")


def test_an_absent_class_is_a_warning_per_split(own):
    root, labels = own
    for number in range(4):
        labels(number, np.zeros((8, 8)))
    report = checked(root, reader="folder", classes=OWN)
    assert report.faults == ()
    assert [w.what for w in report.warnings] == [
        "train has no pixel of dog",
        "val has no pixel of dog",
    ]


def test_instance_ids_that_no_class_matches_are_found(root):
    def change(ids):
        ids = ids.astype(np.uint16)
        ids[ids == 26001] = 40001
        return ids

    rewritten(root / INSTANCES, change)
    fault = only(root)
    assert (fault.where, fault.what) == (
        INSTANCES,
        "instance ids 40001 match no class (coded 1000 * class + n)",
    )


def test_kitti_codes_in_cityscapes_files_are_recognised(root):
    def recoded(ids):
        raw = np.where(ids >= 1000, ids // 1000, ids)
        return (256 * raw + np.where(ids >= 1000, ids % 1000 + 1, 0)).astype(np.uint16)

    rewritten(root / INSTANCES, recoded)
    fault = only(root)
    assert fault.where == INSTANCES
    assert fault.remedy == "they are coded 256 * class + n: recode them as 1000 * class + n"


def test_instance_ids_of_another_scene_are_found(root):
    rewritten(root / INSTANCES, lambda ids: ids[::-1].astype(np.uint16))
    assert "say another class than the labels at" in only(root).what


def test_colours_in_place_of_instance_ids_are_found(root):
    shutil.copy(root / PHOTO, root / INSTANCES)
    assert only(root).what == "instance ids are no 16-bit map"


def test_every_fault_of_a_data_set_is_listed_at_once(root):
    (root / PHOTO).write_bytes(b"")
    rewritten(root / LABELS, lambda ids: np.full_like(ids, 50))
    other = sorted(root.rglob("leftImg8bit/val/*/*.png"))
    other[0].write_bytes(b"text")
    other[1].unlink()
    found = {fault.where: fault.what for fault in faults(root)}
    assert len(found) == 4
    assert found[PHOTO] == "an empty file"
    assert found[LABELS].startswith("class id 50")
    assert found[other[0].relative_to(root).as_posix()] == "text, not an image"
    assert "labels without photo" in found.values()


def test_an_unsound_data_set_is_refused_with_a_line_per_fault(root):
    (root / PHOTO).write_bytes(b"")
    rewritten(root / LABELS, lambda ids: np.full_like(ids, 50))
    source = read(DataParams(reader="cityscapes", root=str(root), size=(32, 48)))
    with pytest.raises(DataError) as error:
        checks.require_sound(source, checks.check(source))
    lines = str(error.value).splitlines()
    assert lines[0] == f"{root}/{PHOTO}: an empty file; restore the file"
    assert lines[1].startswith(f"{root}/{LABELS}: class id 50 neither in 0..33 nor 255; ")


def test_many_faults_of_one_remedy_become_one_row():
    many = [Fault(f"{n}.png", f"class id {n} unknown", "correct it") for n in range(30)]
    single = Fault("x.png", "an empty file", "restore the file")
    rows = checks.summarise([*many, single])
    assert [row.where for row in rows] == ["0.png and 29 more", "x.png"]
    assert checks.summarise(many[:20]) == many[:20]


@pytest.fixture
def kitti(four_scenes, tmp_path):
    """The drawn scenes as KITTI publishes its own: 256 * class + n, things counted from 1."""
    root = tmp_path / "kitti" / "training"
    for photo in four_scenes.rglob("*_leftImg8bit.png"):
        name = photo.name.replace("_leftImg8bit.png", "")
        (root / "image_2").mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, root / "image_2" / f"{name}.png")
        ids = io.read_ids(next(four_scenes.rglob(f"{name}_gtFine_instanceIds.png")))
        raw = np.where(ids >= 1000, ids // 1000, ids)
        number = np.where(ids >= 1000, ids % 1000 + 1, 0)
        io.write_png(root / "semantic" / f"{name}.png", raw.astype(np.uint8))
        io.write_png(root / "instance" / f"{name}.png", (256 * raw + number).astype(np.uint16))
    return root.parent


def test_kitti_codes_in_kitti_files_are_sound(kitti):
    report = checked(kitti, reader="kitti", val_fraction=0.4)
    assert report.faults == ()
    assert report.counts == {"train": 4, "val": 2}


def test_cityscapes_codes_in_kitti_files_are_recognised(kitti, four_scenes):
    name = "alphaville_000000_000019"
    source = next(four_scenes.rglob(f"{name}_gtFine_instanceIds.png"))
    shutil.copy(source, kitti / "training" / "instance" / f"{name}.png")
    fault = only(kitti, reader="kitti")
    assert fault.where == f"training/instance/{name}.png"
    assert fault.remedy == "they are coded 1000 * class + n: recode them as 256 * class + n"


@pytest.mark.parametrize("factor", [256, 1000])
def test_both_codes_give_the_same_boundaries(kitti, four_scenes, factor):
    root, reader = (kitti, "kitti") if factor == 256 else (four_scenes, "cityscapes")
    source = read(DataParams(reader=reader, root=str(root), size=(32, 48)))
    for scene in source.scenes:
        given = io.read_ids(next(four_scenes.rglob(f"{scene.name}_gtFine_instanceIds.png")))
        found = checks.examine(source, scene).instances
        assert found is not None
        assert (boundary_map(found) == boundary_map(given)).all()
