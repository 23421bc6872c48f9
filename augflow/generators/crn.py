"""CRN, the cascaded refinement network: a layout becomes one photograph, or a few, coarse to fine.

References:
    Chen and Koltun 2017, "Photographic image synthesis with cascaded refinement networks";
    IMLE (Li, Zhang and Malik 2019), sections 3.3.1 and 4.2, where it is the baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.config import Count, Section
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.generators.base import Generator, LatentKind, Planes, class_planes, misfit

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
        modules = len(self.widths)
        if fault := misfit(self.size, 2 ** (modules - 1), f"{modules} modules (widths)"):
            raise ValueError(fault)
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

        `inputs` are planes of the layout and further planes together, `outputs` the channels of
        what is painted.
        """
        super().__init__()
        self.sizes = tuple(sizes)
        before = (0, *widths[:-1])
        self.refine = nn.ModuleList(
            nn.Sequential(*norm_block(inputs + b, width, 3), *norm_block(width, width, 3))
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


def norm_block(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
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


class RegressionConfig(PerceptualConfig):
    """Several guesses per layout: the best one of each class counts, all others a little.

    `mean_weight` is the share of the mean over the guesses in the loss, so that no guess is left
    behind for good.
    """

    outputs: Count = 1
    mean_weight: Annotated[float, Field(ge=0, le=1)] = 0.001


class CrnConfig(CascadeConfig, RegressionConfig):
    """A cascade that paints `outputs` photographs of a layout, learned by regression."""


class Crn(Generator):
    """A cascade without noise: a sample is one of its outputs, picked by the largest latent.

    With one output there are no latents. At temperature 0 the first output is taken.
    """

    config: CrnConfig
    latents: ClassVar[LatentKind] = "choice"
    learner: ClassVar[str] = "regression"

    def __init__(self, config: CrnConfig, table: ClassTable, seed: int = 0) -> None:
        """Draws weights."""
        super().__init__()
        self.config, self.table = config, table
        with seeding.torch_seeded(seed):
            self.cascade = Cascade(
                table.count + 1 + config.boundary, config.widths, config.sizes, 3 * config.outputs
            )

    def latent_shapes(self) -> tuple[tuple[int, ...], ...]:
        """See `Generator.latent_shapes`."""
        return ((self.config.outputs,),) if self.config.outputs > 1 else ()

    @torch.no_grad()
    def condition(self, layout: Layout) -> Planes:
        """See `Generator.condition`."""
        self.check_size(layout)
        return Planes(layout_planes(layout, self.table.count, self.config.boundary))

    def outputs(self, conditions: Planes) -> Tensor:
        """All photographs of each layout, (N, outputs, 3, H, W), not clipped."""
        return self.cascade(conditions.values).unflatten(1, (self.config.outputs, 3))

    def decode_latents(self, latents: Sequence[Tensor], conditions: Planes) -> Tensor:
        """See `Generator.decode_latents`."""
        outputs = self.outputs(conditions)
        rows = torch.arange(len(outputs), device=outputs.device)
        picked = latents[0].argmax(1) if latents else torch.zeros_like(rows)
        return outputs[rows, picked]


_OURS: dict[str, Any] = {
    "boundary": True, "features": ("pixels", "scattering"),
    "mean_weight": 0.05,  # at 0.001 an output that starts badly is never the nearest, and stays bad
}  # fmt: skip

CRN: dict[str, dict[str, Any]] = {
    # the IMLE paper's baseline at its resolution: nine photographs, VGG-19
    "paper": {
        "size": (256, 512), "widths": (1024,) * 5 + (512,) * 2, "outputs": 9,
        "features": ("vgg19",),
    },
    # CRN's own full resolution, one photograph
    "high_res": {
        "size": (1024, 2048), "widths": (1024,) * 5 + (512,) * 2 + (128, 32), "outputs": 1,
        "features": ("vgg19",),
    },
    # the released code adds the pixels themselves to the layers of VGG-19
    "released": {
        "size": (256, 512), "widths": (1024,) * 5 + (512,) * 2, "outputs": 9,
        "features": ("pixels", "vgg19"),
    },
    "tiny": {**_OURS, "size": (48, 72), "widths": (96, 96, 64, 32), "outputs": 4},
    "small": {**_OURS, "size": (64, 96), "widths": (128, 128, 96, 64, 32), "outputs": 4},
}  # fmt: skip
