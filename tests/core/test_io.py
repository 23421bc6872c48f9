from __future__ import annotations

import csv
import errno
import gzip
import json
import os
import re
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augflow.core import io
from augflow.core.errors import BusyError, DataError
from augflow.core.images import find_foreign_part

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


def encoded(picture, kind="PNG", **options):
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def hidden(content):
    """A frame that decoders may pass over."""
    changed = bytearray(content)
    changed[20] &= 0xEF
    return bytes(changed)


PICTURE = Image.fromarray(PHOTO)
FOREIGN = {
    "a chunk acTL": encoded(
        PICTURE, save_all=True, append_images=[PICTURE.rotate(180)], default_image=True
    ),
    "a chunk iCCP": encoded(PICTURE, icc_profile=b"profile"),
    "a chunk pHYs": encoded(PICTURE, dpi=(100, 100)),
    "a chunk tRNS": encoded(PICTURE, transparency=(0, 0, 0)),
    "a chunk PLTE": encoded(PICTURE.convert("P")),
    "colour type 6 of 8 bits": encoded(PICTURE.convert("RGBA")),
    "colour type 0 of 1 bits": encoded(PICTURE.convert("1")),
    "1 bytes behind its end": encoded(PICTURE) + b"x",
    "chunks in another order": encoded(PICTURE)[:-12],
    "neither PNG nor WebP": b"GIF89a",
    "neither PNG nor WebP, a sound": b"RIFF\x24\0\0\0WAVEfmt ",
    "a chunk VP8X": encoded(PICTURE, "WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
    "a chunk VP8X, of colours": encoded(PICTURE, "WEBP", icc_profile=b"profile"),
    "a chunk VP8X, of frames": encoded(
        PICTURE, "WEBP", save_all=True, append_images=[PICTURE.rotate(180)]
    ),
    "transparency": encoded(
        Image.fromarray(np.dstack([PHOTO, PHOTO[..., 0]]), "RGBA"), "WEBP", lossless=True
    ),
    "2 bytes behind its end": encoded(PICTURE, "WEBP") + b"xy",
    "no end": encoded(PICTURE, "WEBP")[:-2],
    "no end, in its head": encoded(PICTURE, "WEBP")[:18],
    "a frame that is not shown": hidden(encoded(PICTURE, "WEBP")),
}


@pytest.mark.parametrize("said", FOREIGN)
def test_what_a_browser_may_show_otherwise_is_no_part_of_our_pictures(said):
    assert str(find_foreign_part(FOREIGN[said])).startswith(said.partition(",")[0])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_pictures_that_we_write_have_no_foreign_part(tmp_path, kind):
    large = np.random.default_rng(0).integers(0, 256, (300, 200, 3)).astype(np.uint8)
    for pixels in (large, large[..., 0].astype(kind), large[..., 0] // 255):
        io.write_png(tmp_path / "a.png", pixels)
        assert find_foreign_part((tmp_path / "a.png").read_bytes()) is None
    for lossless in (True, False):
        page = encoded(Image.fromarray(large), "WEBP", lossless=lossless, quality=80)
        assert find_foreign_part(page) is None


def test_a_webp_keeps_every_pixel_and_its_digest_is_theirs(tmp_path):
    path = tmp_path / "a.webp"
    io.write_webp(path, PHOTO)
    assert np.array_equal(io.read_picture(path), PHOTO)
    assert find_foreign_part(path.read_bytes()) is None
    digest = io.digest_file(path)
    PICTURE.save(path, lossless=True, quality=0, method=0)
    assert io.digest_file(path) == digest == io.digest_array(PHOTO)
    changed = PHOTO.copy()
    changed[0, 0, 0] ^= 1
    io.write_webp(path, changed)
    assert io.digest_file(path) != digest


def test_a_webp_with_losses_is_smaller_and_near(tmp_path):
    smooth = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    pixels = np.stack([smooth, smooth // 2, 255 - smooth], -1)
    for name, quality in (("a.webp", None), ("b.webp", 90)):
        io.write_webp(tmp_path / name, pixels, quality)
    near = io.read_picture(tmp_path / "b.webp").astype(int)
    assert 0 < np.abs(near - pixels).max() < 16
    assert find_foreign_part((tmp_path / "b.webp").read_bytes()) is None


def test_compressed_json_is_read_as_written_and_its_digest_is_of_the_content(tmp_path):
    content = {"rows": [[1, 2], [3, 4]], "name": "a" * 1000}
    for write in (io.write_json, io.write_records):
        write(tmp_path / "a.json.gz", content)
        assert io.read_json(tmp_path / "a.json.gz") == content
    first = (tmp_path / "a.json.gz").read_bytes()
    io.write_records(tmp_path / "b.json.gz", content)
    assert first == (tmp_path / "b.json.gz").read_bytes()  # neither name nor time is in it
    assert len(first) < 100
    digest = io.digest_file(tmp_path / "a.json.gz")
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(gzip.decompress(first), 1))
    assert io.digest_file(tmp_path / "a.json.gz") == digest
    io.write_json(tmp_path / "a.json.gz", {**content, "name": "b"})
    assert io.digest_file(tmp_path / "a.json.gz") != digest


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:-9], lambda b: b + b"more", lambda b: b"{}", lambda b: b[:40] + b"~" + b[41:]],
    ids=["cut", "longer", "plain", "changed"],
)
def test_damaged_gzip_is_refused(tmp_path, damage):
    path = tmp_path / "a.json.gz"
    io.write_json(path, {str(n): n * n for n in range(100)})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"a\.json\.gz: not gzip"):
        io.read_json(path)


def test_gzip_of_more_than_is_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(io, "MOST_BYTES", 1000)
    io.write_json(tmp_path / "a.json.gz", "a" * 2000)
    with pytest.raises(DataError, match="expected at most 1000 bytes"):
        io.read_json(tmp_path / "a.json.gz")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (encoded(PICTURE, "WEBP")[:-20], "not a whole image"),
        (encoded(PICTURE, "WEBP", save_all=True, append_images=[PICTURE.rotate(180)]), "animation"),
        (encoded(PICTURE, "JPEG"), "neither PNG nor WebP"),
    ],
)
def test_a_picture_of_a_report_is_read_as_strictly_as_a_photograph(tmp_path, content, said):
    path = tmp_path / "a.webp"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        io.read_picture(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": {"score": 0.1, "b": 2, "score": 0.9}}', "key 'score' comes twice in one object"),
        ('{"a": [{"a": 1, "\\u0061": 1}]}', "key 'a' comes twice in one object"),
        ('{"a": NaN}', "NaN is no number of JSON"),
        ("[1, -Infinity]", "-Infinity is no number of JSON"),
        ("1" * 5000, "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_json_of_which_readers_see_different_things_is_refused_in_one_line(tmp_path, content, said):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DataError, match=said) as caught:
        io.read_json(path)
    assert str(caught.value).startswith(f"{path}: not JSON (")
    assert len(str(caught.value).splitlines()) == 1


def test_a_table_with_a_column_twice_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("arm,iou,iou\nreal,0.9,0.1\n")
    with pytest.raises(DataError, match=r"a\.csv: column 'iou' comes twice, expected it once"):
        io.read_csv(tmp_path / "a.csv")


READERS = [io.read_json, io.read_csv, io.digest_file, lambda p: io.map_npy(p, (1,), "make it")]


@pytest.mark.parametrize("reader", READERS, ids=["json", "csv", "digest", "npy"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, reader):
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for kind in ("folder", "pipe", "device"):
        with pytest.raises(DataError, match=rf"{kind}: (is a {kind}, expected a|no such) file; "):
            reader(tmp_path / kind)


@pytest.mark.parametrize("reader", [io.read_json, io.read_csv])
def test_a_text_larger_than_any_is_refused_before_it_is_read(tmp_path, reader):
    with (tmp_path / "a").open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(DataError, match="a: has 1099511627776 bytes, expected at most 1073741824"):
        reader(tmp_path / "a")


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


def without_half_of_its_data(content):
    start = content.index(b"\xff\xda")
    return content[: (start + len(content)) // 2] + b"\xff\xd9"


def ended_early(content):
    half = len(content) // 2
    return content[:half] + b"\xff\xd9" + content[half:]


def with_zeros(content):
    return content[: len(content) // 3] + bytes(len(content) // 2) + b"\xff\xd9"


def with_data_of_two(content):
    data = content[content.index(b"\xff\xda") + 14 : -2]
    return content[:-2] + data + b"\xff\xd9"


def with_half_a_scan(content):
    """Of a progressive one, the last scan but one."""
    scans = [one.start() for one in re.finditer(b"\xff\xda", content)]
    middle = (scans[-2] + scans[-1]) // 2
    return content[:middle] + content[scans[-1] :]


def with_half_the_last_scan(content):
    last = content.rindex(b"\xff\xda")
    return content[: (last + len(content)) // 2] + b"\xff\xd9"


DAMAGED = (without_half_of_its_data, ended_early, with_zeros, with_data_of_two)


# what the last scan of a progressive one has too much shows in no pixel
CODED = [
    ({}, DAMAGED),
    ({"restart_marker_blocks": 4}, DAMAGED),
    ({"progressive": True}, (*DAMAGED[:3], with_half_a_scan, with_half_the_last_scan)),
    ({"progressive": True, "subsampling": 0}, (with_half_a_scan, with_half_the_last_scan)),
]


@pytest.mark.parametrize(
    ("options", "damage"), [(options, damage) for options, some in CODED for damage in some]
)
def test_a_jpeg_whose_data_are_not_those_of_its_picture_is_refused(tmp_path, options, damage):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 18, 3)).astype(np.uint8)
    photo = Image.fromarray(pixels).resize((144, 96), Image.Resampling.BICUBIC)
    photo.save(tmp_path / "a.jpg", "JPEG", quality=85, **options)
    content = (tmp_path / "a.jpg").read_bytes()
    assert io.read_photo(tmp_path / "a.jpg").shape == (96, 144, 3)
    (tmp_path / "a.jpg").write_bytes(damage(content))
    with pytest.raises(DataError, match=r"a\.jpg: not a whole image \(.*\); restore the file"):
        io.read_photo(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypheic", "a HEIC, AVIF or film"),
        (b"\0\0\0\x1cftypavif", "a HEIC, AVIF or film"),
        (b"\xff\x0a", "a JPEG XL"),
    ],
)
def test_pictures_of_newer_formats_are_to_be_converted_not_restored(tmp_path, head, kind):
    (tmp_path / "a.jpg").write_bytes(head + bytes(100))
    with pytest.raises(DataError, match=rf"a\.jpg: is {kind}, expected PNG or JPEG; convert it$"):
        io.read_photo(tmp_path / "a.jpg")


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (17, 33), (64, 64)])
@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_small_and_flat_jpegs_are_whole(tmp_path, size, grey, mode):
    for quality in (10, 95):
        Image.new(mode, size, (grey,) * 3 if mode == "RGB" else grey).save(
            tmp_path / "a.jpg", "JPEG", quality=quality
        )
        assert io.read_photo(tmp_path / "a.jpg").shape == (*size[::-1], 3)


@pytest.mark.parametrize(
    "text", ["=cmd()", "+cmd", "-a", "@a", "\t=a", "\n=a", "'=a", "''=a", "-2+3", "=2"]
)
def test_a_text_that_a_spreadsheet_would_run_is_written_as_a_text_and_read_back(tmp_path, text):
    io.write_csv(tmp_path / "t.csv", [{"=name": text, "n": -0.5}], ("=name", "n"))
    with (tmp_path / "t.csv").open(newline="") as stream:
        header, line = csv.reader(stream)
    assert (header, line[1]) == (["'=name", "n"], "-0.5")
    assert line[0] == f"'{text}"
    assert io.read_csv(tmp_path / "t.csv") == [{"=name": text, "n": "-0.5"}]


@pytest.mark.parametrize("text", ["-0.5", "+1.2", "-1e-05", ".5", "-", "'quoted'", "'", "a=b", ""])
def test_numbers_and_other_texts_stand_in_a_table_as_they_are(tmp_path, text):
    io.write_csv(tmp_path / "t.csv", [{"a": text, "b": "x"}], ("a", "b"))
    assert (tmp_path / "t.csv").read_text() == f"a,b\n{text},x\n"
    assert io.read_csv(tmp_path / "t.csv")[0]["a"] == text


def test_every_name_that_can_be_written_is_one_that_is_read_back():
    for name in ("a", "a b", "=x", "é", "a.b", "-2+3", ".a", "a\u202eb", "a\nb", "a/b", "", "a\\b"):
        assert (io.unfit(name) is None) == io.is_name(name), name


def test_a_lasting_folder_is_gone_on_with_and_only_then_in_place(tmp_path):
    out = tmp_path / "new" / "set"
    with pytest.raises(KeyboardInterrupt), io.lasting_folder(out) as work:  # noqa: PT012
        (work / "notes").write_text("half")
        (work / "set" / "a").write_text("a")
        raise KeyboardInterrupt
    assert names(out.parent) == [".set.unfinished"]
    with io.lasting_folder(out) as work:
        assert (work / "notes").read_text() == "half"
        (work / "set" / "b").write_text("b")
    assert names(out.parent) == ["set"]
    assert names(out) == ["a", "b"]


def test_a_lasting_folder_without_notes_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), io.lasting_folder(tmp_path / "new" / "set") as work:  # noqa: PT012
        (work / "set" / "a").write_text("a")
        raise KeyboardInterrupt
    assert names(tmp_path) == []
