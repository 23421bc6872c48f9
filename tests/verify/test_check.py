"""Checks count, collect and tell the worst."""

from pathlib import Path

import numpy as np
import pytest

from augflow.core.errors import DataError
from augflow.verify.check import (
    GREY,
    Check,
    Finding,
    files_below,
    markdown,
    pixel_finding,
    state_of,
)


def test_first_pixel_beyond_the_tolerance_is_named():
    expected = np.zeros((4, 5, 3), np.uint8)
    got = expected.copy()
    got[1, 2, 0], got[3, 4, 2] = 2, 3
    assert str(pixel_finding("a", expected, got)) == (
        "a: row 1, column 2: expected [0, 0, 0], got [2, 0, 0] (2 pixels differ)"
    )
    assert str(pixel_finding("a", expected, got, 2)) == (
        "a: row 3, column 4: expected [0, 0, 0], got [0, 0, 3]"
    )
    assert pixel_finding("a", expected, got, 3) is None


def test_bytes_are_compared_without_wrapping_round():
    found = pixel_finding("a", np.array([[255]], np.uint8), np.array([[0]], np.uint8), 2)
    assert found is not None


def test_other_shape_is_a_finding():
    found = pixel_finding("a", np.zeros((2, 3)), np.zeros((3, 2)))
    assert str(found) == "a: expected shape (2, 3), got shape (3, 2)"


def test_violations_outweigh_what_is_absent():
    sound, lacking, wrong = Check("a"), Check("b"), Check("c")
    assert sound.same("x", 1, 1)
    lacking.lacks("data")
    wrong.lacks("data")
    assert not wrong.same("x", 1, 2)
    assert [check.state for check in (sound, lacking, wrong)] == [
        "holds",
        "cannot be checked",
        "does not hold",
    ]
    assert state_of([sound]) == "holds"
    assert state_of([sound, lacking]) == "cannot be checked"
    assert state_of([lacking, sound, wrong]) == "does not hold"


def test_what_was_tolerated_is_counted_and_told():
    near, equal = Check("a"), Check("b")
    pixels = np.full((20, 20), 7, np.uint8)
    other = pixels.copy()
    other[3, 4] += GREY
    assert near.pixels("x", pixels, other, elsewhere=True)
    assert equal.pixels("x", pixels, pixels, elsewhere=True)
    assert (near.state, near.tolerated) == ("holds within tolerance", 1)
    assert (equal.state, equal.tolerated) == ("holds", 0)
    assert state_of([near, equal]) == "holds within tolerance"
    other[3, 4] += 1
    assert not near.pixels("y", pixels, other, elsewhere=True)
    assert not equal.pixels("y", pixels, pixels + 1, elsewhere=True)
    assert (near.state, near.tolerated) == ("does not hold", 1)


def test_names_stay_text_in_markdown():
    check = Check("reports")
    check.same("<script>|x|`y`\n# head", 1, 2)
    page = markdown(0, [check])
    assert "\\<script\\>\\|x\\|" in page
    assert "\n# head" not in page


def test_every_line_of_an_error_is_a_violation():
    check = Check("a")
    with check.reading("folder"):
        raise DataError("a/b.png: no such file; restore it\nsomething of no place")
    assert [str(violation) for violation in check.violations] == [
        "a/b.png: expected what was recorded, got no such file",
        "folder: expected what was recorded, got something of no place",
    ]
    with check.reading("table"):
        _ = {}["key"]
    assert str(check.violations[2]) == "table: expected readable content, got KeyError: 'key'"


def test_other_faults_are_not_swallowed():
    with pytest.raises(AssertionError), Check("a").reading("x"):
        raise AssertionError


def test_a_lack_of_memory_says_nothing_of_what_is_checked():
    check = Check("x")
    with check.reading("a.json"):
        raise MemoryError
    assert (check.state, check.absent) == ("cannot be checked", ["memory for a.json"])
    with pytest.raises(RuntimeError, match="ours"), check.reading("a.json"):
        raise RuntimeError("ours")


def test_every_value_of_a_content_that_differs_is_named():
    check = Check("a")
    check.json("x", {"a": [1, {"b": None}], "c": (2.0, 3)}, {"a": [1, {}], "c": [2.0, 4]})
    assert [str(violation) for violation in check.violations] == [
        "x: a.1: expected nothing, got {}",
        "x: a.1.b: expected null, got nothing",
        "x: c.1: expected 3, got 4",
    ]
    assert check.compared == 5


def test_what_is_absent_is_noted_once(tmp_path):
    check = Check("a")
    assert check.has(tmp_path)
    assert not check.has(tmp_path, tmp_path / "no")
    assert not check.has(Path(tmp_path / "no"))
    assert check.absent == [(tmp_path / "no").as_posix()]


def test_a_finding_is_one_line_whatever_a_name_holds():
    """A terminal would follow what is in it."""
    assert str(Finding("a\n\x1b[2J", "b", "level 0: holds\u202e")) == (
        "a\\n\\x1b[2J: expected b, got level 0: holds\\u202e"
    )


def test_a_folder_in_place_of_a_file_is_a_violation(tmp_path):
    check = Check("a check")
    with check.reading("a"):
        tmp_path.read_bytes()
    assert "IsADirectoryError" in str(check.violations[0])


def test_files_behind_links_are_found_once(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.png").touch()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "here")
    assert list(files_below(tmp_path / "here")) == [tmp_path / "here" / "link" / "b.png"]


def test_what_may_not_be_read_cannot_be_checked():
    check = Check("x")
    with check.reading("where"):
        raise PermissionError(13, "Permission denied", "a/b")
    assert check.absent == ["the right to read a/b"]
    assert check.state == "cannot be checked"
