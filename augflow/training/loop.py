"""The one loop: deterministic, resumable, logged."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from augflow.core import hardware, seeding, signals
from augflow.core.errors import ModelError, ParamsError
from augflow.core.signals import Stopped
from augflow.data.scenes import Scenes
from augflow.training.batches import Rows, prefetch
from augflow.training.learner import Learner, NotFiniteError
from augflow.training.memory import Budget
from augflow.training.params import TrainingParams
from augflow.training.resume import HistoryRow, ResumeState

log = logging.getLogger("augflow")

_FIRST_ROW_ONLY = ContextVar("first row only", default=False)
"""Set by `first_row` alone, for the `fit` somewhere inside of what it calls."""

Watch = Callable[[int], dict[str, float]]
"""Called after every step with the number of steps done; returns what it measured, if anything."""


class FirstRow(Exception):  # noqa: N818 (no error)
    """A training has come to the first row of its history, and no more of it was wanted."""

    def __init__(self, row: HistoryRow) -> None:
        """Holds the row."""
        super().__init__()
        self.row = row


def first_row(train: Callable[[], object]) -> HistoryRow | None:
    """The first row of the history of what `train` trains, which goes no further than that.

    Nothing is left of the training. It has the schedule of all of its steps, so the row is that of
    the whole. None where it has no step.
    """
    asked = _FIRST_ROW_ONLY.set(True)
    try:
        train()
    except FirstRow as reached:
        return reached.row
    finally:
        _FIRST_ROW_ONLY.reset(asked)
    return None


def fit(
    learner: Learner,
    scenes: Scenes,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    columns: Sequence[str],
    names: Sequence[str],
    run: Path | None = None,
    save_every: int = 100,
    log_every: int = 10,
    watch: Watch | None = None,
    budget: Budget | None = None,
    rows_of: Rows | None = None,
) -> list[HistoryRow]:
    """Trains for a number of steps, or goes on where a killed run stopped.

    A step's batch and noise are functions of (seed, step) alone, so a run that was killed and
    started again ends with the same weights. Asked to stop by a signal, it finishes the step and
    keeps the state before it does so. All of the learner's ranks call this alike; they begin with
    the first one's weights, and that one alone measures, shows and writes.

    Args:
        learner: what learns.
        scenes: the whole training set; what is not in memory is fetched a step ahead.
        steps: how many updates in all.
        batch_size: scenes per update.
        seed: of the order of scenes and of the noise.
        columns: the numbers of a row of the history, beside `step`.
        names: the scenes' names, for messages.
        run: folder of the resume state; it is held by this process alone. None keeps no state.
        save_every: steps between two saved states.
        log_every: steps between two rows of the history.
        watch: measures beside the loss; asked of the first rank alone.
        budget: the memory there is, for messages.
        rows_of: the scenes of a step; by default `batch_rows`.

    Returns:
        The history, one row every `log_every` steps and wherever `watch` measured.

    Raises:
        BusyError: another process trains in `run`.
        ParamsError: there are fewer rows in a batch than ranks.
        ModelError: the loss or a weight stopped being finite, with the layer and the scenes; there
            was not enough memory; or no state that was kept can be read.
        Stopped: a signal came, and all that was done is kept.
        FirstRow: at the first row, within `first_row`.
    """
    ranks, budget = learner.ranks, budget or Budget()
    if batch_size < ranks.count:
        raise ParamsError(
            f"training.batch_size is {batch_size}, but {ranks.count} processes train, of which "
            "each needs a row: take a larger batch, or fewer devices"
        )

    def evenly_drawn(step: int) -> list[int]:
        return batch_rows(seed, step, batch_size, len(scenes))

    rows_of = rows_of or evenly_drawn
    with (
        ranks.raise_together(),
        ResumeState(run, learner) as saved,
        prefetch(scenes, rows_of, steps, pinned=ranks.device.type == "cuda") as batch,
        _progress(steps, ranks.is_main and not _FIRST_ROW_ONLY.get()) as show,
        signals.defer_signal() as asked,
    ):
        history = saved.history
        show(saved.step, {})
        for step in range(saved.step, steps):
            with _explain_faults(learner, rows_of(step), step, names, saved, budget):
                numbers = learner.step(batch(step), seeding.generator(seed, "step", step), step)
            extra = _call_watch(watch, step + 1) if watch and ranks.is_main else {}
            if extra or (step + 1) % log_every == 0 or step + 1 == steps:
                row: HistoryRow = {"step": step + 1}
                row.update({name: {**numbers, **extra}.get(name) for name in columns})
                if _FIRST_ROW_ONLY.get():
                    raise FirstRow(row)
                history.append(row)
                show(step + 1, row)
            stop = max(ranks.all_gather(asked()))
            if stop or (step + 1) % save_every == 0 or step + 1 == steps:
                with _explain_faults(learner, rows_of(step), step, names, saved, budget):
                    saved.write(step + 1)
            if stop:
                kept = "what was done is kept" if run else "nothing is kept"
                raise Stopped(stop, f"stopped after step {step + 1} of {steps}, {kept}")
    return history


def batch_rows(seed: int, step: int, batch_size: int, count: int) -> list[int]:
    """The scenes of a step: consecutive places in an endless row of shuffled epochs."""
    rows: list[int] = []
    place = step * batch_size
    while len(rows) < batch_size:
        epoch, offset = divmod(place + len(rows), count)
        order = seeding.generator(seed, "epoch", epoch).permutation(count)
        rows += [int(row) for row in order[offset : offset + batch_size - len(rows)]]
    return rows


def init_rows(params: TrainingParams, count: int) -> list[int]:
    """The scenes of `count` that data-dependent initialisations look at."""
    return batch_rows(params.seed + 1, 0, min(params.init_scenes, count), count)


@contextmanager
def _explain_faults(
    learner: Learner,
    rows: list[int],
    step: int,
    names: Sequence[str],
    saved: ResumeState,
    budget: Budget,
) -> Iterator[None]:
    """Says of a step's fault with which scenes, or how many of them at once, and what to do."""
    try:
        yield
    except NotFiniteError as fault:
        good = f"the last good state, of step {saved.kept}, is in {saved.place}: "
        used = rows if fault.rows is None else fault.rows
        raise ModelError(
            f"{fault}; scenes {', '.join(names[row] for row in used)}; "
            f"{good if saved.kept else ''}lower the learning rate, set clip_norm or warmup_steps, "
            "or raise the floor of the coupling scale"
        ) from fault
    except (MemoryError, RuntimeError) as fault:
        if not hardware.out_of_memory(fault):
            raise
        parts = learner.ranks.parts(len(rows), learner.micro_batch)
        tried = max((len(part) for part in parts), default=1)
        raise ModelError(
            f"step {step}: out of memory with {tried} rows at once (batch_size {len(rows)}, "
            f"micro_batch {learner.micro_batch or 'null'}; {budget.sizes(tried)}): "
            f"{budget.advice(tried, learner.whole_batches())}"
        ) from fault


def _call_watch(watch: Watch, step: int) -> dict[str, float]:
    try:
        return watch(step)
    except (MemoryError, RuntimeError) as fault:
        if not hardware.out_of_memory(fault):
            raise
        raise ModelError(
            f"step {step}: out of memory while held-out scenes were looked at: set "
            "training.micro_batch to less, of which no more are looked at at once"
        ) from fault


@contextmanager
def _progress(steps: int, leads: bool) -> Iterator[Callable[[int, HistoryRow], None]]:
    """A bar on a terminal, plain log lines elsewhere; nothing from ranks that do not lead."""
    if not leads:
        yield lambda step, row: None
        return
    if not sys.stderr.isatty():
        yield lambda step, row: log.info("step %d/%d  %s", step, steps, _numbers(row))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    columns = (BarColumn(), MofNCompleteColumn(), Left(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=steps)
        yield lambda step, row: bar.update(task, completed=step, description=_numbers(row))


def _numbers(row: HistoryRow) -> str:
    return "  ".join(
        f"{name} {value:.4g}"
        for name, value in row.items()
        if name != "step" and isinstance(value, float | np.floating)
    )
