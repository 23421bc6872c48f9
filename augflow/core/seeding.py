"""Everything random is a function of a seed and a name, never of order, batch or worker."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: str | int) -> int:
    """A seed in [0, 2**63) that belongs to `seed` and the chain of `names` alone."""
    escaped = (str(name).replace("%", "%25").replace("/", "%2F") for name in names)
    text = "/".join([str(seed), *escaped])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A counter-based generator (Philox), equal on every platform for equal seed and names."""
    return np.random.Generator(np.random.Philox(key=derive(seed, *names)))


class Noise:
    """One generator per image, so that an image never depends on the batch it is drawn in.

    Every call of `normal` goes on in each image's own stream: row n of the k-th call is a function
    of (`seeds[n]`, k, shape) alone.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        """Opens a stream per entry of `seeds`."""
        self.seeds = tuple(seeds)
        self._streams = [np.random.Generator(np.random.Philox(key=seed)) for seed in seeds]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.seeds)

    def normal(self, *shape: int) -> np.ndarray:
        """Standard normal draws, (N, *shape) float32."""
        return np.stack([s.standard_normal(shape, dtype=np.float32) for s in self._streams])

    def uniform(self, *shape: int) -> np.ndarray:
        """Uniform draws in [0, 1), (N, *shape) float32."""
        return np.stack([s.random(shape, dtype=np.float32) for s in self._streams])


def deterministic(seed: int, threads: int | None = None) -> None:
    """Seeds the global generators and asks torch for deterministic kernels, exact ones on GPUs.

    Only libraries that insist on global generators (mmseg, albumentations) ever read them. Weights
    differ between numbers of intra-op `threads`, so runs that must be bit-equal fix it.
    """
    import random

    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms imports the compiler
    torch.backends.cudnn.benchmark = False
    exact()
    if threads is not None:
        torch.set_num_threads(threads)


def exact() -> None:
    """Has GPUs compute alike in every run, and float32 as float32.

    Flows are inverted with what they were run forward with, and networks are scored where they were
    not trained: the 10 bits of TensorFloat-32, torch's own choice for convolutions, would show.
    """
    import os

    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """A generator of torch, by itself, for a seed and names."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *names))


@contextmanager
def torch_seeded(seed: int) -> Iterator[None]:
    """Layers made inside draw their weights from `seed`; the generator outside is untouched."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
