"""Paths between latents, latents of photographs, and photographs painted from given latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from augflow.core.errors import ModelError
from augflow.core.seeding import Noise
from augflow.core.tensors import device_of
from augflow.data.scenes import Layout, Scene
from augflow.generators.base import Generator
from augflow.generators.likelihood import FlowGenerator, LikelihoodGenerator
from augflow.generators.sampling import GeneratedImage, bin_centres, condition_on, to_uint8_with_bpd

Latents = tuple[Tensor, ...]
"""Standard latents of photographs, one tensor (N, *shape) per level."""

LatentKind = Literal["z", "eps"]
"""Latents as they are, or what the priors' Gaussians were drawn with: in another layout those
follow its own priors."""

ContentKind = Literal["z", "eps", "style"]
"""What an image hands on to other layouts: its latents, which are nearly all of the image, or its
style alone, which is the light and the palette of all of it; the rest is drawn."""

PathKind = Literal["spherical", "linear"]

PARALLEL = 1e-6
"""Sine of an angle below which two latents have no arc between them that can be told."""


def linear(start: Latents, end: Latents, share: float) -> Latents:
    """The point so far along the straight line, 0 at its start and 1 at its end.

    The middle between two draws of high dimension is about 0.7 times as long as they are: a
    temperature of its own.

    References:
        Li et al. 2019, "Diverse Image Synthesis from Semantic Layouts via Conditional IMLE",
        section 4.4 and figure 4.
    """
    return tuple((1 - share) * a + share * b for a, b in zip(start, end, strict=True))


def spherical(start: Latents, end: Latents, share: float) -> Latents:
    """The point so far along the arc, all levels of a photograph taken as one vector.

    With a angle w between the ends, their directions are mixed by sin((1 - s) w) / sin w and
    sin(s w) / sin w; the length goes linearly from one end's to the other's. Where the ends are
    parallel, opposite or nought, this is the straight line.

    References:
        Shoemake 1985, "Animating rotation with quaternion curves", section 3.3; White 2016,
        "Sampling generative networks", section 2.1.
    """
    a, b = _flat(start), _flat(end)
    length_a, length_b = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    tiny = torch.finfo(a.dtype).tiny
    unit_a, unit_b = a / length_a.clamp(min=tiny), b / length_b.clamp(min=tiny)
    angle = (unit_a * unit_b).sum(1, keepdim=True).clamp(-1, 1).acos()
    sine = angle.sin()
    mixed = ((1 - share) * angle).sin() * unit_a + (share * angle).sin() * unit_b
    arc = mixed / sine.clamp(min=PARALLEL) * ((1 - share) * length_a + share * length_b)
    known = (sine > PARALLEL) & (length_a > 0) & (length_b > 0)
    return _unflatten(torch.where(known, arc, (1 - share) * a + share * b), start)


def path(ends: tuple[Latents, Latents], steps: int, kind: PathKind) -> list[Latents]:
    """So many latents at equal shares of a path, the first and the last being the ends as given."""
    if steps < 2:
        raise ValueError(f"a path has two ends, got {steps} steps")
    way = {"spherical": spherical, "linear": linear}[kind]
    between = [way(*ends, number / (steps - 1)) for number in range(1, steps - 1)]
    return [ends[0], *between, ends[1]]


def sample_latents(generator: Generator, seed: int, temperature: float) -> Latents:
    """The latents from which `Generator.sample` makes the photograph of a seed.

    Raises:
        ModelError: they are no Gaussian draws.
    """
    if generator.latents != "gaussian":
        raise ModelError(
            "this generator draws coins (dropout) or picks one of several outputs, between which "
            "there is nothing: take a generator with Gaussian latents"
        )
    return generator.scale(generator.draw(Noise([seed])), temperature)


@torch.no_grad()
def encode_latents(generator: Generator, scene: Scene, kind: LatentKind = "eps") -> Latents:
    """The latents of an image under its own layout.

    Raises:
        DataError: the layout is not of the generator's size.
        ModelError: the generator cannot tell them.
    """
    if not isinstance(generator, LikelihoodGenerator):
        raise ModelError(
            "this generator cannot tell the latents of a photograph, only a flow can: name "
            "one with --generator, or, where a command takes seeds, give one (seed:0) in its place"
        )
    conditions = condition_on(generator, scene.layout)
    image = bin_centres(scene.image.to(device_of(generator)))
    encode = generator.encode if kind == "z" else generator.encode_noise
    return tuple(encode(image, conditions))


@dataclass(frozen=True)
class Drawn:
    """Latents that are drawn from a seed and scaled by a temperature, of a given style if any.

    Shapes:
        style: (1, K).
    """

    seed: int
    temperature: float
    style: Tensor | None = None


@dataclass(frozen=True)
class Known:
    """Latents that are there, of one image."""

    values: Latents
    kind: LatentKind = "eps"


@torch.no_grad()
def make_images(
    generator: Generator,
    layout: Layout,
    latents: Sequence[Drawn | Known],
    attributes: Mapping[str, bool] | None = None,
) -> list[GeneratedImage]:
    """An image for each latents and one layout; what the layout decides is worked out once.

    Raises:
        DataError: the layout is not of the generator's size.
        ModelError: a value is not finite.
        ParamsError: the generator cannot be asked for such attributes.
    """
    conditions = condition_on(generator, layout, attributes)
    made = (_decode(generator, one, conditions) for one in latents)
    return [to_uint8_with_bpd(generator, image, conditions) for image in made]


def content_latents(
    generator: Generator, content: Scene, kind: ContentKind, seed: int = 0, temperature: float = 1.0
) -> Drawn | Known:
    """What an image hands on to other layouts; seed and temperature are of what a style leaves out.

    Raises:
        DataError: the layout is not of the generator's size.
        ModelError: the generator cannot tell an image's latents, or has no style.

    References:
        Full-Glow, section 5.4 (`z`).
    """
    if kind != "style":
        return Known(encode_latents(generator, content, kind), kind)
    if not (isinstance(generator, FlowGenerator) and generator.factors):
        raise ModelError(
            "this generator has no style that could be told of a photograph, only a flow with "
            "factors has: name one with --generator, or ask for latents z or eps"
        )
    return Drawn(seed, temperature, encode_latents(generator, content)[-1])


def transfer_image(
    generator: Generator,
    content: Scene,
    layout: Layout,
    kind: ContentKind,
    seed: int = 0,
    temperature: float = 1.0,
) -> GeneratedImage:
    """The content of one image in another layout.

    Raises:
        DataError, ModelError: as `content_latents`; or a value is not finite.
    """
    moved = content_latents(generator, content, kind, seed, temperature)
    return make_images(generator, layout, [moved])[0]


def _decode(generator: Generator, latents: Drawn | Known, conditions: Any) -> Tensor:
    if isinstance(latents, Drawn) and latents.style is None:
        return generator.sample(conditions, Noise([latents.seed]), latents.temperature)
    if isinstance(latents, Drawn):
        assert latents.style is not None
        drawn = sample_latents(generator, latents.seed, latents.temperature)
        return generator.decode_latents((*drawn[:-1], latents.style), conditions).clamp(0, 1)
    if latents.kind == "eps":
        return generator.decode_latents(latents.values, conditions)
    assert isinstance(generator, LikelihoodGenerator)
    return generator.decode(latents.values, conditions)


def _flat(latents: Latents) -> Tensor:
    """All levels of a photograph in one row, (N, D) float64."""
    return torch.cat([part.flatten(1) for part in latents], 1).double()


def _unflatten(rows: Tensor, like: Latents) -> Latents:
    """The inverse of `_flat`, in the types of `like`."""
    parts = rows.split([part[0].numel() for part in like], 1)
    return tuple(row.reshape(part.shape).to(part) for row, part in zip(parts, like, strict=True))
