"""Single photographs from a generator, as they are stored: 8 bits, with their bits where known.

Every photograph is made by itself. Convolution kernels round differently for different batch sizes,
and a photograph's bytes must depend on its layout, seed and temperature alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augflow.core.errors import ModelError, ParamsError
from augflow.core.seeding import Noise, derive
from augflow.core.tensors import device_of
from augflow.data.scenes import Layout
from augflow.flows.density import dequantize, quantize
from augflow.generators.base import Generator
from augflow.generators.likelihood import LikelihoodGenerator


@dataclass(frozen=True)
class GeneratedImage:
    """Pixels and their bits per dimension under the generator, measured at the centres of the bins.

    Generators without a likelihood know no bits.

    Shapes:
        image: (H, W, 3) uint8, RGB.
    """

    image: np.ndarray
    log_p_bpd: float | None


def image_seed(seed: int, layout: str, number: int) -> int:
    """The seed of the `number`-th photograph of a layout in a set."""
    return derive(seed, layout, number)


def condition_on(
    generator: Generator, layout: Layout, attributes: Mapping[str, bool] | None = None
) -> Any:
    """A generator's conditions for one layout, and for attributes where any are asked for.

    Raises:
        DataError: the layout is not of the generator's size.
        ParamsError: the generator knows no such attribute, or they exclude each other.
    """
    if len(layout) != 1:
        raise ValueError(f"expected one layout, got {len(layout)}: photographs are made one by one")
    layout = layout.to(device_of(generator))
    if not attributes:
        return generator.condition(layout)
    if not generator.attributes:
        raise ParamsError(
            f"{', '.join(attributes)}: this generator can be asked for nothing beside the layout; "
            "take a CAGlow, or leave it out"
        )
    condition: Any = generator.condition
    return condition(layout, attributes)


def sample_images(
    generator: Generator,
    layout: Layout,
    seeds: Sequence[int],
    temperature: float,
    attributes: Mapping[str, bool] | None = None,
) -> list[GeneratedImage]:
    """One photograph per seed for one layout; what the layout decides is worked out once.

    Raises:
        DataError: the layout is not of the generator's size.
        ModelError: a value is not finite.
        ParamsError: the generator cannot be asked for such attributes.
    """
    return sample_at_temperatures(generator, layout, seeds, [temperature], attributes)[0]


def sample_at_temperatures(
    generator: Generator,
    layout: Layout,
    seeds: Sequence[int],
    temperatures: Sequence[float],
    attributes: Mapping[str, bool] | None = None,
) -> list[list[GeneratedImage]]:
    """For each temperature what `sample_images` gives, from conditions worked out once for all.

    Raises:
        DataError, ModelError, ParamsError: as `sample_images`.
    """
    conditions = condition_on(generator, layout, attributes)
    return [
        [
            to_uint8_with_bpd(
                generator, generator.sample(conditions, Noise([seed]), degree), conditions
            )
            for seed in seeds
        ]
        for degree in temperatures
    ]


def bin_centres(pixels: Tensor) -> Tensor:
    """8-bit pixels at the centres of their bins, in [0, 1)."""
    return dequantize(pixels, torch.full(pixels.shape, 0.5, device=pixels.device))


def to_uint8_with_bpd(generator: Generator, image: Tensor, conditions: Any) -> GeneratedImage:
    """A generator's output (1, 3, H, W) as a photograph, with its bits under the same conditions.

    Raises:
        ModelError: a value is not finite.
    """
    if not torch.isfinite(image).all():
        share = float((~torch.isfinite(image)).double().mean())
        raise ModelError(
            f"{share:.1%} of a photograph's values are not finite: the flow cannot be inverted "
            "here; lower the temperature, or train with a floor under the coupling scale"
        )
    pixels = quantize(image)
    bits = None
    if isinstance(generator, LikelihoodGenerator):
        bits = float(generator.bits_per_dim(bin_centres(pixels), conditions))
    return GeneratedImage(pixels[0].permute(1, 2, 0).cpu().numpy(), bits)
