"""Each file is refused in one line that names it, or read as what it is; none takes long."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.ImageFile import ImageFile

from augflow.core import io
from augflow.core.errors import DataError
from tests.bad_input import corpus

CUTS, FLIPS = 40, 40
READERS = {"photo": io.read_photo, "ids": io.read_ids}


def told(read, path):
    """The pixels and None, or None and the one line of the error."""
    try:
        return read(path), None
    except DataError as fault:
        line = str(fault)
        assert "\n" not in line
        assert line.startswith(f"{path}: ")
        return None, line


@pytest.fixture
def write(tmp_path):
    path = tmp_path / "picture.png"

    def write(content):
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("as_what", READERS)
@pytest.mark.parametrize("name", corpus.kinds())
def test_a_file_of_any_kind_is_refused_with_the_reason_or_read_right(name, as_what, write):
    file = corpus.kinds()[name]
    pixels, line = told(READERS[as_what], write(file.content))
    expected = getattr(file, as_what)
    if expected is not None:
        assert line is not None, f"read as {pixels.shape}"
        assert expected in line
        assert re.search(r"; [a-z]|: [a-z].* the file", line), "says what to do"
        return
    assert line is None, line
    right = getattr(file, f"as_{as_what}")
    if right is not None:
        assert np.array_equal(pixels, right)


@pytest.mark.parametrize("name", corpus.wholes())
def test_a_file_that_is_cut_off_anywhere_is_refused(name, write):
    for content in corpus.cut(corpus.wholes()[name], CUTS):
        for read in READERS.values():
            assert told(read, write(content))[1], f"{name} is read from {len(content)} bytes"


@pytest.mark.parametrize("name", [name for name in corpus.wholes() if name.endswith(".png")])
def test_a_png_with_any_other_byte_is_refused(name, write):
    for content in corpus.flipped(corpus.wholes()[name], FLIPS, 1):
        for read in READERS.values():
            assert told(read, write(content))[1]


@pytest.mark.parametrize("name", [name for name in corpus.wholes() if name.endswith(".jpg")])
def test_a_jpeg_with_another_byte_is_refused_or_decoded(name, write):
    for content in corpus.flipped(corpus.wholes()[name], FLIPS, 2):
        pixels, line = told(io.read_photo, write(content))
        assert line or (pixels.ndim, pixels.dtype) == (3, np.uint8)
        assert told(io.read_ids, write(content))[1]


@pytest.mark.parametrize("name", ["bomb", "jpeg_bomb", "gif"])
def test_what_is_too_large_is_not_decoded(name, write, monkeypatch):
    def load(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile, "load", load)
    path = write(corpus.kinds()[name].content)
    assert told(io.read_photo, path)[1]
    assert told(io.read_ids, path)[1]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_done_to_a_png_its_pixels_are_right_or_refused(data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.png"
    content = bytearray(corpus.wholes()["ids.png"])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        end = data.draw(st.integers(start, min(len(content), start + 12)))
        content[start:end] = data.draw(st.binary(max_size=12))
    path.write_bytes(content)
    pixels, line = told(io.read_ids, path)
    assert line or np.array_equal(pixels, corpus.IDS)
