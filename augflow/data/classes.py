"""Class tables as rows under headed columns, palettes, and the way from ids to train ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augflow.core.errors import DataError, ParamsError, suggest

IGNORE = 255
"""The train id of pixels that belong to no class: never scored, never learned from."""


@dataclass(frozen=True)
class ClassRow:
    """One class of a table.

    `id` is the number that the published label files carry; `train_id` counts 0..K-1 over the
    classes that are learned, or is `IGNORE`; things are countable and have instances.
    """

    name: str
    id: int
    train_id: int
    is_thing: bool
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class ClassTable:
    """The classes of a data set, and lookups derived from their rows."""

    name: str
    rows: tuple[ClassRow, ...]

    @cached_property
    def train_rows(self) -> tuple[ClassRow, ...]:
        """The rows that are learned, in the order of their train ids."""
        rows = {row.train_id: row for row in reversed(self.rows) if row.train_id != IGNORE}
        return tuple(rows[index] for index in sorted(rows))

    @property
    def count(self) -> int:
        """K, the number of learned classes."""
        return len(self.train_rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the learned classes by train id."""
        return tuple(row.name for row in self.train_rows)

    @cached_property
    def things(self) -> tuple[int, ...]:
        """The train ids of countable classes."""
        return tuple(row.train_id for row in self.train_rows if row.is_thing)

    @cached_property
    def palette(self) -> np.ndarray:
        """Colours by train id, (256, 3) uint8; whatever is not learned is black."""
        colours = np.zeros((256, 3), np.uint8)
        for row in self.train_rows:
            colours[row.train_id] = row.colour
        return colours

    @cached_property
    def raw_ids(self) -> np.ndarray:
        """The published id of each train id, (256,) uint8: the way back for exports."""
        ids = np.zeros(256, np.uint8)
        for row in self.train_rows:
            ids[row.train_id] = row.id
        ids[IGNORE] = next((row.id for row in self.rows if row.train_id == IGNORE), IGNORE)
        return ids

    def from_raw(self, ids: np.ndarray) -> np.ndarray:
        """Train ids of published ids; 255 stays `IGNORE`.

        Shapes:
            ids: (H, W) integer.
            returns: (H, W) uint8.

        Raises:
            DataError: an id is in no row.
        """
        return self._map_ids(ids, {row.id: row.train_id for row in self.rows}, "ids")

    def from_train(self, ids: np.ndarray) -> np.ndarray:
        """The same for files that hold train ids already: checks, converts the type.

        Raises:
            DataError: an id is neither in 0..K-1 nor 255.
        """
        return self._map_ids(ids, {index: index for index in range(self.count)}, "train ids")

    def from_colours(self, pixels: np.ndarray) -> np.ndarray:
        """Train ids of a colour map.

        Shapes:
            pixels: (H, W, 3) uint8.
            returns: (H, W) uint8.

        Raises:
            DataError: a colour is in no row, or is that of two learned classes.
        """
        codes = pixels.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
        # learned rows come last: Cityscapes paints pole groups, not learned, like poles
        rows = sorted(self.rows, key=lambda row: row.train_id != IGNORE)
        known = {int(np.dot(row.colour, [65536, 256, 1])): row.train_id for row in rows}
        self._require_single(set(np.unique(codes).tolist()))
        known.setdefault(0, IGNORE)
        unknown = sorted(set(np.unique(codes).tolist()) - set(known))
        if unknown:
            code = int(unknown[0])
            first = (code >> 16, code >> 8 & 255, code & 255)
            raise DataError(f"colour {first} is not one of table {self.name!r}")
        keys = np.array(sorted(known), np.int32)
        values = np.array([known[int(key)] for key in keys], np.uint8)
        return values[np.searchsorted(keys, codes)]

    def _require_single(self, codes: set[int]) -> None:
        for n, row in enumerate(self.train_rows):
            for other in self.train_rows[n + 1 :]:
                alike = row.colour == other.colour
                if alike and int(np.dot(row.colour, [65536, 256, 1])) in codes:
                    raise DataError(
                        f"colour {row.colour} is that of {row.name!r} and of {other.name!r} in "
                        f"table {self.name!r}; save ids, or give each class a colour of its own"
                    )

    def _map_ids(self, ids: np.ndarray, known: dict[int, int], what: str) -> np.ndarray:
        lookup = np.full(65536, -1, np.int32)
        for key, value in known.items():
            if key >= 0:
                lookup[key] = value
        if IGNORE not in known:
            lookup[IGNORE] = IGNORE
        if ids.size and (ids.min() < 0 or ids.max() > 65535):
            raise DataError(f"ids {ids.min()}..{ids.max()} are outside 0..65535")
        mapped = lookup[ids]
        if (mapped < 0).any():
            unknown = np.unique(ids[mapped < 0])
            shown = ", ".join(str(int(value)) for value in unknown[:5])
            raise DataError(f"{what} {shown} are in no row of table {self.name!r}")
        return mapped.astype(np.uint8)


def table(name: str) -> ClassTable:
    """The table of that name.

    Raises:
        ParamsError: no such table; lists the known ones.
    """
    if name not in TABLES:
        raise ParamsError(f"no class table {name!r}; {suggest(name, sorted(TABLES))}")
    return TABLES[name]


def _rows(text: str, kept: Sequence[str] = ()) -> tuple[ClassRow, ...]:
    rows = []
    for line in text.strip().splitlines():
        name, raw, train, kind, *colour = line.rsplit(None, 6)
        r, g, b = (int(value) for value in colour)
        rows.append(ClassRow(name.strip(), int(raw), int(train), kind == "thing", (r, g, b)))
    if kept:
        order = {name: index for index, name in enumerate(kept)}
        rows = [
            ClassRow(row.name, row.id, order.get(row.name, IGNORE), row.is_thing, row.colour)
            for row in rows
        ]
    return tuple(rows)


# ids, train ids and colours as the Cityscapes data set publishes them
_CITYSCAPES = """
unlabeled              0  255  stuff    0   0   0
ego vehicle            1  255  stuff    0   0   0
rectification border   2  255  stuff    0   0   0
out of roi             3  255  stuff    0   0   0
static                 4  255  stuff    0   0   0
dynamic                5  255  stuff  111  74   0
ground                 6  255  stuff   81   0  81
road                   7    0  stuff  128  64 128
sidewalk               8    1  stuff  244  35 232
parking                9  255  stuff  250 170 160
rail track            10  255  stuff  230 150 140
building              11    2  stuff   70  70  70
wall                  12    3  stuff  102 102 156
fence                 13    4  stuff  190 153 153
guard rail            14  255  stuff  180 165 180
bridge                15  255  stuff  150 100 100
tunnel                16  255  stuff  150 120  90
pole                  17    5  stuff  153 153 153
polegroup             18  255  stuff  153 153 153
traffic light         19    6  stuff  250 170  30
traffic sign          20    7  stuff  220 220   0
vegetation            21    8  stuff  107 142  35
terrain               22    9  stuff  152 251 152
sky                   23   10  stuff   70 130 180
person                24   11  thing  220  20  60
rider                 25   12  thing  255   0   0
car                   26   13  thing    0   0 142
truck                 27   14  thing    0   0  70
bus                   28   15  thing    0  60 100
caravan               29  255  thing    0   0  90
trailer               30  255  thing    0   0 110
train                 31   16  thing    0  80 100
motorcycle            32   17  thing    0   0 230
bicycle               33   18  thing  119  11  32
"""

_STREETS = (
    "road", "sidewalk", "building", "pole", "traffic sign",
    "vegetation", "sky", "person", "car", "bus",
)  # fmt: skip

_CAMVID = """
sky                    0    0  stuff   70 130 180
building               1    1  stuff   70  70  70
pole                   2    2  stuff  153 153 153
road                   3    3  stuff  128  64 128
pavement               4    4  stuff  244  35 232
tree                   5    5  stuff  107 142  35
sign                   6    6  stuff  220 220   0
fence                  7    7  stuff  190 153 153
car                    8    8  thing    0   0 142
pedestrian             9    9  thing  220  20  60
bicyclist             10   10  thing  119  11  32
unlabelled            11  255  stuff    0   0   0
"""

_IDD_LITE = """
drivable               0    0  stuff  128  64 128
non-drivable           1    1  stuff  244  35 232
living                 2    2  thing  220  20  60
vehicle                3    3  thing    0   0 142
roadside object        4    4  stuff  250 170  30
far object             5    5  stuff   70  70  70
sky                    6    6  stuff   70 130 180
"""

TABLES = {
    "cityscapes": ClassTable("cityscapes", _rows(_CITYSCAPES)),
    "streets": ClassTable("streets", _rows(_CITYSCAPES, _STREETS)),
    "camvid": ClassTable("camvid", _rows(_CAMVID)),
    "idd_lite": ClassTable("idd_lite", _rows(_IDD_LITE)),
    "kitti": ClassTable("kitti", _rows(_CITYSCAPES)),
}
