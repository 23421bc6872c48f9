"""Pixels are decoded once per content, and come out right whatever became of what was kept."""

import errno
import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from augflow.data.decoded import PixelCache, root

SHAPES = {"image": (3, 3, 4, 6), "classes": (3, 4, 6)}


class Source:
    """Pixels with a digest that counts what is decoded; `changed` is another content."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.truth = {n: rng.integers(0, 256, s, np.uint8) for n, s in SHAPES.items()}
        self.digest = f"content{seed}"
        self.decoded = []

    def rows(self, name):
        for row in self.truth[name]:
            self.decoded.append(name)
            yield row

    def open(self, place="train", digest=None):
        found = PixelCache(place, digest or (lambda: self.digest), SHAPES, self.rows).arrays()
        assert found.keys() == self.truth.keys()
        assert all(np.array_equal(found[name], self.truth[name]) for name in SHAPES)
        return found


@pytest.fixture
def caches(tmp_path, monkeypatch):
    monkeypatch.setenv("AUGFLOW_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "scenes"


def contents(caches, place="train"):
    return sorted(path.name for path in (caches / place).iterdir() if path.is_dir())


def test_a_second_opening_decodes_nothing(caches):
    first, second = Source(), Source()
    first.open()
    second.open()
    assert first.decoded == ["image"] * 3 + ["classes"] * 3
    assert second.decoded == []


def test_what_is_mapped_cannot_be_changed(caches):
    found = Source().open()["image"]
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0, 0, 0] = 1


def test_another_content_takes_the_place_of_the_one_before_and_of_no_other(caches):
    Source(0).open()
    Source(0).open("val")
    changed = Source(1)
    changed.open()
    assert changed.decoded
    assert contents(caches) == ["content1"]
    assert contents(caches, "val") == ["content0"]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def empty(path):
    path.write_bytes(b"")


def lengthen(path):
    path.write_bytes(path.read_bytes() + b"\0")


def reshape(path):
    np.save(path, np.load(path).reshape(-1))


def retype(path):
    np.save(path, np.load(path).astype(np.int8))


def garble(path):
    path.write_bytes(b"\0" * 20 + path.read_bytes()[20:])


@pytest.mark.parametrize("damage", [truncate, empty, lengthen, reshape, retype, garble, os.unlink])
@pytest.mark.parametrize("name", SHAPES)
def test_what_is_damaged_is_decoded_again(damage, name, caches, caplog):
    Source().open()
    damage(caches / "train" / "content0" / f"{name}.npy")
    again, third = Source(), Source()
    again.open()
    third.open()
    assert again.decoded == ["image"] * 3 + ["classes"] * 3
    assert third.decoded == []
    assert "damaged; pixels are decoded again" in caplog.text


def test_nothing_is_kept_where_nothing_shall_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUGFLOW_CACHE", "off")
    Source().open()
    again = Source()
    again.open()
    assert len(again.decoded) == 6
    assert list(tmp_path.iterdir()) == []


def test_by_default_it_lies_beside_the_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in (None, ""):
        monkeypatch.delenv("AUGFLOW_CACHE", raising=False)
        if value is not None:
            monkeypatch.setenv("AUGFLOW_CACHE", value)
        assert root().as_posix() == ".augflow/cache"
    Source().open()
    assert (tmp_path / ".augflow" / "cache" / "scenes" / "train" / "content0").is_dir()


def test_where_nothing_can_be_written_pixels_are_decoded_into_memory(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("AUGFLOW_CACHE", str(tmp_path / "file" / "cache"))
    source = Source()
    with caplog.at_level(logging.WARNING, "augflow"):
        source.open()
    assert len(source.decoded) == 6
    assert "pixels are decoded into memory, as none are kept" in caplog.text


def test_a_full_disk_costs_time_and_leaves_nothing_behind(caches, monkeypatch, caplog):
    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("augflow.data.decoded.os.fsync", full)
        Source().open()
    assert "No space left on device" in caplog.text
    assert contents(caches) == []
    Source().open()
    assert contents(caches) == ["content0"]


def test_what_a_fault_of_the_pixels_interrupts_is_not_kept(caches):
    source = Source()
    real = source.rows

    def rows(name):
        if name == "classes":
            raise KeyError(name)
        yield from real(name)

    source.rows = rows
    with pytest.raises(KeyError):
        source.open()
    assert contents(caches) == []


def test_what_changes_while_it_is_decoded_is_not_kept(caches, caplog):
    digests = iter(["before", "after"])
    Source().open(digest=lambda: next(digests))
    assert contents(caches) == []
    assert "changed while they were decoded" in caplog.text


def test_what_cannot_be_read_is_left_to_decoding(caches):
    def unreadable():
        raise FileNotFoundError("a.png")

    source = Source()
    source.open(digest=unreadable)
    assert len(source.decoded) == 6
    assert not caches.exists()


TOGETHER = """
import sys, time
from tests.data.test_decoded import Source
class Slow(Source):
    def rows(self, name):
        for row in super().rows(name):
            time.sleep(0.05)
            yield row
source = Slow()
print("ready", flush=True)
sys.stdin.readline()
source.open()
print(len(source.decoded))
"""


def test_of_several_processes_one_decodes_and_all_see_the_same(caches):
    processes = [
        subprocess.Popen([sys.executable, "-c", TOGETHER], text=True, env={**os.environ},
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    counts = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(counts) == [0, 0, 6]
    assert contents(caches) == ["content0"]
