"""A few scenes, images, measurements and confusion matrices made again, and compared.

Each function adds to a check what it finds of one key of a stage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from augflow import generators
from augflow.core import io
from augflow.core.distributed import device
from augflow.data import checks, readers
from augflow.data.params import DataParams, StreetsParams
from augflow.data.readers.source import SourceScene, SourceSet
from augflow.data.scenes import KINDS, SPLITS, Layout, array_path, evenly, table_facts
from augflow.data.synthetic import MANIFEST, read_set
from augflow.generators import c_glow_predictor
from augflow.generators.latents import make_images
from augflow.generators.sampling import image_seed, sample_images
from augflow.metrics import confusion_matrix
from augflow.metrics.confusion import scores
from augflow.stages.prepare import prepare_scene
from augflow.stages.score import (
    image_distances,
    mean_colours,
    other_scenes,
    paint_classes,
    set_distances,
)
from augflow.stages.train import sample_sheet
from augflow.stages.transfer import best_content
from augflow.study.params import SetParams, TransferParams
from augflow.training.batches import EVAL_BATCH
from augflow.training.learners import LEARNERS
from augflow.training.prediction import PredictionLearner
from augflow.verify.check import Check, Finding
from augflow.verify.workspace import Workspace
from streetscenes import street_scene

BITS = 0.001
"""Bits per dimension by which a likelihood, or the distance of a generator without one, may differ
on another machine: 0.000015 at most, measured as `check.GREY` was."""

ROUND_TRIP = 0.01
"""Grey values by which the largest error of a round trip may differ: 0.00006 at most."""

DISTANCE = 0.0001
"""Share by which a Frechet distance may differ: 0.0000002 at most."""

PIXELS = 0.0001
"""Share of pixels, and one besides, that may get another class, of each image and of all images of
a file together: none of 480 000 did."""

CLASS_IOU = 0.01
"""By how much the class IoU of the images of a file together may differ: it did not."""


def compare_scenes(check: Check, space: Workspace, _: str) -> None:
    """Scenes resized again from the raw files; embedded ones painted again before that."""
    project = space.project
    root = project.root / project.params.data.root
    params = project.params.data.model_copy(update={"root": str(root)})
    elsewhere = space.made_elsewhere(check, project.prepared_folder)
    whole = readers.read(params)
    facts = io.read_json(project.prepared_folder / "dataset.json")
    tallies = [checks.examine(whole, one).tally for one in checks.recorded_faulty(whole, facts)]
    source = checks.used_scenes(whole, tallies)
    _compare_scene_list(check, source, project.prepared_folder / "scenes.csv")
    found = checks.check_report(whole, tallies)
    _compare_dataset(check, space, source, params, found.left_out_facts())
    for row in space.draw_items(len(source.scenes), "prepare"):
        if params.reader == "streets":
            _compare_painted(check, source, source.scenes[row], params, elsewhere)
        _compare_prepared(check, space, source, source.scenes[row], elsewhere)


def _compare_scene_list(check: Check, source: SourceSet, where: Path) -> None:
    """`scenes.csv` lists the scenes of the data set, each in its split."""
    expected = {
        f"{scene.name} in {scene.split}": {
            "drive": scene.drive,
            "photo": scene.photo.as_posix(),
            "labels": scene.labels.as_posix(),
            "instances": scene.instances.as_posix() if scene.instances else "",
            "boundary_source": source.boundary_source,
        }
        for scene in source.scenes
    }
    rows = {f"{row['name']} in {row['split']}": row for row in io.read_csv(where)}
    listed, there = (dict.fromkeys(names, "a scene") for names in (expected, rows))
    check.each(f"{where}: ", listed, there, "none")
    for name in sorted(expected.keys() & rows.keys()):
        check.known(f"{where}: {name}: ", expected[name], rows[name])


def _compare_dataset(
    check: Check,
    space: Workspace,
    source: SourceSet,
    params: DataParams,
    left_out: list[dict[str, object]],
) -> None:
    """`dataset.json` has the classes, sizes and raw files of the data set."""
    where = space.project.prepared_folder / "dataset.json"
    present = {
        split: np.flatnonzero(sum(space.class_pixels(split).values())).tolist() for split in SPLITS
    }
    expected = {
        "classes": table_facts(source.table),
        "size": list(params.size),
        "levels": params.levels,
        "reader": source.reader,
        "boundary_source": source.boundary_source,
        "counts": {split: len(source.of_split(split)) for split in SPLITS},
        "classes_present": present,
        "content": source.digest(),
        "left_out": left_out,
    }
    check.json(where, expected, io.read_json(where))


def _compare_painted(
    check: Check, source: SourceSet, scene: SourceScene, params: DataParams, elsewhere: bool
) -> None:
    section = params.streets or StreetsParams()
    made = street_scene(section.seed, scene.name, section.size)
    photo = io.read_photo(source.root / scene.photo)
    check.pixels(source.root / scene.photo, made.image, photo, elsewhere)
    for path, ids in ((scene.labels, made.labels), (scene.instances, made.instances)):
        if path is not None:
            check.pixels(source.root / path, ids, io.read_ids(source.root / path))


def _compare_prepared(
    check: Check, space: Workspace, source: SourceSet, scene: SourceScene, elsewhere: bool
) -> None:
    examined = checks.examine(source, scene)
    for fault in examined.tally.faults:
        check.add(Finding(f"{source.root}/{fault.where}", "a sound file", fault.what))
    if examined.tally.faults:
        return
    made = prepare_scene(source, examined, space.project.params.data.size)
    where = space.project.prepared_folder / "scenes.csv"
    with check.reading(where):
        stored = space.splits.scene(scene.split, scene.name)
        edges = (stored.layout.boundary[0] * 255).round().to(torch.uint8)
        found = (stored.image[0].permute(1, 2, 0), stored.layout.classes[0], edges)
        for kind, pixels in zip(KINDS, found, strict=True):
            place = array_path(space.project.prepared_folder, scene.split, kind)
            # class ids are numbers without an order: none of them is near another
            loose = elsewhere and kind != "classes"
            check.pixels(f"{place}: {scene.name}", getattr(made, kind), pixels.numpy(), loose)


def measure_generator(check: Check, space: Workspace, name: str) -> None:
    """What a generator says of itself, measured from its weights; and its last page of samples."""
    folder, section = space.project.generator(name), space.project.params.generators[name]
    with check.reading(folder / "config.json"):
        record = io.read_json(folder / "config.json")
        generator = generators.load_unchecked(folder).to(device())
        learner = LEARNERS[generators.system(record["system"]).generator.learner]
        rows = _at_once(section.training.micro_batch)
        measured = learner.evaluate(generator, space.split("val").scenes(), rows)
        _compare_facts(check, space, folder, generator, record, measured)
        page = folder / "samples" / f"step_{section.training.steps:06d}.png"
        if page.exists():
            made = sample_sheet(generator, space.split("val"))
            check.pixels(page, made, io.read_photo(page), space.made_elsewhere(check, folder))


def measure_predictor(check: Check, space: Workspace, name: str) -> None:
    """What a predictor says of itself, and what it predicts for a few images."""
    folder, where = space.project.predictor(name), space.project.score(f"predictors/{name}")
    predictor, val = c_glow_predictor.load(folder).to(device()), space.split("val")
    with check.reading(folder / "config.json"):
        rows = _at_once(space.project.params.predictors[name].training.micro_batch)
        measured = PredictionLearner.evaluate(predictor, val.scenes(), rows)
        record = io.read_json(folder / "config.json")
        _compare_facts(check, space, folder, predictor, record, measured)
    predictor, elsewhere = predictor.cpu(), space.made_elsewhere(check, where)
    for group in io.read_json(where)["samples"]:
        items, count, pairs = group["items"], group["samples"], []
        for number in space.draw_items(len(items), "score", "predictors", name, str(count)):
            scene = space.splits.scene("val", items[number]["name"])
            answer = predictor.predict(scene.image.float() / 255, count)[0].numpy()
            truth = scene.layout.classes[0].numpy()
            expected = confusion_matrix(truth, answer, predictor.table.count)
            pairs.append((items[number], expected))
        compare_matrices(check, f"{where}: {count} samples", pairs, elsewhere)


def _at_once(rows: int | str | None) -> int:
    """How many held-out scenes a training looks at at once that works through so many rows.

    One that found the number itself may have looked at fewer, which rounds in another way.
    """
    return min(EVAL_BATCH, rows) if isinstance(rows, int) else EVAL_BATCH


def _compare_facts(
    check: Check,
    space: Workspace,
    folder: Path,
    network: torch.nn.Module,
    record: Mapping[str, Any],
    measured: Mapping[str, float],
) -> None:
    """Likelihood, round trip, parameters, held-out scenes and classes."""
    where, facts, val = folder / "config.json", record["facts"], space.split("val")
    elsewhere = space.made_elsewhere(check, folder)
    for fact, value in measured.items():
        if fact == "round_trip":
            compare_errors(check, f"{where}: {fact}", value, facts[fact], elsewhere)
        else:
            compare_bits(check, f"{where}: {fact}", value, facts[fact], elsewhere)
    count = sum(p.numel() for p in network.parameters())
    check.same(f"{where}: parameters", count, record["parameters"])
    check.same(f"{where}: val_scenes", len(val), facts["val_scenes"])
    check.same(f"{where}: classes", table_facts(val.table), record["classes"])


def compare_errors(
    check: Check, where: str, expected: float, got: float | None, elsewhere: bool
) -> None:
    """Compares round-trip errors; one that is no number is recorded as None."""
    known = expected if math.isfinite(expected) else None
    near = known is not None and got is not None and abs(known - got) <= ROUND_TRIP
    equal = known == got
    near = elsewhere and near
    check.add(None if equal or near else Finding(where, str(expected), str(got)), equal)


def compare_bits(
    check: Check, where: str, expected: float | None, got: float | None, elsewhere: bool
) -> None:
    """Compares bits per dimension to all digits that a table holds, or to `BITS` elsewhere."""
    texts = _number(expected), _number(got)
    near = elsewhere and expected is not None and got is not None and abs(expected - got) <= BITS
    equal = texts[0] == texts[1]
    check.add(None if equal or near else Finding(where, *texts), equal)


def _number(value: float | None) -> str:
    return "no number" if value is None else io.cell(value)


def compare_images(check: Check, space: Workspace, name: str) -> None:
    """Images of a set from the layout, seed and temperature that the manifest records."""
    section = space.project.params.sets[name]
    _compare_rows(check, space, name, section)
    if section.best_of is not None:
        _compare_ranks(check, space, name, section)


def compare_transfers(check: Check, space: Workspace, name: str) -> None:
    """Images from the content and layout that the manifest records; and is it the right content?

    The content is the scene whose classes lie most like the layout's.
    """
    section, where = space.project.params.transfers[name], space.project.synthetic(name) / MANIFEST
    _compare_rows(check, space, name, section)
    layouts, contents = space.split(section.layouts), space.split(section.contents)
    rows = space.rows(name)
    maps, drives = contents.scenes().layout.classes.numpy(), np.array(contents.drives)
    wanted = evenly(len(layouts), section.limit or len(layouts))
    check.same(
        f"{where}: layouts", [layouts.names[row] for row in wanted], [row.layout for row in rows]
    )
    for number in space.draw_items(len(rows), "transfer", name):
        row = rows[number]
        place = space.row_of(section.layouts, row.layout)
        others = np.array([other != row.layout for other in contents.names])
        elsewhere = others & (drives != layouts.drives[place])
        allowed = elsewhere if elsewhere.any() else others
        classes = layouts.scenes([place]).layout.classes[0].numpy()
        best = best_content(classes, maps, allowed, layouts.table.count)
        check.same(f"{where}: {row.name}: content", contents.names[best], row.content)
    if space.project.score(name).exists() and check.has(space.project.judge_folder):
        compare_set_scores(check, space, name)


def _compare_rows(
    check: Check, space: Workspace, name: str, section: SetParams | TransferParams
) -> None:
    """Pixels and likelihoods of a few images of a set."""
    folder, rows = space.project.synthetic(name), space.rows(name)
    elsewhere = space.made_elsewhere(check, folder)
    for number in space.draw_rows(rows, "synthesize", name):
        row = rows[number]
        with check.reading(folder / row.photo):
            generator = space.generator(section.generator)
            latents = space.splits.latents(generator, section, row)
            (made,) = make_images(generator, space.layout_of(name, row), [latents])
            stored = io.read_photo(folder / row.photo)
            check.pixels(folder / row.photo, made.image, stored, elsewhere)
            where = f"{folder / MANIFEST}: {row.name}: log_p_bpd"
            compare_bits(check, where, made.log_p_bpd, row.log_p_bpd, elsewhere)


def _compare_ranks(check: Check, space: Workspace, name: str, section: SetParams) -> None:
    """Samples all images of one layout and temperature again: were the likeliest kept?"""
    folder, rows = space.project.synthetic(name), space.rows(name)
    slack = BITS if space.made_elsewhere(check, folder) else 0.0
    groups = sorted({(row.split, row.layout, row.temperature) for row in rows})
    for number in space.draw_one(len(groups), "choice", name):
        whole = _, title, temperature = groups[number]
        seeds = [image_seed(section.seed, title, turn) for turn in range(section.draws_per_layout)]
        kept = [row for row in rows if (row.split, row.layout, row.temperature) == whole]
        layout = space.layout_of(name, kept[0])
        images = sample_images(space.generator(section.generator), layout, seeds, temperature)
        bits = {seed: _or_infinity(one.log_p_bpd) for seed, one in zip(seeds, images, strict=True)}
        ranked = sorted(bits.values())
        for row in kept:
            # a seed that was never drawn, or a rank beyond the kept, is named by `check_sets`
            best = ranked[min(row.round, len(ranked) - 1)]
            own = bits.get(row.seed, best)
            where = f"{folder / MANIFEST}: {row.name}: rank {row.round} of {len(seeds)}"
            finding = Finding(where, _number(best), _number(own)) if own > best + slack else None
            check.add(finding, own <= best)


def _or_infinity(bits: float | None) -> float:
    return math.inf if bits is None or math.isnan(bits) else bits


def compare_set_scores(check: Check, space: Workspace, name: str) -> None:
    """The judge looks at a few images of a set again."""
    project, where = space.project, space.project.score(name)
    folder, content = project.synthetic(name), io.read_json(where)
    items = content["items"]
    _compare_set_distances(check, space, name, content)
    rows, pairs = {row.name: row for row in space.rows(name)}, []
    for number in space.draw_items(len(items), "score", name):
        item, row = items[number], rows[items[number]["name"]]
        image = torch.from_numpy(io.read_photo(folder / row.photo).transpose(2, 0, 1).copy())
        layout = space.layout_of(name, row)
        expected = _predict_matrix(space, project.judge_folder, image, layout)
        pairs.append((item, expected))
    compare_matrices(check, where, pairs, space.made_elsewhere(check, where))


def _compare_set_distances(
    check: Check, space: Workspace, name: str, content: Mapping[str, Any]
) -> None:
    """Features of all images at a few temperatures of a set, compared with real ones again."""
    params, where = space.project.params.score, space.project.score(name)
    check.same(f"{where}: features", params.features, content.get("features"))
    made, degrees = read_set(space.project.synthetic(name)), content["temperatures"]
    folders = {split: space.split(split) for split in sorted({row.split for row in made.rows})}
    places = space.draw_items(len(degrees), "score", name, "frechet")
    expected = set_distances(made, folders, params, [degrees[place] for place in places])
    for place, distance in zip(places, expected, strict=True):
        title = f"{where}: frechet at {degrees[place]:g}"
        elsewhere = space.made_elsewhere(check, where)
        compare_distance(check, title, distance, content["frechet"][place], elsewhere)


def compare_distance(
    check: Check, where: str, expected: float | None, got: float | None, elsewhere: bool
) -> None:
    """Compares Frechet distances: to all digits, or within `DISTANCE` of one made elsewhere."""
    near = (
        elsewhere
        and None not in (expected, got)
        and math.isclose(expected or 0, got or 0, rel_tol=DISTANCE)
    )
    equal = expected == got
    check.add(None if equal or near else Finding(where, str(expected), str(got)), equal)


def compare_references(check: Check, space: Workspace, _: str) -> None:
    """The judge looks at real, flatly painted and wrong images again."""
    where, val = space.project.score("references"), space.split("val")
    scenes, elsewhere = val.scenes(), space.made_elsewhere(check, where)
    shown = {kind: scenes.image for kind in ("real", "wrong")}
    shown["flat"] = paint_classes(scenes.layout.classes, mean_colours(space.split("train")))
    content, params = io.read_json(where), space.project.params.score
    check.same(f"{where}: features", params.features, content.get("features"))
    compared = {
        "real": space.split("train").scenes().image,
        "flat": shown["flat"],
        "wrong": scenes.image[other_scenes(val.drives)],
    }
    distances = image_distances(params, list(compared.values()), scenes.image)
    for kind, distance in zip(compared, distances, strict=True):
        title = f"{where}: frechet of {kind}"
        compare_distance(check, title, distance, content["frechet"][kind], elsewhere)
    for kind, items in content["rows"].items():
        pairs = []
        for number in space.draw_items(len(items), "score", "references", kind):
            item = items[number]
            image = shown[kind][space.row_of("val", item["name"])]
            layout = space.splits.scene("val", item["layout"]).layout
            expected = _predict_matrix(space, space.project.judge_folder, image, layout)
            pairs.append((item, expected))
        compare_matrices(check, f"{where}: {kind}", pairs, elsewhere)


def compare_arms(check: Check, space: Workspace, _: str) -> None:
    """A retrained network of every arm looks at a few real images again."""
    where, pairs = space.project.score("arms"), []
    runs = io.read_json(where)["runs"]
    for arm in space.project.params.arms:
        for seed in space.draw_seeds(arm):
            key, folder = f"{arm}-{seed}", space.project.segmenter(arm, seed)
            items = runs[key]["items"] if check.has(folder) else []
            for number in space.draw_items(len(items), "score", "arms", key):
                scene = space.splits.scene("val", items[number]["name"])
                layout = space.splits.scene("val", items[number]["layout"]).layout
                expected = _predict_matrix(space, folder, scene.image[0], layout)
                pairs.append(({**items[number], "run": key}, expected))
    compare_matrices(check, where, pairs, space.made_elsewhere(check, where))


def _predict_matrix(
    space: Workspace, network: Path, image: torch.Tensor, layout: Layout
) -> np.ndarray:
    """The confusion matrix of a network's answer to an image, (3, H, W) uint8."""
    segmenter = space.segmenter(network)
    answer = segmenter.predict(image[None].float() / 255)[0].cpu().numpy()
    return confusion_matrix(layout.classes[0].numpy(), answer, segmenter.count)


def compare_matrices(
    check: Check,
    where: Path | str,
    pairs: Sequence[tuple[Mapping[str, Any], np.ndarray]],
    elsewhere: bool,
) -> None:
    """Adds where recorded matrices of images, of one file, differ from those made again.

    Elsewhere a few pixels of an image may move, but of all images together no larger share, and
    their class IoU stays: pixels that all move to the good are no rounding.
    """
    ours = [expected for _, expected in pairs]
    theirs = [np.array(item["confusion"]) for item, _ in pairs]
    for (item, expected), got in zip(pairs, theirs, strict=True):
        title = f"{where}: {item['run']}" if "run" in item else f"{where}"
        _compare_matrix(check, f"{title}: {item['name']}", expected, got, elsewhere)
    if not pairs or not elsewhere:
        return
    sums = [np.sum(matrices, axis=0) for matrices in (ours, theirs)]
    title, allowed = f"{where}: {len(pairs)} images together", _allowed(sums[0])
    moved = sum(map(_moved, ours, theirs))
    wrong = Finding(f"{title}: pixels of another class", f"at most {allowed}", str(moved))
    check.add(wrong if moved > allowed else None, moved == 0)
    made, stored = (scores(matrix).class_iou for matrix in sums)
    wrong = Finding(f"{title}: class IoU", f"{made:.4f} ± {CLASS_IOU:g}", f"{stored:.4f}")
    check.add(wrong if abs(made - stored) > CLASS_IOU else None, made == stored)


def _compare_matrix(
    check: Check, where: str, expected: np.ndarray, got: np.ndarray, elsewhere: bool
) -> None:
    moved = _moved(expected, got)
    if moved <= (_allowed(expected) if elsewhere else 0) and expected.sum() == got.sum():
        check.add(None, moved == 0)
        return
    row, column = (int(place) for place in np.argwhere(expected != got)[0])
    cell = f"{where}: confusion, row {row}, column {column}"
    check.add(Finding(cell, str(expected[row, column]), str(got[row, column])))


def _moved(expected: np.ndarray, got: np.ndarray) -> int:
    """How many pixels have another class in one of two matrices; half of one is none."""
    return int(np.abs(expected - got).sum()) // 2


def _allowed(matrix: np.ndarray) -> int:
    """How many of the pixels of a matrix may get another class on another machine."""
    return 1 + int(PIXELS * matrix.sum())
