"""Scenes parted by drive, so that each is held out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from augflow.core.errors import DataError


@dataclass(frozen=True)
class Fold:
    """Scenes in two: those that are learned from, and those held out; row numbers."""

    fit: tuple[int, ...]
    held_out: tuple[int, ...]


def folds(drives: Sequence[str], count: int, name: str) -> tuple[Fold, ...]:
    """Scenes in folds of about equal size, each of whole drives; every scene is held out once.

    Of fewer drives than folds, each drive is a fold; the scenes of a single drive are parted into
    stretches.

    Args:
        drives: of each scene.
        count: of folds, 2 or more.
        name: what the folds are for, as an error says it.

    Raises:
        DataError: there are fewer than two scenes.
    """
    from sklearn.model_selection import GroupKFold, KFold

    if len(drives) < 2:
        raise DataError(
            f"{name}: {len(drives)} training scene, expected 2 or more to hold some out; "
            "lower one_in"
        )
    several = len(set(drives))
    if several > 1:
        parts = GroupKFold(min(count, several)).split(drives, groups=drives)
    else:
        parts = KFold(min(count, len(drives))).split(drives)
    return tuple(Fold(tuple(fit.tolist()), tuple(held.tolist())) for fit, held in parts)
