"""What each stage of the pipeline takes, one function a stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core import distributed, seeding
from augflow.core.hardware import free_memory
from augflow.data import visualize
from augflow.data.params import StreetsParams
from augflow.data.synthetic.selected import DECISION_COLUMNS as DECISION_COLUMNS
from augflow.estimate.study_context import StudyContext
from augflow.segmentation.params import SegmenterParams
from augflow.stages.choose import choice_sizes
from augflow.stages.explore import picture_sizes
from augflow.stages.prepare import painted_sizes
from augflow.stages.runner import STAGES
from augflow.stages.select import kept_sizes
from augflow.stages.synthesize import set_sizes
from augflow.stages.train import CURVE_SCENES, SAMPLE_TEMPERATURES, SAMPLED_LAYOUTS
from augflow.study import disk_usage
from augflow.study.disk_usage import Amount
from augflow.training.batches import EVAL_BATCH

Work = dict[str, int] | None
"""Operations by kind of work, as all kinds are not equally fast; None if they are not known."""

_SUGGESTED_EDITS = 3
"""So many edits are suggested at most where a section lists none."""


@dataclass(frozen=True)
class StageRow:
    """A stage of the pipeline; None stands for what is not known.

    Attributes:
        work: what is computed.
        disk: its outputs.
        memory: bytes of the processor's memory, or of the GPU's, at the peak.
        state: bytes that it writes to go on after it was stopped, gone when it is done.
        cached: whether DVC keeps its outputs in its cache.
        least: whether the disk is what is known to come, and there will be more.
        stage: its name, as DVC has it.
        made: whether its outputs are there already.
        seconds: how long it takes on this machine.
    """

    work: Work = None
    disk: Amount | None = None
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
    scores = Amount()
    for name, stage in STAGES.items():
        for key in stage.keys(context.params):
            row = _COSTS[name](context, key)
            if name.startswith("score"):
                scores += row.disk or Amount()
            if row.least:
                row = replace(row, disk=scores)
            made = all(path.exists() for path in stage.outputs(context.project, key))
            memory = None if row.memory is None else context.base + row.memory
            label = f"{name}@{key}" if key else name
            yield replace(row, stage=label, made=made, memory=memory)


def _prepare(context: StudyContext, _: str) -> StageRow:
    scenes, data = context.scenes, context.params.data
    if scenes is None:
        return StageRow({})
    each = scenes.files.scene
    if data.reader == "streets":
        each += painted_sizes(data.streets or StreetsParams(), Path(data.root))
    facts = disk_usage.table_size(context.table)
    listed = scenes.count * 4 * len(scenes.files.name)
    disk = each.times(scenes.count) + context.one_file(listed) + context.one_file(facts)
    return StageRow({}, disk, scenes.memory)


def _train(context: StudyContext, name: str) -> StageRow:
    return _training(context, f"generators.{name}")


def _predict(context: StudyContext, name: str) -> StageRow:
    row, held_out = _training(context, f"predictors.{name}"), context.count("val")
    if context.scenes is None or held_out is None or row.disk is None:
        return row
    scored = disk_usage.score_file(context.scenes.files, 2 * held_out, context.where)
    return replace(row, disk=row.disk + scored)


def _training(context: StudyContext, section: str) -> StageRow:
    """What a training leaves, and what it needs to go on; pages of samples are not computed."""
    model, where, held_out = context.training(section), context.where, context.count("val")
    params, held_out = model.params, CURVE_SCENES if held_out is None else held_out
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
    return StageRow({f"train {section}": model.steps + measured}, disk, memory, resume.size)


def _page(context: StudyContext) -> Amount:
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
    predicted: int | None = 0,
) -> StageRow:
    """Networks learn from so many images, which are joined from parts; some of them are kept."""
    segmenter, where = context.segmenter(params.config), context.where
    if segmenter is None:
        return StageRow()
    rows = max(params.batch_size, 2)
    step = segmenter.step(rows).operations if params.steps else 0
    learning = {f"segment {params.config}": runs * params.steps * step}
    work = None if predicted is None else learning | _predict_costs(context, params, predicted)
    states = segmenter.network.state_dict()
    state = disk_usage.state_file(states, segmenter.network.parameters(), where)
    log = context.one_file(3 * params.steps)
    disk = (disk_usage.weights_file(states, where) + log + context.one_file()).times(kept)
    memory = None if images is None else segmenter.memory(rows) + 2 * context.pixels(images)
    return StageRow(work, disk, memory, disk_usage.resume_states(state, *[where] * runs).size)


def _predict_costs(context: StudyContext, params: SegmenterParams, images: int) -> dict[str, int]:
    segmenter = context.segmenter(params.config)
    assert segmenter is not None
    return {f"predict {params.config}": images * segmenter.prediction.operations}


def _score_images(
    context: StudyContext, params: SegmenterParams, images: int | None, held: int | None
) -> StageRow:
    """A network predicts so many images, of which so many are in memory at once."""
    segmenter, disk, work = context.segmenter(params.config), None, None
    if images is not None and context.scenes is not None:
        disk = disk_usage.score_file(context.scenes.files, images, context.where)
    if segmenter is None:
        return StageRow(disk=disk)
    if images is not None:
        work = _predict_costs(context, params, images)
    memory = segmenter.weights + segmenter.prediction.memory + context.pixels(held)
    return StageRow(work, disk, memory)


def _judge(context: StudyContext, _: str) -> StageRow:
    return _segment(context, context.params.judge, context.count("train"))


def _judges(context: StudyContext, name: str) -> StageRow:
    params = context.params.judges[name]
    images = context.count("train", params.one_in)
    folds = context.folds(params.folds, params.one_in) if params.folds > 1 else 0
    row = _segment(context, params, images, runs=1 + folds, predicted=images)
    return replace(row, disk=row.disk and row.disk + context.one_file())


def _retrain(context: StudyContext, name: str) -> StageRow:
    arm, section = context.params.arms[name], context.params.retrain
    real = context.count("train", arm.one_in) if "real" in arm.train_on else 0
    made = context.images(context.set_of(arm.synthetic_source)) if arm.synthetic_source else 0
    images = None if real is None or made is None else real + made
    seeds = len(section.seeds)
    return _segment(context, section.segmenter, images, runs=seeds, kept=seeds)


def _choose(context: StudyContext, name: str) -> StageRow:
    params = context.params.choices[name]
    made, own = context.params.sets[params.set], params.segmenter
    images, real = context.images(made), context.count("train", made.one_in)
    if context.scenes is None or images is None or real is None:
        return StageRow()
    times = len(made.temperatures) * len(params.seeds)
    runs = times * context.folds(params.folds, made.one_in)
    row = _segment(context, own, real + images, runs=runs, predicted=times * real)
    disk = choice_sizes(context.scenes.names["train"][:: made.one_in], context.where)
    return replace(row, disk=disk, state=0)


def _synthesize(context: StudyContext, name: str) -> StageRow:
    params = context.params.sets[name]
    layouts, row = context.layouts(params), _sample(context, params.generator, None, 0)
    if layouts is None or context.scenes is None:
        return row
    disk = set_sizes(context.scenes.files, params, layouts, context.where)
    each = len(params.temperatures) * params.draws_per_layout
    return _sample(context, params.generator, layouts, each, disk)


def _sample(
    context: StudyContext, name: str, layouts: int | None, each: int, disk: Amount | None = None
) -> StageRow:
    """A generator makes so many images of each of so many layouts."""
    model = context.training(f"generators.{name}")
    work = {f"sample generators.{name}": model.sampling(layouts, each)} if layouts else None
    return StageRow(work, disk, model.sampling_memory)


def _transfer(context: StudyContext, name: str) -> StageRow:
    params = context.params.transfers[name]
    there = context.count(params.layouts)
    if there is None or context.scenes is None:
        return _sample(context, params.generator, None, 0)
    count = min(params.limit or there, there)
    disk = disk_usage.image_set(context.scenes.files, count, count, context.where)
    # encoding an image costs about what another sample does
    return _sample(context, params.generator, count, 2, disk)


def _select(context: StudyContext, name: str) -> StageRow:
    params = context.params.selections[name]
    made = context.params.sets[params.set]
    images, layouts = context.images(made), context.layouts(made)
    row = replace(
        _score_images(context, context.params.judges[params.judge], images, images), disk=None
    )
    if images is None or layouts is None or context.scenes is None:
        return row
    degrees = len(made.temperatures) if params.temperature is None else 1
    most = layouts * degrees * min(made.rounds, params.likeliest or made.rounds)
    source = set_sizes(context.scenes.files, made, layouts, context.where)
    decisions = disk_usage.table_file(DECISION_COLUMNS, images, context.where)
    disk = kept_sizes(source, most, images) + decisions + context.one_file()
    return replace(row, disk=disk)


def _score(context: StudyContext, name: str) -> StageRow:
    images = context.images(context.params.sets[name])
    return _score_images(context, context.params.judge, images, images)


def _score_references(context: StudyContext, _: str) -> StageRow:
    """Real, flat and wrong images."""
    held_out = context.count("val")
    images = None if held_out is None else 3 * held_out
    return _score_images(context, context.params.judge, images, images)


def _score_arms(context: StudyContext, _: str) -> StageRow:
    section, held_out = context.params.retrain, context.count("val")
    runs = len(context.params.arms) * len(section.seeds)
    images = None if held_out is None else runs * held_out
    return _score_images(context, section.segmenter, images, held_out)


def _leaks(context: StudyContext, _: str) -> StageRow:
    """Features of all images; that they are compared is not counted."""
    sets = [context.images(section) or 0 for section in context.params.sets.values()]
    moved = [section.limit or 0 for section in context.params.transfers.values()]
    work = None
    if context.scenes is not None:
        images = context.scenes.count + sum(sets) + sum(moved)
        work = {"features": images * context.features().operations}
    memory = context.pixels(max(sets, default=0)) + context.features().memory
    return StageRow(work, context.one_file(), memory)


def _costs(context: StudyContext, _: str) -> StageRow:
    """A step of each generator and the images of a layout, for every arm."""
    work, memory = Counter[str](), 0
    for name in [
        arm.synthetic_source for arm in context.params.arms.values() if arm.synthetic_source
    ]:
        params = context.set_of(name)
        section = f"generators.{params.generator}"
        model = context.training(section)
        work[f"sample {section}"] += model.sampling(
            1, len(params.temperatures) * params.draws_per_layout
        )
        work[f"train {section}"] = model.step(0).operations + model.choosing
        memory = max(memory, model.memory)
    return StageRow(dict(work), context.one_file(), memory)


def _diversity(context: StudyContext, name: str) -> StageRow:
    """Images of a few layouts; that they are compared is not counted."""
    params = context.params.diversity
    assert params is not None
    layouts, times = context.of_held_out(params.layouts), len(params.temperatures)
    record = 3 * (20 * context.table.count + 40)
    disk = context.one_file(record * times * (layouts + 1))
    return _sample(context, name, times * layouts, params.samples, disk)


def _attributes(context: StudyContext, _: str) -> StageRow:
    """A reader of attributes, and images that it reads, each made by itself."""
    params = context.params.attributes
    if params is None:
        return StageRow({}, context.one_file(), 0)
    reader = context.training("attributes")
    work = {"train attributes": reader.steps}
    for name in params.generators:
        # all samples are made again after each change
        images = params.layouts * params.samples * (params.changes + 2)
        section = f"generators.{name}"
        work[f"sample {section}"] = context.training(section).sampling(images, 1)
    return StageRow(work, context.one_file(), reader.memory)


def _explore(context: StudyContext, name: str) -> StageRow:
    """Images of a few layouts: a path between two draws, the draws, and edits of one."""
    params = context.params.explore
    assert params is not None
    layouts = context.of_held_out(params.layouts)
    gaussian = context.training(f"generators.{name}").network.latents == "gaussian"
    path = params.steps if gaussian else 0
    edits = 1 + (_SUGGESTED_EDITS if params.edits is None else len(params.edits))
    disk = None
    if context.scenes is not None:
        disk = picture_sizes(context.scenes.files, layouts, path, edits) + context.one_file()
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
