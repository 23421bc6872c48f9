"""Folds: every scene is held out once, drives stay whole."""

import pytest

from augflow.core.errors import DataError
from augflow.data.folds import folds

DRIVES = ["a"] * 10 + ["b"] * 6 + ["c"] * 4 + ["d"] * 3 + ["e"]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_every_scene_is_held_out_once_and_drives_stay_whole(count):
    found = folds(DRIVES, count, "x")
    assert len(found) == count
    assert sorted(row for fold in found for row in fold.held_out) == list(range(24))
    for fold in found:
        assert sorted((*fold.fit, *fold.held_out)) == list(range(24))
        assert not {DRIVES[n] for n in fold.fit} & {DRIVES[n] for n in fold.held_out}


def test_folds_are_about_equally_large():
    sizes = sorted(len(fold.held_out) for fold in folds(DRIVES, 2, "x"))
    assert sizes == [11, 13]
    assert {len(fold.held_out) for fold in folds(list("abcdefgh"), 4, "x")} == {2}


def test_drives_of_one_size_are_dealt_out_alike_on_every_processor():
    drives = [f"drive {n:02d}" for n in range(40) for _ in range(5)]
    held = [{drives[row] for row in fold.held_out} for fold in folds(drives, 4, "x")]
    # the last name first: sorting is stable, and so does not depend on how a processor sorts
    assert held == [{f"drive {n:02d}" for n in range(40) if n % 4 == 3 - part} for part in range(4)]


def test_a_single_drive_is_parted_into_stretches():
    held = [fold.held_out for fold in folds(["a"] * 7, 3, "x")]
    assert held == [(0, 1, 2), (3, 4), (5, 6)]


def test_fewer_drives_or_scenes_than_folds():
    assert [fold.held_out for fold in folds(["a", "b", "a"], 4, "x")] == [(0, 2), (1,)]
    assert len(folds(["a", "a"], 4, "x")) == 2
    with pytest.raises(DataError, match="1 training scene, expected 2 or more"):
        folds(["a"], 2, "judges.j")
