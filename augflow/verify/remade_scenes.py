"""Stage prepare once more, for a few scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from augflow.core import io
from augflow.data import checks, readers
from augflow.data.params import DataParams, StreetsParams
from augflow.data.readers.source import SourceScene, SourceSet
from augflow.data.scenes import KINDS, SPLITS, table_facts
from augflow.stages.prepare import prepared
from augflow.study.environment import Machines
from augflow.verify.findings import Check, Finding, compare_json
from augflow.verify.workspace import Workspace
from streetscenes import street_scene


def check_scenes(space: Workspace, machines: Machines) -> Check:
    """Scenes resized again from the raw files; embedded ones painted again before that."""
    check, project = Check("prepare, again"), space.project
    root = project.root / project.params.data.root
    if not (check.has(root) and check.has(project.prepared)):
        return check
    params = project.params.data.model_copy(update={"root": str(root)})
    tolerance = space.tolerance(check, machines, project.prepared)
    with check.reading(root):
        source = readers.read(params)
        _check_listed(check, source, project.prepared)
        _check_facts(check, space, source, params)
        for row in space.chosen(len(source.scenes), "prepare"):
            if params.reader == "streets":
                _check_painted(check, source, source.scenes[row], params, tolerance)
            _check_resized(check, source, source.scenes[row], project.prepared, params, tolerance)
    return check


def _check_listed(check: Check, source: SourceSet, folder: Path) -> None:
    """`scenes.csv` lists the scenes of the data set, each in its split."""
    where = folder / "scenes.csv"
    expected = {
        (scene.name, scene.split): {
            "drive": scene.drive, "photo": scene.photo.as_posix(),
            "labels": scene.labels.as_posix(),
            "instances": scene.instances.as_posix() if scene.instances else "",
            "boundary_source": source.boundary_source,
        }
        for scene in source.scenes
    }  # fmt: skip
    rows = {(row["name"], row["split"]): row for row in io.read_csv(where)}
    for name, split in sorted(expected.keys() | rows.keys()):
        place = f"{where}: {name} in {split}"
        facts, row = expected.get((name, split)), rows.get((name, split))
        if facts is None or row is None:
            shown = ("a scene" if found else "none" for found in (facts, row))
            check.add(Finding(place, *shown))
            continue
        for key, value in facts.items():
            check.same(f"{place}: {key}", value, row[key])


def _check_facts(check: Check, space: Workspace, source: SourceSet, params: DataParams) -> None:
    """`dataset.json` has the classes and sizes of the data set."""
    where = space.project.prepared / "dataset.json"
    got = io.read_json(where)
    present = {
        split: [int(number) for number in np.flatnonzero(sum(space.labelled(split).values()))]
        for split in SPLITS
    }
    expected = {
        "classes": table_facts(source.table), "size": list(params.size), "levels": params.levels,
        "reader": source.reader, "boundary_source": source.boundary_source,
        "counts": {split: len(source.of_split(split)) for split in SPLITS},
        "classes_present": present,
    }  # fmt: skip
    compare_json(check, where, expected, got)


def _check_painted(
    check: Check, source: SourceSet, scene: SourceScene, params: DataParams, tolerance: float
) -> None:
    section = params.streets or StreetsParams()
    painted = street_scene(section.seed, scene.name, section.size)
    photo = io.read_photo(source.root / scene.photo)
    check.pixels(source.root / scene.photo, painted.image, photo, tolerance)
    for path, ids in ((scene.labels, painted.labels), (scene.instances, painted.instances)):
        if path is not None:
            where = source.root / path
            check.pixels(where, ids, io.read_ids(where))


def _check_resized(
    check: Check, source: SourceSet, scene: SourceScene, folder: Path, params: DataParams,
    tolerance: float,
) -> None:  # fmt: skip
    examined = checks.examine(source, scene)
    for fault in examined.tally.faults:
        check.add(Finding(f"{source.root}/{fault.where}", "a sound file", fault.what))
    if examined.tally.faults:
        return
    made = prepared(source, examined, params.size)
    for kind in KINDS:
        where = folder / scene.split / kind / f"{scene.name}.png"
        with check.reading(where):
            stored = io.read_photo(where) if kind == "image" else io.read_ids(where)
            # class ids are numbers without an order: none of them is near another
            allowed = 0.0 if kind == "classes" else tolerance
            expected: np.ndarray = getattr(made, kind)
            check.pixels(where, expected, stored, allowed)
