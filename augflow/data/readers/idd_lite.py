"""Reads the layout in which IDD-Lite is published."""

from __future__ import annotations

from pathlib import Path

from augflow.data.classes import table
from augflow.data.params import DataParams
from augflow.data.readers.pairing import assemble
from augflow.data.readers.source import (
    PHOTO_SUFFIXES,
    SPLITS,
    Fault,
    Found,
    Kind,
    Listing,
    SourceSet,
    folders_in,
    images_in,
    name_fault,
)

_LABELS = "_label.png"
_INSTANCES = "_inst_label.png"
_PHOTOS = tuple(f"_image{suffix}" for suffix in PHOTO_SUFFIXES)


def read(params: DataParams) -> SourceSet:
    """Scenes of `leftImg8bit/SPLIT/DRIVE/FRAME_image.jpg` and `gtFine/SPLIT/DRIVE/FRAME_label.png`.

    A scene is named `DRIVE_FRAME`. `FRAME_inst_label.png` holds instance ids where it is there; any
    number may stand for an instance.

    References:
        Varma et al. 2019, "IDD: A dataset for exploring problems of autonomous navigation in
        unconstrained environments".
    """
    root = Path(params.root)
    photos, faults = _photos(root)
    listing = Listing(
        table=table("idd_lite"),
        expected=f"gtFine/SPLIT/DRIVE/FRAME{_LABELS}",
        instance_factor=None,
        found=(*photos, *_ids(root)),
        faults=tuple(faults),
    )
    return assemble(params, listing)


def _photos(root: Path) -> tuple[list[Found], list[Fault]]:
    found: list[Found] = []
    faults: list[Fault] = []
    for split in SPLITS:
        for drive in folders_in(root / "leftImg8bit" / split):
            for path in images_in(drive):
                suffix = next((s for s in _PHOTOS if path.name.endswith(s)), None)
                if suffix is None:
                    faults.append(name_fault(path.relative_to(root), f"FRAME{_PHOTOS[1]}"))
                else:
                    found.append(_source_file(root, path, split, "photo", suffix))
    return found, faults


def _ids(root: Path) -> list[Found]:
    found = []
    for split in SPLITS:
        for drive in folders_in(root / "gtFine" / split):
            for path in images_in(drive):
                # every name of instance ids also ends like one of labels: the longer ending decides
                if path.name.endswith(_INSTANCES):
                    found.append(_source_file(root, path, split, "instances", _INSTANCES))
                elif path.name.endswith(_LABELS):
                    found.append(_source_file(root, path, split, "labels", _LABELS))
    return found


def _source_file(root: Path, path: Path, split: str, kind: Kind, suffix: str) -> Found:
    drive = path.parent.name
    name = f"{drive}_{path.name.removesuffix(suffix)}"
    return Found(name, kind, split, drive, path.relative_to(root))
