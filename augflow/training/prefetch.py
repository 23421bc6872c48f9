"""The scenes of a step, fetched while the step before it is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from augflow.data.scenes import Scene, Scenes

Rows = Callable[[int], list[int]]
"""The scenes of a step, by its number."""

Fetch = Callable[[int], Scene]
"""Gives the scenes of a step; raises whatever getting them did."""


@contextmanager
def prefetch(scenes: Scenes, rows: Rows, steps: int, *, pinned: bool) -> Iterator[Fetch]:
    """Lends what gives the scenes of each of `steps` steps, in their order.

    A thread of its own gets those of the next step meanwhile, and has ended when this does. Scenes
    that are in memory already have nothing to wait for, and are taken as they are.

    Args:
        scenes: where scenes come from.
        rows: which of them a step takes.
        steps: the number of steps; none is fetched beyond it.
        pinned: whether they are put where a GPU can read them by itself.
    """

    def fetch(step: int) -> Scene:
        found = scenes[rows(step)]
        return found.pin_memory() if pinned else found

    if isinstance(scenes, Scene):
        yield fetch
        return
    with ThreadPoolExecutor(1, thread_name_prefix="augflow-scenes") as thread:
        coming: dict[int, Future[Scene]] = {}

        def wait_for(step: int) -> Scene:
            found = coming.pop(step, None) or thread.submit(fetch, step)
            scene = found.result()
            if step + 1 < steps:
                coming[step + 1] = thread.submit(fetch, step + 1)
            return scene

        yield wait_for
