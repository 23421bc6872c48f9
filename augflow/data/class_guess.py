"""A class table for labels that come without one, to be corrected by whoever knows them."""

from __future__ import annotations

import colorsys
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.core.errors import DataError, on_one_line
from augflow.data import checks, readers
from augflow.data.classes import IGNORE, TABLES
from augflow.data.diagnosis import without_copies
from augflow.data.label_maps import palette_of
from augflow.data.params import ClassParams, DataParams
from augflow.data.scenes import evenly

Colour = tuple[int, int, int]

NAME_FILES = ("labelmap.txt", "classes.txt", "class_dict.csv", "classes.csv", "label_colors.txt")
"""Files beside the labels that name classes, the first that is there."""

_MOST_FILES = 300
_MOST_CLASSES = 64
_FEW = 0.1
"""Up to this share of the pixels, black is what nobody has labelled; from there on a class."""

_MASK_NAMES: dict[int, str] = {0: "background", IGNORE - 1: "unlabelled", IGNORE: "object"}
_MASK_COLOURS: Mapping[int, Colour] = {
    0: (70, 70, 70),
    IGNORE - 1: (0, 0, 0),
    IGNORE: (220, 20, 60),
}
"""Of masks of 0 and 255; what is padded, or cannot be told, has a number of its own."""

_NO_CLASS = {"void", "ignore", "ignored", "unknown", "unlabeled", "unlabelled", "unlabeled area"}
_THINGS = {row.name for known in TABLES.values() for row in known.rows if row.is_thing} | {
    "pedestrian", "animal", "dog", "cat", "cow", "horse", "sheep", "bird", "van", "boat",
    "motorbike", "aeroplane", "airplane", "chair", "bottle", "cyclist", "motorcyclist",
}  # fmt: skip


@dataclass(frozen=True)
class NamedClass:
    """A class as a file names it: with an id, a colour, or by its line alone."""

    name: str
    id: int | None = None
    colour: Colour | None = None


@dataclass(frozen=True)
class NamedClasses:
    """The classes that a file beside the labels names; none where there is no such file."""

    path: Path | None = None
    rows: tuple[NamedClass, ...] = ()


@dataclass(frozen=True)
class Guess:
    """A class table, the share of the pixels of each class by name, and what else is to be said."""

    rows: tuple[ClassParams, ...]
    shares: dict[str, float]
    notes: tuple[str, ...] = ()


def named_classes(root: Path) -> NamedClasses:
    """What a file such as CVAT's `labelmap.txt` says of classes.

    Each line has a name and, if there are any, an id or three numbers for a colour, as
    `car:0,0,142::`, `car,0,0,142`, `0 0 142 car`, `7 car`. A list of names counts from 0.
    """
    path = next((root / name for name in NAME_FILES if (root / name).is_file()), None)
    if path is None:
        return NamedClasses()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [row for line in lines if (row := _named_class(line))]
    if all(row.id is None and row.colour is None for row in rows):
        rows = [replace(row, id=number) for number, row in enumerate(rows)]
    return NamedClasses(path, tuple(rows))


def _named_class(line: str) -> NamedClass | None:
    word = re.search(r"[^\W\d_][\w /-]*", line)
    if line.lstrip().startswith("#") or word is None:
        return None
    rest = line[: word.start()] + line[word.end() :]
    numbers = [int(number) for number in re.findall(r"\d+", rest) if int(number) <= 255]
    if len(numbers) >= 3:
        red, green, blue = numbers[-3:] if len(numbers) == 4 else numbers[:3]
        return NamedClass(word[0].strip(), None, (red, green, blue))
    if not numbers and re.search(r"\br\b.*\bg\b", line):
        return None  # a head of columns
    return NamedClass(word[0].strip(), numbers[0] if numbers else None)


def guess_classes(files: Sequence[Path], named: Sequence[NamedClass] = ()) -> Guess:
    """A class table for label maps of ids or colours, by what they hold and what names there are.

    Of many files some are looked at.

    Raises:
        DataError: they hold 16-bit numbers, or more values than classes can be.
    """
    looked_at = [files[place] for place in evenly(len(files), _MOST_FILES)]
    ids: Counter[int] = Counter()
    colours: Counter[Colour] = Counter()
    for path in looked_at:
        _count_values(path, ids, colours)
    notes = []
    if len(looked_at) < len(files):
        notes.append(f"classes are those of {len(looked_at)} of {len(files)} label files")
    if ids and colours:
        notes.append("some labels hold ids, others colours: a row has to fit both")
    if colours:
        rows, shares = _coloured(colours, named)
    else:
        rows, shares = _numbered(ids, named, looked_at)
    return Guess(rows, shares, tuple(notes))


def guess_mask_classes(data: DataParams, labels: Sequence[str]) -> Guess:
    """A class table for masks of single objects; what none covers is a class if it is much."""
    names = [name for name in labels if name != "background"]
    rows = tuple(
        ClassParams(name=name, id=1 + n, thing=name.lower() in _THINGS, colour=_distinct(n))
        for n, name in enumerate(names)
    )
    nothing = ClassParams(name="background", id=0, colour=(0, 0, 0))
    source = readers.read(data.model_copy(update={"classes": (nothing, *rows)}))
    scenes = [source.scenes[place] for place in evenly(len(source.scenes), _MOST_FILES)]
    pixels = sum((checks.examine(source, one).tally.ids for one in scenes), np.zeros(256, np.int64))
    whole = max(1, int(pixels.sum()))
    shares = {row.name: float(pixels[row.id] / whole) for row in (nothing, *rows)}
    if shares["background"] <= _FEW and "background" not in labels:
        nothing = nothing.model_copy(update={"name": "unlabelled", "train_id": IGNORE})
        shares["unlabelled"] = shares.pop("background")
    return Guess((nothing, *rows), shares)


def _count_values(path: Path, ids: Counter[int], colours: Counter[Colour]) -> None:
    """Adds the pixels of a label map by id, or by colour; of a damaged one none."""
    try:
        pixels = without_copies(io.read_ids(path), ())
    except DataError:
        return  # check-data lists it
    if pixels.ndim == 2:
        ids.update(dict(zip(*(part.tolist() for part in _unique(pixels)), strict=True)))
    else:
        codes, counts = _unique(pixels.astype(np.int64) @ np.array([65536, 256, 1]))
        found = ((code >> 16, code >> 8 & 255, code & 255) for code in codes.tolist())
        colours.update(dict(zip(found, counts.tolist(), strict=True)))
    most = max(len(ids), len(colours))
    if most > _MOST_CLASSES or max(ids, default=0) > 255:
        what = f"{most} values" if most > _MOST_CLASSES else f"an id of {max(ids)}"
        raise DataError(
            f"{on_one_line(path)}: {what} in the labels up to here, expected at most "
            f"{_MOST_CLASSES} classes of 8 bits; edges may be smoothed, or these are instance ids "
            "or photos: save class ids or plain colours as PNG"
        )


def _unique(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.unique(values, return_counts=True)


def _coloured(
    colours: Counter[Colour], named: Sequence[NamedClass]
) -> tuple[tuple[ClassParams, ...], dict[str, float]]:
    names = {row.colour: row.name for row in named if row.colour} or _known_names(set(colours))
    order = [*names, *(colour for colour, _ in colours.most_common() if colour not in names)]
    order = [colour for colour in order if colour in colours or named]
    whole, rows, shares = colours.total(), [], {}
    for number, colour in enumerate(order):
        share = colours[colour] / whole
        row = _row(names.get(colour) or _name_of(colour, share, number), number, colour)
        if row.name == "background" and share <= _FEW:  # what nobody has labelled
            row = row.model_copy(update={"train_id": IGNORE})
        rows.append(row)
        shares[rows[-1].name] = share
    return tuple(rows), shares


def _known_names(colours: set[Colour]) -> dict[Colour, str]:
    """The names of a published table that has all of the colours, black aside."""
    for known in TABLES.values():
        names = {row.colour: row.name for row in (*known.rows, *known.train_rows)}
        if len(colours) > 1 and colours - {(0, 0, 0)} <= names.keys():
            return {one: name for one, name in names.items() if one in colours and any(one)}
    return {}


def _name_of(colour: Colour, share: float, number: int) -> str:
    if colour == (0, 0, 0):
        return "unlabelled" if share <= _FEW else "background"
    return f"class_{number}"


def _numbered(
    ids: Counter[int], named: Sequence[NamedClass], files: Sequence[Path]
) -> tuple[tuple[ClassParams, ...], dict[str, float]]:
    names = {row.id: row.name for row in named if row.id is not None}
    palette = next((found for path in files if (found := _palette(path))), {})
    if not ids:
        raise DataError("no label file can be read; restore them")
    if set(ids) == {0, IGNORE}:
        names, palette = _MASK_NAMES | names, _MASK_COLOURS
    else:
        names.setdefault(IGNORE, "unlabelled")
    whole, rows, shares = ids.total(), [], {}
    for value in sorted({*ids, *(number for number in names if number != IGNORE)}):
        colour = palette.get(value) or ((0, 0, 0) if value == IGNORE else _distinct(value))
        rows.append(_row(names.get(value, f"class_{value}"), value, colour))
        shares[rows[-1].name] = ids[value] / whole
    return tuple(rows), shares


def _row(name: str, number: int, colour: Colour) -> ClassParams:
    facts: dict[str, Any] = {"name": name, "id": number, "colour": colour}
    if name.lower() in _NO_CLASS:
        facts["train_id"] = IGNORE
    return ClassParams(**facts, thing=name.lower() in _THINGS)


def _palette(path: Path) -> Mapping[int, Colour]:
    """The colours of a palette PNG that are not all one, by index."""
    try:
        palette = palette_of(path)
    except (OSError, ValueError):
        return {}
    rows: Iterator[Any] = iter([] if palette is None else map(tuple, palette.tolist()))
    colours = dict(enumerate(rows))
    return colours if len(set(colours.values())) > 1 else {}


def _distinct(number: int) -> Colour:
    """A colour for figures, unlike those of the numbers around."""
    parts = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.55 + 0.35 * (number % 2), 0.85)
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue
