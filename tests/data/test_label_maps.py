"""Label maps of a user's folder: what they hold is found out, faults are all named."""

import os

import numpy as np
import pytest
from PIL import Image

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data import boundaries, label_maps
from augflow.data.classes import ClassRow, ClassTable, table

CITY = table("cityscapes")
SIZE = (16, 24)


def classes():
    ids = np.zeros(SIZE, np.uint8)
    ids[4:9, 3:15] = 13
    ids[:3] = 10
    ids[0, 0] = 255
    return ids


def test_train_ids_published_ids_and_colours_give_one_layout(tmp_path):
    ids = classes()
    forms = {"train": ids, "raw": CITY.raw_ids[ids], "colour": CITY.palette[ids]}
    for name, pixels in forms.items():
        io.write_png(tmp_path / name / "a.png", pixels)
        (found,) = label_maps.read_layouts(tmp_path / name, CITY, SIZE)
        assert found.name == "a"
        assert np.array_equal(found.layout.classes[0].numpy(), ids), name


def test_what_ids_mean_is_decided_for_the_folder_as_a_whole(tmp_path):
    low = np.full(SIZE, 7, np.uint8)
    io.write_png(tmp_path / "low.png", low)
    io.write_png(tmp_path / "raw.png", CITY.raw_ids[classes()])
    found = label_maps.read_layouts(tmp_path, CITY, SIZE)
    assert [item.name for item in found] == ["low", "raw"]
    assert set(found[0].layout.classes.unique().tolist()) == {0}


def test_instance_ids_show_boundaries_that_classes_do_not(tmp_path):
    ids = classes()
    instances = CITY.raw_ids[ids].astype(np.uint16)
    instances[4:9, 3:9], instances[4:9, 9:15] = 26000, 26001
    io.write_png(tmp_path / "l" / "a_gtFine_labelIds.png", CITY.raw_ids[ids])
    io.write_png(tmp_path / "l" / "a_gtFine_instanceIds.png", instances)
    (without,) = label_maps.read_layouts(tmp_path / "l", CITY, SIZE)
    (found,) = label_maps.read_layouts(tmp_path / "l", CITY, SIZE, maps=tmp_path / "l")
    assert found.name == "a"
    more = (found.layout.boundary - without.layout.boundary)[0].numpy()
    assert np.argwhere(more > 0).tolist() == [[y, x] for y in range(5, 8) for x in (8, 9)]
    expected = boundaries.boundary_map(instances.astype(np.int32))
    assert np.array_equal(found.layout.boundary[0].numpy() > 0, expected)


def test_boundary_maps_are_taken_as_they_are(tmp_path):
    edges = np.zeros(SIZE, np.uint8)
    edges[5] = 255
    io.write_png(tmp_path / "l" / "a.png", classes())
    io.write_png(tmp_path / "b" / "a.png", edges)
    (found,) = label_maps.read_layouts(tmp_path / "l", CITY, SIZE, maps=tmp_path / "b")
    assert np.array_equal(found.layout.boundary[0].numpy(), edges / 255)


def test_all_faults_are_listed(tmp_path):
    io.write_png(tmp_path / "fine.png", classes())
    io.write_png(tmp_path / "strange.png", np.full(SIZE, 77, np.uint8))
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(DataError) as fault:
        label_maps.read_layouts(tmp_path, CITY, SIZE)
    lines = str(fault.value).splitlines()
    assert all(any(name in line for line in lines) for name in ("empty", "strange", "text"))
    assert len(lines) == 3
    assert "77" in str(fault.value)


def test_folders_that_hold_no_layouts_or_not_one_of_a_name_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("a", "b"):
        io.write_png(tmp_path / "l" / folder / "same.png", classes())
    io.write_png(tmp_path / "m" / "other.png", classes())
    io.write_png(tmp_path / "small" / "same.png", classes()[:4])
    for layouts, maps, said in (
        ("none", None, "no such folder"), ("empty", None, "holds no PNG"),
        ("l/a", "small", r"is \(4, 24\), the layout \(16, 24\)"),
        ("l", None, "come twice: same"), ("l/a", "m", r"same\.png: no map of that name")
    ):  # fmt: skip
        with pytest.raises(DataError, match=said):
            label_maps.read_layouts(tmp_path / layouts, CITY, SIZE, maps=maps and tmp_path / maps)


def test_layouts_are_read_as_prepare_reads_them(
    prepared, four_scenes, four_scenes_params, tmp_path
):
    from augflow.data.scenes import SceneFolder
    from augflow.stages.prepare import prepare

    small = four_scenes_params.model_copy(update={"size": (16, 24)})
    prepare(small, tmp_path / "prepared")
    scenes = SceneFolder(tmp_path / "prepared", "val")
    truth = four_scenes / "gtFine" / "val"
    found = label_maps.read_layouts(truth, CITY, (16, 24), maps=truth)
    assert [item.name for item in found] == scenes.names
    expected = scenes.scenes().layout
    for n, item in enumerate(found):
        assert np.array_equal(item.layout.classes[0], expected.classes[n])
        assert np.allclose(item.layout.boundary[0], expected.boundary[n], atol=1e-6)


def test_a_single_file_is_one_layout_with_the_map_that_is_given(tmp_path):
    io.write_png(tmp_path / "a_gtFine_labelIds.png", CITY.raw_ids[classes()])
    edges = np.zeros(SIZE, np.uint8)
    edges[5, 7] = 1
    io.write_png(tmp_path / "maps" / "other.png", edges)
    label = tmp_path / "a_gtFine_labelIds.png"
    (found,) = label_maps.read_layouts(label, CITY, SIZE, maps=tmp_path / "maps" / "other.png")
    assert found.name == "a"
    assert np.array_equal(found.layout.classes[0].numpy(), classes())
    assert found.layout.boundary[0].nonzero().tolist() == [[5, 7]]
    io.write_png(tmp_path / "two" / "a.png", classes())
    io.write_png(tmp_path / "two" / "b.png", classes())
    with pytest.raises(DataError, match="one file for 2 layouts"):
        label_maps.read_layouts(tmp_path / "two", CITY, SIZE, maps=tmp_path / "maps" / "other.png")


def test_ids_that_fit_both_readings_are_asked_for(tmp_path):
    """Road and sidewalk by published ids of streets, person and car by train ids."""
    streets, ids = table("streets"), np.full(SIZE, 7, np.uint8)
    ids[:4] = 8
    io.write_png(tmp_path / "l" / "a.png", ids)
    names = [streets.names[streets.from_raw(ids)[row, 0]] for row in (-1, 0)]
    with pytest.raises(DataError) as fault:
        label_maps.read_layouts(tmp_path / "l", streets, SIZE)
    [line] = str(fault.value).splitlines()
    assert f"published ids ({', '.join(names)})" in line
    assert f"train ids ({', '.join(streets.names[one] for one in (7, 8))})" in line
    assert "--labels" in line
    for labels, expected in (("label_ids", streets.from_raw(ids)), ("train_ids", ids)):
        (found,) = label_maps.read_layouts(tmp_path / "l", streets, SIZE, labels=labels)
        assert np.array_equal(found.layout.classes[0].numpy(), expected)


def test_a_folder_of_both_readings_is_refused_with_the_files(tmp_path):
    io.write_png(tmp_path / "published.png", CITY.raw_ids[classes()])
    io.write_png(tmp_path / "trained.png", classes())
    with pytest.raises(DataError, match="trained: look like train ids, published holds publ"):
        label_maps.read_layouts(tmp_path, CITY, SIZE)
    found = label_maps.read_layouts(tmp_path, CITY, SIZE, labels="label_ids")
    assert [item.name for item in found] == ["published", "trained"]


def test_files_that_one_published_ending_would_leave_out_are_named(tmp_path):
    for name in ("a_label", "a_inst_label", "b", "c", "d"):
        io.write_png(tmp_path / f"{name}.png", classes())
    io.write_png(tmp_path / "painted.png", CITY.palette[classes()])
    photograph = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    io.write_png(tmp_path / "contact_sheet.png", photograph)
    found, faults = label_maps.label_files(tmp_path)
    assert list(found) == ["a"]
    assert [fault.partition(": ")[0] for fault in faults] == [
        f"{tmp_path}/{name}.png" for name in ("b", "c", "d", "painted")
    ]
    assert "not named NAME_label.png as others are" in faults[0]
    with pytest.raises(DataError, match="would be left out"):
        label_maps.read_layouts(tmp_path, CITY, SIZE)


def test_a_pipe_beside_label_maps_is_passed_over_and_not_waited_for(tmp_path):
    io.write_png(tmp_path / "a_gtFine_labelIds.png", CITY.raw_ids[classes()])
    os.mkfifo(tmp_path / "pipe.png")
    assert [one.name for one in label_maps.read_layouts(tmp_path, CITY, SIZE)] == ["a"]


def test_label_maps_of_other_formats_are_named_and_photographs_beside_layouts_are_not(tmp_path):
    for name in ("a_label", "b_label"):
        io.write_png(tmp_path / f"{name}.png", classes())
    for name in ("a.webp", "c.bmp", "d.TIF", ".e.gif"):
        (tmp_path / name).write_bytes(b"")
    found, faults = label_maps.label_files(tmp_path)
    assert list(found) == ["a", "b"]
    assert [fault.partition(": ")[0] for fault in faults] == [
        f"{tmp_path}/{name}" for name in ("c.bmp", "d.TIF")
    ]
    with pytest.raises(DataError, match=r"c\.bmp: no PNG, so it would be left out"):
        label_maps.read_layouts(tmp_path, CITY, SIZE)


def test_layouts_of_which_only_the_colours_are_there_are_not_left_out(tmp_path):
    io.write_png(tmp_path / "a_gtFine_labelIds.png", CITY.raw_ids[classes()])
    io.write_png(tmp_path / "b_gtFine_color.png", CITY.palette[classes()])
    with pytest.raises(DataError, match=r"b_gtFine_color\.png: not named NAME_gtFine_labelIds"):
        label_maps.read_layouts(tmp_path, CITY, SIZE)


@pytest.mark.parametrize("labels", ["auto", "train_ids", "label_ids"])
def test_a_layout_without_any_class_is_refused(tmp_path, labels):
    io.write_png(tmp_path / "fine.png", classes())
    io.write_png(tmp_path / "nothing.png", np.full(SIZE, 255, np.uint8))
    with pytest.raises(DataError, match=r"nothing\.png: no pixel belongs to a class"):
        label_maps.read_layouts(tmp_path, CITY, SIZE, labels=labels)


def test_two_classes_of_one_colour_are_refused_with_both_names():
    rows = [ClassRow("moss", 0, 0, False, (9, 9, 9)), ClassRow("fern", 1, 1, False, (9, 9, 9)),
            ClassRow("sky", 2, 2, False, (1, 2, 3))]  # fmt: skip
    own = ClassTable("own", tuple(rows))
    with pytest.raises(DataError, match="'moss' and of 'fern'"):
        own.from_colours(np.full((2, 2, 3), 9, np.uint8))
    assert (own.from_colours(np.full((2, 2, 3), (1, 2, 3), np.uint8)) == 2).all()


TALL = np.zeros((60, 30), np.uint8)
TALL[:5], TALL[-5:], TALL[20:40, 10:20] = 10, 0, 13


@pytest.mark.parametrize(
    ("fit", "known", "height", "width"),
    [("crop", 1.0, 16, 8), ("pad", 8 / 24, 5, 3), ("stretch", 1.0, 5, 8)],
)
def test_a_layout_of_another_shape_is_cut_filled_up_or_squashed(
    tmp_path, fit, known, height, width
):
    io.write_png(tmp_path / "a.png", TALL)
    (found,) = label_maps.read_layouts(tmp_path, CITY, SIZE, fit=fit)
    ids = found.layout.classes[0].numpy()
    assert ids.shape == SIZE
    assert found.before == (60, 30)
    assert (ids != 255).mean() == pytest.approx(known, abs=0.03)
    rows, columns = np.nonzero(ids == 13)
    assert abs(np.ptp(rows) + 1 - height) <= 1
    assert abs(np.ptp(columns) + 1 - width) <= 1


@pytest.mark.parametrize("shape", [(16, 24), (32, 48), (48, 72), (33, 49)])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_map_of_the_same_shape_is_left_as_it_is(shape, fit):
    values = np.arange(shape[0] * shape[1]).reshape(shape)
    assert label_maps.fit_shape(values, SIZE, fit, 0) is values


@pytest.mark.parametrize("shape", [(1, 900), (900, 1), (17, 23), (100, 24), (16, 100)])
def test_what_is_cut_or_filled_up_has_the_shape_and_its_middle_stays(shape):
    values = np.ones(shape, np.uint8)
    for fit, side in (("crop", min), ("pad", max)):
        new = label_maps.fit_shape(values, SIZE, fit, 0)
        assert all(side(a, b) == a for a, b in zip(new.shape, shape, strict=True))
        assert (
            abs(new.shape[0] / new.shape[1] - 16 / 24) < 0.5 / min(new.shape) + 0.05 or 1 in shape
        )
    assert label_maps.fit_shape(values, SIZE, "pad", 0).sum() == values.size


def test_objects_of_instance_ids_are_cut_and_filled_up_like_their_classes(tmp_path):
    instances = np.where(TALL == 13, 26001, 7).astype(np.uint16)
    instances[20:40, 15:20] = 26002
    instances[TALL == 10] = 23
    io.write_png(tmp_path / "l" / "a_gtFine_labelIds.png", CITY.raw_ids[TALL])
    io.write_png(tmp_path / "l" / "a_gtFine_instanceIds.png", instances)
    for fit in ("crop", "pad"):
        (found,) = label_maps.read_layouts(tmp_path / "l", CITY, SIZE, maps=tmp_path / "l", fit=fit)
        (plain,) = label_maps.read_layouts(tmp_path / "l", CITY, SIZE, fit=fit)
        more = (found.layout.boundary - plain.layout.boundary)[0].numpy() > 0
        assert more.any()
        assert (found.layout.classes[0].numpy()[more] == 13).all()


def as_palette(path, ids, colours):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids)
    image.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    image.save(path)


def test_what_is_told_of_labels_wins_where_they_look_like_something_else(tmp_path):
    ids = classes()
    raw = CITY.raw_ids[ids]
    colours = np.zeros((256, 3), np.uint8)
    colours[: CITY.count] = CITY.palette[: CITY.count]
    shuffled = np.where(ids == 255, 255, (ids + 1) % CITY.count).astype(np.uint8)
    as_palette(tmp_path / "p" / "a.png", shuffled, np.roll(colours, 1, axis=0))
    io.write_png(tmp_path / "rgb" / "a.png", np.repeat(raw[..., None], 3, axis=2))
    io.write_png(tmp_path / "both" / "a_gtFine_labelIds.png", np.full(SIZE, 7, np.uint8))
    io.write_png(tmp_path / "both" / "a_gtFine_color.png", CITY.palette[ids])
    cases = {("p", "train_ids"): shuffled, ("p", "colours"): ids, ("rgb", "label_ids"): ids,
             ("both", "colours"): ids}  # fmt: skip
    for (folder, labels), expected in cases.items():
        (found,) = label_maps.read_layouts(tmp_path / folder, CITY, SIZE, labels=labels)
        inside = expected[1:] != 255
        got = found.layout.classes[0].numpy()[1:]
        assert np.array_equal(got[inside], expected[1:][inside]), (folder, labels)
    with pytest.raises(DataError, match="holds colours, --labels says label_ids; say --labels col"):
        label_maps.read_layouts(
            tmp_path / "both" / "a_gtFine_color.png", CITY, SIZE, labels="label_ids"
        )


def test_a_mask_whose_255_is_a_class_is_read_by_published_ids(tmp_path):
    rows = (ClassRow("nothing", 0, 0, False, (0, 0, 0)), ClassRow("it", 255, 1, False, (9, 9, 9)))
    io.write_png(tmp_path / "a.png", np.where(classes() == 13, 255, 0).astype(np.uint8))
    (found,) = label_maps.read_layouts(tmp_path, ClassTable("own", rows), SIZE)
    assert np.array_equal(found.layout.classes[0].numpy() == 1, classes() == 13)
