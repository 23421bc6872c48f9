"""Names that climb out of their folder: no parameter, manifest or listing writes elsewhere."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from augflow.cli import app
from augflow.core import io
from augflow.core.config import validate_section
from augflow.core.errors import AugflowError, DataError, ParamsError
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import NewPhoto, SetFacts, read_rows, write_set
from augflow.study.params import Params
from tests.tiny_study import PARAMS
from tests.tools.formats.conftest import SIZE, TABLE

CLIMBING = ("../up", "../../up", "/tmp/up", "a/b", "..", ".", ".hidden", "-rf", "", "a\nb", "a\0b")


def photo(name):
    draw = np.random.default_rng(0)
    image = draw.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    return NewPhoto(name, "floe", "train", "../../north", image, np.zeros(SIZE, np.uint8), 0.8)


def tree(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


@pytest.fixture
def made(tmp_path):
    """A set of one photograph, two folders deep."""
    out = tmp_path / "deep" / "set"
    write_set(out, SetFacts("set", "0" * 16, (0.8,), 1, TABLE, SIZE), [photo("floe")])
    return out


@pytest.mark.parametrize("section", ["generators", "sets", "transfers", "predictors", "judges",
                                     "choices", "selections", "arms"])  # fmt: skip
def test_parameters_refuse_names_that_are_paths_or_commands(section):
    (some, *_) = PARAMS[section].values()
    for name in (*CLIMBING, "a; touch up", "$(touch up)", "a b", "a.b", "_a", "a" * 65, "ä"):
        content = {**PARAMS, section: {**PARAMS[section], name: some}}
        with pytest.raises(ParamsError, match="folders and stages are named after it") as fault:
            validate_section(Params, content, "params.yaml")
        (line,) = str(fault.value).splitlines()
        assert line.startswith(f"params.yaml: {section}.")


def test_parameters_refuse_a_study_whose_name_is_a_path_or_a_command():
    for study in (*CLIMBING, "a; touch up", "A", "a.b"):
        with pytest.raises(ParamsError, match=r"params\.yaml: study: ") as fault:
            validate_section(Params, {**PARAMS, "study": study}, "params.yaml")
        assert len(str(fault.value).splitlines()) == 1


def test_commands_refuse_them_with_one_line_and_write_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (some,) = PARAMS["generators"].values()
    content = {**PARAMS, "generators": {**PARAMS["generators"], "../up": some}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    for words in (["train", "../up"], ["report"]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2, done.output
        (line,) = done.stderr.splitlines()
        assert "generators.../up: folders and stages are named after it" in line
    assert tree(tmp_path) == ["params.yaml"]


def test_a_set_is_written_inside_its_folder_or_not_at_all(tmp_path):
    out = tmp_path / "deep" / "set"
    for name in (one for one in CLIMBING if "\n" not in one and one != "-rf"):
        with pytest.raises((AugflowError, ValueError)):
            write_set(out, SetFacts("set", "0" * 16, (0.8,), 1, TABLE, SIZE), [photo(name)])
        assert tree(tmp_path) == []


def with_cells(folder, **cells):
    """The manifest's only line with other cells."""
    path = folder / "manifest.csv"
    (row,) = io.read_csv(path)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerow({**row, **cells})


PHOTO = "leftImg8bit/train/{}_leftImg8bit.png"


@pytest.mark.parametrize(("key", "cells"), [
    *(("photo", {"name": "x", "photo": place}) for place in (
        "../x_leftImg8bit.png", "/tmp/x_leftImg8bit.png", PHOTO.format("../x"),
        PHOTO.format("a/../../../x"), "gtFine/train/a/x_leftImg8bit.png",
        "leftImg8bit/val/a/x_leftImg8bit.png", PHOTO.format("a/other"),
    )),
    *(("name", {"name": name, "photo": PHOTO.format(f"north/{name}")})
      for name in (".hidden", "a\nb", "-rf")),
    *(("layout", {"layout": layout}) for layout in ("../../up", "/tmp/up", "..")),
])  # fmt: skip
def test_a_manifest_names_photographs_and_layouts_of_its_own_set_alone(made, key, cells):
    (row,) = read_rows(made)
    assert row.photo == PHOTO.format("north/floe")
    with_cells(made, **cells)
    with pytest.raises(DataError, match=rf"manifest\.csv: line 2: {key} "):
        read_rows(made)


def test_scenes_lie_in_their_folder(prepared, tmp_path):
    """One grey picture outside stands for photograph, classes and boundary of a scene."""
    root = shutil.copytree(prepared, tmp_path / "prepared")
    lines = (root / "scenes.csv").read_text().splitlines()
    head = lines[0].split(",")
    lines.append(",".join({"name": "../../../up", "split": "val"}.get(key, "x") for key in head))
    (root / "scenes.csv").write_text("\n".join(lines) + "\n")
    io.write_png(tmp_path / "up.png", np.zeros(SceneFolder(prepared, "val").size, np.uint8))
    with pytest.raises(DataError, match=r"scenes\.csv: '\.\./\.\./\.\./up' is no name"):
        SceneFolder(root, "val")


def test_a_folder_that_is_a_link_is_never_emptied(tmp_path):
    """A folder is replaced as a whole, by a rename: what a link leads to stays as it is."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "thesis.txt").write_text("mine")
    (tmp_path / "out").symlink_to(kept, target_is_directory=True)
    with pytest.raises(DataError, match="symbolic link"), io.fresh_folder(tmp_path / "out"):
        pass
    assert (kept / "thesis.txt").read_text() == "mine"
