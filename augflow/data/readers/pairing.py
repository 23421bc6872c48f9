"""Photographs find their labels: the files of a listing become scenes, or faults."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from augflow.core import io
from augflow.data.params import DataParams
from augflow.data.readers.source import Fault, Found, Kind, Listing, SourceScene, SourceSet
from augflow.data.readers.splits import split_by_drive


def assemble(params: DataParams, listed: Listing) -> SourceSet:
    """Pairs the files of a listing, splits the scenes by drive and applies the limit.

    A file that takes part in a fault takes part in no scene.
    """
    root = Path(params.root)
    faults = list(listed.faults)
    found = [item for item in listed.found if _is_sound(root, item, faults)]
    scenes = _pair_files(found, listed.expected, faults)
    scenes = _without_clashes(scenes, faults)
    scenes, notes = split_by_drive(scenes, params.seed, params.val_fraction, params.limit)
    # whether a split is empty can be said only when no scene is missing from it by another fault
    faults += [note for note in notes if not (note.fatal and faults)]
    return SourceSet(
        reader=params.reader,
        root=root,
        table=listed.table,
        labels=params.labels,
        instance_factor=listed.instance_factor,
        scenes=tuple(scenes),
        faults=tuple(faults),
        expected_counts=params.expected_counts,
        skip_faulty=params.skip_faulty,
    )


def _is_sound(root: Path, item: Found, faults: list[Fault]) -> bool:
    """Whether a file has a name that can be written again, and lies in the data set."""
    wrong = io.unfit(item.name)
    if wrong:
        what, _, remedy = wrong.partition("; ")
        faults.append(Fault(item.path.as_posix(), what, remedy, scene=item.name))
        return False
    if not io.leads_out(root / item.path, root):
        return True
    faults.append(
        Fault(
            item.path.as_posix(),
            f"is a link out of the data set, to {os.path.realpath(root / item.path)}",
            "put the file itself there, or name its real folder as the root",
            scene=item.name,
        )
    )
    return False


@dataclass
class _Group:
    """All files of one name in one published split."""

    files: dict[Kind, list[Found]] = field(default_factory=lambda: defaultdict(list))

    def path(self, kind: Kind) -> Path | None:
        """The path of the first file of a kind."""
        return self.files[kind][0].path if self.files[kind] else None


def _pair_files(found: Iterable[Found], expected: str, faults: list[Fault]) -> list[SourceScene]:
    groups: dict[tuple[str, str], _Group] = defaultdict(_Group)
    for item in found:
        groups[item.split, item.name].files[item.kind].append(item)
    has_instances = any(group.files["instances"] for group in groups.values())
    scenes = []
    for (split, name), group in sorted(groups.items()):
        wrong = _pairing_faults(name, group, expected, has_instances)
        faults += (replace(fault, scene=name) for fault in wrong)
        photo, labels = group.path("photo"), group.path("labels")
        if not wrong and photo and labels:
            drive = group.files["photo"][0].drive
            masks = tuple((item.label, item.path) for item in group.files["labels"] if item.label)
            instances = group.path("instances")
            scenes.append(SourceScene(name, split, drive, photo, labels, instances, masks))
    return scenes


def _pairing_faults(name: str, group: _Group, expected: str, has_instances: bool) -> list[Fault]:
    faults = []
    for kind, items in group.files.items():
        if len(items) > 1 and not items[0].label:
            others = ", ".join(item.path.as_posix() for item in items[1:])
            where, what = items[0].path.as_posix(), f"scene {name} has more than one {kind} file"
            faults.append(Fault(where, f"{what}: also {others}", "keep one of them"))
    photo, labels = group.path("photo"), group.path("labels")
    if photo and not labels:
        faults.append(Fault(photo.as_posix(), "photo without labels", f"expected {expected}"))
    if labels and not photo:
        faults.append(
            Fault(labels.as_posix(), "labels without photo", "restore the photo or remove the file")
        )
    if has_instances and photo and labels and not group.path("instances"):
        remedy = "restore them, or remove the instance ids of all scenes"
        faults.append(Fault(photo.as_posix(), "no instance ids, other scenes have them", remedy))
    return faults


def _without_clashes(scenes: Sequence[SourceScene], faults: list[Fault]) -> list[SourceScene]:
    """Without scenes whose prepared files would overwrite others' on some file system."""
    first: dict[str, SourceScene] = {}
    for scene in scenes:
        other = first.setdefault(io.fold_name(scene.name), scene)
        if other is not scene:
            alike = _but_for(scene.name, other.name)
            what = f"scene name {scene.name} is{alike} also that of {other.photo.as_posix()}"
            remedy = "rename one of them"
            faults.append(Fault(scene.photo.as_posix(), what, remedy, scene=scene.name))
    return list(first.values())


def _but_for(name: str, other: str) -> str:
    if name == other:
        return ""
    if name.casefold() == other.casefold():
        return ", but for the case,"
    return ", but for the code of its accents,"
