"""Reads the masks of single objects that Label Studio exports as "Brush labels to PNG"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from augflow.core import io
from augflow.data.params import DataParams
from augflow.data.readers.folder import own_table
from augflow.data.readers.pairing import assemble
from augflow.data.readers.source import PHOTO_SUFFIXES, Fault, Found, Listing, SourceSet

MASKS = "**/task-*-annotation-*.png"
_MASK = re.compile(
    r"task-(?P<task>\d+)-annotation-(?P<annotation>\d+)-by-"
    r"(?:[^-@]*|.*@[^-]*)-[^-]+-(?P<label>.+)-\d+"
)
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of a photograph that was uploaded."""


def read(params: DataParams) -> SourceSet:
    """Scenes of photographs and `task-T-annotation-A-by-WHO-TOOL-LABEL-N.png`, a mask an object.

    All may lie anywhere below the root. Which photograph a task is about stands in the project's
    JSON export, if one lies there too; else photographs are named `T` or `NAME-T`. Of several
    annotations of a task the last is read. Scenes are held out one by one.

    Raises:
        ParamsError: `data.classes` is missing or makes no table.
        DataError: a JSON file cannot be read.

    References:
        Label Studio, "Export annotations", and `brush.py` of its converter.
    """
    root = Path(params.root)
    images = io.images_below(root, PHOTO_SUFFIXES)[0]
    masks = [(path, match) for path in images if (match := _MASK.fullmatch(path.stem))]
    photos = {path.stem: path for path in images if not _MASK.fullmatch(path.stem)}
    names = _photo_names(root)
    last: dict[str, int] = {}
    for _, match in masks:
        last[match["task"]] = max(last.get(match["task"], 0), int(match["annotation"]))
    found, faults = [], []
    for task, annotation in sorted(last.items(), key=lambda item: int(item[0])):
        photo = _photo_of(task, names, photos)
        own = [
            (path, match["label"])
            for path, match in masks
            if (match["task"], int(match["annotation"])) == (task, annotation)
        ]
        if photo is None:
            faults.append(_lost(root, own[0][0], task, len(own)))
            continue
        name = photo.stem
        found.append(Found(name, "photo", "train", name, photo.relative_to(root)))
        found += [
            Found(name, "labels", "train", name, path.relative_to(root), label)
            for path, label in own
        ]
    expected = "masks task-T-annotation-A-by-WHO-TOOL-LABEL-N.png"
    table = own_table(params.classes or ())
    return assemble(params, Listing(table, expected, None, tuple(found), tuple(faults)))


def labels_of(root: Path) -> list[str]:
    """The names of all classes that masks below a folder are of, sorted."""
    stems = (path.stem for path in root.glob(MASKS))
    return sorted({match["label"] for stem in stems if (match := _MASK.fullmatch(stem))})


def _photo_names(root: Path) -> dict[str, str]:
    """The name of the photograph of each task that a JSON export below the folder lists."""
    return {
        str(task["id"]): Path(name).stem
        for path in sorted(root.rglob("*.json"))
        for task in _tasks(path)
        for name in _names_in(task)
    }


def _tasks(path: Path) -> list[dict[str, Any]]:
    content: Any = io.read_json(path)
    rows = content if isinstance(content, list) else []
    return [row for row in rows if isinstance(row, dict) and "id" in row]


def _names_in(task: dict[str, Any]) -> Iterator[str]:
    """What of a task, in JSON or JSON-MIN, is the address of an image."""
    facts = task.get("data", task)
    values = facts.values() if isinstance(facts, dict) else ()
    for value in values:
        if isinstance(value, str) and value.lower().endswith(PHOTO_SUFFIXES):
            yield value


def _photo_of(task: str, names: dict[str, str], photos: dict[str, Path]) -> Path | None:
    """The photograph of a task; what was uploaded may have its former name."""
    name = names.get(task, "")
    for wanted in (name, _UPLOADED.sub("", name)):
        if wanted in photos:
            return photos[wanted]
    for stem, path in photos.items():
        if re.fullmatch(rf"(.*\D)?0*{task}", stem) and not names:
            return path
    return None


def _lost(root: Path, mask: Path, task: str, count: int) -> Fault:
    what = f"no photo for the {count} mask{'s' if count > 1 else ''} of task {task}"
    remedy = (
        "put the photos beside the masks, and the project's JSON export, which says which task "
        f"is about which photo; without it name them after the task, as photo-{task}.jpg"
    )
    return Fault(mask.relative_to(root).as_posix(), what, remedy)
