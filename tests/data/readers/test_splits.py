from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from augflow.data.readers.source import SourceScene
from augflow.data.readers.splits import split_by_drive


def scene(split: str, drive: str, number: int) -> SourceScene:
    name = f"{drive}_{number}"
    return SourceScene(name, split, drive, Path(f"{name}.jpg"), Path(f"{name}.png"), None)


drives = st.lists(st.sampled_from("abcdefghijkl"), min_size=2, max_size=40).map(
    lambda names: [scene("train", drive, n) for n, drive in enumerate(names)]
)
published = st.lists(
    st.tuples(st.sampled_from(["train", "val", "test"]), st.sampled_from("abcdef")), max_size=30
).map(lambda rows: [scene(split, drive, n) for n, (split, drive) in enumerate(rows)])


def drives_of(scenes, split):
    return {s.drive for s in scenes if s.split == split}


def is_fatal(notes):
    return any(note.fatal for note in notes)


@given(published, st.integers(0, 5), st.floats(0.01, 0.99))
def test_no_drive_is_ever_in_both_splits(scenes, seed, fraction):
    placed, notes = split_by_drive(scenes, seed, fraction, None)
    train, val = drives_of(placed, "train"), drives_of(placed, "val")
    assert not train & val
    assert is_fatal(notes) == (bool(placed) and not (train and val))
    assert len(placed) == sum(s.split != "test" for s in scenes)


@given(drives, st.integers(0, 5), st.floats(0.01, 0.99))
def test_the_share_of_drives_is_held_out_when_one_split_is_published(scenes, seed, fraction):
    count = len(drives_of(scenes, "train"))
    placed, notes = split_by_drive(scenes, seed, fraction, None)
    held_out = len(drives_of(placed, "val"))
    if count == 1:
        assert is_fatal(notes)
    else:
        assert not notes
        assert held_out == min(max(1, round(fraction * count)), count - 1)


@given(drives, st.integers(0, 5), st.randoms())
def test_the_split_does_not_depend_on_the_order_of_scenes(scenes, seed, rng):
    shuffled = list(scenes)
    rng.shuffle(shuffled)
    assert split_by_drive(shuffled, seed, 0.3, 4) == split_by_drive(scenes, seed, 0.3, 4)


@given(drives, st.integers(1, 5))
def test_a_limit_caps_each_split_and_keeps_what_a_larger_one_keeps(scenes, limit):
    few, _ = split_by_drive(scenes, 0, 0.3, limit)
    more, _ = split_by_drive(scenes, 0, 0.3, limit + 1)
    whole, _ = split_by_drive(scenes, 0, 0.3, None)
    for split in ("train", "val"):
        count = sum(s.split == split for s in whole)
        assert sum(s.split == split for s in few) == min(limit, count)
    assert {s.name for s in few} <= {s.name for s in more} <= {s.name for s in whole}


def test_published_splits_are_kept():
    scenes = [scene("train", "a", 0), scene("train", "b", 0), scene("val", "c", 0)]
    assert split_by_drive(scenes, 0, 0.9, None) == (scenes, [])


def test_one_drive_cannot_be_split_and_the_note_says_so():
    _, notes = split_by_drive([scene("train", "only", n) for n in range(3)], 0, 0.2, None)
    assert [note.fatal for note in notes] == [True]
    assert "no scene is left for val: drives are only" in notes[0].what
