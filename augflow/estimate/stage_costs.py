"""What each stage of the pipeline takes, one function a stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from augflow.core import distributed, seeding
from augflow.core.hardware import DiskUsage, free_memory
from augflow.data import visualize
from augflow.data.params import StreetsParams
from augflow.data.scenes import SPLITS
from augflow.data.synthetic.selected import DECISION_COLUMNS
from augflow.estimate.networks import Network, Training
from augflow.estimate.study_context import NoScenesError, StudyContext
from augflow.segmentation.params import SegmenterParams
from augflow.stages.choose import choice_sizes
from augflow.stages.explore import picture_sizes
from augflow.stages.prepare import painted_sizes
from augflow.stages.runner import STAGES
from augflow.stages.select import kept_sizes
from augflow.stages.synthesize import set_sizes
from augflow.stages.train import CURVE_SCENES, SAMPLE_TEMPERATURES, SAMPLED_LAYOUTS
from augflow.study import disk_usage
from augflow.training.batches import EVAL_BATCH

T = TypeVar("T")

Work = dict[tuple[str, Network], int]
"""Operations by kind of work and what does it, as all are not equally fast."""

_SUGGESTED_EDITS = 3
"""So many edits are suggested at most where a section lists none."""


@dataclass(frozen=True)
class StageRow:
    """A stage of the pipeline; None stands for what is not known.

    Attributes:
        work: what is computed.
        disk: its outputs, or with `least` what is known of them.
        memory: bytes of the processor's memory, or of the GPU's, at the peak.
        state: bytes that it writes to go on after it was stopped, gone when it is done.
        cached: whether DVC keeps its outputs in its cache.
        least: whether there will be more.
        stage: its name, as DVC has it.
        made: whether its outputs are there already.
        seconds: how long it takes on this machine.
    """

    work: Work | None = None
    disk: DiskUsage | None = None
    memory: int | None = None
    state: int = 0
    cached: bool = True
    least: bool = False
    stage: str = ""
    made: bool = False
    seconds: float | None = None

    @property
    def operations(self) -> int | None:
        """Of all kinds of work."""
        return None if self.work is None else sum(self.work.values())

    def facts(self, copies: bool) -> dict[str, Any]:
        """As plain JSON; `copies` says whether DVC's cache holds everything once more."""
        return {
            "stage": self.stage,
            "operations": self.operations,
            "seconds": self.seconds,
            "memory": self.memory,
            "disk": self.disk.size if self.disk else None,
            "disk_is_least": self.least,
            "cache": self.in_cache(copies) if self.disk else None,
            "resume": self.state,
            "made": self.made,
        }

    def in_cache(self, copies: bool) -> int:
        """Bytes that DVC's cache takes for its outputs."""
        return self.disk.distinct if self.disk and self.cached and copies else 0


def rows(context: StudyContext) -> Iterator[StageRow]:
    """All stages, in the order of the table of stages."""
    scores = DiskUsage()
    for name, stage in STAGES.items():
        for key in stage.keys(context.params):
            row = _known(partial(_COSTS[name], context, key)) if name in _COSTS else None
            row = row or StageRow()
            if name.startswith("score"):
                scores += row.disk or DiskUsage()
            made = all(path.exists() for path in stage.outputs(context.project, key))
            yield replace(
                row,
                stage=f"{name}@{key}" if key else name,
                disk=scores if row.least else row.disk,
                made=made,
                memory=None if row.memory is None else context.base + row.memory,
            )


def _known(found: Callable[[], T]) -> T | None:
    """What can be told, None where it depends on scenes that are not there."""
    try:
        return found()
    except NoScenesError:
        return None


def _prepare(context: StudyContext, _: str) -> StageRow:
    scenes, data = context.scenes, context.params.data
    counts = [context.count(split) or 0 for split in SPLITS]
    disk, count = (
        disk_usage.prepared_scenes(context.size, counts, context.where),
        len(scenes.listed),
    )
    if data.reader == "streets":
        painted = painted_sizes(data.streets or StreetsParams(), Path(data.root))
        disk += painted.times(count)
    disk += context.one_file(count * 4 * len(scenes.files.name))
    return StageRow({}, disk + context.one_file(disk_usage.table_size(context.table)))


def _train(context: StudyContext, name: str) -> StageRow:
    return _training(context, context.generator(name))


def _predict(context: StudyContext, name: str) -> StageRow:
    row = _training(context, context.predictor(name))

    def scored() -> DiskUsage:
        count = 2 * context.count("val")
        return disk_usage.score_file(context.scenes.files, count, context.where)

    return replace(row, disk=row.disk and row.disk + (_known(scored) or DiskUsage()))


def _training(context: StudyContext, model: Training) -> StageRow:
    """What a training leaves, and what it needs to go on; pages of samples are not computed."""
    params, where = model.params, context.where
    held_out = _known(lambda: context.count("val")) or CURVE_SCENES
    curve = -(-params.steps // params.eval_every) * min(held_out, CURVE_SCENES)
    measured = round(model.evaluation.operations * (curve + held_out) / EVAL_BATCH)
    lines = params.steps // params.log_every + params.steps // params.eval_every + 1
    pages = _page(context).times(-(-params.steps // params.sample_every))
    disk = disk_usage.weights_file(model.network.state_dict(), where) + pages
    disk += disk_usage.table_file(("step", *model.learner.columns), lines, where)
    disk += context.one_file(disk_usage.table_size(context.table))
    state = disk_usage.state_file(model.learner.state(), model.learner.weights.values(), where)
    resume = disk_usage.resume_states(state, where) + pages
    memory = model.memory
    if params.micro_batch == "auto":
        memory = min(memory, free_memory(distributed.device()) or memory)
    return StageRow({("train", model): model.steps + measured}, disk, memory, resume.size)


def _page(context: StudyContext) -> DiskUsage:
    """A page of samples, as noisy as images are that nothing is known of."""
    noise = seeding.generator(0, "page").integers(0, 256, (*context.size, 3), np.uint8)
    columns = len(SAMPLE_TEMPERATURES) + 2
    page = visualize.sheet([[noise] * columns] * SAMPLED_LAYOUTS, scale=2)
    return context.one_file(disk_usage.png_size(page))


def _segment(
    context: StudyContext,
    params: SegmenterParams,
    images: int | None,
    runs: int = 1,
    kept: int = 1,
    predicted: int = 0,
) -> StageRow:
    """Networks learn from so many images, which are joined from parts; some of them are kept."""
    segmenter, where = context.segmenter(params.config), context.where
    if segmenter is None:
        return StageRow()
    rows = max(params.batch_size, 2)
    step = segmenter.step(rows).operations if params.steps else 0
    work: Work = {
        ("segment", segmenter): runs * params.steps * step,
        ("predict", segmenter): predicted * segmenter.prediction.operations,
    }
    states = segmenter.network.state_dict()
    state = disk_usage.state_file(states, segmenter.network.parameters(), where)
    log = context.one_file(3 * params.steps)
    disk = (disk_usage.weights_file(states, where) + log + context.one_file()).times(kept)
    memory = None if images is None else segmenter.memory(rows) + 2 * context.pixels(images)
    return StageRow(work, disk, memory, disk_usage.resume_states(state, *[where] * runs).size)


def _score_images(
    context: StudyContext, params: SegmenterParams, images: int, held: int
) -> StageRow:
    """A network predicts so many images, of which so many are in memory at once."""
    segmenter = context.segmenter(params.config)
    disk = disk_usage.score_file(context.scenes.files, images, context.where)
    if segmenter is None:
        return StageRow(disk=disk)
    work: Work = {("predict", segmenter): images * segmenter.prediction.operations}
    memory = segmenter.weights + segmenter.prediction.memory + context.pixels(held)
    return StageRow(work, disk, memory)


def _judge(context: StudyContext, _: str) -> StageRow:
    return _segment(context, context.params.judge, _known(lambda: context.count("train")))


def _judges(context: StudyContext, name: str) -> StageRow:
    params = context.params.judges[name]
    images = context.count("train", params.one_in)
    folds = context.folds(params.folds, params.one_in) if params.folds > 1 else 0
    row = _segment(context, params, images, runs=1 + folds, predicted=images)
    return replace(row, disk=row.disk and row.disk + context.one_file())


def _retrain(context: StudyContext, name: str) -> StageRow:
    arm, section = context.params.arms[name], context.params.retrain

    def images() -> int:
        real = context.count("train", arm.one_in) if "real" in arm.train_on else 0
        source = arm.synthetic_source
        return real + (context.images(context.set_of(source)) if source else 0)

    count = len(section.seeds)
    return _segment(context, section.segmenter, _known(images), runs=count, kept=count)


def _choose(context: StudyContext, name: str) -> StageRow:
    params = context.params.choices[name]
    made = context.params.sets[params.set]
    images, real = context.images(made), context.count("train", made.one_in)
    times = len(made.temperatures) * len(params.seeds)
    runs = times * context.folds(params.folds, made.one_in)
    row = _segment(context, params.segmenter, real + images, runs=runs, predicted=times * real)
    disk = choice_sizes(context.scenes.names("train")[:: made.one_in], context.where)
    return replace(row, disk=disk, state=0)


def _sample(
    context: StudyContext, name: str, layouts: int, each: int, disk: DiskUsage | None = None
) -> StageRow:
    """A generator makes so many images of each of so many layouts."""
    model = context.generator(name)
    return StageRow({("sample", model): model.sampling(layouts, each)}, disk, model.sampling_memory)


def _synthesize(context: StudyContext, name: str) -> StageRow:
    params = context.params.sets[name]
    layouts, each = context.layouts(params), len(params.temperatures) * params.draws_per_layout
    disk = set_sizes(context.scenes.files, params, layouts, context.where)
    return _sample(context, params.generator, layouts, each, disk)


def _transfer(context: StudyContext, name: str) -> StageRow:
    params = context.params.transfers[name]
    there = context.count(params.layouts)
    count = min(params.limit or there, there)
    disk = disk_usage.image_set(context.scenes.files, count, count, context.where)
    # encoding an image costs about what another sample does
    return _sample(context, params.generator, count, 2, disk)


def _select(context: StudyContext, name: str) -> StageRow:
    params = context.params.selections[name]
    made = context.params.sets[params.set]
    images, layouts = context.images(made), context.layouts(made)
    degrees = len(made.temperatures) if params.temperature is None else 1
    most = layouts * degrees * min(made.rounds, params.likeliest or made.rounds)
    source = set_sizes(context.scenes.files, made, layouts, context.where)
    decisions = disk_usage.table_file(DECISION_COLUMNS, images, context.where)
    disk = kept_sizes(source, most, images) + decisions + context.one_file()
    row = _score_images(context, context.params.judges[params.judge], images, images)
    return replace(row, disk=disk)


def _score(context: StudyContext, name: str) -> StageRow:
    images = context.images(context.params.sets[name])
    return _score_images(context, context.params.judge, images, images)


def _score_references(context: StudyContext, _: str) -> StageRow:
    """Real, flat and wrong images."""
    images = 3 * context.count("val")
    return _score_images(context, context.params.judge, images, images)


def _score_arms(context: StudyContext, _: str) -> StageRow:
    section, held_out = context.params.retrain, context.count("val")
    runs = len(context.params.arms) * len(section.seeds)
    return _score_images(context, section.segmenter, runs * held_out, held_out)


def _leaks(context: StudyContext, _: str) -> StageRow:
    """Features of all images; that they are compared is not counted."""
    sets = [context.images(section) for section in context.params.sets.values()]
    moved = [section.limit or 0 for section in context.params.transfers.values()]
    images, features = len(context.scenes.listed) + sum(sets) + sum(moved), context.features
    memory = context.pixels(max(sets, default=0)) + features.cost.memory
    work: Work = {("features", features): images * features.cost.operations}
    return StageRow(work, context.one_file(), memory)


def _costs(context: StudyContext, _: str) -> StageRow:
    """A step of each generator and the images of a layout, for every arm."""
    work, memory = Counter[tuple[str, Network]](), 0
    for arm in context.params.arms.values():
        if arm.synthetic_source:
            params = context.set_of(arm.synthetic_source)
            model = context.generator(params.generator)
            each = len(params.temperatures) * params.draws_per_layout
            work["sample", model] += model.sampling(1, each)
            work["train", model] = model.step(0).operations + model.choosing
            memory = max(memory, model.memory)
    return StageRow(dict(work), context.one_file(), memory)


def _diversity(context: StudyContext, name: str) -> StageRow:
    """Images of a few layouts; that they are compared is not counted."""
    params = context.params.diversity
    assert params is not None
    there = _known(lambda: context.count("val")) or params.layouts
    layouts, times = min(params.layouts, there), len(params.temperatures)
    record = 3 * (20 * context.table.count + 40)
    disk = context.one_file(record * times * (layouts + 1))
    return _sample(context, name, times * layouts, params.samples, disk)


def _attributes(context: StudyContext, _: str) -> StageRow:
    """A reader of attributes, and images that it reads, each made by itself."""
    params = context.params.attributes
    if params is None:
        return StageRow({}, context.one_file(), 0)
    reader = context.reader(params)
    work: Work = {("train", reader): reader.steps}
    for name in params.generators:
        # all samples are made again after each change
        images, model = (
            params.layouts * params.samples * (params.changes + 2),
            context.generator(name),
        )
        work["sample", model] = model.sampling(images, 1)
    return StageRow(work, context.one_file(), reader.memory)


def _explore(context: StudyContext, name: str) -> StageRow:
    """Images of a few layouts: a path between two draws, the draws, and edits of one."""
    params = context.params.explore
    assert params is not None
    layouts = min(params.layouts, _known(lambda: context.count("val")) or params.layouts)
    gaussian = context.generator(name).network.latents == "gaussian"
    path = params.steps if gaussian else 0
    edits = 1 + (_SUGGESTED_EDITS if params.edits is None else len(params.edits))
    pictures = _known(lambda: picture_sizes(context.scenes.files, layouts, path, edits))
    disk = pictures and pictures + context.one_file()
    return _sample(context, name, layouts + edits, path or 2, disk)


def _report(context: StudyContext, _: str) -> StageRow:
    """As it is; before there is one, what `rows` knows of the scores that it copies."""
    disk = disk_usage.tree(context.project.reports)
    return StageRow(None, disk, cached=False, least=not disk.size)


_COSTS: dict[str, Callable[[StudyContext, str], StageRow]] = {
    "check": lambda context, _: StageRow({}, context.one_file(), 0),
    "prepare": _prepare,
    "train": _train,
    "predict": _predict,
    "judge": _judge,
    "judges": _judges,
    "synthesize": _synthesize,
    "transfer": _transfer,
    "choose": _choose,
    "select": _select,
    "score_references": _score_references,
    "score": _score,
    "score_arms": _score_arms,
    "leaks": _leaks,
    "costs": _costs,
    "diversity": _diversity,
    "attributes": _attributes,
    "explore": _explore,
    "retrain": _retrain,
    "report": _report,
}
"""By the names of `STAGES`."""
