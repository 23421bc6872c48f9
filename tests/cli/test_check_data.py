from __future__ import annotations

import shutil

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from augflow.cli.check_data import check_data
from augflow.core import io
from augflow.core.errors import DataError, ParamsError
from augflow.data.classes import table
from tests.tiny_study import PARAMS, write_params

PHOTO = "leftImg8bit/train/betaburg/betaburg_000000_000019_leftImg8bit.png"


def run(*arguments):
    app = typer.Typer()
    app.command()(check_data)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def row(output, name):
    [line] = [line for line in output.splitlines() if f" {name} " in line and "%" in line]
    return line.split()


@pytest.fixture
def root(four_scenes, tmp_path):
    return shutil.copytree(four_scenes, tmp_path / "data")


def test_a_sound_data_set_exits_0_with_its_facts(four_scenes):
    result = run(four_scenes)
    assert result.exit_code == 0
    assert "read as cityscapes: no faults" in result.stdout
    assert "train has no pixel of wall, fence" in result.stdout
    assert "4 (2)" in result.stdout
    assert "2 (1)" in result.stdout
    assert "boundaries: from instance ids" in result.stdout
    pixels = 0
    for path in (four_scenes / "gtFine" / "train").rglob("*_labelIds.png"):
        pixels += (io.read_ids(path) == 7).sum()
    assert f"{pixels / (4 * 32 * 48):.2%}" in row(result.stdout, "road")


def test_faults_exit_2_and_stand_in_one_table(root):
    (root / PHOTO).write_bytes(b"")
    second = next(root.rglob("leftImg8bit/val/*/*.png"))
    second.write_bytes(b"text")
    result = run(root)
    assert result.exit_code == 2
    lines = [line for line in result.stdout.splitlines() if "fault" in line and ".png" in line]
    assert len(lines) == 2
    assert PHOTO in lines[0]
    assert "an empty file" in lines[0]
    assert "restore the file" in lines[0]
    assert second.name in lines[1]
    assert "2 faults" in result.stdout


def test_what_cannot_be_checked_is_refused_with_the_known_layouts(four_scenes, tmp_path):
    with pytest.raises(
        DataError, match=r"of no known layout; expected images/NAME\.jpg with labels"
    ):
        run(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        run(tmp_path / "nowhere")
    with pytest.raises(ParamsError, match=r"reader: .*'cityscape'"):
        run(four_scenes, "--reader", "cityscape")


def test_label_kinds_can_be_chosen(root):
    for path in root.rglob("*_labelIds.png"):
        io.write_png(
            path.with_name(path.name.replace("labelIds", "labelTrainIds")),
            table("cityscapes").from_raw(io.read_ids(path)),
        )
    assert run(root, "--labels", "train_ids").exit_code == 0


def test_parameters_bring_reader_and_classes(tmp_path):
    for name in "ab":
        io.write_png(tmp_path / f"own/images/{name}.png", np.zeros((8, 8, 3), np.uint8))
        io.write_png(tmp_path / f"own/labels/{name}.png", np.full((8, 8), 4, np.uint8))
    rows = [{"name": "car", "id": 4, "train_id": 0, "colour": [9, 99, 9]}]
    data = {"reader": "folder", "root": str(tmp_path / "own"), "size": [8, 8], "classes": rows}
    path = write_params(tmp_path, {**PARAMS, "data": data})
    result = run("--params", path)
    assert result.exit_code == 0
    assert row(result.stdout, "car").count("100.00%") == 2


def test_a_folder_without_a_class_table_is_checked_with_guessed_classes(tmp_path):
    ids = np.arange(64, dtype=np.uint8).reshape(8, 8) // 32
    for name in "ab":
        io.write_png(tmp_path / f"images/{name}.png", np.zeros((8, 8, 3), np.uint8))
        io.write_png(tmp_path / f"labels/{name}.png", ids)
    for words in ((), ("--reader", "folder")):
        result = run(tmp_path, *words)
        assert result.exit_code == 0
        assert "taken for plain folders" in result.stdout
        assert "classes are guessed" in result.stdout
        assert row(result.stdout, "class_1").count("50.00%") == 2
    io.write_png(tmp_path / "labels/b.png", ids[:4])
    assert run(tmp_path).exit_code == 2
    with pytest.raises(DataError, match="--reader label_studio, but it looks like plain folders"):
        run(tmp_path, "--reader", "label_studio")


def test_in_a_project_its_own_data_are_checked(four_scenes, tmp_path, monkeypatch):
    data = {"reader": "cityscapes", "root": str(four_scenes), "size": [32, 48]}
    write_params(tmp_path, {**PARAMS, "data": {**data, "counts": {"train": 9, "val": 9}}})
    monkeypatch.chdir(tmp_path)
    result = run()
    assert result.exit_code == 2
    assert "expected 9 train and 9 val" in result.stdout
    (tmp_path / "params.yaml").unlink()
    with pytest.raises(ParamsError, match="nothing to check"):
        run()


def test_many_like_faults_are_one_row_unless_every_one_is_asked_for(tmp_path):
    for number in range(25):
        io.write_png(tmp_path / f"training/image_2/{number:02}.png", np.zeros((8, 8, 3), np.uint8))
        io.write_png(tmp_path / f"training/semantic/{number:02}.png", np.full((8, 8), 90, np.uint8))
    short, long = run(tmp_path).stdout, run(tmp_path, "--every").stdout
    assert short.count("class id 90") == 1
    assert " and 24 more" in short
    assert long.count("class id 90") == 25
    assert "25 faults" in short
    assert "25 faults" in long


def test_what_is_left_out_for_faults_is_shown_and_counts_are_compared(root, tmp_path):
    (root / PHOTO).unlink()
    data = {"reader": "cityscapes", "root": str(root), "size": [32, 48], "skip_faulty": True}
    path = write_params(tmp_path, {**PARAMS, "data": data})
    result = run("--params", path)
    assert result.exit_code == 0
    assert "labels without photo" in next(s for s in result.stdout.splitlines() if "left out" in s)
    assert "no faults; 1 scene left out" in result.stdout
    assert "3 (2)" in result.stdout
    counts = {"train": 4, "val": 2}
    write_params(tmp_path, {**PARAMS, "data": {**data, "counts": counts}})
    result = run("--params", path)
    assert result.exit_code == 2
    assert "3 train and 2 val scenes are used, expected 4 train and 2 val" in result.stdout
