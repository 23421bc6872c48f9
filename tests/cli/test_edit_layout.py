"""`augflow edit-layout`: label maps in, edited ones out that `augflow synth` reads."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from augflow.cli import app
from augflow.core import io
from augflow.data import boundaries, label_maps
from augflow.data.classes import table
from tests.conftest import FOUR_SCENES, HEIGHT, WIDTH, drawn_instances

CITY = table("cityscapes")
SIZE = (HEIGHT, WIDTH)
CAR = 13
NAME = FOUR_SCENES["train"][0]
# (20, 42) is a pixel of the car that stands alone in every scene, rows 17..21, columns 40..45
ALONE = {"at": [20.5 / HEIGHT, 42.5 / WIDTH]}
MOVE = {"move": {"object": ALONE, "by": [5 / HEIGHT, -6 / WIDTH]}}


@pytest.fixture
def truth(four_scenes):
    """The folder of a published city, labels and instance ids side by side."""
    return four_scenes / "gtFine" / "train" / "alphaville"


@pytest.fixture
def edit(tmp_path):
    """Runs the command with a list of edits, into `out`."""

    def run(layout, edits, *words, out="out", classes="cityscapes"):
        path = tmp_path / "edits.yaml"
        path.write_text(yaml.safe_dump(edits))
        given = ["--layout", layout, "--edits", path, "--out", tmp_path / out, *words]
        given += ["--classes", classes] if classes else []
        return CliRunner().invoke(app, ["edit-layout", *map(str, given)])

    return run


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_edited_layouts_are_read_by_synth_with_their_boundaries(truth, edit, tmp_path):
    result = edit(truth, [MOVE], "--boundary", truth)
    assert result.exit_code == 0, result.output
    assert "2 layouts" in result.output
    out = tmp_path / "out"
    found = label_maps.read_layouts(out, CITY, SIZE, maps=out)
    assert [item.name for item in found] == list(FOUR_SCENES["train"][:2])
    for index, item in enumerate(found):
        ids = drawn_instances(index).astype(np.int32)
        classes = CITY.from_raw(np.where(ids >= 1000, ids // 1000, ids))
        moved = item.layout.classes[0].numpy()
        assert (moved[22:27, 34:40] == CAR).all()
        assert (moved[17:22, 40:46] != CAR).all()
        untouched = np.ones(SIZE, bool)
        untouched[17:27, 34:46] = False
        assert np.array_equal(moved[untouched], classes[untouched])
        before = boundaries.boundary_map(ids)
        after = item.layout.boundary[0].numpy() > 0
        # the two cars that touch are told apart as before
        assert np.array_equal(after[:, :33], before[:, :33])
        assert after[22:27, [34, 39]].all()
        assert not after[23:26, 35:39].any()


def test_files_are_coded_as_published_and_keep_what_is_not_touched(truth, edit, tmp_path):
    label = truth / f"{NAME}_gtFine_labelIds.png"
    ids = truth / f"{NAME}_gtFine_instanceIds.png"
    assert edit(label, [MOVE], "--boundary", ids).exit_code == 0
    out = tmp_path / "out"
    kinds = ("gtFine_instanceIds.png", "gtFine_labelIds.png", "preview.png")
    assert names_in(out) == [*(f"{NAME}_{kind}" for kind in kinds), "edits.yaml"]
    raw, coded = io.read_ids(out / label.name), io.read_ids(out / ids.name)
    assert raw.dtype == np.uint8
    assert coded.dtype == np.int32
    # ignored pixels keep their published id, 1 is the own car
    old = io.read_ids(label)
    assert np.array_equal(raw == 1, (old == 1) & (raw != 26))
    assert np.array_equal(np.where(coded >= 1000, coded // 1000, coded), raw)
    assert (coded[23, 36], raw[23, 36]) == (26002, 26)
    preview = io.read_photo(out / f"{NAME}_preview.png")
    assert preview.shape == (2 * HEIGHT + 4, 2 * WIDTH + 4, 3)
    assert np.array_equal(preview[:HEIGHT, :WIDTH], CITY.palette[CITY.from_raw(old)])
    assert np.array_equal(preview[:HEIGHT, WIDTH + 4 :], CITY.palette[CITY.from_raw(raw)])


def test_a_boundary_map_is_kept_but_around_the_change(pictures, edit, tmp_path):
    maps = pictures / "train" / "boundary"
    assert edit(pictures / "train" / "classes", [MOVE], "--boundary", maps).exit_code == 0
    out = tmp_path / "out"
    assert f"{NAME}_boundary.png" in names_in(out)
    assert not [name for name in names_in(out) if "instanceIds" in name]
    found = {item.name: item for item in label_maps.read_layouts(out, CITY, SIZE, maps=out)}
    old = io.read_ids(maps / f"{NAME}.png") / 255
    new = found[NAME].layout.boundary[0].numpy()
    assert np.allclose(new[:, :31], old[:, :31])
    assert old[20, [12, 13]].all()
    assert new[22:27, [34, 39]].all()
    # its old outline is gone; what grows into the hole meets further down
    assert old[16:19, [39, 46]].any()
    assert not new[16:19, 39:47].any()


def test_objects_come_from_other_files_beside_the_list(truth, edit, tmp_path):
    other = FOUR_SCENES["train"][1]
    for kind in ("labelIds", "instanceIds"):
        content = (truth / f"{other}_gtFine_{kind}.png").read_bytes()
        (tmp_path / f"{other}_gtFine_{kind}.png").write_bytes(content)
    paste = {
        "object": {"at": [22.5 / HEIGHT, 6.5 / WIDTH]}, "at": [5 / HEIGHT, 35.5 / WIDTH],
        "from": f"{other}_gtFine_labelIds.png", "instances": f"{other}_gtFine_instanceIds.png",
    }  # fmt: skip
    label = truth / f"{NAME}_gtFine_labelIds.png"
    assert edit(label, [{"paste": paste}], "--boundary", truth).exit_code == 0
    raw = io.read_ids(tmp_path / "out" / label.name)
    # the left of two cars that touch, 8 rows and 9 columns
    expected = np.zeros(SIZE, bool)
    expected[1:9, 31:40] = True
    assert np.array_equal(raw[:12] == 26, expected[:12])
    del paste["instances"]
    assert edit(label, [{"paste": paste}], out="pair").exit_code == 0
    raw = io.read_ids(tmp_path / "pair" / label.name)
    assert (raw[:12] == 26).sum() > 72


def test_all_faults_are_listed_by_number_and_nothing_is_written(truth, edit, tmp_path):
    edits = [
        MOVE,
        {"recolour": {"object": {"class": "cra"}, "to": "road"}},
        {"move": {"object": {"at": [0.99, 0.5]}, "by": [0, 0.1]}},
        {"paste": {"object": {"class": "car"}, "from": "nowhere.png"}},
        {"add": {"class": "car", "shape": {"polygon": [[0, 2], [1, 2], [1, 3]]}}},
        {"remove": {"object": {"class": "train"}}},
    ]
    result = edit(truth / f"{NAME}_gtFine_labelIds.png", edits)
    assert result.exit_code == 2
    lines = result.stderr.removeprefix("augflow: ").splitlines()
    assert [line.split("edits.yaml: ")[1].split(":")[0] for line in lines] == [
        "edit 2", "edit 3", "edit 4", "edit 5", "edit 6"
    ]  # fmt: skip
    for line, words in zip(
        lines, ("did you mean 'car'", "ignored", "nowhere.png: no such file",
                "outside of the picture", "there is no train"), strict=True,
    ):  # fmt: skip
        assert words in line
    assert NAME in lines[1]
    assert names_in(tmp_path) == ["edits.yaml"]


def test_maps_that_do_not_fit_are_refused(truth, edit, tmp_path):
    label = truth / f"{NAME}_gtFine_labelIds.png"
    io.write_png(tmp_path / "m" / f"{NAME}_gtFine_instanceIds.png", np.zeros((4, 4), np.uint16))
    small = edit(label, [MOVE], "--boundary", tmp_path / "m")
    assert small.exit_code == 2
    assert "(4, 4), the layout (32, 48)" in small.stderr
    single = edit(truth, [MOVE], "--boundary", truth / f"{NAME}_gtFine_instanceIds.png")
    assert "is no folder" in single.stderr


def test_an_older_output_is_replaced_if_asked_and_nothing_else(truth, edit, tmp_path):
    label = truth / f"{NAME}_gtFine_labelIds.png"
    assert edit(truth, [MOVE]).exit_code == 0
    before = names_in(tmp_path / "out")
    assert "give --overwrite to replace it, or another" in edit(label, [MOVE]).stderr
    assert names_in(tmp_path / "out") == before
    assert edit(label, [MOVE], "--overwrite").exit_code == 0
    assert len(names_in(tmp_path / "out")) == 4
    (tmp_path / "out" / "mine.txt").write_text("mine")
    result = edit(label, [MOVE], "--overwrite")
    assert result.exit_code == 2
    assert "holds mine.txt" in result.stderr
    assert edit(tmp_path / "out", [MOVE], out="out").exit_code == 2
    assert edit(tmp_path / "out", [MOVE], out="out/deeper").exit_code == 2
    assert edit(label, [MOVE], out=".").exit_code == 2
    assert "mine.txt" in names_in(tmp_path / "out")


def test_classes_come_from_a_table_or_a_generator(truth, edit, tmp_path, monkeypatch):
    from augflow.data.scenes import table_facts

    monkeypatch.chdir(tmp_path)
    label = truth / f"{NAME}_gtFine_labelIds.png"
    io.write_json(tmp_path / "g" / "config.json", {"classes": table_facts(CITY)})
    assert edit(label, [MOVE], "--generator", tmp_path / "g", classes=None).exit_code == 0
    for words, classes, told in (
        ((), None, "say the classes with --classes or --generator"),
        (("--generator", tmp_path / "g"), "cityscapes", "give one of them"),
        (("--generator", tmp_path / "none"), None, "no generator here"),
        ((), "cityscape", "did you mean 'cityscapes'"),
    ):
        result = edit(label, [MOVE], *words, classes=classes)
        assert result.exit_code == 2
        assert told in result.stderr
