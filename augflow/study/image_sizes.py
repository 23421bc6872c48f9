"""How many bytes photographs and label maps will take, measured on those that there are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.core.disk import Need
from augflow.data.boundaries import guessed_instances
from augflow.data.classes import ClassTable
from augflow.data.scenes import KINDS, evenly, prepared_facts, table_facts
from augflow.data.synthetic.manifest import COLUMNS
from augflow.metrics.confusion import confusion_matrix
from augflow.study.sizes import NUMBER, Amount, one_file

SAMPLE = 16
"""So many scenes, evenly spread, are measured."""


@dataclass(frozen=True)
class Pictures:
    """The files of one scene, their bytes as means over some scenes.

    Attributes:
        image: the photograph.
        classes: its class map.
        boundary: its boundary map.
        instances: 16-bit ids of its objects.
        record: bytes of a line of JSON with the confusion matrix of a photograph.
        table: bytes of the JSON of their class table, which every set and generator has.
        name: its name, the longest of those that were looked at.
    """

    image: Amount
    classes: Amount
    boundary: Amount
    instances: Amount
    record: int
    table: int
    name: str

    @property
    def scene(self) -> Amount:
        """A prepared scene."""
        return self.image + self.classes + self.boundary


def encoded(pixels: np.ndarray) -> int:
    """Bytes of the PNG file of some pixels."""
    from PIL import Image

    stream = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", compress_level=6)
    return len(stream.getvalue())


def pictures(prepared: Path) -> Pictures:
    """Measured on some prepared scenes.

    Raises:
        DataError: not a prepared folder.
    """
    table, _, _ = prepared_facts(prepared)
    rows = io.read_csv(prepared / "scenes.csv")
    picked = [rows[place] for place in evenly(len(rows), SAMPLE)] if rows else []
    paths = {kind: [prepared / row["split"] / kind / f"{row['name']}.png" for row in picked]
             for kind in KINDS}  # fmt: skip
    maps = [io.read_ids(path) for path in paths["classes"][:4] if path.exists()]
    ids = [guessed_instances(classes, table.things).astype(np.uint16) for classes in maps]
    sizes = {kind: [path.stat().st_size for path in paths[kind] if path.exists()] for kind in KINDS}
    name = max((row["name"] for row in picked), key=len, default="")
    return _pictures(
        {**sizes, "instances": [encoded(one) for one in ids]}, maps, name, table, prepared
    )


def measured(
    scenes: Sequence[Mapping[str, np.ndarray]], name: str, table: ClassTable, where: Path
) -> Pictures:
    """Measured on scenes in memory, each with its `image`, `classes`, `boundary`, `instances`."""
    sizes = {kind: [encoded(scene[kind]) for scene in scenes] for kind in (*KINDS, "instances")}
    return _pictures(sizes, [scene["classes"] for scene in scenes], name, table, where)


def photo_set(
    found: Pictures, photos: int, layouts: int, where: Path, instances: bool = False
) -> Amount:
    """A synthetic set of so many photographs of so many layouts."""
    labels = found.classes + found.instances if instances else found.classes
    return (
        found.image.times(photos) + labels.times(photos, layouts)
        + one_file(photos * _line(found.name), where) + one_file(found.table, where)
    )  # fmt: skip


def set_of_maps(size: tuple[int, int], maps: Sequence[np.ndarray], each: int, out: Path) -> Need:
    """Photographs for some label maps, `each` of each, as if they could not be compressed."""
    labels = sum(one_file(encoded(one), out).size for one in maps)
    photo = one_file(3 * size[0] * size[1], out)
    return Need((photo.size * len(maps) + labels) * each, photo.largest)


def records(found: Pictures, count: int, where: Path) -> Amount:
    """A file of scores of so many photographs."""
    return one_file(count * found.record, where)


def table_json(table: ClassTable) -> int:
    """Bytes of the JSON of a class table."""
    return len(io.json_bytes(table_facts(table)))


def _pictures(
    sizes: Mapping[str, Sequence[int]], maps: Sequence[np.ndarray], name: str, table: ClassTable,
    where: Path,
) -> Pictures:  # fmt: skip
    amounts = {kind: _mean(sizes[kind], where) for kind in (*KINDS, "instances")}
    return Pictures(
        **amounts, record=_record(name, maps, table.count), table=table_json(table), name=name
    )


def _mean(sizes: Sequence[int], where: Path) -> Amount:
    """A file as large as some are on average, each of them in whole blocks."""
    if not sizes:
        return Amount()
    each = [one_file(size, where) for size in sizes]
    size = round(sum(one.size for one in each) / len(each))
    return Amount(size, size, max(one.largest for one in each), 1)


def _record(name: str, maps: Sequence[np.ndarray], count: int) -> int:
    """Bytes of a record: maps are scored against each other, as networks are not always right."""
    pairs = list(zip(maps, [*maps[1:], *maps[:1]], strict=True))
    found = [confusion_matrix(a, np.minimum(b, count - 1), count).tolist() for a, b in pairs]
    shown = found or [[[0] * count] * count]
    texts = [
        json.dumps(
            {"confusion": one, "layout": name, "name": name, "round": 0, "temperature": NUMBER},
            separators=(",", ":"),
        )
        for one in shown
    ]
    return round(sum(map(len, texts)) / len(texts)) + 1


def _line(name: str) -> int:
    """Bytes of a line of a manifest."""
    texts = {
        "name": f"{name}_t0_r0", "layout": name, "split": "train", "round": "0",
        "seed": str(2**62), "temperature": "0.5", "generator": io.digest_bytes(b""),
        "content": "", "log_p_bpd": NUMBER, "digest": io.digest_bytes(b""),
        "photo": f"leftImg8bit/train/{name.split('_')[0]}/{name}_t0_r0_leftImg8bit.png",
    }  # fmt: skip
    return len(io.csv_bytes([texts], COLUMNS)) - len(io.csv_bytes([], COLUMNS))
