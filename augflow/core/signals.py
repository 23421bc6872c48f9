"""Being asked to stop: by a signal, or by the death of the process that started this one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import psutil

SIGNALS = (signal.SIGTERM, signal.SIGINT)

STARTER = "AUGFLOW_STARTER"
"""The environment's name for the process that has started a DVC, by its number."""

_SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh"}
_MAKES = {"make", "gmake"}
_PATIENCE = 1.0
"""Seconds between two looks at whether the process that started this one is there."""
_heard = threading.Event()
"""A signal has come: whoever ended the parent with it has asked this process too."""


class Stopped(KeyboardInterrupt):
    """A signal asks this process to end; what is half-written is cleared away on the way out.

    Attributes:
        exit_code: 128 and the signal's number, as shells have it.
    """

    def __init__(self, number: int, where: str = "stopped") -> None:
        """Takes the signal's number, and how far the work has come, for people to read."""
        super().__init__(f"{where}; start again to go on")
        self.number, self.exit_code = number, 128 + number


@contextmanager
def raise_on_signal() -> Iterator[None]:
    """SIGTERM and SIGINT raise `Stopped` while this lasts; the main thread alone hears them."""

    def stop(number: int, frame: FrameType | None) -> None:
        _heard.set()
        raise Stopped(number)

    _heard.clear()
    with _handle_signals(stop):
        yield


@contextmanager
def defer_signal() -> Iterator[Callable[[], int]]:
    """The first signal is only kept while this lasts, so that a step can be finished.

    Yields:
        what tells the signal's number, 0 if none has come.

    Raises:
        Stopped: a second signal has come, or this ends with a first that nobody has heeded.
    """
    kept = 0

    def keep(number: int, frame: FrameType | None) -> None:
        nonlocal kept
        _heard.set()
        if kept:
            raise Stopped(number)
        kept = number

    with _handle_signals(keep):
        yield lambda: kept
    if kept:
        raise Stopped(kept)


@contextmanager
def exit_with_parent() -> Iterator[None]:
    """What DVC or make runs is asked to stop when that is gone, however it went.

    So is a stage whose DVC lives when the process of `STARTER` is gone. A process that they have
    started outlives them otherwise, and would write beside its successor.
    """
    starters = _starters()
    if not starters:
        yield
        return
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_PATIENCE):
            if not all(map(_lives, starters)):
                if not _heard.is_set():  # a second one would end the step that is being finished
                    os.kill(os.getpid(), signal.SIGTERM)
                return

    watcher = threading.Thread(target=watch, name="augflow-parent", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


@contextmanager
def _handle_signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hears signals in the main thread alone
        return
    # a shell has what it runs in the background ignore SIGINT; None is a handler not of Python
    heard = [n for n in SIGNALS if signal.getsignal(n) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _starters() -> list[psutil.Process | None]:
    """The DVC or make that started this process, and for a stage of DVC that of `STARTER`.

    Shells between them are left out. None stands for a process that is gone already.
    """
    try:
        above = psutil.Process().parents()
        found = [one for one in above if one.name() not in _SHELLS and one.pid > 1][:1]
        if "DVC_STAGE" not in os.environ:
            return [one for one in found if one.name() in _MAKES]
    except psutil.Error:
        return []
    if (number := os.environ.get(STARTER)) is None:
        return [*found]
    return [*found, next((one for one in above if str(one.pid) == number), None)]


def _lives(process: psutil.Process | None) -> bool:
    """Whether it runs: a number that another process has by now, or nobody waits for, does not."""
    try:
        if process is None:
            return False
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
