"""COCO's panoptic format: a picture of segment ids per photograph, and JSON that explains them.

A part is `PART/NAME.png`, `annotations/panoptic_PART/NAME.png` (id = R + 256 G + 65536 B, 0 where
no class is known) and `annotations/panoptic_PART.json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.data.boundaries import guessed_instances
from augflow.data.classes import IGNORE, ClassTable
from augflow.editing.objects import with_ids
from augflow.tools.formats.folders import Labelled, Package, Placed, write_pairs


def write_coco_panoptic(folder: Path, package: Package) -> list[Placed]:
    """Writes images, segment ids and JSON of every part.

    A category's id is its train id plus 1, as 0 stands for no class. Stuff is one segment per
    class, a thing one per instance, or per connected component where instances are not known.
    Things that instance ids do not tell apart are crowds.

    References:
        Kirillov et al. 2019, "Panoptic segmentation"; COCO, "Data format", section 4.
    """
    found: dict[str, list[dict[str, Any]]] = {part: [] for part in package.parts}

    def pixels(part: str, one: Labelled) -> np.ndarray:
        ids, segments = panoptic(one, package.table)
        number, name = len(found[part]) + 1, f"{one.name}.png"
        found[part].append({"image_id": number, "file_name": name, "segments_info": segments})
        return _as_colours(ids)

    def place(part: str, one: Labelled) -> tuple[str, str]:
        return f"{part}/{one.name}.png", f"annotations/panoptic_{part}/{one.name}.png"

    placed = write_pairs(folder, package, place, pixels)
    for part, images in package.parts.items():
        content = {
            "info": {"description": f"{part} photographs"},
            "licenses": [],
            "images": _images(images),
            "annotations": found[part],
            "categories": categories(package.table),
        }
        io.write_records(folder / f"annotations/panoptic_{part}.json", content)
    return placed


def categories(table: ClassTable) -> list[dict[str, Any]]:
    """The learned classes as COCO lists them."""
    return [
        {
            "id": row.train_id + 1,
            "name": row.name,
            "isthing": int(row.is_thing),
            "supercategory": "thing" if row.is_thing else "stuff",
            "color": list(row.colour),
        }
        for row in table.train_rows
    ]


def panoptic(photo: Labelled, table: ClassTable) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The segments of a photograph, numbered from 1.

    Shapes:
        returns: (H, W) int32, 0 where no class is known, and the segments' facts.
    """
    ids = np.zeros(photo.classes.shape, np.int32)
    segments = []
    for number, (index, mask, crowd) in enumerate(_segments(photo, table), start=1):
        ids[mask] = number
        rows, columns = np.nonzero(mask)
        top, left = int(rows.min()), int(columns.min())
        segments.append(
            {
                "id": number,
                "category_id": index + 1,
                "area": len(rows),
                "iscrowd": int(crowd),
                "bbox": [left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1],
            }
        )
    return ids, segments


def _segments(photo: Labelled, table: ClassTable) -> Iterator[tuple[int, np.ndarray, bool]]:
    """Train id, pixels and whether it is a crowd, for every segment."""
    crowds: dict[int, int] = {}
    if photo.instances is None:
        objects = guessed_instances(photo.classes, table.things)
    else:
        coded = with_ids(photo.classes, photo.instances, table)
        objects, crowds = coded.ids, {index: coded.plain_id(index) for index in table.things}
    for index in np.unique(photo.classes[photo.classes != IGNORE]).tolist():
        mask = photo.classes == index
        if index not in table.things:
            yield index, mask, False
            continue
        for value in np.unique(objects[mask]).tolist():
            yield index, mask & (objects == value), value == crowds.get(index)


def _images(photos: Sequence[Labelled]) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "file_name": f"{photo.name}.png",
            "height": photo.classes.shape[0],
            "width": photo.classes.shape[1],
        }
        for number, photo in enumerate(photos, start=1)
    ]


def _as_colours(ids: np.ndarray) -> np.ndarray:
    return np.stack([ids & 255, ids >> 8 & 255, ids >> 16 & 255], axis=2).astype(np.uint8)
