from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augflow.core import io
from augflow.core.errors import BusyError, DataError

PHOTO = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    io.atomic_write(path, b"old")

    def no_space(*_):
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="disk full") as fault:
        io.atomic_write(path, b"new")
    assert fault.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.txt"]


@pytest.fixture
def order(monkeypatch):
    """The renames and flushes to the disk, in their order."""
    seen, rename, sync = [], os.replace, os.fsync

    def synced(descriptor):
        seen.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        sync(descriptor)

    def renamed(path, target):
        seen.append(f"rename {path.name} {target.name}")
        rename(path, target)
        return target

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "sync", lambda: seen.append("all"))
    monkeypatch.setattr(Path, "replace", renamed)
    return seen


def test_a_new_name_is_on_the_disk_when_a_write_returns(tmp_path, order):
    aside = f".a.txt.{os.getpid()}.part"
    io.atomic_write(tmp_path / "a.txt", b"new")
    assert order == [f"sync {aside}", f"rename {aside} a.txt", f"sync {tmp_path.name}"]
    order.clear()
    io.atomic_write(tmp_path / "a.txt", b"new", synced=False)
    assert order == [f"rename {aside} a.txt"]
    order.clear()
    with io.fresh_folder(tmp_path / "set") as folder:
        (folder / "b.txt").write_bytes(b"b")
    assert order[-3:] == ["all", f"rename {folder.name} set", f"sync {tmp_path.name}"]


def test_files_move_up_a_name_the_last_one_first(tmp_path, order):
    places = [tmp_path / name for name in "abc"]
    for place in places:
        place.write_text(place.name)
    io.rotate(*places)
    assert order == ["rename b c", "rename a b", f"sync {tmp_path.name}"]
    assert [place.read_text() for place in places[1:]] == ["a", "b"]
    io.rotate(*places)  # nothing is a's: b becomes c
    assert names(tmp_path) == ["c"]


def test_a_fresh_folder_replaces_the_old_one_whole_or_not_at_all(tmp_path):
    out = tmp_path / "out"
    for name in ("first", "second"):
        with io.fresh_folder(out) as folder:
            (folder / name).touch()
    assert names(out) == ["second"]
    with pytest.raises(DataError), io.fresh_folder(out) as folder:  # noqa: PT012
        (folder / "half").write_bytes(b"text")
        io.read_photo(folder / "half")
    with pytest.raises(DataError), io.fresh_folder(tmp_path / "new" / "deep" / "out"):
        raise DataError("stop")
    assert names(out) == ["second"]
    assert names(tmp_path) == ["out"]


def test_a_signal_between_the_two_renames_puts_the_old_folder_back(tmp_path, monkeypatch):
    out, rename = tmp_path / "out", Path.replace
    with io.fresh_folder(out) as folder:
        (folder / "kept").touch()

    def interrupted(path, target):
        if path.suffix == ".part":
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), io.fresh_folder(out):
        pass
    assert names(out) == ["kept"]
    assert names(tmp_path) == ["out"]


def test_a_file_in_the_place_of_a_folder_is_refused_and_stays(tmp_path):
    (tmp_path / "out").write_text("mine")
    for path in (tmp_path / "out", tmp_path / "out" / "deep" / "out"):
        with pytest.raises(DataError, match="a file, expected a folder"), io.fresh_folder(path):
            pass
    assert (tmp_path / "out").read_text() == "mine"
    assert names(tmp_path) == ["out"]


def test_what_a_killed_process_left_goes_and_the_folder_it_put_aside_comes_back(tmp_path):
    for name in (".out.99.part", ".out.98.part", ".outer.99.part", ".out.x.part", ".out.99.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "begun").touch()
    with pytest.raises(DataError), io.fresh_folder(tmp_path / "out"):
        raise DataError("stop")
    assert names(tmp_path) == [".out.x.part", ".outer.99.part", "out"]
    assert names(tmp_path / "out") == ["begun"]


def test_a_folder_that_is_being_written_is_written_once(tmp_path):
    expected = (
        rf"out: held by process {os.getpid()} on \S+ since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    )
    with io.fresh_folder(tmp_path / "out") as folder:
        with pytest.raises(BusyError, match=expected), io.fresh_folder(tmp_path / "out"):
            pass
        (folder / "whole").touch()
    assert names(tmp_path / "out") == ["whole"]


def test_a_file_of_a_killed_process_goes_and_that_of_a_live_one_stays(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (tmp_path / f".a.txt.{process.pid}.part").touch()
    (tmp_path / f".a.txt.{os.getppid()}.part").touch()
    io.atomic_write(tmp_path / "a.txt", b"text")
    assert names(tmp_path) == [f".a.txt.{os.getppid()}.part", "a.txt"]


@pytest.mark.parametrize(
    "pixels",
    [PHOTO, PHOTO[..., 0], PHOTO[..., 0].astype(np.uint16) * 257],
    ids=["rgb", "8-bit", "16-bit"],
)
def test_pixels_are_read_as_they_were_written_to_equal_files(tmp_path, pixels):
    for name in ("a.png", "b.png"):
        io.write_png(tmp_path / name, pixels)
    assert (io.read_ids(tmp_path / "a.png") == pixels).all()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with pytest.raises(ValueError, match="int64"):
        io.write_png(tmp_path / "a.png", pixels.astype(np.int64))


def test_a_table_is_read_as_it_was_written(tmp_path):
    rows = [{"name": 'a, "b"', "value": 0.1, "none": None}, {"name": "c\nd", "value": 3, "none": 1}]
    io.write_csv(tmp_path / "a.csv", rows, ["name", "value", "none"])
    assert io.read_csv(tmp_path / "a.csv") == [
        {"name": 'a, "b"', "value": "0.1", "none": ""},
        {"name": "c\nd", "value": "3", "none": "1"},
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (1.0, "1"),
        (1 / 3, "0.33333333"),
        (np.float32(0.5), "0.5"),
        (12, "12"),
        ("x", "x"),
    ],
)
def test_each_value_has_one_text(value, text):
    assert io.cell(value) == text


@pytest.mark.parametrize(("content", "said"), [
    (b"a,b\n1,2\n3\n", "line 3"), (b"a,b\n1,2,3\n", "line 2"),
    (b"a,b\n\xff\xfe,2\n", r"a\.csv: not a table of UTF-8 text \(.*; restore"),
    (b"a,b\n" + b"1" * 200_000 + b",2\n", r"a\.csv: not a table of UTF-8 text \(.*; restore"),
])  # fmt: skip
def test_what_is_no_table_of_text_is_one_line(tmp_path, content, said):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        io.read_csv(path)


def test_json_has_one_form():
    assert io.json_bytes({"b": 1, "a": [0.5]}) == io.json_bytes({"a": [0.5], "b": 1})
    with pytest.raises(ValueError, match="JSON"):
        io.json_bytes({"a": float("nan")})


def test_lists_of_numbers_stand_on_one_line_of_json_and_what_is_none_is_named(tmp_path):
    content = {"m": [[1, -2], [3.5e-09, 4]], "t": ["[\n  1\n]", 5], "e": [], "n": [None, True]}
    text = io.json_bytes(content).decode()
    assert json.loads(text) == content
    assert "    [1, -2],\n    [3.5e-09, 4]\n" in text
    (tmp_path / "a.json").write_text("{")
    for name, words in (("a.json", "not JSON"), ("b.json", "no such file")):
        with pytest.raises(DataError, match=f"{name}: {words}"):
            io.read_json(tmp_path / name)


def test_the_digest_of_a_png_is_that_of_its_pixels(tmp_path):
    for level in (0, 9):
        Image.fromarray(PHOTO).save(tmp_path / f"{level}.png", compress_level=level)
    digests = [io.digest_file(tmp_path / f"{level}.png") for level in (0, 9)]
    assert (tmp_path / "0.png").read_bytes() != (tmp_path / "9.png").read_bytes()
    assert digests[0] == digests[1] == io.digest_array(PHOTO)


def test_one_changed_value_shape_or_type_changes_the_digest():
    changed = PHOTO.copy()
    changed[3, 4, 1] ^= 1
    others = [changed, PHOTO.reshape(30, 20, 3), PHOTO.view(np.int8)]
    assert io.digest_array(PHOTO) not in [io.digest_array(other) for other in others]
    assert io.digest_array(PHOTO[:, ::2]) == io.digest_array(PHOTO[:, ::2].copy())


def test_a_tree_is_digested_file_by_file(tmp_path):
    io.write_png(tmp_path / "b" / "a.png", PHOTO)
    (tmp_path / "a.txt").write_bytes(b"text")
    assert io.digest_tree(tmp_path) == {
        "a.txt": io.digest_bytes(b"text"),
        "b/a.png": io.digest_array(PHOTO),
    }


def test_a_folder_is_held_once_and_the_lock_of_a_killed_process_taken_over(tmp_path):
    code = (
        "import pathlib, sys, time; from augflow.core.io import exclusive_lock\n"
        "with exclusive_lock(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=f"process {other.pid}"), io.exclusive_lock(tmp_path):
            pass
        other.send_signal(signal.SIGKILL)
    with (
        io.exclusive_lock(tmp_path),
        pytest.raises(BusyError, match=f"process {os.getpid()}"),
        io.exclusive_lock(tmp_path),
    ):
        pass
    with io.exclusive_lock(tmp_path):
        pass
    assert names(tmp_path) == []
