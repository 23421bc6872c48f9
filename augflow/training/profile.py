"""What a generator is made of and what a step of its training costs, worked out without memory.

Networks and one training step run on torch's meta device: shapes and operations are those of a real
step, numbers there are none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, get_args

import torch
from torch import Tensor

from augflow import generators
from augflow.core.config import Memory as Mode
from augflow.core.errors import ParamsError, suggest
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.flows.density import dequantize
from augflow.generators.base import Generator
from augflow.generators.likelihood import LikelihoodGenerator
from augflow.generators.presets import make_config
from augflow.training.memory import Budget
from augflow.training.meta_modes import META, PeakBytes

MOST_ROWS = 4096
"""No more rows at once are looked for."""

# where parameters of a name live; the first prefix that fits counts
_PARTS = {
    "source.": "source flow",
    "source_params.": "source flow",
    "target.priors.": "priors",
    "target.levels.": "target coupling networks",
    "target_params.": "target actnorm and 1x1",
    "conditioners.*.actnorm.": "conditioners of actnorm",
    "conditioners.*.conv.": "conditioners of 1x1",
    "conditioners.*.coupling.": "conditioners of couplings",
    "unet.down": "U-Net, down",
    "unet.up": "U-Net, up",
}


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak of a training step in float32, gradients of rows before it in place.

    `activations` is the most that all other tensors hold at once: what the forward pass keeps for
    the backward pass, and what either makes on its way.
    """

    weights: int
    gradients: int
    moments: int
    activations: int

    @property
    def total(self) -> int:
        """All of it; buffers of single kernels come on top."""
        return self.weights + self.gradients + self.moments + self.activations


@dataclass(frozen=True)
class Description:
    """A generator in numbers.

    `parts` are parameters by what they belong to; `latents` the channels, height and width of each
    level's latents; `flops` the floating-point operations of a training step on `batch` rows
    (products and sums of convolutions and matrix products, forward and backward), `flops_forward`
    those of its forward pass. `mode` is what the step holds for its backward pass.
    """

    system: str
    preset: str
    size: tuple[int, int]
    classes: str
    parameters: int
    parts: dict[str, int]
    latents: tuple[tuple[int, ...], ...]
    flops: int
    flops_forward: int
    batch: int
    mode: Mode
    memory: Memory

    def facts(self) -> dict[str, Any]:
        """The description as plain JSON; `memory` is the sum of its parts."""
        content = asdict(self)
        mode, parts = content.pop("mode"), content["memory"]
        total = self.memory.total
        return {**content, "memory": total, "memory_parts": parts, "memory_mode": mode}


def describe(
    system: str,
    preset: str,
    table: ClassTable,
    size: tuple[int, int] | None = None,
    batch: int = 1,
    mode: Mode = "store",
) -> Description:
    """Describes a system under a preset.

    `size` is the preset's by default; `mode` is what the step of `batch` rows holds for its
    backward pass.

    Raises:
        ParamsError: an unknown name, a size that the generator cannot have, or a mode that is not
            one of its `modes`.
    """
    return describe_generator(on_meta(system, preset, table, size), system, preset, batch, mode)


def describe_generator(
    generator: Generator, system: str, preset: str, batch: int, mode: Mode
) -> Description:
    """The same of a generator that `on_meta` has made.

    Raises:
        ParamsError: a mode that is not one of its `modes`.
    """
    flops, flops_forward, memory = _costs(generator, batch, mode)
    return Description(
        system=system,
        preset=preset,
        size=generator.size,
        classes=generator.table.name,
        parameters=sum(p.numel() for p in generator.parameters()),
        parts=parameters_by_part(generator),
        latents=generator.latent_shapes(),
        flops=flops,
        flops_forward=flops_forward,
        batch=batch,
        mode=mode,
        memory=memory,
    )


def modes(generator: Generator) -> tuple[Mode, ...]:
    """What `training.memory` may be for a generator."""
    return get_args(Mode) if isinstance(generator, LikelihoodGenerator) else ("store",)


def step_memory(generator: Generator, batch: int, mode: Mode | None = None) -> Memory:
    """Bytes at the peak of a training step that works through so many rows at once.

    The step runs on as many rows on the meta device: activations do not grow in proportion to rows,
    as `reversible` takes fewer steps back together the wider they are.

    Of the generator's weights only the shapes count; `mode` is what it is set to by default.

    Raises:
        ParamsError: the mode is not one of its `modes`.
    """
    own: Mode = getattr(generator, "memory", "store")
    kind: Any = type(generator)
    is_twin = next(generator.parameters()).is_meta
    twin = generator if is_twin else _twin(kind, generator.config, generator.table)
    found = _costs(twin, batch, mode or own)[2]
    if is_twin and isinstance(generator, LikelihoodGenerator):
        generator.memory = own
    return found


def fitting_rows(generator: Generator, mode: Mode, free: int) -> int:
    """The largest `training.micro_batch` for so many bytes of free memory, up to `MOST_ROWS`."""
    budget = Budget(free, lambda rows: step_memory(generator, rows, mode).total)
    return budget.largest(MOST_ROWS) or 0


@lru_cache(maxsize=1)
def _twin(kind: Any, config: Any, table: ClassTable) -> Generator:
    """A generator on the meta device, which estimates one after the other are made on."""
    with torch.device("meta"):
        twin: Generator = kind(config, table)
    return twin.to("meta")


def on_meta(
    system: str, preset: str, table: ClassTable, size: tuple[int, int] | None = None
) -> Generator:
    """A generator without memory: its parameters have shapes and no numbers.

    Raises:
        ParamsError: an unknown name, or a size that the generator cannot have.
    """
    row = generators.system(system)
    overrides = {} if size is None else {"size": size}
    config = make_config(row.config, row.presets, preset, overrides)
    try:
        with torch.device("meta"):
            generator = generators.build(system, config, table)
    except ValueError as fault:
        height, width = config.size
        raise ParamsError(f"size {height}x{width}: {fault}; take a larger size") from fault
    return generator.to("meta")


def parameters_by_part(generator: Generator) -> dict[str, int]:
    """How many parameters the parts of a generator have; every parameter is in one part."""
    counts: Counter[str] = Counter()
    for name, parameter in generator.named_parameters():
        counts[_part(name)] += parameter.numel()
    order = [*dict.fromkeys(_PARTS.values()), *counts]
    return {part: counts[part] for part in dict.fromkeys(order) if counts[part]}


def _part(name: str) -> str:
    """What a parameter belongs to; where nothing is known of it, the network that holds it."""
    known = (part for prefix, part in _PARTS.items() if fnmatchcase(name, prefix + "*"))
    return next(known, name.partition(".")[0])


def _costs(generator: Generator, batch: int, mode: Mode) -> tuple[int, int, Memory]:
    """Operations of a training step on the meta device, those forward, and its memory."""
    if mode not in modes(generator):
        raise ParamsError(f"memory: no {mode!r} for this system; {suggest(mode, modes(generator))}")
    if isinstance(generator, LikelihoodGenerator):
        generator.memory = mode
    weights = list(generator.parameters())
    gradients = [torch.empty_like(p) for p in weights]
    for p, gradient in zip(weights, gradients, strict=True):
        p.grad = gradient
    apart = [*weights, *gradients]
    with PeakBytes(META, apart) as held:
        loss = _loss(generator, batch)
        forward = held.total
        loss.backward()
    for p in weights:
        p.grad = None
    own = sum(p.numel() * p.element_size() for p in weights)
    return held.total, forward, Memory(own, own, 2 * own, held.most)


def _loss(generator: Generator, batch: int) -> Tensor:
    """What is differentiated for so many scenes, but for constant factors.

    Of a flow its log-densities (equation 11 of Full-Glow); of others photographs, without the
    networks that only judge them.
    """
    size = generator.size
    with torch.device("meta"):
        layout = Layout(torch.zeros(batch, *size, dtype=torch.uint8), torch.zeros(batch, *size))
        if not isinstance(generator, LikelihoodGenerator):
            latents = [torch.zeros(batch, *shape) for shape in generator.latent_shapes()]
            return generator.decode_latents(latents, generator.condition(layout)).sum()
        image = torch.zeros(batch, 3, *size, dtype=torch.uint8)
        noise = torch.zeros(batch, 3, *size)
        planes = torch.zeros(batch, generator.planes_count, *size)
        terms = generator.terms(dequantize(image, noise), layout, planes)
        loss = terms.target if terms.source is None else terms.target + terms.source
        return -loss.sum() + sum(terms.extra.values())
