"""Do score files speak of the photographs, layouts and networks that are there?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.stages.score import other_scenes
from augflow.verify.findings import Check, Finding
from augflow.verify.workspace import Workspace, recorded_digest

Named = tuple[str, str, int]
"""Name, layout and round of a scored photograph."""


def check_scores(space: Workspace) -> Check:
    """Names, layouts, networks; and rows of matrices against the pixels of each class.

    A row of a confusion matrix sums to the pixels of a class in the layout, whatever was predicted.
    """
    check = Check("scores")
    project = space.project
    ready = check.has(project.prepared)
    optional = [name for name in project.params.transfers if project.score(name).exists()]
    for name in [*project.params.sets, *optional]:
        if check.has(project.score(name)) and ready:
            with check.reading(project.score(name)):
                _check_set(check, space, name)
    if check.has(project.score("references")) and ready:
        with check.reading(project.score("references")):
            _check_references(check, space)
    if project.params.arms and check.has(project.score("arms")) and ready:
        with check.reading(project.score("arms")):
            _check_arms(check, space)
    _check_further(check, space, ready)
    return check


def _check_further(check: Check, space: Workspace, ready: bool) -> None:
    """Score files of predictors and of diversity."""
    project = space.project
    for name in project.params.predictors:
        where = project.score(f"predictors/{name}")
        if check.has(where) and ready:
            with check.reading(where):
                _check_predictions(check, space, name)
    for name in project.params.diversity.generators if project.params.diversity else ():
        where, maker = project.score(f"diversity/{name}"), project.generator(name)
        if check.has(where) and check.has(maker):
            with check.reading(where):
                check.same(f"{where}: weights", recorded_digest(maker),
                           io.read_json(where)["weights"])  # fmt: skip


def _check_predictions(check: Check, space: Workspace, name: str) -> None:
    """The predictor that is there, and every held-out photograph once per number of samples."""
    where, folder = space.project.score(f"predictors/{name}"), space.project.predictor(name)
    content, val = io.read_json(where), space.split("val")
    if check.has(folder):
        check.same(f"{where}: weights", recorded_digest(folder), content["weights"])
    named = [(scene, scene, 0) for scene in val.names]
    for group in content["samples"]:
        items = [{**item, "layout": item["name"], "round": 0} for item in group["items"]]
        _check_items(check, where, items, named, space.labelled("val"))


def _check_set(check: Check, space: Workspace, name: str) -> None:
    where, params = space.project.score(name), space.project.params
    section = params.sets.get(name) or params.transfers[name]
    content = io.read_json(where)
    check.same(f"{where}: set", name, content["set"])
    if name in params.sets:
        wanted = list(params.sets[name].temperatures)
        check.same(f"{where}: temperatures", wanted, content["temperatures"])
    _check_judge(check, space, where, content)
    if check.has(space.project.synthetic(name)):
        rows = space.rows(name)
        named = [(row.name, row.layout, row.round) for row in rows]
        labelled = space.labelled_in(name, section.layouts)
        _check_items(check, where, content["items"], named, labelled)
        degrees = {row.name: row.temperature for row in rows}
        for item in content["items"]:
            place = f"{where}: {item['name']}: temperature"
            check.same(place, degrees.get(item["name"], "none"), item["temperature"])


def _check_references(check: Check, space: Workspace) -> None:
    where, val = space.project.score("references"), space.split("val")
    content = io.read_json(where)
    _check_judge(check, space, where, content)
    own = [(name, name, 0) for name in val.names]
    others = [(val.names[other], name, 0)
              for other, name in zip(other_scenes(val.drives), val.names, strict=True)]  # fmt: skip
    for kind, named in {"real": own, "flat": own, "wrong": others}.items():
        items = content["rows"][kind]
        _check_items(check, f"{where}: {kind}", items, named, space.labelled("val"))


def _check_arms(check: Check, space: Workspace) -> None:
    where, val = space.project.score("arms"), space.split("val")
    content = io.read_json(where)
    check.same(f"{where}: classes", list(val.table.names), content["classes"])
    networks = space.project.segmenters
    check.same(f"{where}: runs", sorted(networks), sorted(content["runs"]))
    steps = space.project.params.retrain.segmenter.steps
    for key in sorted(set(networks) & set(content["runs"])):
        run, place = content["runs"][key], f"{where}: {key}"
        check.same(f"{place}: steps", steps, run["steps"])
        check.same(f"{place}: arm and seed", key, f"{run['arm']}-{run['seed']}")
        if check.has(networks[key]):
            check.same(f"{place}: segmenter", recorded_digest(networks[key]), run["segmenter"])
        own = [(name, name, 0) for name in val.names]
        _check_items(check, place, run["items"], own, space.labelled("val"))


def _check_judge(check: Check, space: Workspace, where: Path, content: dict[str, Any]) -> None:
    names = space.split("val").table.names
    check.same(f"{where}: classes", list(names), content["classes"])
    judge = space.project.judge_folder
    if check.has(judge):
        check.same(f"{where}: judge", recorded_digest(judge), content["judge"])


def _check_items(
    check: Check, where: Path | str, items: Sequence[dict[str, Any]], named: Sequence[Named],
    labelled: Mapping[str, np.ndarray],
) -> None:  # fmt: skip
    listed = {(item["name"], item["layout"], item["round"]): item for item in items}
    check.same(f"{where}: photographs", len(named), len(items))
    for name in (set(named) | set(listed)) - (set(named) & set(listed)):
        there = ("a score", "none") if name in named else ("no such photograph", "a score")
        check.add(Finding(f"{where}: {name[0]} for {name[1]}, round {name[2]}", *there))
    for name in sorted(set(named) & set(listed)):
        counts = labelled.get(name[1])
        if counts is None:
            check.add(Finding(f"{where}: {name[0]}", "a known layout", repr(name[1])))
            continue
        sums = np.array(listed[name]["confusion"]).sum(axis=1)
        place = f"{where}: {name[0]}: pixels of each class"
        check.same(place, counts.tolist(), sums.tolist())
