"""Reads plain folders of photographs and labels, with a class table of the user's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from augflow.core.errors import ParamsError
from augflow.data.classes import IGNORE, ClassRow, ClassTable
from augflow.data.params import ClassParams, DataParams
from augflow.data.readers.pairing import assemble
from augflow.data.readers.source import (
    PHOTO_SUFFIXES,
    SPLITS,
    Fault,
    Found,
    Kind,
    Listing,
    SourceSet,
    images_in,
    name_fault,
)


def read(params: DataParams) -> SourceSet:
    """Scenes of `images/NAME.{png,jpg}`, `labels/NAME.png` and, where given, `instances/NAME.png`.

    The folders are those that `data.folders` names. Each may hold `train` and `val`; without them
    scenes are held out one by one. Classes are the rows of `data.classes`; any number or colour may
    stand for an instance.

    Raises:
        ParamsError: `data.classes` is missing or makes no table.
    """
    root = Path(params.root)
    found: list[Found] = []
    faults: list[Fault] = []
    folders: dict[Kind, str] = {
        "photo": params.folders.photos,
        "labels": params.folders.labels,
        "instances": params.folders.instances,
    }
    for kind, folder in folders.items():
        for split, path in _images(root / folder):
            relative = path.relative_to(root)
            if path.suffix == ".png" or (kind == "photo" and path.suffix in PHOTO_SUFFIXES):
                found.append(Found(path.stem, kind, split, path.stem, relative))
            elif kind == "photo":
                faults.append(name_fault(relative, "NAME.png or NAME.jpg"))
    faults += _beside_splits(root, root / params.folders.photos)
    listing = Listing(
        table=own_table(params.classes or ()),
        expected=f"{params.folders.labels}/NAME.png, in the photo's split",
        instance_factor=None,
        found=tuple(found),
        faults=tuple(faults),
    )
    return assemble(params, listing)


def own_table(rows: Sequence[ClassParams]) -> ClassTable:
    """The class table of `data.classes`; several ids may share a train id.

    Rows without a train id get those that no other row has, in their order.

    Raises:
        ParamsError: no rows, an id twice or outside 0..255, or train ids that skip a number.
    """
    wrong = []
    if not rows:
        wrong.append("no classes; list name, id, train_id and colour of each")
    twice = [str(value) for value, n in Counter(row.id for row in rows).items() if n > 1]
    if twice:
        wrong.append(f"ids twice: {', '.join(twice)}; give each id one row")
    outside = [str(row.id) for row in rows if not 0 <= row.id <= 255]
    if outside:
        wrong.append(f"ids outside 0..255: {', '.join(outside)}; labels hold 8 bits")
    given = {row.train_id for row in rows}
    free = (number for number in range(len(rows)) if number not in given)
    train_ids = [next(free) if row.train_id is None else row.train_id for row in rows]
    trained = sorted({*train_ids} - {IGNORE})
    if trained != list(range(len(trained))) or (rows and not trained):
        wrong.append(f"train ids are {trained}; expected 0, 1, 2, ... ({IGNORE} is ignored)")
    if wrong:
        raise ParamsError("data.classes: " + "; ".join(wrong))
    numbered = zip(rows, train_ids, strict=True)
    return ClassTable(
        "own", tuple(ClassRow(r.name, r.id, n, r.thing, r.colour) for r, n in numbered)
    )


def _images(folder: Path) -> Iterator[tuple[str, Path]]:
    if not _is_split(folder):
        yield from (("train", path) for path in images_in(folder))
    for split in SPLITS:
        yield from ((split, path) for path in images_in(folder / split))


def _is_split(folder: Path) -> bool:
    return any((folder / split).is_dir() for split in SPLITS)


def _beside_splits(root: Path, folder: Path) -> list[Fault]:
    if not _is_split(folder):
        return []
    what, remedy = "lies beside the folders train and val", "move it into one of them"
    return [Fault(p.relative_to(root).as_posix(), what, remedy) for p in images_in(folder)]
