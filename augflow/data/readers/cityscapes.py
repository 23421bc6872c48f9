"""Reads the layout in which Cityscapes is published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from augflow.data.classes import table
from augflow.data.params import DataParams
from augflow.data.readers.pairing import assemble
from augflow.data.readers.source import (
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

_PHOTO = "_leftImg8bit.png"
_INSTANCES = "_gtFine_instanceIds.png"
_LABELS = {"label_ids": "_gtFine_labelIds.png", "train_ids": "_gtFine_labelTrainIds.png"}
_OTHER = {"label_ids": "train_ids", "train_ids": "label_ids"}


def read(params: DataParams) -> SourceSet:
    """Scenes of `leftImg8bit/SPLIT/CITY` and `gtFine/SPLIT/CITY`, named `CITY_SEQUENCE_FRAME`.

    Labels are `*_labelIds.png`, or `*_labelTrainIds.png` where `data.labels` is `train_ids`.
    Instance ids are coded `1000 * class + n` for things, the class alone for stuff and groups.
    A drive is a city where there are several, else a sequence of the one city.

    References:
        Cordts et al. 2016, "The Cityscapes Dataset"; cityscapesScripts, README.
    """
    root = Path(params.root)
    suffix = _LABELS[params.labels]
    found = _by_drive(
        [
            *_files(root, "leftImg8bit", _PHOTO, "photo"),
            *_files(root, "gtFine", suffix, "labels"),
            *_files(root, "gtFine", _INSTANCES, "instances"),
        ]
    )
    expected = f"gtFine/SPLIT/CITY/NAME{suffix}" + _hint(root, params.labels, found)
    listing = Listing(
        table=table("streets" if params.reader == "streets" else "cityscapes"),
        expected=expected,
        instance_factor=1000,
        found=tuple(found),
        faults=tuple(_misnamed_photos(root)),
    )
    return assemble(params, listing)


def _files(root: Path, tree: str, suffix: str, kind: Kind) -> list[Found]:
    return [
        Found(
            name=path.name.removesuffix(suffix),
            kind=kind,
            split=split,
            drive=city.name,
            path=path.relative_to(root),
        )
        for split in SPLITS
        for city in folders_in(root / tree / split)
        for path in images_in(city)
        if path.name.endswith(suffix)
    ]


def _by_drive(found: list[Found]) -> list[Found]:
    """Cities are drives; of a single city, its sequences are."""
    if len({item.drive for item in found}) > 1:
        return found
    return [replace(item, drive=item.name.rsplit("_", 1)[0]) for item in found]


def _hint(root: Path, labels: str, found: list[Found]) -> str:
    other = _OTHER[labels]
    if any(item.kind == "labels" for item in found):
        return ""
    if not _files(root, "gtFine", _LABELS[other], "labels"):
        return ""
    return f"; files *{_LABELS[other]} are there: set data.labels: {other}"


def _misnamed_photos(root: Path) -> list[Fault]:
    return [
        name_fault(path.relative_to(root), f"NAME{_PHOTO}")
        for split in SPLITS
        for city in folders_in(root / "leftImg8bit" / split)
        for path in images_in(city)
        if not path.name.endswith(_PHOTO)
    ]
