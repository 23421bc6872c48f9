"""What differs from DVC's copy: files of a folder, pixels, lines."""

import gzip
import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from augflow.core import io
from augflow.verify.check import Check
from augflow.verify.lock import Lock, cached_file, differences

PIXELS = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)


def kept(root, content):
    digest = hashlib.md5(content).hexdigest()
    path = root / "files" / "md5" / digest[:2] / digest[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return digest


@pytest.fixture
def folder(tmp_path):
    """A folder with a PNG, a table and weights, and its digest; the cache beside it."""
    out, cache = tmp_path / "out", tmp_path / "cache"
    io.write_png(out / "a.png", PIXELS)
    (out / "t.csv").write_text("name,value\nx,1\ny,2\n")
    (out / "w.bin").write_bytes(b"\xff\x00\x01")
    io.write_json(out / "s.json.gz", [1, 2])
    io.write_webp(out / "b.webp", PIXELS)
    io.write_webp(out / "c.webp", PIXELS, 90)
    entries = [
        {"md5": kept(cache, path.read_bytes()), "relpath": path.name}
        for path in sorted(out.iterdir())
    ]
    listing = json.dumps(entries, sort_keys=True).encode()
    digest = kept(cache, listing)
    place = cache / "files" / "md5" / digest[:2]
    (place / digest[2:]).rename(place / f"{digest[2:]}.dir")
    return out, f"{digest}.dir", cache


def wheres(found):
    return [finding.where.rpartition("/")[2] for finding in found]


def test_every_changed_file_is_named(folder):
    out, digest, cache = folder
    pixels = PIXELS.copy()
    pixels[2, 3, 0] += 1
    io.write_png(out / "a.png", pixels)
    (out / "t.csv").write_text("name,value\nx,1\ny,3\n")
    (out / "w.bin").write_bytes(b"\xff\x00\x02")
    io.write_json(out / "s.json.gz", [1, 3])
    (out / "new.txt").write_text("")
    found = differences(out, digest, cache)
    assert wheres(found) == [
        "new.txt", "a.png: row 2, column 3", "s.json.gz: line 1", "t.csv: line 3", "w.bin"
    ]  # fmt: skip
    assert (found[1].expected, found[1].got) == ("[45, 46, 47]", "[46, 46, 47]")
    assert (found[3].expected, found[3].got) == ("'y,2'", "'y,3'")
    (out / "w.bin").unlink()
    assert differences(out, digest, cache)[1].got == "no such file"


def test_cut_png_is_named(folder):
    out, digest, cache = folder
    (out / "a.png").write_bytes((out / "a.png").read_bytes()[:-30])
    assert differences(out, digest, cache)[0].expected == "a whole image"


def test_equal_pixels_are_equal_content_with_and_without_the_copy(folder, tmp_path):
    out, digest, cache = folder
    Image.fromarray(PIXELS).save(out / "a.png", compress_level=0)
    Image.fromarray(PIXELS).save(out / "b.webp", lossless=True, quality=0, method=0)
    (out / "s.json.gz").write_bytes(gzip.compress(io.json_bytes([1, 2]), 1))
    assert differences(out, digest, cache) == []
    empty = tmp_path / "empty"
    assert differences(out, digest, empty) == []
    (out / "w.bin").write_bytes(b"\xff\x00\x02")
    assert wheres(differences(out, digest, empty)) == ["out"]


def test_copy_that_was_changed_itself_is_not_believed(folder):
    out, digest, cache = folder
    pixels = PIXELS.copy()
    pixels[0, 0, 0] += 1
    recorded = hashlib.md5((out / "a.png").read_bytes()).hexdigest()
    io.write_png(out / "a.png", pixels)
    path = cached_file(cache, recorded)
    path.write_bytes((out / "a.png").read_bytes())
    assert differences(out, digest, cache)[0].expected == f"md5 {recorded}"


@pytest.mark.parametrize("text", ["stages: {}\nstages: {}\n", "stages: {a: {cmd: x, cmd: y}}\n"])
def test_a_lock_with_a_key_twice_is_a_finding(tmp_path, text):
    (tmp_path / "dvc.lock").write_text(text)
    check = Check("pipeline")
    with check.reading("dvc.lock"):
        Lock.read(tmp_path)
    [line] = map(str, check.violations)
    assert "found duplicate key" in line
