"""Stage prepare once more, for a few scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from augflow import datasets, files
from augflow.datasets import checks
from augflow.datasets.source import SourceScene, SourceSet
from augflow.datasets.streets import street_scene
from augflow.params import DataParams, StreetsParams
from augflow.scenes import KINDS
from augflow.stages.prepare import prepared
from augflow.verifying.environment import Machines
from augflow.verifying.findings import Check, Finding
from augflow.verifying.workspace import Workspace


def check_scenes(space: Workspace, machines: Machines) -> Check:
    """Scenes resized again from the raw files; embedded ones painted again before that."""
    check, project = Check("prepare, again"), space.project
    root = project.root / project.params.data.root
    if not (check.has(root) and check.has(project.prepared)):
        return check
    params = project.params.data.model_copy(update={"root": str(root)})
    tolerance = space.tolerance(check, machines, project.prepared)
    with check.reading(root):
        source = datasets.read(params)
        names = {row["name"] for row in files.read_csv(project.prepared / "scenes.csv")}
        check.same(f"{project.prepared}/scenes.csv: scenes", _few(source.scenes), len(names))
        for row in space.chosen(len(source.scenes), "prepare"):
            if params.reader == "streets":
                _check_painted(check, source, source.scenes[row], params, tolerance)
            _check_resized(check, source, source.scenes[row], project.prepared, params, tolerance)
    return check


def _few(scenes: tuple[SourceScene, ...]) -> int:
    return len({scene.name for scene in scenes})


def _check_painted(
    check: Check, source: SourceSet, scene: SourceScene, params: DataParams, tolerance: float
) -> None:
    section = params.streets or StreetsParams()
    painted = street_scene(section.seed, scene.name, section.size)
    photo = files.read_photo(source.root / scene.photo)
    check.pixels(source.root / scene.photo, painted.image, photo, tolerance)
    for path, ids in ((scene.labels, painted.labels), (scene.instances, painted.instances)):
        if path is not None:
            where = source.root / path
            check.pixels(where, ids, files.read_ids(where))


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
            stored = files.read_photo(where) if kind == "image" else files.read_ids(where)
            # class ids are numbers without an order: none of them is near another
            allowed = 0.0 if kind == "classes" else tolerance
            expected: np.ndarray = getattr(made, kind)
            check.pixels(where, expected, stored, allowed)
