"""The resume state of a training: weights, moments and history in one file, and one before it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from augflow.core import io
from augflow.core.distributed import write_note
from augflow.core.errors import ModelError
from augflow.training.learner import Learner, NotFiniteError

log = logging.getLogger("augflow")

HistoryRow = dict[str, float | int | None]
"""A row of the history."""

STATES = ("next.safetensors", "state.safetensors", "previous.safetensors")
"""A state that is about to be the newest, the newest, and the one before it."""


class ResumeState:
    """What a training goes on from while it lasts; a folder is held by one process alone.

    The first rank holds and reads it, and the others get it from there.

    Attributes:
        step: how many steps were done when the run was taken up.
        kept: how many of them the newest state on disk has, 0 if there is none.
        place: the folder, None if nothing is kept.
    """

    def __init__(self, folder: Path | None, learner: Learner) -> None:
        """Keeps the state of a learner in a folder, or nowhere."""
        self.learner, self.ranks = learner, learner.ranks
        self.place, self.folder = folder, folder if self.ranks.is_main else None
        self.step = self.kept = 0
        self.history: list[HistoryRow] = []

    def __enter__(self) -> ResumeState:
        """Takes up what is kept.

        Raises:
            BusyError: another process trains in the folder.
            ModelError: there are states, and none is whole or of this learner.
        """
        with ExitStack() as stack:
            if self.folder is not None:
                stack.enter_context(io.exclusive_lock(self.folder))
                self._take_up(self.folder)
                write_note(self.folder, self.learner.state().values(), self.ranks.count)
            if self.ranks.count > 1:
                self.step, self.history = self.ranks.all_gather((self.step, self.history))[0]
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
        """Goes on from the newest state that is whole, if there is any."""
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


def _read(path: Path) -> tuple[dict[str, Tensor], int, list[HistoryRow]]:
    """The tensors of a state, how many steps were done, and the history of them."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise _DamagedError("no file")
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
