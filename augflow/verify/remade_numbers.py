"""Held-out likelihoods, confusion matrices and the report once more."""

from __future__ import annotations

import math
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from augflow import generators
from augflow.core import io
from augflow.core.devices import device
from augflow.data.scenes import table_facts
from augflow.generators import c_glow_predictor
from augflow.generators.base import Generator
from augflow.metrics import confusion_matrix
from augflow.stages.score import mean_colours, painted
from augflow.stages.train import sample_sheet
from augflow.study.environment import Machines
from augflow.training.batches import HELD_OUT
from augflow.training.learners import LEARNERS
from augflow.training.prediction import PredictionLearner
from augflow.verify.findings import Check, Finding
from augflow.verify.remade_photos import compare_bits
from augflow.verify.workspace import Workspace

PIXELS = 0.005
"""Share of the pixels of a photograph that may get another class on another machine."""


def check_training(space: Workspace, machines: Machines) -> Check:
    """What generators and predictors say of themselves, measured again from their weights.

    Held-out bits per dimension, round trip, size; and the last page of samples. They are measured
    where generators learn.
    """
    check, project, used = Check("train: measured again"), space.project, device()
    for name in project.params.generators:
        folder = project.generator(name)
        if not (check.has(folder) and check.has(project.prepared)):
            continue
        tolerance, where = space.tolerance(check, machines, folder), folder / "config.json"
        with check.reading(where):
            record, maker = io.read_json(where), generators.load(folder).to(used)
            learner = LEARNERS[generators.system(record["system"]).maker.learner]
            rows = project.params.generators[name].training.micro_batch
            measured = learner.evaluate(maker, space.split("val").scenes(), _at_once(rows))
            _compare_facts(check, where, measured, record["facts"], tolerance)
            _check_size(check, where, space, maker, record)
            steps = project.params.generators[name].training.steps
            page = folder / "samples" / f"step_{steps:06d}.png"
            _check_page(check, space, page, maker, tolerance)
    for name in project.params.predictors:
        folder = project.predictor(name)
        if not (check.has(folder) and check.has(project.prepared)):
            continue
        tolerance, where = space.tolerance(check, machines, folder), folder / "config.json"
        with check.reading(where):
            record, predictor = io.read_json(where), c_glow_predictor.load(folder).to(used)
            rows = project.params.predictors[name].training.micro_batch
            measured = PredictionLearner.evaluate(
                predictor, space.split("val").scenes(), _at_once(rows)
            )
            _compare_facts(check, where, measured, record["facts"], tolerance)
            _check_size(check, where, space, predictor, record)
    return check


def _at_once(rows: int | str | None) -> int:
    """How many held-out scenes a training looks at at once that works through so many rows.

    One that found the number itself may have looked at fewer, which rounds in another way.
    """
    return min(HELD_OUT, rows) if isinstance(rows, int) else HELD_OUT


def _compare_facts(
    check: Check, where: Path, measured: dict[str, float], facts: dict[str, Any], tolerance: float
) -> None:
    for fact, value in measured.items():
        if fact == "round_trip":
            compare_errors(check, f"{where}: {fact}", value, facts[fact], tolerance)
        else:
            compare_bits(check, f"{where}: {fact}", value, facts[fact], tolerance > 0)


def _check_size(
    check: Check, where: Path, space: Workspace, network: torch.nn.Module, record: dict[str, Any]
) -> None:
    """Parameters, held-out scenes and classes."""
    count = sum(p.numel() for p in network.parameters())
    check.same(f"{where}: parameters", count, record["parameters"])
    val = space.split("val")
    check.same(f"{where}: val_scenes", len(val), record["facts"]["val_scenes"])
    check.same(f"{where}: classes", table_facts(val.table), record["classes"])


def _check_page(
    check: Check, space: Workspace, page: Path, maker: Generator, tolerance: float
) -> None:
    """The samples at the end of training."""
    if page.exists():
        made = sample_sheet(maker, space.split("val"))
        check.pixels(page, made, io.read_photo(page), tolerance)


def compare_errors(
    check: Check, where: str, expected: float, got: float | None, tolerance: float
) -> None:
    """Compares round-trip errors; one that is no number is recorded as None."""
    known = expected if math.isfinite(expected) else None
    near = known is not None and got is not None and abs(known - got) <= tolerance
    equal = known == got
    found = None if equal or near else Finding(where, str(expected), str(got))
    check.near(found, equal)


def check_matrices(space: Workspace, machines: Machines) -> Check:
    """Confusion matrices of a few photographs of every score file."""
    check, project = Check("score, again"), space.project
    names = [name for name in space.set_names if project.score(name).exists()]
    if not (check.has(project.prepared) and check.has(project.judge_folder)):
        return check
    for name in names:
        with check.reading(project.score(name)):
            _check_set(check, space, machines, name)
    if check.has(project.score("references")):
        with check.reading(project.score("references")):
            _check_references(check, space, machines)
    if project.params.arms and check.has(project.score("arms")):
        with check.reading(project.score("arms")):
            _check_arms(check, space, machines)
    for name in project.params.predictors:
        where = project.score(f"predictors/{name}")
        if check.has(where) and check.has(project.predictor(name)):
            with check.reading(where):
                _check_predictor(check, space, machines, name)
    return check


def check_report(space: Workspace, machines: Machines) -> Check:
    """The report rendered into a folder of its own; elsewhere without what depends on fonts."""
    from augflow.stages.report import report

    check, project = Check("report, again"), space.project
    if not (check.has(project.reports) and check.has(project.data)):
        return check
    loose = space.tolerance(check, machines, project.reports) > 0
    with tempfile.TemporaryDirectory() as scratch, check.reading(project.reports):
        report(project.params, project.data, Path(scratch) / "report")
        folders = Path(scratch) / "report", project.reports
        fresh, stored = (_contents(folder, exact=True) for folder in folders)
        if loose:
            rough = [_contents(folder, exact=False) for folder in folders]
        for name in sorted(set(fresh) | set(stored)):
            where = f"{project.reports}/{name}"
            expected, got = (found.get(name, "no such file") for found in (fresh, stored))
            if loose and expected != got and rough[0].get(name) == rough[1].get(name):
                check.near(None, equal=False)
            else:
                check.same(where, expected, got)
    return check


def _check_set(check: Check, space: Workspace, machines: Machines, name: str) -> None:
    project, where = space.project, space.project.score(name)
    folder, items = project.synthetic(name), io.read_json(where)["items"]
    if not check.has(folder):
        return
    photos = {row.name: row for row in space.rows(name)}
    allowed = space.tolerance(check, machines, where)
    for number in space.chosen(len(items), "score", name):
        item = items[number]
        row = photos[item["name"]]
        image = torch.from_numpy(io.read_photo(folder / row.photo).transpose(2, 0, 1).copy())
        truth = space.layout_of(name, row).classes[0].numpy()
        _check_matrix(check, space, project.judge_folder, image, truth, item, where, allowed)


def _check_references(check: Check, space: Workspace, machines: Machines) -> None:
    where, val = space.project.score("references"), space.split("val")
    allowed = space.tolerance(check, machines, where)
    scenes, judge = val.scenes(), space.project.judge_folder
    shown = {kind: scenes.image for kind in ("real", "wrong")}
    shown["flat"] = painted(scenes.layout.classes, mean_colours(space.split("train")))
    for kind, items in io.read_json(where)["rows"].items():
        for number in space.chosen(len(items), "score", "references", kind):
            item = items[number]
            image = shown[kind][space.row_of("val", item["name"])]
            place = f"{where}: {kind}"
            truth = space.truth("val", item["layout"])
            _check_matrix(check, space, judge, image, truth, item, place, allowed)


def _check_arms(check: Check, space: Workspace, machines: Machines) -> None:
    where, val = space.project.score("arms"), space.split("val")
    allowed, images = space.tolerance(check, machines, where), val.scenes().image
    runs = io.read_json(where)["runs"]
    pairs = [(key, item) for key in sorted(runs) for item in runs[key]["items"]]
    for number in space.chosen(len(pairs), "score", "arms"):
        key, item = pairs[number]
        folder = space.project.segmenters[key]
        if check.has(folder):
            image = images[space.row_of("val", item["name"])]
            truth = space.truth("val", item["layout"])
            place = f"{where}: {key}"
            _check_matrix(check, space, folder, image, truth, item, place, allowed)


def _check_predictor(check: Check, space: Workspace, machines: Machines, name: str) -> None:
    where, val = space.project.score(f"predictors/{name}"), space.split("val")
    predictor = c_glow_predictor.load(space.project.predictor(name))
    allowed = space.tolerance(check, machines, where)
    for group in io.read_json(where)["samples"]:
        items, count = group["items"], group["samples"]
        for number in space.chosen(len(items), "score", "predictors", name, str(count)):
            item = items[number]
            scene = val.scenes([space.row_of("val", item["name"])])
            answer = predictor.predict(scene.image.float() / 255, count)[0].numpy()
            truth = scene.layout.classes[0].numpy()
            expected = confusion_matrix(truth, answer, predictor.table.count)
            _compare(check, f"{where}: {count} samples", item, expected, allowed)


def _check_matrix(
    check: Check, space: Workspace, network: Path, image: torch.Tensor, truth: np.ndarray,
    item: dict[str, Any], where: Path | str, tolerance: float,
) -> None:  # fmt: skip
    """Compares a matrix with that of the network's answer to an image, (3, H, W) uint8."""
    segmenter = space.segmenter(network)
    answer = segmenter.predict(image[None].float() / 255)[0].cpu().numpy()
    _compare(check, where, item, confusion_matrix(truth, answer, segmenter.count), tolerance)


def _compare(
    check: Check, where: Path | str, item: dict[str, Any], expected: np.ndarray, tolerance: float
) -> None:
    """Adds where a recorded matrix differs by more than another machine may."""
    got = np.array(item["confusion"])
    moved = int(np.abs(expected - got).sum()) // 2
    if moved <= (PIXELS * expected.sum() if tolerance else 0) and expected.sum() == got.sum():
        check.near(None, moved == 0)
        return
    row, column = (int(place) for place in np.argwhere(expected != got)[0])
    cell = f"{where}: {item['name']}: confusion, row {row}, column {column}"
    check.add(Finding(cell, str(expected[row, column]), str(got[row, column])))


def _contents(folder: Path, exact: bool) -> dict[str, str]:
    """Relative path -> digest of content; if not `exact`, of what does not depend on fonts.

    Those are all files but figures, which have one digest then, and pages without their pictures.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        name = path.relative_to(folder).as_posix()
        if exact or (path.suffix not in (".html", ".png") and name != "claims.json"):
            found[name] = io.digest_file(path)
        elif path.suffix == ".html":
            page = re.sub(rb"data:image/png;base64,[^\"]*", b"", path.read_bytes())
            found[name] = io.digest_bytes(page)
        else:
            found[name] = "there"
    return found
