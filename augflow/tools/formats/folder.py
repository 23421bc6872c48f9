"""Plain folders: photographs, train ids, and a table of the classes."""

from __future__ import annotations

from pathlib import Path

from augflow.core import io
from augflow.data.classes import ClassTable
from augflow.tools.formats.package import SYNTHETIC, Package, Placed

CLASSES = "classes.csv"
COLUMNS = ("train_id", "name", "id", "thing", "red", "green", "blue")


def write(folder: Path, package: Package) -> list[Placed]:
    """Writes `images/NAME.png`, `labels/NAME.png` (train ids, 255 is ignored) and `classes.csv`.

    Real scenes are in `real/images` and `real/labels`.
    """
    placed = []
    for part, photos in package.parts.items():
        home = "" if part == SYNTHETIC else f"{part}/"
        for photo in photos:
            image, labels = f"{home}images/{photo.name}.png", f"{home}labels/{photo.name}.png"
            io.write_png(folder / image, photo.image)
            io.write_png(folder / labels, photo.classes)
            placed.append(Placed(part, photo.name, image, labels))
    write_classes(folder / CLASSES, package.table)
    return placed


def write_classes(path: Path, table: ClassTable) -> None:
    """Writes the learned classes in the order of their train ids; `id` is the published one."""
    rows = []
    for row in table.trained:
        colours = dict(zip(("red", "green", "blue"), row.colour, strict=True))
        facts = {"train_id": row.train_id, "name": row.name, "id": row.id, "thing": row.is_thing}
        rows.append({**facts, **colours})
    io.write_csv(path, rows, COLUMNS)
