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


def test_which_drives_go_together_depends_on_the_name():
    drives = [f"drive {n}" for n in range(12)]
    assert folds(drives, 3, "x") == folds(drives, 3, "x")
    assert folds(drives, 3, "x") != folds(drives, 3, "y")


def test_a_single_drive_is_parted_into_stretches():
    held = [fold.held_out for fold in folds(["a"] * 7, 3, "x")]
    assert held == [(0, 1), (2, 3), (4, 5, 6)]


def test_fewer_drives_or_scenes_than_folds():
    assert [fold.held_out for fold in folds(["a", "b", "a"], 4, "x")] == [(0, 2), (1,)]
    assert len(folds(["a", "a"], 4, "x")) == 2
    with pytest.raises(DataError, match="1 training scene, expected 2 or more"):
        folds(["a"], 2, "judges.j")
