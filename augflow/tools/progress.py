"""How far a piece of work has come: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

log = logging.getLogger("augflow")

T = TypeVar("T")

_QUIET = 10.0
"""Seconds from one line to the next, where there is no terminal."""


def show_progress(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The items, of which there are so many; what they are is said beside their number, on stderr.

    Where there is no terminal, work that is soon done is silent.
    """
    return _bar(items, total, what) if sys.stderr.isatty() else _lines(items, total, what)


def _bar(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(what), Left(), TextColumn("left"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        for item in items:
            yield item
            bar.advance(task)


def _lines(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    start = said = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said > _QUIET and number < total:
            said = now
            left = (now - start) / number * (total - number)
            log.info("%d of %d %s, about %.0f s left", number, total, what, left)
