"""Batches before they are learned from: fetched ahead, coins, draws, and pieces of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from augflow.core import seeding
from augflow.core.distributed import MicroBatch
from augflow.data.scenes import Layout, Scene, Scenes

T = TypeVar("T")

EVAL_BATCH = 16
"""How many held-out scenes are looked at at once."""

Rows = Callable[[int], list[int]]
"""The scenes of a step, by its number."""

Fetch = Callable[[int], Scene]
"""Gives the scenes of a step; raises whatever getting them did."""


@contextmanager
def prefetch(scenes: Scenes, rows: Rows, steps: int, *, pinned: bool) -> Iterator[Fetch]:
    """Lends what gives the scenes of each of `steps` steps, in their order.

    A thread of its own gets those of the next step meanwhile, and has ended when this does. Scenes
    that are in memory already have nothing to wait for, and are taken as they are.

    None beyond `steps` is fetched; `pinned` ones are put where a GPU can read them by itself.
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


def random_flip(scene: Scene, rng: np.random.Generator) -> Scene:
    """Each scene mirrored left to right, or not, by a coin of its own."""
    coins = torch.from_numpy(rng.random(len(scene)) < 0.5).to(scene.image.device)
    image = torch.where(coins[:, None, None, None], scene.image.flip(-1), scene.image)
    classes = torch.where(coins[:, None, None], scene.layout.classes.flip(-1), scene.layout.classes)
    edges = torch.where(coins[:, None, None], scene.layout.boundary.flip(-1), scene.layout.boundary)
    return Scene(image, Layout(classes, edges))


def uniform(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """Uniform draws in [0, 1), float32."""
    return torch.from_numpy(rng.random(shape, dtype=np.float32))


def normal(shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """Standard normal draws, float32."""
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def photo_noise(start: int, count: int) -> seeding.Noise:
    """The noise with which held-out scenes are looked at: a stream per place in their order."""
    return seeding.Noise([seeding.derive(0, "held out", start + n) for n in range(count)])


def iter_batches(scene: Scene, batch: int, device: torch.device) -> Iterator[tuple[int, Scene]]:
    """Scenes on a device, so many at once, each with the place of its first one."""
    for start in range(0, len(scene), batch):
        yield start, scene[start : start + batch].to(device)


def cache_single(
    make: Callable[[MicroBatch], T], parts: Sequence[MicroBatch]
) -> Callable[[MicroBatch], T]:
    """`make`, which of a single part is asked only once.

    Two networks that learn in turn look at the same photographs. If there are several parts, those
    of each are made again for the second network: to keep them, graphs and all, would take the
    memory that parts are to save.
    """
    return cache(make) if len(parts) == 1 else make
