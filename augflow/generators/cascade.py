"""The cascaded refinement network: a layout becomes a photograph from coarse to fine.

References:
    Chen and Koltun 2017, "Photographic image synthesis with cascaded refinement networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from augflow.core.config import Count, Section
from augflow.data.scenes import Layout
from augflow.generators.base import class_planes

Size = tuple[Count, Count]
SLOPE = 0.2
"""Of the leaky ReLU below zero."""


FeatureName = Literal["pixels", "scattering", "random_vgg", "vgg19"]


class PerceptualConfig(Section):
    """What photographs are compared in: rows of `metrics.features.ROWS`, each counting the same.

    `features_file` is the file of `vgg19`'s weights, or `hub`: torchvision downloads them.
    """

    features: Annotated[tuple[FeatureName, ...], Field(min_length=1)] = ("vgg19",)
    features_file: str | None = None


class CascadeConfig(PerceptualConfig):
    """A cascade: `widths` are the channels of its modules, the coarsest first.

    Each module works at twice the resolution of the one before it, the last one at `size`. With
    `boundary` the modules see the boundary map beside the classes.
    """

    size: Size
    widths: Annotated[tuple[Count, ...], Field(min_length=1)]
    boundary: bool = False

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Height and width at which each module works, the coarsest first."""
        halvings = range(len(self.widths) - 1, -1, -1)
        return tuple((self.size[0] >> k, self.size[1] >> k) for k in halvings)

    @model_validator(mode="after")
    def _modules_fit(self) -> Self:
        unit = 2 ** (len(self.widths) - 1)
        if any(side % unit for side in self.size):
            lower = "x".join(str(max(unit, side // unit * unit)) for side in self.size)
            upper = "x".join(str(-(-side // unit) * unit) for side in self.size)
            raise ValueError(
                f"size {self.size[0]}x{self.size[1]}: {len(self.widths)} modules (widths) need "
                f"sides divisible by {unit}; the next are {lower} and {upper}"
            )
        return self


class Cascade(nn.Module):
    """Refinement modules at doubling resolutions, and a 1x1 convolution to pixels.

    A module reads the layout, further planes (IMLE's noise) and the features of the module before
    it. Layer norm runs over channels and places of one image, so rows of a batch stay apart.

    References:
        IMLE (Li, Zhang and Malik 2019), section 3.3.1.
    """

    def __init__(
        self, inputs: int, widths: Sequence[int], sizes: Sequence[Size], outputs: int
    ) -> None:
        """Draws weights.

        Args:
            inputs: planes of the layout and further planes together.
            widths: channels of each module.
            sizes: height and width of each module.
            outputs: channels of what is painted.
        """
        super().__init__()
        self.sizes = tuple(sizes)
        before = (0, *widths[:-1])
        self.refine = nn.ModuleList(
            nn.Sequential(*normed(inputs + b, width, 3), *normed(width, width, 3))
            for b, width in zip(before, widths, strict=True)
        )
        self.pixels = nn.Conv2d(widths[-1], outputs, 1)

    def forward(self, layout: Tensor, further: Tensor | None = None) -> Tensor:
        """What is painted, about [0, 1].

        The layout is averaged over the pixels of a coarse place; further planes are interpolated,
        which keeps most of the variance of noise.

        Shapes:
            layout: (N, C, H, W).
            further: (N, D, H, W).
            returns: (N, outputs, H, W).
        """
        x: Tensor | None = None
        for size, module in zip(self.sizes, self.refine, strict=True):
            seen = [F.interpolate(layout, size, mode="area")]
            if further is not None:
                seen.append(_bilinear(further, size))
            if x is not None:
                seen.append(_bilinear(x, size))
            x = module(torch.cat(seen, dim=1))  # (N, width, h, w)
        return (self.pixels(x) + 1) / 2


def normed(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    """A convolution, layer norm and a leaky ReLU."""
    return [
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.GroupNorm(1, outputs),
        nn.LeakyReLU(SLOPE),
    ]


def layout_planes(layout: Layout, count: int, boundary: bool) -> Tensor:
    """One plane per class, one for pixels without a class, and the boundary map if asked for.

    Shapes:
        returns: (N, count + 1 or count + 2, H, W) float32.
    """
    known = class_planes(layout.classes, count).float()
    planes = [known, 1 - known.sum(1, keepdim=True)]
    if boundary:
        planes.append(layout.boundary[:, None].to(known))
    return torch.cat(planes, dim=1)


def _bilinear(x: Tensor, size: Size) -> Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=False)
