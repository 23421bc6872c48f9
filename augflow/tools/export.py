"""A synthetic set as a data set for other people's training: `augflow export`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from augflow.core import io
from augflow.core.errors import DataError, ParamsError, suggest
from augflow.core.hardware import DiskUsage, check_disk_space
from augflow.data.scenes import SceneFolder
from augflow.data.synthetic import FACTS, SetRow, SyntheticSet, read_set
from augflow.stages.retrain import require_fitting
from augflow.stages.runner import STAGES
from augflow.study import disk_usage
from augflow.study.project import Project
from augflow.tools.formats import FORMATS, Labelled, Package, Placed
from augflow.tools.formats.card import Story, card
from augflow.tools.formats.folders import REAL, REAL_VAL, SYNTHETIC
from augflow.tools.set_context import (
    SELECTED,
    Selection,
    SetContext,
    read_selection,
    set_context,
)

CARD, MANIFEST = "README.md", "manifest.csv"
ORIGIN = ("layout", "split", "content", "temperature", "seed", "round", "generator", "log_p_bpd")
EXPORT_COLUMNS = ("part", "name", "photo", "labels", *ORIGIN, "weight", "digest")


def export(which: str, form: str, out: Path, *, real: bool = False) -> list[Placed]:
    """Writes a set or a selection in one of `FORMATS`, with a card and a manifest.

    `which` is the name of a set, transfer or selection of the project here, or a set's folder. With
    `real` the real training scenes are written beside; for `mmseg` the held-out ones too, which its
    validation reads.

    Returns:
        Where each photograph is.

    Raises:
        ParamsError: no such format.
        DataError: no such set, it is damaged, there are no real scenes, or `out` holds something or
            its disk has no room.
    """
    if form not in FORMATS:
        raise ParamsError(f"--format: no {form!r}; {suggest(form, list(FORMATS))}")
    _require_new_folder(out)
    folder = set_folder(which)
    made, home, selection = read_set(folder), set_context(folder), read_selection(folder)
    parts = {SYNTHETIC: _synthetic(made)}
    if real:
        parts |= _real(folder, made, home, form)
    package = Package(made.facts.table, made.facts.size, parts, _weights(selection, made.rows))
    copied = [folder, *(_splits(home, form) if real else ())]
    need = sum((disk_usage.tree(path) for path in copied), DiskUsage())
    check_disk_space(out, need, f"the export of {folder.name}")
    with io.fresh_folder(out) as fresh:
        placed = FORMATS[form].write(fresh, package)
        rows = _manifest(placed, made.rows, package)
        io.write_csv(fresh / MANIFEST, rows, EXPORT_COLUMNS)
        text = card(Story(folder, made, home, selection), package, FORMATS[form].about)
        io.atomic_write(fresh / CARD, text.encode())
    return placed


def _splits(home: SetContext, form: str) -> list[Path]:
    """The folders of the real scenes that an export has."""
    if home.prepared_folder is None:
        return []
    return [
        home.prepared_folder / split
        for split in (("train", "val") if form == "mmseg" else ("train",))
    ]


def set_folder(which: str) -> Path:
    """The folder of a set by its name in the project here, or by its path.

    Raises:
        DataError: no such set; names the nearest.
    """
    path, known = Path(which), _known_sets()
    if which in known:
        return known[which]
    if (path / FACTS).is_file():
        return path
    if path.is_dir():
        raise DataError(f"{path}: holds no {FACTS}; give the folder of a synthetic set")
    _require_made(which)
    near = suggest(which, sorted(known)) if known else "no project with sets is here"
    raise DataError(f"no set or folder {which!r}; {near}")


def _known_sets() -> dict[str, Path]:
    """The sets and selections that there are in the project here; a set goes before a selection."""
    if not Path("params.yaml").is_file():
        return {}
    data = Project().data
    found = [
        path.parent
        for kind in (SELECTED, "synthetic")
        for path in sorted((data / kind).glob(f"*/{FACTS}"))
    ]
    return {folder.name: folder for folder in found}


def _require_made(which: str) -> None:
    """Says which stage to run where params.yaml names a set that is not there yet."""
    if not Path("params.yaml").is_file():
        return
    project = Project()
    for name in ("synthesize", "transfer", "select"):
        if which in STAGES[name].keys(project.params):
            project.require(f"{name}@{which}", *STAGES[name].outputs(project, which))


def _require_new_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: is a file; give a folder with --out")
    found = sorted(path.name for path in out.iterdir()) if out.exists() else []
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        raise DataError(f"{out}: holds {shown}; give a new or empty folder with --out")
    if out.resolve() == Path.cwd():
        raise DataError(f"{out}: is the current folder; give one of its own with --out")
    if any((parent / FACTS).is_file() for parent in out.absolute().parents):
        raise DataError(f"{out}: lies in a synthetic set; give a folder elsewhere with --out")


def _synthetic(made: SyntheticSet) -> list[Labelled]:
    known = [None] * len(made) if made.instances is None else made.instances
    cities = [row.photo.split("/")[2] for row in made.rows]
    names = [row.name for row in made.rows]
    facts = zip(names, cities, made.image, made.classes, known, strict=True)
    return [Labelled(*each) for each in facts]


def _real(
    folder: Path, made: SyntheticSet, home: SetContext, form: str
) -> dict[str, list[Labelled]]:
    if home.prepared_folder is None:
        raise DataError(
            f"{folder}: no prepared scenes belong to it, so none can be written beside it; leave "
            "--real out, or export a set of the project"
        )
    splits = {REAL: "train", **({REAL_VAL: "val"} if form == "mmseg" else {})}
    return {
        part: _scenes(folder, made, home.prepared_folder, split) for part, split in splits.items()
    }


def _scenes(folder: Path, made: SyntheticSet, prepared: Path, split: str) -> list[Labelled]:
    source = SceneFolder(prepared, split)
    require_fitting(made, folder, source.table, source.size)
    scenes = source.scenes()
    images = scenes.image.permute(0, 2, 3, 1).numpy()
    maps = scenes.layout.classes.numpy()
    # folder names of the Cityscapes layout hold no underscore
    cities = [
        re.sub(r"[^A-Za-z0-9-]+", "-", drive).strip("-") or "scenes" for drive in source.drives
    ]
    return [Labelled(*facts) for facts in zip(source.names, cities, images, maps, strict=True)]


def _weights(selection: Selection | None, rows: Sequence[SetRow]) -> dict[str, float]:
    decisions = selection.decisions if selection else {}
    found = {row.name: decisions[row.name].weight for row in rows if row.name in decisions}
    return {name: weight for name, weight in found.items() if weight is not None}


def _manifest(
    placed: Sequence[Placed], rows: Sequence[SetRow], package: Package
) -> list[dict[str, Any]]:
    known = {row.name: vars(row) for row in rows}
    parts = package.parts.items()
    images = {(part, one.name): one.image for part, listed in parts for one in listed}
    lines = []
    for one in placed:
        digest = io.digest_array(images[one.part, one.name])
        line = dict.fromkeys(EXPORT_COLUMNS) | {"digest": digest}
        if one.part == SYNTHETIC:
            line |= known[one.name] | {"weight": package.weights.get(one.name, 1.0)}
        else:
            line |= {"layout": one.name, "split": "val" if one.part == REAL_VAL else "train"}
        lines.append(line | vars(one))
    return lines
