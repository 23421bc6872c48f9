"""Which scenes are held out: whole drives, chosen from a seed and the drives' names alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from augflow.core.seeding import derive
from augflow.data.readers.source import SPLITS, Fault, SourceScene


def split_by_drive(
    scenes: Sequence[SourceScene], seed: int, val_fraction: float, limit: int | None
) -> tuple[list[SourceScene], list[Fault]]:
    """Gives every scene the split it is used in, so that no drive is in both.

    Published splits are kept, but for drives that are in both: those belong to val altogether.
    Where one split is published, `val_fraction` of its drives (one at least) is held out.

    Args:
        scenes: with the split that the data set publishes; others than train and val are left out.
        seed: decides which drives are held out and which scenes a limit keeps.
        val_fraction: the share of drives, in (0, 1).
        limit: the most scenes a split keeps.

    Returns:
        The scenes sorted by split and name, and what is to be said of the split.
    """
    published = {split: {s.drive for s in scenes if s.split == split} for split in SPLITS}
    kept = [scene for scene in scenes if scene.split in SPLITS]
    if not kept:
        return [], []
    notes: list[Fault] = []
    if all(published.values()):
        held_out = published["val"]
        notes += _drive_faults(kept, held_out)
    else:
        held_out = _held_out(published["train"] | published["val"], seed, val_fraction)
    placed = [replace(s, split="val" if s.drive in held_out else "train") for s in kept]
    notes += _empty(placed)
    rows = [scene for split in SPLITS for scene in _limit_scenes(placed, split, seed, limit)]
    return rows, notes


def _held_out(drives: set[str], seed: int, val_fraction: float) -> set[str]:
    """At least one drive, and at least one is left."""
    count = min(max(1, round(val_fraction * len(drives))), len(drives) - 1)
    return set(sorted(drives, key=lambda drive: derive(seed, "val", drive))[:count])


def _drive_faults(scenes: Sequence[SourceScene], held_out: set[str]) -> list[Fault]:
    shared = sorted({s.drive for s in scenes if s.split == "train" and s.drive in held_out})
    if not shared:
        return []
    count = sum(s.split == "train" and s.drive in held_out for s in scenes)
    what = f"drives in train and val: {', '.join(shared)}; their {count} train scenes count as val"
    return [Fault("", what, "nothing to do: near duplicates are no test", fatal=False)]


def _empty(scenes: Sequence[SourceScene]) -> list[Fault]:
    missing = [split for split in SPLITS if not any(s.split == split for s in scenes)]
    drives = sorted({scene.drive for scene in scenes})
    remedy = "bring scenes of another drive, or publish train and val with drives of their own"
    return [
        Fault("", f"no scene is left for {split}: drives are {', '.join(drives)}", remedy)
        for split in missing
    ]


def _limit_scenes(
    scenes: Sequence[SourceScene], split: str, seed: int, limit: int | None
) -> list[SourceScene]:
    rows = [scene for scene in scenes if scene.split == split]
    if limit is not None:
        rows = sorted(rows, key=lambda scene: derive(seed, "limit", scene.name))[:limit]
    return sorted(rows, key=lambda scene: scene.name)
