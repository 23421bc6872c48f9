"""Reads the layout in which the KITTI semantic segmentation benchmark is published."""

from __future__ import annotations

from pathlib import Path

from augflow.data.classes import table
from augflow.data.params import DataParams
from augflow.data.readers.pairing import assemble
from augflow.data.readers.source import (
    Fault,
    Found,
    Kind,
    Listing,
    SourceSet,
    images_in,
    name_fault,
)

_FOLDERS: dict[Kind, str] = {"photo": "image_2", "labels": "semantic", "instances": "instance"}


def read(params: DataParams) -> SourceSet:
    """Scenes of `training/{image_2,semantic,instance}/NAME.png`.

    Labels are raw Cityscapes ids, instance ids `256 * class + n` in 16 bits. The benchmark names no
    drives, so that scenes are held out one by one.

    References:
        Alhaija et al. 2018, "Augmented reality meets computer vision"; KITTI's development kit.
    """
    root = Path(params.root)
    found: list[Found] = []
    faults: list[Fault] = []
    for kind, folder in _FOLDERS.items():
        for path in images_in(root / "training" / folder):
            if path.suffix == ".png":
                relative = path.relative_to(root)
                found.append(Found(path.stem, kind, "train", path.stem, relative))
            elif kind == "photo":
                faults.append(name_fault(path.relative_to(root), "NAME.png"))
    listing = Listing(
        table=table("kitti"),
        expected="training/semantic/NAME.png",
        instance_factor=256,
        found=tuple(found),
        faults=tuple(faults),
    )
    return assemble(params, listing)
