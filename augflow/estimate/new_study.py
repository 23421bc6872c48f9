"""A new project for a folder of photographs: recognised, planned within a budget, written."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from augflow.core.errors import DataError
from augflow.data import checks, readers
from augflow.data.classes import IGNORE
from augflow.data.params import ClassParams, DataParams, FoldersParams
from augflow.data.readers.source import SPLITS, SourceSet
from augflow.data.recognise import Recognised, photo_sizes, recognise
from augflow.data.scenes import evenly
from augflow.editing.cutouts import collect_cutouts
from augflow.editing.objects import guess_objects
from augflow.estimate.estimate import Estimate, estimate_study
from augflow.estimate.plan import (
    BATCH,
    FLOW_TEMPERATURES,
    SEGMENTER_BATCH,
    THREADS,
    Photos,
    Plan,
    Planner,
)
from augflow.stages.prepare import prepare_scene
from augflow.study import template
from augflow.study.project import Project

MOST_LINES, _TRIES = 60, 3
_LOOKED_AT = 60
_RARE, _MOST_BOOSTED, _CUT_FROM = 0.05, 3, 200
_PREPARING, _FEWEST = 0.1, 20
"""The share of the budget that preparing scenes may take, and what is prepared anyway."""

_HELD_OUT = 12
"""Of few photographs so many are held out, or three tenths."""


@dataclass(frozen=True)
class Photographs:
    """What is in a folder.

    Attributes:
        found: what it was taken for.
        source: the scenes, as its reader lists them.
        sizes: how many photographs there are of each height and width.
        shares: of the pixels, by the names of classes.
        seconds: what it takes to read one with its labels.
    """

    found: Recognised
    source: SourceSet
    sizes: Counter[tuple[int, int]]
    shares: dict[str, float]
    seconds: float

    @property
    def usual_size(self) -> tuple[int, int]:
        """Height and width of most."""
        return self.sizes.most_common(1)[0][0]

    @property
    def rare(self) -> list[str]:
        """Classes of which there is little, the rarest first."""
        names = [name for name in self.source.table.names if 0 < self.shares.get(name, 0) < _RARE]
        return sorted(names, key=self.shares.__getitem__)


def look_at(folder: Path) -> Photographs:
    """Recognises a folder, and counts its photographs, classes and sizes.

    Raises:
        DataError: of no known layout, or there are not two scenes to learn from and to hold out.
    """
    found = recognise(folder)
    source = readers.read(found.data)
    total = len(source.scenes)
    share = round(min(0.3, _HELD_OUT / max(1, total)), 2)
    if share > found.data.val_fraction:
        data = found.data.model_copy(update={"val_fraction": share})
        other = readers.read(data)
        if other.scenes != source.scenes:  # else the splits are published
            found, source = replace(found, data=data), other
    sizes = photo_sizes(folder, [scene.photo for scene in source.scenes])
    if not sizes or not all(source.of_split(split) for split in SPLITS):
        raise DataError(
            f"{folder}: {found.kind}, {total} scenes with photo and labels, expected two at least, "
            "one of them to be held out; augflow check-data lists what is wrong with the others"
        )
    return Photographs(found, source, sizes, *_shares(source))


def create_planned(
    photographs: Photographs, budget: float, named: str, target: Path
) -> tuple[Plan, Estimate]:
    """Writes a project whose study takes no longer than a budget of seconds, `named` as it was.

    Raises:
        DataError: `target` holds files.
        ParamsError: the budget is too small.
    """
    template.require_target(target, photographs.source.root)
    photographs = _limit(photographs, _PREPARING * budget)
    source = photographs.source
    counts = [len(source.of_split(split)) for split in SPLITS]
    photos = Photos(counts[0], counts[1], photographs.usual_size, photographs.seconds)
    plan = Planner(photos, source.table, budget).plan()
    boost = _pasted(photographs, plan.size) if plan.design.new else []
    plan = replace(plan, design=replace(plan.design, new=bool(boost)))
    for _ in range(_TRIES):
        text = params_text(photographs, plan, boost, named, target)
        template.write_project(f"--data {source.root} --budget {named}", text, target)
        with chdir(target):
            estimate = estimate_study(Project())
        seconds = estimate.total.seconds or 0.0
        if seconds <= budget:
            break
        plan = replace(plan, length=0.9 * plan.length * budget / seconds)
    return plan, estimate


def left_out(plan: Plan) -> list[str]:
    """What the budget leaves no time for, in words."""
    design = plan.design
    parts = {
        "Full-Glow, and an arm with its photographs": design.flow,
        "an arm with classic augmentation and synthetic photographs": design.both,
        "an arm with photographs of new layouts": design.new,
        "more than three seeds": design.seeds > 3,
        "diversity": design.diversity,
        "attributes, predictors of layouts, choices of temperature, selections": False,
    }
    return [part for part, there in parts.items() if not there]


def params_text(
    photographs: Photographs, plan: Plan, boost: Sequence[str], named: str, target: Path
) -> str:
    """The parameters of a planned study, at most `MOST_LINES` lines of YAML with comments."""
    before = [*_head(photographs, named, target), *_data_lines(photographs, plan, target)]
    after = [*_generators(plan), *_sets(plan, boost), *_networks(plan)]
    rows = photographs.found.data.classes or ()
    room = MOST_LINES - len(before) - len(after)
    return "\n".join([*before, *_class_lines(rows, photographs.shares, room), *after]) + "\n"


def _limit(photographs: Photographs, seconds: float) -> Photographs:
    """As many scenes of each split as are prepared in so many seconds."""
    most = max(_FEWEST, int(seconds / max(photographs.seconds, 1e-9)) // len(SPLITS))
    counts = [len(photographs.source.of_split(split)) for split in SPLITS]
    if max(counts) <= most:
        return photographs
    data = photographs.found.data.model_copy(update={"limit": most})
    found = replace(photographs.found, data=data)
    return replace(photographs, found=found, source=readers.read(data))


def _shares(source: SourceSet) -> tuple[dict[str, float], float]:
    """The share of pixels of each learned class, in some scenes, and the seconds that one takes."""
    start = time.process_time()
    picked = [source.scenes[place] for place in evenly(len(source.scenes), _LOOKED_AT)]
    tallies = [checks.examine(source, scene).tally.classes for scene in picked]
    pixels = np.sum(tallies, axis=0)
    whole = max(1, int(pixels.sum()))
    shares = {row.name: float(pixels[row.train_id] / whole) for row in source.table.train_rows}
    return shares, (time.process_time() - start) / max(1, len(picked))


def _head(photographs: Photographs, named: str, target: Path) -> Iterator[str]:
    count, classes = len(photographs.source.scenes), photographs.source.table.count
    yield f"# yaml-language-server: $schema={template.SCHEMA.as_posix()}"
    what = f"{count} photographs, {classes} classes"
    yield f"# Do synthetic photographs help? {what}; planned for {named}"
    yield "# (augflow estimate). augflow params --all shows what can be set; most has defaults."
    yield f"study: {study_name(target)}"
    yield f"threads: {THREADS}"


def _pasted(photographs: Photographs, size: tuple[int, int]) -> list[str]:
    """The rare classes of which there are objects that can be pasted into other layouts."""
    source = photographs.source
    train = source.of_split("train")
    examined = (checks.examine(source, train[place]) for place in evenly(len(train), _CUT_FROM))
    sound = (one for one in examined if not one.tally.faults)
    pool = {
        one.tally.scene.name: guess_objects(prepare_scene(source, one, size).classes, source.table)
        for one in sound
    }
    found = []
    for name in photographs.rare:
        with suppress(DataError):
            collect_cutouts(pool, source.table, [source.table.names.index(name)])
            found.append(name)
    return found[:_MOST_BOOSTED]


def study_name(target: Path) -> str:
    """A folder's name as that of a study."""
    word = re.sub(r"[^a-z0-9_-]+", "_", target.resolve().name.lower()).strip("_-")
    return word[:64] or "study"


def _data_lines(photographs: Photographs, plan: Plan, target: Path) -> Iterator[str]:
    data, source = photographs.found.data, photographs.source
    yield ""
    yield "data:"
    yield f"  reader: {data.reader}  # {photographs.found.kind}"
    yield f"  root: {template.root_text(source.root, target)}"
    if data.folders != FoldersParams():
        folders = ", ".join(f"{k}: {_text(v)}" for k, v in data.folders.model_dump().items())
        yield f"  folders: {{{folders}}}"
    if data.labels != "label_ids":
        yield f"  labels: {data.labels}"
    counts = ", ".join(f"{split}: {len(source.of_split(split))}" for split in SPLITS)
    yield f"  counts: {{{counts}}}"
    if data.limit is not None:
        yield f"  limit: {data.limit}  # of each split: to prepare more takes much of the time"
    height, width = photographs.usual_size
    yield f"  # height and width that photographs (most are {height}x{width}) are resized to"
    yield f"  size: [{plan.size[0]}, {plan.size[1]}]"
    yield f"  levels: {plan.levels}"
    if data.val_fraction != DataParams.model_fields["val_fraction"].default:
        yield f"  val_fraction: {data.val_fraction:g}  # held out to score on"


def _class_lines(rows: Sequence[ClassParams], shares: dict[str, float], room: int) -> Iterator[str]:
    """A row a line with its share; several where there are many."""
    if not rows:
        return
    yield "  # GUESSED, to be corrected: names, and which are things (objects one can count)."
    yield "  # Labels hold id, or colour; train_id: 255 is for pixels that belong to no class"
    yield "  classes:"
    each = -(-len(rows) // max(1, room - 3))
    texts = [_class_text(row) for row in rows]
    if each == 1:
        for row, text in zip(rows, texts, strict=True):
            share = f"  # {shares[row.name]:.1%}" if row.name in shares else ""
            yield f"    - {text}{share}"
        return
    for place in range(0, len(texts), each):
        last = place + each >= len(texts)
        line = ", ".join(texts[place : place + each])
        yield f"    {'[' if place == 0 else ' '}{line}{']' if last else ','}"


def _class_text(row: ClassParams) -> str:
    colour = ", ".join(map(str, row.colour))
    ignored = f", train_id: {IGNORE}" if row.train_id == IGNORE else ""
    thing = ", thing: true" if row.thing else ""
    return f"{{name: {_text(row.name)}, id: {row.id}{ignored}{thing}, colour: [{colour}]}}"


def _text(word: str) -> str:
    """A word as YAML, quoted where it could be read as something else."""
    plain = re.fullmatch(r"[A-Za-z_][\w/-]*( [\w/-]+)*", word)
    reserved = word.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    return word if plain and not reserved else json.dumps(word, ensure_ascii=False)


def _generators(plan: Plan) -> Iterator[str]:
    warm = max(10, min(50, plan.crn_steps // 20))
    yield ""
    yield "# CRN learns fastest what looks right" + (
        "; Full-Glow knows how likely photographs are" if plan.design.flow else ""
    )
    yield "generators:"
    yield f"  crn: {{system: crn, preset: {plan.preset}, training: &training {{"
    yield f"    steps: {plan.crn_steps}, batch_size: {BATCH}, learning_rate: 2.0e-3,"
    yield f"    warmup_steps: {warm}, decay_from: 0.5, clip_norm: 20.0, ema: 0.99, flip: true,"
    yield "    sample_every: 1000}}"
    if plan.design.flow:
        yield f"  full_glow: {{system: full_glow, preset: {plan.preset}, training: {{"
        yield f"    <<: *training, steps: {plan.flow_steps}, learning_rate: 1.0e-3}}}}"


def _sets(plan: Plan, boost: Sequence[str]) -> Iterator[str]:
    yield ""
    yield "# photographs made for held-out layouts, for the judge; for training layouts, for arms"
    yield "sets:"
    shown = f"layouts: val, limit: {plan.shown}"
    yield f"  crn: {{generator: crn, {shown}, temperatures: [1.0], rounds: 3}}"
    own = "layouts: train, temperatures: [{}], rounds: {}, seed: 1"
    yield f"  crn_train: {{generator: crn, {own.format(1.0, plan.rounds)}}}"
    if plan.design.new:
        names = ", ".join(map(_text, boost))
        yield f"  crn_new: {{generator: crn, {own.format(1.0, 1)},"
        yield f"            new_layouts: {{boost: [{names}], ratio: {plan.rounds}.0}}}}"
    if plan.design.flow:
        degrees = ", ".join(map(str, FLOW_TEMPERATURES))
        yield f"  full_glow: {{generator: full_glow, {shown}, temperatures: [{degrees}]}}"
        yield f"  full_glow_train: {{generator: full_glow, {own.format(0.8, 1)}}}"
        yield "transfers:"
        yield "  transfer: {generator: full_glow, layouts: val, contents: train, limit: 8}"


def _networks(plan: Plan) -> Iterator[str]:
    design = plan.design
    classic = "augment: classic" + ("" if plan.photos.train < 200 else ", strength: 0.3")
    yield ""
    yield "# what segmentation networks learn from: each for equally many steps, once per seed"
    yield "arms:"
    yield "  real: {train_on: [real]}"
    yield f"  classic: {{train_on: [real], {classic}}}"
    yield "  real_crn: {train_on: [real, crn_train], ratio: 1.0}"
    if design.both:
        yield f"  classic_crn: {{train_on: [real, crn_train], ratio: 1.0, {classic}}}"
    if design.new:
        yield "  real_new: {train_on: [real, crn_new], ratio: 1.0}"
    if design.flow:
        yield "  real_flow: {train_on: [real, full_glow_train], ratio: 1.0}"
    seeds = ", ".join(map(str, range(design.seeds)))
    yield "retrain:"
    yield f"  segmenter: {{steps: {plan.arm_steps}, batch_size: {SEGMENTER_BATCH}}}"
    yield f"  seeds: [{seeds}]"
    yield f"judge: {{steps: {plan.judge_steps}, batch_size: {SEGMENTER_BATCH}}}"
    if design.flow:
        yield "explore: {generators: [full_glow], layouts: 4}"
    if design.diversity:
        own = "layouts: 4, samples: 27, temperatures: [0.8, 1.0]"
        yield f"diversity: {{generators: [crn, full_glow], {own}}}"
