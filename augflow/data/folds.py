"""Scenes parted by drive, so that each is held out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from augflow.core import seeding
from augflow.core.errors import DataError


@dataclass(frozen=True)
class Fold:
    """Scenes in two: those that are learned from, and those held out; row numbers."""

    fit: tuple[int, ...]
    held_out: tuple[int, ...]


def folds(drives: Sequence[str], count: int, name: str) -> tuple[Fold, ...]:
    """Scenes in folds of about equal size, each of whole drives; every scene is held out once.

    The largest drive comes first, each into the fold that has fewest scenes so far; drives of one
    size come in an order drawn from `name`. Of fewer drives than folds, each drive is a fold; the
    scenes of a single drive are parted into stretches.

    Args:
        drives: of each scene.
        count: of folds, 2 or more.
        name: what the folds are for.

    Raises:
        DataError: there are fewer than two scenes.
    """
    if len(drives) < 2:
        raise DataError(
            f"{name}: {len(drives)} training scene, expected 2 or more to hold some out; "
            "lower one_in"
        )
    kinds = sorted(set(drives))
    if len(kinds) == 1:
        groups = _stretches(len(drives), min(count, len(drives)))
    else:
        groups = _of_drives(drives, kinds, min(count, len(kinds)), name)
    rows = range(len(drives))
    return tuple(
        Fold(tuple(row for row in rows if row not in held), tuple(sorted(held))) for held in groups
    )


def _stretches(scenes: int, count: int) -> list[set[int]]:
    ends = [scenes * fold // count for fold in range(count + 1)]
    return [set(range(*pair)) for pair in pairwise(ends)]


def _of_drives(
    drives: Sequence[str], kinds: Sequence[str], count: int, name: str
) -> list[set[int]]:
    members = {kind: [row for row, drive in enumerate(drives) if drive == kind] for kind in kinds}
    groups: list[set[int]] = [set() for _ in range(count)]
    drawn = {kind: seeding.derive(0, "fold", name, kind) for kind in kinds}
    for kind in sorted(kinds, key=lambda kind: (-len(members[kind]), drawn[kind])):
        min(groups, key=len).update(members[kind])
    return groups
