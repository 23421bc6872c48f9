"""The one loop: deterministic, resumable, logged."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from augflow.core import hardware, io, seeding, signals
from augflow.core.devices import note
from augflow.core.errors import ModelError, ParamsError
from augflow.core.signals import Stopped
from augflow.data.scenes import Scenes
from augflow.training.learner import Learner, NotFiniteError
from augflow.training.memory import Budget
from augflow.training.prefetch import Rows, ahead

log = logging.getLogger("augflow")

Watch = Callable[[int], dict[str, float]]
"""Called after every step with the number of steps done; returns what it measured, if anything."""

Row = dict[str, float | int | None]


def fit(
    learner: Learner, scenes: Scenes, *, steps: int, batch_size: int, seed: int,
    columns: Sequence[str], names: Sequence[str], run: Path | None = None,
    save_every: int = 100, log_every: int = 10, watch: Watch | None = None,
    budget: Budget | None = None, rows_of: Rows | None = None,
) -> list[Row]:  # fmt: skip
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
        ranks.together(),
        _Run(run, learner) as saved,
        ahead(scenes, rows_of, steps, pinned=ranks.device.type == "cuda") as batch,
        _progress(steps, ranks.leads) as show,
        signals.deferred() as asked,
    ):
        history = saved.history
        show(saved.step, {})
        for step in range(saved.step, steps):
            with _explained(learner, rows_of(step), step, names, saved, budget):
                numbers = learner.step(batch(step), seeding.generator(seed, "step", step), step)
            extra = _watched(watch, step + 1) if watch and ranks.leads else {}
            if extra or (step + 1) % log_every == 0 or step + 1 == steps:
                row: Row = {"step": step + 1}
                row.update({name: {**numbers, **extra}.get(name) for name in columns})
                history.append(row)
                show(step + 1, row)
            stop = max(ranks.gathered(asked()))
            if stop or (step + 1) % save_every == 0 or step + 1 == steps:
                with _explained(learner, rows_of(step), step, names, saved, budget):
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


@contextmanager
def _explained(
    learner: Learner, rows: list[int], step: int, names: Sequence[str], saved: _Run,
    budget: Budget,
) -> Iterator[None]:  # fmt: skip
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


def _watched(watch: Watch, step: int) -> dict[str, float]:
    try:
        return watch(step)
    except (MemoryError, RuntimeError) as fault:
        if not hardware.out_of_memory(fault):
            raise
        raise ModelError(
            f"step {step}: out of memory while held-out scenes were looked at: set "
            "training.micro_batch to less, of which no more are looked at at once"
        ) from fault


STATES = ("next.safetensors", "state.safetensors", "previous.safetensors")
"""A state that is about to be the newest, the newest, and the one before it."""


class _Run:
    """The resume state of a training: weights, moments and history in one file, and one before it.

    The first rank holds and reads it, and the others get it from there.

    Attributes:
        step: how many steps were done when the run was taken up.
        kept: how many of them the newest state on disk has, 0 if there is none.
        place: the folder, None if nothing is kept.
    """

    def __init__(self, folder: Path | None, learner: Learner) -> None:
        self.learner, self.ranks = learner, learner.ranks
        self.place, self.folder = folder, folder if self.ranks.leads else None
        self.step = self.kept = 0
        self.history: list[Row] = []

    def __enter__(self) -> _Run:
        with ExitStack() as stack:
            if self.folder is not None:
                stack.enter_context(io.held(self.folder))
                self._take_up(self.folder)
                note(self.folder, self.learner.state().values(), self.ranks.count)
            if self.ranks.count > 1:
                self.step, self.history = self.ranks.gathered((self.step, self.history))[0]
                self.kept = self.step
                self.learner.restore(self.ranks.of_leader(self.learner.state()))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *fault: object) -> None:
        self._stack.close()

    def write(self, step: int) -> None:
        """Keeps the state after `step` steps, and the one that was kept before it.

        Raises:
            NotFiniteError: it is not worth keeping; nothing is written.
        """
        if self.folder is None:
            return
        from safetensors.torch import save

        tensors = {name: t.detach().contiguous() for name, t in self.learner.state().items()}
        lost = [name for name, t in tensors.items() if not t.isfinite().all()]
        if lost:
            raise NotFiniteError(
                f"step {step - 1}: {lost[0]} and {len(lost) - 1} more tensors of the state are "
                "not finite after it"
            )
        record = {"step": str(step), "history": json.dumps(self.history)}
        record["checksum"] = _checksum(tensors, record)
        places = [self.folder / name for name in STATES]
        io.atomic_write(places[0], save(tensors, metadata=record))
        io.rotate(*places)
        self.kept = step

    def _take_up(self, folder: Path) -> None:
        """Goes on from the newest state that is whole, if there is any.

        Raises:
            ModelError: there are states, and none is whole or of this learner.
        """
        damaged = []
        for path in (folder / name for name in STATES if (folder / name).exists()):
            try:
                tensors, step, history = _read(path)
            except _DamagedError as fault:
                damaged.append(f"{path}: damaged state ({fault})")
                continue
            try:
                self.learner.restore(tensors)
            except (KeyError, ValueError, RuntimeError, ModelError) as fault:
                reason = " ".join(f"{type(fault).__name__}: {fault}".split())[:200]
                raise ModelError(
                    f"{path}: state of another network ({reason}); delete it to start over"
                ) from fault
            self.step, self.kept, self.history = step, step, history
            for text in damaged:
                log.warning("%s; the one before it is taken", text)
            log.info("going on at step %d", self.step)
            return
        if damaged:
            them = "it" if len(damaged) == 1 else "them"
            raise ModelError(f"{'; '.join(damaged)}; delete {them} to start over")


class _DamagedError(Exception):
    """A state that cannot be gone on from."""


def _read(path: Path) -> tuple[dict[str, Tensor], int, list[Row]]:
    """The tensors of a state, how many steps were done, and the history of them."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as stored:
            record = dict(stored.metadata() or {})
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
    except PermissionError:
        raise  # nothing is known of what is in it
    except (SafetensorError, OSError, ValueError, KeyError) as fault:
        reason = " ".join(str(fault).split())[:200]
        raise _DamagedError(f"not a whole safetensors file: {reason}") from fault
    if record.pop("checksum", None) != _checksum(tensors, record):
        raise _DamagedError("its checksum is another")
    try:
        return tensors, int(record["step"]), json.loads(record["history"])
    except (KeyError, ValueError) as fault:
        raise _DamagedError("its record is none of a training") from fault


def _checksum(tensors: Mapping[str, Tensor], record: Mapping[str, str]) -> str:
    """One digest of all that a state holds."""
    whole = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()


Show = Callable[[int, Row], None]


@contextmanager
def _progress(steps: int, leads: bool) -> Iterator[Show]:
    """A bar on a terminal, plain log lines elsewhere; nothing from ranks that do not lead."""
    if not leads:
        yield lambda step, row: None
        return
    if not sys.stderr.isatty():
        yield lambda step, row: log.info("%s", _line(step, steps, row))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    columns = (BarColumn(), MofNCompleteColumn(), Left(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=steps)
        yield lambda step, row: bar.update(task, completed=step, description=_line(step, 0, row))


def _line(step: int, steps: int, row: Row) -> str:
    numbers = [
        f"{name} {value:.4g}"
        for name, value in row.items()
        if name != "step" and isinstance(value, float | np.floating)
    ]
    head = f"step {step}/{steps}" if steps else ""
    return "  ".join([head, *numbers]).strip()
