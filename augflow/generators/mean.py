"""The mean of a flow's photographs, painted from the layout."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from augflow.core.config import Count, Section
from augflow.data.scenes import Layout
from augflow.generators.base import misfit
from augflow.generators.crn import Cascade, layout_planes

SCALES = 4
"""Resolutions at which a painting is compared with the photograph, each half of the one before."""


MEANS = {
    "tiny": (64, 64, 48, 24), "small": (96, 96, 64, 48, 24), "medium": (128, 128, 96, 64, 32),
}  # fmt: skip
"""Channels of the mean's modules in our own presets of flows."""


class MeanConfig(Section):
    """A flow of x - mu(layout) in place of x.

    `mean`: channels of the modules of the cascade that paints mu, the coarsest first; none for a
    flow of photographs as they are. `mean_weight`: what mu's distance to the photograph (`SCALES`)
    counts in the loss, beside bits per dimension.
    """

    mean: tuple[Count, ...] = ()
    mean_weight: Annotated[float, Field(ge=0)] = 3.0


class MeanNetwork(nn.Module):
    """Paints the mean of the photographs of a layout, so that a flow only has to model the rest.

    The shift has no share in the log-determinant: log p(x | layout) is that of x - mu(layout).
    """

    def __init__(self, config: MeanConfig, size: tuple[int, int], classes: int) -> None:
        """Draws weights.

        Raises:
            ValueError: the size cannot be halved often enough.
        """
        super().__init__()
        modules = len(config.mean)
        if fault := misfit(size, 2 ** (modules - 1), f"{modules} modules (mean)"):
            raise ValueError(fault)
        sizes = [(size[0] >> k, size[1] >> k) for k in range(modules - 1, -1, -1)]
        self.classes, self.weight = classes, config.mean_weight
        self.cascade = Cascade(classes + 2, config.mean, sizes, 3)

    def forward(self, layout: Layout) -> Tensor:
        """The mean, (N, 3, H, W) in the type of the weights, about [0, 1]."""
        like = self.cascade.pixels.weight
        planes = layout_planes(layout, self.classes, boundary=True)
        return self.cascade(planes.to(like)).to(like.dtype)

    def loss(self, painted: Tensor, image: Tensor) -> Tensor:
        """`mean_weight` times the mean absolute difference over `SCALES` resolutions, a scalar.

        Shapes:
            painted, image: (N, 3, H, W).
        """
        total, difference = torch.zeros((), device=image.device), painted - image
        for _ in range(SCALES):
            total = total + difference.abs().mean()
            difference = F.avg_pool2d(difference, 2, ceil_mode=True)
        return self.weight * total / SCALES
