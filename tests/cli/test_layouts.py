"""`augflow layouts`: a folder of label maps, or the training scenes, in; more of them out."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from augflow.cli import app
from augflow.core import io
from augflow.data import label_maps
from augflow.data.boundaries import boundary_map
from augflow.data.classes import table
from augflow.data.scenes import SceneFolder
from streetscenes import street_scene

STREETS = table("streets")
SIZE = (64, 96)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six embedded streets in the Cityscapes layout."""
    root = tmp_path_factory.mktemp("streets")
    for number in range(6):
        scene = street_scene(0, f"s{number}", SIZE)
        io.write_png(root / "l" / f"s{number}_gtFine_labelIds.png", scene.labels)
        io.write_png(root / "l" / f"s{number}_gtFine_instanceIds.png", scene.instances)
    return root / "l"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def go(*words, boost="person", out="out"):
        given = ["layouts", "--boost", boost, "--out", out, *map(str, words)]
        return CliRunner().invoke(app, given, env={"COLUMNS": "200"})

    return go


def test_what_is_written_is_read_by_synth(folder, run, tmp_path):
    result = run("--layouts", folder, "--maps", folder, "--classes", "streets", "--ratio", 1.5)
    assert result.exit_code == 0, result.output
    assert "9 layouts in out" in result.output
    out = tmp_path / "out"
    for maps in (out, out / "boundary"):
        found = label_maps.read_layouts(out, STREETS, SIZE, maps=maps)
        rows = io.read_csv(out / "layouts.csv")
        assert [item.name for item in found] == [row["name"] for row in rows]
        assert len(found) == 9
        for item in found:
            ids = io.read_ids(out / "instances" / f"{item.name}_gtFine_instanceIds.png")
            assert np.array_equal(item.layout.boundary[0] > 0, boundary_map(ids))
            raw = io.read_ids(out / "labels" / f"{item.name}_gtFine_labelIds.png")
            assert np.array_equal(item.layout.classes[0], STREETS.from_raw(raw))
    assert {row["source"] for row in rows} == {f"s{number}" for number in range(6)}
    assert all("stretched" in row["done"] for row in rows)
    sheet = io.read_photo(out / "contact_sheet.png")
    shown = io.read_ids(folder / "s0_gtFine_labelIds.png")
    assert np.array_equal(sheet[0, 0], STREETS.palette[STREETS.from_raw(shown)[0, 0]])


def test_the_table_has_what_was_and_what_is(folder, run):
    result = run("--layouts", folder, "--classes", "streets", boost="person,pole")
    for name in ("person", "pole"):
        line = next(line for line in result.output.splitlines() if f" {name} " in line)
        old, new, objects, more = (float(cell.strip(" %")) for cell in line.split("│")[2:6])
        assert new > old > 0
        assert more > objects > 0


def test_the_same_seed_gives_the_same_bytes(folder, run, tmp_path):
    for out, seed in (("one", 1), ("two", 1), ("three", 2)):
        words = ("--layouts", folder, "--classes", "streets", "--seed", seed)
        assert run(*words, out=out).exit_code == 0
    one, two, three = (io.digest_tree(tmp_path / out) for out in ("one", "two", "three"))
    assert one == two != three


def test_the_training_scenes_of_the_project_are_taken_where_no_folder_is_given(
    prepared, run, tmp_path
):
    from tests.tiny_study import PARAMS

    (tmp_path / "data" / "mini").mkdir(parents=True)
    (tmp_path / "data" / "mini" / "prepared").symlink_to(prepared)
    io.write_json(tmp_path / "params.yaml", PARAMS)
    result = run(boost="car")
    assert result.exit_code == 0, result.output
    names = [row["source"] for row in io.read_csv(tmp_path / "out" / "layouts.csv")]
    assert names == SceneFolder(prepared, "train").names
    result = run("--maps", prepared, "--classes", "streets", boost="car", out="more")
    assert result.exit_code == 2
    assert "--maps, --classes: says what a folder of label maps holds" in result.stderr


@pytest.mark.parametrize(
    ("boost", "words", "told"),
    [
        ("persn", (), "no class 'persn'; known: road,"),
        ("person,sky", (), "boost sky: it is ground or a large area here"),
        ("person", ("--ratio", 0), "layouts: ratio"),
        ("person", ("--classes", "street"), "did you mean 'streets'"),
        ("person", ("--labels", "colours"), "expected a colour map"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(folder, run, tmp_path, boost, words, told):
    result = run("--layouts", folder, *(() if "--classes" in words else ("--classes", "streets")),
                 *words, boost=boost)  # fmt: skip
    assert result.exit_code == 2
    assert told in result.stderr
    assert not list(tmp_path.iterdir())


def test_all_faults_of_a_folder_are_listed(run, tmp_path):
    (tmp_path / "l").mkdir()
    io.write_png(tmp_path / "l" / "a.png", np.full(SIZE, 77, np.uint8))
    (tmp_path / "l" / "b.png").write_bytes(b"")
    result = run("--layouts", "l", "--classes", "streets")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert "l/a.png: ids 77 are in no row" in lines[0]
    assert "l/b.png: not a whole image" in lines[1]


def test_an_older_output_is_replaced_if_asked_and_nothing_else(folder, run, tmp_path):
    words = ("--layouts", folder, "--classes", "streets", "--ratio", 0.1)
    assert run(*words).exit_code == 0
    assert "give --overwrite to replace it, or another" in run(*words).stderr
    assert run(*words, "--overwrite").exit_code == 0
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert "holds mine.txt" in run(*words, "--overwrite").stderr
    assert run(*words, out=str(folder / "deeper")).exit_code == 2
    assert run(*words, out=".").exit_code == 2
