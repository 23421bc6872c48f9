from __future__ import annotations

import csv
import re
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from augflow.core import io
from augflow.core.errors import DataError, ParamsError
from augflow.data.boundaries import boundary_map, guessed_instances
from augflow.data.classes import table
from augflow.data.params import CountsParams, DataParams, StreetsParams
from augflow.stages.prepare import prepare, require_fitting
from tests.prepared_files import read_map

NAME = "alphaville_000001_000019"


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def raw(root: Path, kind: str, name: str = NAME) -> np.ndarray:
    return io.read_ids(next(root.rglob(f"{name}*{kind}.png")))


def test_the_folder_holds_what_its_readers_expect(prepared):
    facts = io.read_json(prepared / "dataset.json")
    assert facts["size"] == [32, 48]
    assert facts["levels"] == 3
    assert facts["reader"] == "cityscapes"
    assert facts["boundary_source"] == "instances"
    assert facts["counts"] == {"train": 4, "val": 2}
    # road, sidewalk, building, pole, vegetation, sky, person, car
    assert facts["classes_present"] == {
        split: [0, 1, 2, 5, 8, 10, 11, 13] for split in ("train", "val")
    }
    shapes = {"image": (3, 32, 48), "classes": (32, 48), "boundary": (32, 48)}
    for split, count in facts["counts"].items():
        for kind, shape in shapes.items():
            array = np.load(prepared / split / f"{kind}.npy", allow_pickle=False)
            assert (array.shape, array.dtype) == ((count, *shape), np.uint8)
    assert len(tree(prepared)) == 8


def test_the_table_of_scenes_leads_back_to_the_sources(prepared, four_scenes):
    with (prepared / "scenes.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [
        "name", "split", "drive", "photo", "labels", "instances", "boundary_source",
    ]  # fmt: skip
    for row in rows:
        assert all((four_scenes / row[kind]).is_file() for kind in ("photo", "labels", "instances"))
        assert row["drive"] == row["name"].split("_")[0]
        assert row["boundary_source"] == "instances"


def test_scenes_of_their_own_size_are_kept_pixel_by_pixel(prepared, four_scenes):
    photo = read_map(prepared, "train", "image", NAME)
    classes = read_map(prepared, "train", "classes", NAME)
    boundary = read_map(prepared, "train", "boundary", NAME)
    assert (photo == raw(four_scenes, "leftImg8bit")).all()
    assert (classes == table("cityscapes").from_raw(raw(four_scenes, "labelIds"))).all()
    assert (boundary == 255 * boundary_map(raw(four_scenes, "instanceIds")).astype(int)).all()


def test_a_boundary_that_only_instance_ids_show_is_at_exactly_the_right_pixels(
    prepared, four_scenes
):
    boundary = read_map(prepared, "train", "boundary", NAME)
    classes = raw(four_scenes, "labelIds")
    only_ids_show = (boundary == 255) & ~boundary_map(classes)
    # scene 1: a car in columns 5..13 and rows 18..25 meets one in columns 14..22 and rows 19..25;
    # where either borders on another class above or below, class edges show the pixel too
    expected = np.zeros((32, 48), bool)
    expected[19:25, 13] = True
    expected[20:25, 14] = True
    assert (only_ids_show == expected).all()


def test_boundaries_are_taken_before_resizing(four_scenes_params, four_scenes, tmp_path):
    prepare(four_scenes_params.model_copy(update={"size": (16, 24)}), tmp_path / "half")
    boundary = read_map(tmp_path / "half", "train", "boundary", NAME)
    full = boundary_map(raw(four_scenes, "instanceIds"))
    blocks = full.reshape(16, 2, 24, 2).any(axis=(1, 3))
    assert (boundary[blocks] > 0).all()
    # the two cars meet between columns 13 and 14, that is, on both sides of the edge of column 7
    assert (boundary[10:12, 6:8] > 90).all()


def test_photos_shrink_by_area_and_ids_by_nearest(four_scenes_params, four_scenes, tmp_path):
    prepare(four_scenes_params.model_copy(update={"size": (16, 16)}), tmp_path / "small")
    photo = read_map(tmp_path / "small", "train", "image", NAME)
    classes = read_map(tmp_path / "small", "train", "classes", NAME)
    blocks = raw(four_scenes, "leftImg8bit").reshape(16, 2, 16, 3, 3).mean(axis=(1, 3))
    assert np.abs(photo - blocks).max() <= 0.5 + 1e-6
    full = table("cityscapes").from_raw(raw(four_scenes, "labelIds"))
    # the middle one of three columns; of two rows either is as near
    middle = full[:, 1::3]
    assert ((classes == middle[::2]) | (classes == middle[1::2])).all()


def test_without_instance_ids_boundaries_come_from_components(
    four_scenes_params, four_scenes, tmp_path
):
    root = shutil.copytree(four_scenes, tmp_path / "data")
    for path in root.rglob("*_instanceIds.png"):
        path.unlink()
    prepare(four_scenes_params.model_copy(update={"root": str(root)}), tmp_path / "out")
    assert io.read_json(tmp_path / "out" / "dataset.json")["boundary_source"] == "components"
    rows = io.read_csv(tmp_path / "out" / "scenes.csv")
    assert {(row["instances"], row["boundary_source"]) for row in rows} == {("", "components")}
    boundary = read_map(tmp_path / "out", "train", "boundary", NAME)
    t = table("cityscapes")
    guessed = guessed_instances(t.from_raw(raw(root, "labelIds")), t.things)
    assert (boundary == 255 * boundary_map(guessed).astype(int)).all()
    assert boundary[22, 13] == 0


def test_uncoded_instance_ids_add_to_the_class_edges(tmp_path):
    root = tmp_path / "own"
    classes = np.zeros((8, 16), np.uint8)
    classes[:, 12:] = 1
    instances = np.zeros((8, 16), np.uint8)
    instances[:, 4:8] = 9
    for name in ("a", "b"):
        io.write_png(root / f"images/{name}.png", np.zeros((8, 16, 3), np.uint8))
        io.write_png(root / f"labels/{name}.png", classes)
        io.write_png(root / f"instances/{name}.png", instances)
    rows = [{"name": n, "id": i, "train_id": i, "colour": (i, i, 9)} for i, n in enumerate("xy")]
    params = DataParams(reader="folder", root=str(root), size=(8, 16), levels=1, classes=rows)
    prepare(params, tmp_path / "out")
    for split in ("train", "val"):
        for edges in np.load(tmp_path / "out" / split / "boundary.npy"):
            assert np.flatnonzero(edges.any(axis=0)).tolist() == [3, 4, 7, 8, 11, 12]


@pytest.mark.parametrize("kept", [True, False])
def test_a_data_set_with_faults_writes_nothing_and_lists_all(
    four_scenes_params, four_scenes, tmp_path, kept
):
    root = shutil.copytree(four_scenes, tmp_path / "data")
    photos = sorted(root.rglob("*_leftImg8bit.png"))
    photos[0].write_bytes(photos[0].read_bytes()[:200])
    Image.fromarray(np.zeros((32, 40, 3), np.uint8)).save(photos[3])
    params = four_scenes_params.model_copy(update={"root": str(root)})
    out = tmp_path / "study" / "out"
    if kept:
        (out / "before").mkdir(parents=True)
    with pytest.raises(DataError) as error:
        prepare(params, out)
    lines = str(error.value).splitlines()
    assert len(lines) == 3  # a truncated photo; labels and instances of another size than theirs
    assert str(photos[0]) in lines[0]
    assert [path.name for path in out.parent.rglob("*")] == (["out", "before"] if kept else [])


def test_a_size_that_does_not_fit_names_the_next_ones(four_scenes_params, tmp_path):
    params = four_scenes_params.model_copy(update={"size": (100, 148), "levels": 4})
    message = "100x148 is not divisible by 16.*next smaller 96x144, next larger 112x160"
    with pytest.raises(ParamsError, match=message):
        prepare(params, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("levels", [1, 3, 5])
def test_the_sizes_that_an_error_names_do_fit(levels):
    with pytest.raises(ParamsError) as error:
        require_fitting((9, 77), levels)
    named = re.findall(r"next (?:smaller|larger) (\d+)x(\d+)", str(error.value))
    assert len(named) == 2
    for height, width in named:
        require_fitting((int(height), int(width)), levels)


def test_streets_are_made_where_the_data_lies_and_read_with_ten_classes(tmp_path):
    params = DataParams(
        reader="streets",
        root=str(tmp_path / "raw"),
        size=(32, 48),
        levels=2,
        streets=StreetsParams(train=2, val=1, size=(48, 64)),
    )
    prepare(params, tmp_path / "out")
    facts = io.read_json(tmp_path / "out" / "dataset.json")
    assert facts["counts"] == {"train": 2, "val": 1}
    assert facts["classes"]["name"] == "streets"
    assert facts["boundary_source"] == "instances"
    fewer = StreetsParams(train=1, val=1, size=(48, 64))
    prepare(params.model_copy(update={"streets": fewer}), tmp_path / "out")
    assert len(list((tmp_path / "raw").rglob("*_leftImg8bit.png"))) == 2
    assert len(io.read_csv(tmp_path / "out" / "scenes.csv")) == 2


def test_streets_never_replace_a_folder_of_other_files(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match=r"set data\.root to a new folder"):
        prepare(DataParams(reader="streets", root=str(tmp_path), size=(32, 48)), tmp_path / "out")
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_the_script_of_the_stage_exits_2_on_bad_params(tmp_path, monkeypatch, capsys):
    script = Path(__file__).parents[2] / "pipelines" / "prepare.py"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"study": "x"}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(script), run_name="__main__")
    assert end.value.code == 2
    assert "data: Field required" in capsys.readouterr().err


def left_without(root, changes):
    """A copy of the drawn scenes without those that `changes` spoils."""
    for path in sorted(p for p in root.rglob("*.png") if any(name in p.name for name in changes)):
        path.unlink()
    return root


def test_the_digest_is_of_names_and_bytes_wherever_the_files_lie(
    prepared, four_scenes_params, four_scenes, tmp_path
):
    before = io.read_json(prepared / "dataset.json")
    assert re.fullmatch("[0-9a-f]{64}", before["content"])
    assert before["left_out"] == []
    params = four_scenes_params.model_copy(update={"root": str(tmp_path / "data")})
    digests = [before["content"]]
    for change in ("none", "byte", "name"):
        root = shutil.copytree(four_scenes, tmp_path / "data")
        if change == "byte":
            path = next(root.rglob(f"{NAME}_leftImg8bit.png"))
            pixels = io.read_photo(path).copy()
            pixels[0, 0, 0] ^= 1
            io.write_png(path, pixels)
        if change == "name":
            for path in [*root.rglob(f"{NAME}*.png")]:
                path.rename(path.with_name(path.name.replace("000001_000019", "000001_000020")))
        prepare(params, tmp_path / "out")
        digests.append(io.read_json(tmp_path / "out" / "dataset.json")["content"])
        shutil.rmtree(root)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_another_number_of_scenes_than_the_parameters_say_is_refused_in_one_line(
    four_scenes_params, tmp_path
):
    fits = four_scenes_params.model_copy(update={"counts": CountsParams(train=4, val=2)})
    prepare(fits, tmp_path / "out")
    more = four_scenes_params.model_copy(update={"counts": CountsParams(train=4, val=3)})
    with pytest.raises(DataError) as fault:
        prepare(more, tmp_path / "other")
    [line] = str(fault.value).splitlines()
    assert "4 train and 2 val scenes are used, expected 4 train and 3 val" in line
    assert "correct data.counts" in line
    assert not (tmp_path / "other").exists()


@pytest.fixture
def spoiled(four_scenes, tmp_path):
    """The drawn scenes with four faults; the names of the scenes that have one."""
    root = shutil.copytree(four_scenes, tmp_path / "data")
    names = [path.name.removesuffix("_leftImg8bit.png") for path in four_scenes.rglob("*8bit.png")]
    lost, cut, unknown = sorted(name for name in names if not name.startswith("gamma"))[:3]
    small = min(name for name in names if name.startswith("gamma"))
    next(root.rglob(f"{lost}_leftImg8bit.png")).unlink()
    photo = next(root.rglob(f"{cut}_leftImg8bit.png"))
    photo.write_bytes(photo.read_bytes()[:200])
    io.write_png(next(root.rglob(f"{unknown}_gtFine_labelIds.png")), np.full((32, 48), 99, "u1"))
    io.write_png(next(root.rglob(f"{small}_leftImg8bit.png")), np.zeros((16, 24, 3), np.uint8))
    return root, [cut, lost, small, unknown]


def test_scenes_with_faults_are_left_out_where_that_is_asked_for_and_listed(
    spoiled, four_scenes_params, tmp_path, caplog
):
    root, names = spoiled
    params = four_scenes_params.model_copy(update={"root": str(root)})
    with pytest.raises(DataError, match="labels without photo"):
        prepare(params, tmp_path / "out")
    before = tree(root)
    skipping = params.model_copy(
        update={"skip_faulty": True, "counts": CountsParams(train=1, val=1)}
    )
    prepare(skipping, tmp_path / "out")
    assert tree(root) == before
    facts = io.read_json(tmp_path / "out" / "dataset.json")
    assert facts["counts"] == {"train": 1, "val": 1}
    listed = {row["scene"]: " ".join(row["faults"]) for row in facts["left_out"]}
    assert sorted(listed) == sorted(names)
    cut, lost, small, unknown = names
    assert "not a whole image" in listed[cut]
    assert "labels without photo" in listed[lost]
    assert "size 32x48 is not that of the photo" in listed[small]
    assert "class id 99" in listed[unknown]
    said = [record.getMessage() for record in caplog.records]
    assert all(any(f"left out: {root}" in s and name in s for s in said) for name in names)
    prepare(params.model_copy(update={"root": str(left_without(root, names))}), tmp_path / "fewer")
    trees = [tree(tmp_path / name) for name in ("out", "fewer")]
    assert {name for name in trees[0] if trees[0][name] != trees[1][name]} == {"dataset.json"}
    assert facts["content"] == io.read_json(tmp_path / "fewer" / "dataset.json")["content"]


def test_a_split_of_nothing_but_faults_is_refused_though_faults_are_left_out(
    four_scenes_params, four_scenes, tmp_path
):
    root = shutil.copytree(four_scenes, tmp_path / "data")
    for photo in root.rglob("gamma*_leftImg8bit.png"):
        photo.write_bytes(b"")
    params = four_scenes_params.model_copy(update={"root": str(root), "skip_faulty": True})
    with pytest.raises(DataError, match="every scene of val has faults"):
        prepare(params, tmp_path / "out")
    assert not (tmp_path / "out").exists()
