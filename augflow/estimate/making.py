"""Rows of the stages that learn and make: from prepare to retrain."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np

from augflow.core import seeding
from augflow.core.hardware import free_memory
from augflow.data import visualize
from augflow.data.folds import folds
from augflow.data.synthetic.selected import COLUMNS as DECISION_COLUMNS
from augflow.estimate.known import Known, plus
from augflow.estimate.pieces import Trained
from augflow.estimate.row import Row, Work
from augflow.segmentation.learner import COLUMNS as SEGMENTER_COLUMNS
from augflow.segmentation.learner import SupervisedLearner
from augflow.segmentation.params import SegmenterParams
from augflow.stages.choose import choice_sizes
from augflow.stages.retrain import needs
from augflow.stages.select import kept_sizes
from augflow.stages.synthesize import set_sizes
from augflow.stages.train import CURVE_SCENES, SAMPLE_TEMPERATURES, SAMPLED_LAYOUTS
from augflow.study import image_sizes, sizes
from augflow.study.params import ArmParams, JudgeParams, SelectionParams, SetParams
from augflow.study.sizes import Amount
from augflow.training import loop
from augflow.training.meta_modes import Dry
from augflow.training.params import TrainingParams

_LOGGED = inspect.signature(loop.fit).parameters["log_every"].default
"""Steps between two rows of a segmenter's history."""


def prepare(known: Known) -> Row:
    """The scenes, and raw ones if augflow paints them."""
    project, scenes = known.project, known.scenes
    disk = None
    if scenes is not None:
        tables = known.one_file(scenes.count * 4 * len(scenes.pictures.name)) + known.facts
        disk = (scenes.pictures.scene + scenes.raw).times(scenes.count) + tables
    memory = scenes.memory if scenes else None
    return known.row("prepare", Work(), disk, memory, project.prepared)


def train(known: Known, name: str) -> Row:
    """A generator."""
    maker = known.maker(name)
    held_out = known.count("val")
    work = Work(((f"training {name}", maker.operations(_unless_known(held_out))),))
    out = known.project.generator(name)
    disk, state = _of_training(known, maker, maker.params)
    memory = maker.memory()
    if maker.params.micro_batch == "auto":
        memory = min(memory, free_memory(maker.scenes.image.device) or memory)
    return known.row(f"train@{name}", work, disk, memory, out, state=state)


def predict(known: Known, name: str) -> Row:
    """A predictor, and what it says of held-out photographs."""
    predicting, section = known.predicting(name), known.params.predictors[name]
    held_out = known.count("val")
    operations = predicting.operations(_unless_known(held_out))
    scoring = predicting.scoring(held_out or 0)
    disk, state = _of_training(known, predicting, section.training)
    if known.scenes is not None:
        disk += image_sizes.records(known.scenes.pictures, 2 * (held_out or 0), known.project.data)
    return known.row(
        f"predict@{name}", Work(((f"predictor {name}", operations + scoring),)), disk,
        predicting.memory(), known.project.predictor(name), state=state,
    )  # fmt: skip


def judge(known: Known) -> Row:
    """The judge of the report."""
    params, out = known.params.judge, known.project.judge_folder
    return _networks(known, "judge", params, known.learning(params), known.count("train"), out)


def judges(known: Known, name: str) -> Row:
    """A judge that selections ask, with those of its folds."""
    params = known.params.judges[name]
    count, more = known.count("train", params.one_in), _folds(known, params, name)
    learning = known.learning(params)
    work = plus(learning and learning.times(1 + more), known.look(params.config, count))
    out = known.project.judge_of(name)
    row = _networks(known, f"judges@{name}", params, work, count, out, trained=1 + more)
    return replace(row, disk=row.disk and row.disk + known.one_file())


def retrain(known: Known, name: str) -> Row:
    """An arm, once per seed."""
    params, count = known.params.retrain.segmenter, len(known.params.retrain.seeds)
    learning, out = known.learning(params), known.project.data / "segmenters" / name
    return _networks(
        known, f"retrain@{name}", params, learning and learning.times(count),
        _trained_on(known, known.params.arms[name]), out, count,
    )  # fmt: skip


def synthesize(known: Known, name: str) -> Row:
    """A synthetic set."""
    params = known.params.sets[name]
    maker, layouts = known.maker(params.generator), known.layouts(params)
    each = len(params.temperatures) * params.drawn
    out, disk, work = known.project.synthetic(name), None, None
    if layouts is not None and known.scenes is not None:
        work = Work(((f"photographs {params.generator}", maker.photographs(layouts, each)),))
        disk = set_sizes(known.scenes.pictures, params, layouts, out)
    memory = maker.weights + maker.further.memory
    return known.row(f"synthesize@{name}", work, disk, memory, out)


def transfer(known: Known, name: str) -> Row:
    """A transferred set."""
    params = known.params.transfers[name]
    maker, there = known.maker(params.generator), known.count(params.layouts)
    out, disk, work, memory = known.project.synthetic(name), None, None, maker.weights
    if there is not None and known.scenes is not None:
        count = min(params.limit or there, there)
        moved = maker.moved.times(count) if maker.likelihood else 0
        work = Work(((f"photographs {params.generator}", moved),))
        disk = image_sizes.photo_set(known.scenes.pictures, count, count, out)
        memory += maker.moved.memory if maker.likelihood else 0
    return known.row(f"transfer@{name}", work, disk, memory, out)


def choose(known: Known, name: str) -> Row:
    """The temperature of a set."""
    params = known.params.choices[name]
    made, own = known.params.sets[params.set], params.segmenter
    count = known.count("train", made.one_in)
    out, work, disk = known.project.choice(name), None, None
    if known.scenes is not None and count is not None:
        times = len(made.temperatures) * len(params.seeds)
        parts = len(folds(known.drives(made.one_in), params.folds, name))
        learning, look = known.learning(own), known.look(own.config, count)
        work = plus(learning and learning.times(times * parts), look and look.times(times))
        disk = choice_sizes(known.scenes.names["train"][:: made.one_in], known.project.data)
    photos = known.photos(made)
    held = None if photos is None else (count or 0) + photos
    return known.row(f"choose@{name}", work, disk, _held(known, own, held), out)


def select(known: Known, name: str) -> Row:
    """A selected set, as large as it can become."""
    params = known.params.selections[name]
    made, out = known.params.sets[params.set], known.project.selected(name)
    photos, layouts, disk = known.photos(made), known.layouts(made), None
    config = known.params.judges[params.judge].config
    if photos is not None and layouts is not None and known.scenes is not None:
        source = set_sizes(known.scenes.pictures, made, layouts, out)
        disk = kept_sizes(source, _most(params, made, layouts), photos)
        disk += sizes.table_file(DECISION_COLUMNS, photos, out) + known.one_file()
    network = known.network(config)
    held = known.in_memory(photos) + (network.weights + network.look.memory if network else 0)
    return known.row(f"select@{name}", known.look(config, photos), disk, held, out)


def _unless_known(held_out: int | None) -> int:
    return CURVE_SCENES if held_out is None else held_out


def _of_training(known: Known, trained: Trained, params: TrainingParams) -> tuple[Amount, int]:
    """What a generator's or predictor's training leaves, and what it needs to go on."""
    where = known.project.data
    rows = params.steps // params.log_every + params.steps // params.eval_every + 1
    pages = -(-params.steps // params.sample_every)
    disk = (
        sizes.weights_file(trained.network.state_dict(), where) + known.facts
        + sizes.table_file(("step", *trained.learner.columns), rows, where)
        + _page(known).times(pages)
    )  # fmt: skip
    state = sizes.state_file(trained.learner.state(), trained.learner.weights.values(), where)
    return disk, sizes.resumed(state, where).size + _page(known).times(pages).size


def _page(known: Known) -> Amount:
    """A page of samples, as noisy as photographs are that nothing is known of."""
    noise = seeding.generator(0, "page").integers(0, 256, (*known.size, 3), np.uint8)
    columns = len(SAMPLE_TEMPERATURES) + 2
    page = visualize.sheet([[noise] * columns] * SAMPLED_LAYOUTS, scale=2)
    return known.one_file(image_sizes.encoded(page))


def _networks(
    known: Known, stage: str, params: SegmenterParams, work: Work | None, count: int | None,
    out: Path, kept: int = 1, trained: int | None = None,
) -> Row:  # fmt: skip
    """A stage that trains segmentation networks on `count` photographs and keeps some of them."""
    network, where = known.network(params.config), known.project.data
    if network is None:
        return known.row(stage, None, None, None, out)
    with Dry():
        learner = SupervisedLearner(network.segmenter, params)
        weights = sizes.weights_file(network.segmenter.network.state_dict(), where)
        count_of = trained or kept
        others = [where / str(number) for number in range(1, count_of)]
        state = needs(learner, where, others).size - weights.size * count_of
    history = sizes.table_file(("step", *SEGMENTER_COLUMNS), params.steps // _LOGGED + 1, where)
    disk = (weights + history + known.one_file()).times(kept)
    return known.row(stage, work, disk, _held(known, params, count), out, state=state)


def _held(known: Known, params: SegmenterParams, count: int | None) -> int | None:
    """Memory of a network's training on so many photographs, which are joined from parts."""
    network = known.network(params.config)
    if network is None or count is None:
        return None
    return network.memory(max(params.batch_size, 2)) + 2 * known.in_memory(count)


def _folds(known: Known, params: JudgeParams, name: str) -> int:
    if params.folds < 2:
        return 0
    drives = known.drives(params.one_in)
    return len(folds(drives, params.folds, f"judges.{name}")) if drives else params.folds


def _trained_on(known: Known, arm: ArmParams) -> int | None:
    """How many photographs an arm has at most."""
    real = known.count("train", arm.one_in) if "real" in arm.train_on else 0
    if arm.made is None or real is None:
        return real
    selection = known.params.selections.get(arm.made)
    photos = known.photos(known.params.sets[selection.set if selection else arm.made])
    return None if photos is None else real + photos


def _most(params: SelectionParams, made: SetParams, layouts: int) -> int:
    """How many photographs a selection keeps at most."""
    degrees = len(made.temperatures) if params.temperature is None else 1
    return layouts * degrees * min(made.rounds, params.likeliest or made.rounds)
