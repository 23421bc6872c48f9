"""Do score files speak of the images, layouts and networks that are there?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import io
from augflow.stages.score import other_scenes
from augflow.verify.check import Check, Finding
from augflow.verify.workspace import Workspace, recorded_digest

Named = tuple[str, str, int]
"""Name, layout and round of a scored image."""


def check_scores(space: Workspace) -> Check:
    """Names, layouts, networks; and rows of matrices against the pixels of each class.

    A row of a confusion matrix sums to the pixels of a class in the layout, whatever was predicted.
    """
    check, project = Check("scores"), space.project
    ready = check.has(project.prepared_folder)
    for name, compare in _score_files(space):
        where = project.score(name)
        if check.has(where) and ready:
            with check.reading(where):
                compare(check, space, where, io.read_json(where))
    return check


Compare = Callable[[Check, Workspace, Path, dict[str, Any]], None]


def _score_files(space: Workspace) -> Iterator[tuple[str, Compare]]:
    """The names of score files, and what compares each."""
    project = space.project
    params = project.params
    yield from ((name, _check_set) for name in params.sets)
    yield from ((name, _check_set) for name in params.transfers if project.score(name).exists())
    yield "references", _check_references
    if params.arms:
        yield "arms", _check_arms
    yield from ((f"predictors/{name}", _check_predictions) for name in params.predictors)
    diverse = params.diversity.generators if params.diversity else ()
    yield from ((f"diversity/{name}", _check_diversity) for name in diverse)


def _check_weights(check: Check, where: Path | str, network: Path, got: str) -> None:
    """The network that was asked is the one that is there."""
    if check.has(network):
        check.same(where, recorded_digest(network), got)


def _check_diversity(check: Check, space: Workspace, where: Path, content: dict[str, Any]) -> None:
    generator = space.project.generator(where.stem)
    _check_weights(check, f"{where}: weights", generator, content["weights"])


def _check_predictions(
    check: Check, space: Workspace, where: Path, content: dict[str, Any]
) -> None:
    """Every held-out image once per number of samples."""
    predictor = space.project.predictor(where.stem)
    _check_weights(check, f"{where}: weights", predictor, content["weights"])
    for group in content["samples"]:
        items = [{**item, "layout": item["name"], "round": 0} for item in group["items"]]
        _check_items(check, where, items, _own(space), space.class_pixels("val"))


def _check_set(check: Check, space: Workspace, where: Path, content: dict[str, Any]) -> None:
    name, params = where.stem, space.project.params
    section = params.sets.get(name) or params.transfers[name]
    check.same(f"{where}: set", name, content["set"])
    if name in params.sets:
        wanted = list(params.sets[name].temperatures)
        check.same(f"{where}: temperatures", wanted, content["temperatures"])
    _check_judge(check, space, where, content)
    if check.has(space.project.synthetic(name)):
        rows = space.rows(name)
        named = [(row.name, row.layout, row.round) for row in rows]
        pixels = space.class_pixels_of(name, section.layouts)
        _check_items(check, where, content["items"], named, pixels)
        temperatures = {row.name: row.temperature for row in rows}
        for item in content["items"]:
            expected = temperatures.get(item["name"], "none")
            check.same(f"{where}: {item['name']}: temperature", expected, item["temperature"])


def _check_references(check: Check, space: Workspace, where: Path, content: dict[str, Any]) -> None:
    val = space.split("val")
    _check_judge(check, space, where, content)
    others = [
        (val.names[other], name, 0)
        for other, name in zip(other_scenes(val.drives), val.names, strict=True)
    ]
    for kind, named in {"real": _own(space), "flat": _own(space), "wrong": others}.items():
        items = content["rows"][kind]
        _check_items(check, f"{where}: {kind}", items, named, space.class_pixels("val"))


def _check_arms(check: Check, space: Workspace, where: Path, content: dict[str, Any]) -> None:
    check.same(f"{where}: classes", list(space.split("val").table.names), content["classes"])
    networks = space.project.segmenters
    check.same(f"{where}: runs", sorted(networks), sorted(content["runs"]))
    steps = space.project.params.retrain.segmenter.steps
    for key in sorted(networks.keys() & content["runs"].keys()):
        run, place = content["runs"][key], f"{where}: {key}"
        check.same(f"{place}: steps", steps, run["steps"])
        check.same(f"{place}: arm and seed", key, f"{run['arm']}-{run['seed']}")
        _check_weights(check, f"{place}: segmenter", networks[key], run["segmenter"])
        _check_items(check, place, run["items"], _own(space), space.class_pixels("val"))


def _check_judge(check: Check, space: Workspace, where: Path, content: dict[str, Any]) -> None:
    names = space.split("val").table.names
    check.same(f"{where}: classes", list(names), content["classes"])
    _check_weights(check, f"{where}: judge", space.project.judge_folder, content["judge"])


def _own(space: Workspace) -> list[Named]:
    """Every held-out image with its own layout."""
    return [(name, name, 0) for name in space.split("val").names]


def _check_items(
    check: Check,
    where: Path | str,
    items: Sequence[dict[str, Any]],
    named: Sequence[Named],
    pixels: Mapping[str, np.ndarray],
) -> None:
    listed = {(item["name"], item["layout"], item["round"]): item for item in items}
    check.same(f"{where}: photographs", len(named), len(items))
    for name in sorted(set(named) ^ listed.keys()):
        there = ("a score", "none") if name in named else ("no such photograph", "a score")
        check.add(Finding(f"{where}: {name[0]} for {name[1]}, round {name[2]}", *there))
    for name in sorted(set(named) & listed.keys()):
        counts = pixels.get(name[1])
        if counts is None:
            check.add(Finding(f"{where}: {name[0]}", "a known layout", repr(name[1])))
            continue
        sums = np.array(listed[name]["confusion"]).sum(axis=1)
        place = f"{where}: {name[0]}: pixels of each class"
        check.same(place, counts.tolist(), sums.tolist())
