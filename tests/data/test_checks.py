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

CITY = table("cityscapes")
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


def only(root, **changes) -> Fault:
    found = checked(root, **changes).faults
    assert len(found) == 1, found
    return found[0]


def rewritten(path, change):
    io.write_png(path, change(io.read_ids(path)))


def as_palette(path, colours):
    image = Image.fromarray(io.read_ids(path)).convert("L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    image.save(path)


def test_a_sound_data_set_has_no_fault_and_its_pixels_are_those_of_the_files(four_scenes):
    report = checked(four_scenes)
    assert report.faults == ()
    assert report.counts == {"train": 4, "val": 2}
    paths = (four_scenes / "gtFine" / "val").rglob("*_labelIds.png")
    classes = [CITY.from_raw(io.read_ids(path)).ravel() for path in paths]
    assert (report.pixels["val"] == np.bincount(np.concatenate(classes), minlength=256)).all()


@pytest.mark.parametrize("where", [PHOTO, LABELS, INSTANCES])
@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda content: b"", "an empty file"),
        (lambda content: b"404: not found\n", "text, not an image"),
        (lambda content: b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (lambda content: content[: len(content) // 2], "not a whole image"),
    ],
    ids=["empty", "text", "lfs", "truncated"],
)
def test_a_file_that_is_no_whole_image_is_found(root, where, damage, what):
    path = root / where
    path.write_bytes(damage(path.read_bytes()))
    fault = only(root)
    assert fault.where == where
    assert fault.what.startswith(what)
    assert fault.remedy


def with_unknown(ids):
    ids = ids.copy()
    ids[3, 4], ids[5, 6] = 77, 99
    return ids


def of_no_class(ids):
    return np.where(ids == 26001, 40001, ids).astype(np.uint16)


def as_kitti(ids):
    raw = np.where(ids >= 1000, ids // 1000, ids)
    return (256 * raw + np.where(ids >= 1000, ids % 1000 + 1, 0)).astype(np.uint16)


def coloured(ids):
    return CITY.palette[CITY.from_raw(ids)]


SPOILED = {
    "labels cut": (LABELS, lambda ids: ids[:-2], "size 30x48 is not that of the photo, 32x48", ""),
    "instances cut": (INSTANCES, lambda ids: ids[:-2].astype(np.uint16), "size 30x48 is not", ""),
    "photo of 16 bits": (PHOTO, lambda photo: photo[..., 0].astype(np.uint16) * 256, "",
                         "convert it to 8-bit RGB"),
    "labels of 16 bits": (LABELS, lambda ids: ids.astype(np.uint16) + 26000,
                          "16-bit labels (largest id 26026)", "instance ids"),
    "labels in other colours": (LABELS, lambda ids: np.stack([ids, ids + 1, ids], -1),
                                "is not one of table 'cityscapes'", "add a row for it to the cl"),
    "unknown ids": (LABELS, with_unknown, "class ids 77, 99 neither in 0..33 nor 255", ""),
    "instances of no class": (INSTANCES, of_no_class,
                              "instance ids 40001 match no class (coded 1000 * class + n)", ""),
    "instances as KITTI codes them": (
        INSTANCES, as_kitti, "",
        "they are coded 256 * class + n: recode them as 1000 * class + n"),
    "instances of another scene": (INSTANCES, lambda ids: ids[::-1].astype(np.uint16),
                                   "say another class than the labels at", ""),
    "instances as colours": (INSTANCES, lambda ids: np.zeros((*ids.shape, 3), np.uint8),
                             "instance ids are no 16-bit map", ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPOILED)
def test_pixels_that_cannot_be_meant_are_found_and_explained(root, kind):
    where, change, what, remedy = SPOILED[kind]
    rewritten(root / where, change)
    fault = only(root)
    assert fault.where == where
    assert what in fault.what
    assert remedy in fault.remedy


def same_classes(root, change, **params):
    """Whether labels hold the same classes when they are changed."""
    source = read(DataParams(root=str(root), size=(32, 48), **params))
    before = checks.examine(source, source.scenes[0])
    for scene in source.scenes:
        change(root / scene.labels)
    after = checks.examine(source, source.scenes[0])
    assert checks.check(source).faults == ()
    return np.array_equal(before.classes, after.classes)


def rgba(path):
    """Colours where there is a class; elsewhere any colour that cannot be seen."""
    colours = coloured(io.read_ids(path))
    alpha = np.where(colours.any(axis=2, keepdims=True), 255, 0)
    seen = np.where(alpha > 0, colours, 77)
    Image.fromarray(np.concatenate([seen, alpha], axis=2).astype(np.uint8)).save(path)


AS_IDS = {
    "RGB": lambda path: rewritten(path, coloured),
    "RGBA": rgba,
    "three equal channels": lambda path: rewritten(path, lambda ids: np.stack([ids] * 3, -1)),
}


@pytest.mark.parametrize("kind", AS_IDS)
def test_labels_in_colours_or_with_three_equal_channels_are_read(root, kind):
    assert same_classes(root, AS_IDS[kind], reader="cityscapes")


def test_a_mask_of_0_and_255_is_read_where_255_is_a_class(own):
    report = own(255 * TWO, [OWN[0], OWN[1] | {"id": 255}])
    assert report.faults == ()
    assert [report.pixels["train"][n] for n in (0, 1, 255)] == [96, 96, 0]


def test_objects_may_be_told_by_colours(own, tmp_path):
    halves = np.zeros((8, 8, 3), np.uint8)
    halves[:, 4:] = 9, 200, 30
    own(TWO)
    for number in range(4):
        io.write_png(tmp_path / f"own/instances/{number}.png", halves)
    source = read(DataParams(reader="folder", root=str(tmp_path / "own"), size=(8, 8), classes=OWN))
    found = checks.examine(source, source.scenes[0])
    assert found.tally.faults == ()
    assert len(np.unique(found.instances)) == 4  # two halves, two classes in each


def test_labels_without_any_class_are_found(root):
    rewritten(root / LABELS, lambda ids: np.full_like(ids, 255))
    found = [(fault.where, fault.what) for fault in checked(root).faults]
    assert (LABELS, "no pixel belongs to a class") in found


def test_ids_with_alpha_are_refused(root):
    Image.fromarray(io.read_ids(root / LABELS)).convert("LA").save(root / LABELS)
    assert "LA" in only(root).what


def test_raw_ids_where_train_ids_are_expected_are_recognised(root):
    for path in sorted(root.rglob("*_labelIds.png")):
        path.rename(path.with_name(path.name.replace("labelIds", "labelTrainIds")))
    found = checked(root, labels="train_ids").faults
    assert len(found) == 6
    assert {f.remedy for f in found} == {"it looks like raw labelIds: set data.labels: label_ids"}


def test_train_ids_where_raw_ids_are_expected_are_recognised_though_each_is_a_known_raw_id(root):
    for path in root.rglob("*_labelIds.png"):
        rewritten(path, CITY.from_raw)
    for path in root.rglob("*_instanceIds.png"):
        path.unlink()
    fault = only(root)
    assert fault.where == ""
    assert fault.remedy == "set data.labels: train_ids"


def test_palettes_of_other_classes_or_unknown_indices_are_found_and_others_are_read(root):
    colour_of = {row.id: row.colour for row in CITY.rows}
    as_palette(root / LABELS, [colour_of.get(index, (1, 2, 3)) for index in range(256)])
    assert checked(root).faults == ()
    rewritten(root / LABELS, lambda ids: ids + np.uint8(100))
    as_palette(root / LABELS, np.arange(768) % 251)
    assert only(root).remedy.startswith("palette PNG")
    for path in root.rglob("*_instanceIds.png"):
        path.unlink()
    colours = np.zeros((256, 3), np.uint8)
    colours[: CITY.count] = CITY.palette[: CITY.count]
    rewritten(root / LABELS, lambda ids: np.where(ids > 120, 2, 0).astype(np.uint8))
    as_palette(root / LABELS, colours)
    assert only(root).what == "palette PNG: its colours are other classes than its indices"


OWN = [
    {"name": "ground", "id": 0, "train_id": 0, "colour": [9, 9, 9]},
    {"name": "dog", "id": 1, "train_id": 1, "colour": [99, 9, 9], "thing": True},
]


@pytest.fixture
def own(tmp_path):
    """Checks a plain folder of four scenes of two classes, whose ids are those given."""

    def found(ids, classes=OWN):
        for number in range(4):
            io.write_png(tmp_path / f"own/images/{number}.png", np.zeros((8, 8, 3), np.uint8))
            io.write_png(tmp_path / f"own/labels/{number}.png", np.asarray(ids, np.uint8))
        return checked(tmp_path / "own", reader="folder", classes=classes)

    return found


TWO = np.arange(64).reshape(8, 8) % 2


def test_ids_that_count_from_one_are_recognised(own):
    found = own(1 + TWO).faults
    assert {fault.where for fault in found} == {f"labels/{number}.png" for number in range(4)}
    assert all("off by one" in fault.remedy for fault in found)


def test_255_is_ignored_but_a_mask_of_0_and_255_is_recognised(own):
    assert own(np.where(np.eye(8) > 0, 255, TWO)).faults == ()
    [fault] = own(255 * TWO).faults
    assert fault.what == "labels hold only 0 and 255"
    assert fault.remedy == "255 is ignored: code masks as 0, 1"


def test_an_absent_class_is_a_warning_per_split(own):
    report = own(0 * TWO)
    assert report.faults == ()
    assert [w.what for w in report.warnings] == [
        "train has no pixel of dog", "val has no pixel of dog"
    ]  # fmt: skip


def test_every_fault_of_a_data_set_is_listed_at_once_a_line_each(root):
    (root / PHOTO).write_bytes(b"")
    rewritten(root / LABELS, lambda ids: np.full_like(ids, 50))
    other = sorted(root.rglob("leftImg8bit/val/*/*.png"))
    other[0].write_bytes(b"text")
    other[1].unlink()
    source = read(DataParams(reader="cityscapes", root=str(root), size=(32, 48)))
    with pytest.raises(DataError) as error:
        checks.require_sound(source, checks.check(source))
    lines = str(error.value).splitlines()
    assert len(lines) == 4
    assert "labels without photo" in lines[0]
    assert lines[1] == f"{root}/{PHOTO}: an empty file; restore the file"
    assert lines[2].startswith(f"{other[0]}: text, not an image; ")
    assert lines[3].startswith(f"{root}/{LABELS}: class id 50 neither in 0..33 nor 255; ")


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
        io.write_png(root / "semantic" / f"{name}.png", raw.astype(np.uint8))
        io.write_png(root / "instance" / f"{name}.png", as_kitti(ids))
    return root.parent


def test_kitti_codes_are_sound_in_kitti_files_and_cityscapes_codes_are_not(kitti, four_scenes):
    report = checked(kitti, reader="kitti", val_fraction=0.4)
    assert report.faults == ()
    assert report.counts == {"train": 4, "val": 2}
    name = "alphaville_000000_000019"
    source = next(four_scenes.rglob(f"{name}_gtFine_instanceIds.png"))
    shutil.copy(source, kitti / "training" / "instance" / f"{name}.png")
    fault = only(kitti, reader="kitti")
    assert fault.where == f"training/instance/{name}.png"
    assert fault.remedy == "they are coded 1000 * class + n: recode them as 256 * class + n"


@pytest.mark.parametrize("reader", ["kitti", "cityscapes"])
def test_both_codes_give_the_same_boundaries(kitti, four_scenes, reader):
    root = kitti if reader == "kitti" else four_scenes
    source = read(DataParams(reader=reader, root=str(root), size=(32, 48)))
    for scene in source.scenes:
        given = io.read_ids(next(four_scenes.rglob(f"{scene.name}_gtFine_instanceIds.png")))
        found = checks.examine(source, scene).instances
        assert found is not None
        assert (boundary_map(found) == boundary_map(given)).all()
