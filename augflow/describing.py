"""What a generator is made of and what a step of its training costs, worked out without memory.

Networks and one training step run on torch's meta device: shapes and operations are those of a real
step, numbers there are none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

from augflow import generators
from augflow.classes import ClassTable
from augflow.errors import ParamsError
from augflow.flows.conditional import LikelihoodGenerator
from augflow.flows.density import dequantized
from augflow.generators.presets import configured
from augflow.scenes import Layout
from augflow.synthesizer import Generator

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
    """Bytes of a training step in float32 without any recomputation.

    `activations` is what the forward pass keeps for the backward pass, each storage once.
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
    level's latents; `flops` the floating-point operations of a training step at batch 1 (products
    and sums of convolutions and matrix products, forward and backward), `flops_forward` those of
    its forward pass.
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
    memory: Memory

    def facts(self) -> dict[str, Any]:
        """The description as plain JSON; `memory` is the sum of its parts."""
        content = asdict(self)
        return {**content, "memory": self.memory.total, "memory_parts": content["memory"]}


def describe(
    system: str, preset: str, table: ClassTable, size: tuple[int, int] | None = None
) -> Description:
    """Describes a system under a preset.

    Args:
        system: a row of the generator table.
        preset: one of its presets.
        table: the classes of the layouts.
        size: height and width of the photographs; the preset's by default.

    Raises:
        ParamsError: an unknown name, or a size that the generator cannot have.
    """
    generator = on_meta(system, preset, table, size)
    flops, flops_forward, kept = _costs(generator)
    weights = sum(p.numel() * p.element_size() for p in generator.parameters())
    return Description(
        system=system,
        preset=preset,
        size=generator.size,
        classes=table.name,
        parameters=sum(p.numel() for p in generator.parameters()),
        parts=parameters_by_part(generator),
        latents=generator.latent_shapes(),
        flops=flops,
        flops_forward=flops_forward,
        memory=Memory(weights, weights, 2 * weights, kept),
    )


def step_memory(generator: Generator, batch: int) -> Memory:
    """Bytes of a training step that works through so many rows at once.

    Args:
        generator: on whatever device; of its weights only the shapes count.
        batch: the number of rows.
    """
    maker: Any = type(generator)
    with torch.device("meta"):
        twin = maker(generator.config, generator.table).to("meta")
    kept = _costs(twin)[2]
    weights = sum(p.numel() * p.element_size() for p in twin.parameters())
    return Memory(weights, weights, 2 * weights, batch * kept)


def on_meta(
    system: str, preset: str, table: ClassTable, size: tuple[int, int] | None = None
) -> Generator:
    """A generator without memory: its parameters have shapes and no numbers.

    Raises:
        ParamsError: an unknown name, or a size that the generator cannot have.
    """
    row = generators.system(system)
    overrides = {} if size is None else {"size": size}
    config = configured(row.config, row.presets, preset, overrides)
    try:
        with torch.device("meta"):
            generator = generators.built(system, config, table)
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


def _costs(generator: Generator) -> tuple[int, int, int]:
    """Operations of a training step, those of its forward pass, and bytes kept in between."""
    own = {_storage(parameter) for parameter in generator.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in own:
            # held, so that no other storage gets the same address
            kept[_storage(tensor)] = tensor.untyped_storage()
        return tensor

    corrected = {torch.ops.aten.convolution_backward: _conv_backward_flops}
    with FlopCounterMode(display=False, custom_mapping=corrected) as counter:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = _loss(generator)
        forward = counter.get_total_flops()
        loss.backward()
        total = counter.get_total_flops()
    return total, forward, sum(storage.nbytes() for storage in kept.values())


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _loss(generator: Generator) -> Tensor:
    """What is differentiated for one scene, but for constant factors.

    Of a flow its log-densities (equation 11 of Full-Glow); of others one photograph, without the
    networks that only judge it.
    """
    with torch.device("meta"):
        layout = Layout(
            torch.zeros(1, *generator.size, dtype=torch.uint8), torch.zeros(1, *generator.size)
        )
        if not isinstance(generator, LikelihoodGenerator):
            latents = [torch.zeros(1, *shape) for shape in generator.latent_shapes()]
            return generator.paint(latents, generator.condition(layout)).sum()
        image = torch.zeros(1, 3, *generator.size, dtype=torch.uint8)
        planes = torch.zeros(1, generator.planes_count, *generator.size)
        x = dequantized(image, torch.zeros(1, 3, *generator.size))
        terms = generator.terms(x, layout, planes)
        loss = terms.target if terms.source is None else terms.target + terms.source
        return -loss.sum() + sum(terms.extra.values())


def _conv_backward_flops(
    grad_shape: list[int], x_shape: list[int], w_shape: list[int], *rest: Any, **_: Any
) -> int:
    """Each of a convolution's two gradients costs what its forward pass does.

    torch's own formula multiplies the weight's gradient by the number of groups; that of grouped
    convolutions, which run the small networks of a level, would count many times over.
    """
    input_is_wanted, weight_is_wanted, _bias = rest[7]
    forward = conv_flop_count(x_shape, w_shape, grad_shape)
    return forward * (int(input_is_wanted) + int(weight_is_wanted))
