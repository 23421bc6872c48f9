"""The least that the work can take: its multiplications at the machine's matrix-product rate."""

from __future__ import annotations

import statistics
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contenders import Task, Work, pair
from benchmarks.plain import PlainFullGlow


def matrix_rate(threads: int, side: int = 1536, rounds: int = 7) -> float:
    """Floating-point operations per second in float32 matrix products, the median of some turns."""
    torch.set_num_threads(threads)
    a, b = torch.rand(side, side), torch.rand(side, side)
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        torch.mm(a, b)
        taken.append(time.perf_counter() - begun)
    return 2 * side**3 / statistics.median(taken[1:])


def operations(work: Work) -> dict[Task, int]:
    """Floating-point operations of the paper's model per photograph, counted in the plain one.

    A training step is three forward passes: values, then gradients by inputs and by weights. A
    further photograph is the target's pass alone.
    """
    with torch.device("meta"):
        model = PlainFullGlow(work.size, work.steps, work.width, work.condition_width)
    for tower in (model.left_glow, model.right_glow):
        for name, buffer in tower.named_buffers():
            if name.endswith("initialized"):
                owner = tower.get_submodule(name.rpartition(".")[0])
                owner.initialized = torch.ones_like(buffer, device="cpu")
    colours, image = (part.to("meta") for part in pair(work.size, 0))
    with torch.no_grad():
        with FlopCounterMode(display=False) as source:
            _, _, traces = model.left_glow(colours)
        with FlopCounterMode(display=False) as target:
            model.right_glow(image, traces)
    first, second = source.get_total_flops(), target.get_total_flops()
    return {"train": 3 * (first + second), "first": first + second, "more": second}
