"""Reads CamVid as the SegNet split publishes it."""

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
    Listing,
    SourceSet,
    images_in,
    name_fault,
)


def read(params: DataParams) -> SourceSet:
    """Scenes of `SPLIT/NAME.{png,jpg}` with `SPLITannot/NAME.png`; there are no instance ids.

    A drive is the name up to the first `_`. The published val is a clip of a drive that train also
    holds, so that all frames of that drive count as val.

    References:
        Brostow et al. 2009, "Semantic object classes in video"; Badrinarayanan et al. 2017, SegNet.
    """
    root = Path(params.root)
    found: list[Found] = []
    faults: list[Fault] = []
    for split in SPLITS:
        for path in images_in(root / split):
            if path.suffix in PHOTO_SUFFIXES:
                found.append(_source_file(root, path, split))
            else:
                faults.append(name_fault(path.relative_to(root), "NAME.png or NAME.jpg"))
        for path in images_in(root / f"{split}annot"):
            if path.suffix == ".png":
                found.append(_source_file(root, path, split, is_label=True))
    listing = Listing(
        table=table("camvid"),
        expected="SPLITannot/NAME.png",
        instance_factor=None,
        found=tuple(found),
        faults=tuple(faults),
    )
    return assemble(params, listing)


def _source_file(root: Path, path: Path, split: str, is_label: bool = False) -> Found:
    return Found(
        name=path.stem,
        kind="labels" if is_label else "photo",
        split=split,
        drive=path.stem.split("_", 1)[0],
        path=path.relative_to(root),
    )
