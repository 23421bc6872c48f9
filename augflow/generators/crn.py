"""CRN: one photograph per layout, or a fixed number of different ones.

References:
    Chen and Koltun 2017, "Photographic image synthesis with cascaded refinement networks";
    IMLE (Li, Zhang and Malik 2019), sections 3.3.1 and 4.2, where it is the baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from augflow.core import seeding
from augflow.core.config import Count
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.generators.base import Generator, LatentKind, Planes
from augflow.generators.cascade import Cascade, CascadeConfig, PerceptualConfig, layout_planes


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

    def paint(self, latents: Sequence[Tensor], conditions: Planes) -> Tensor:
        """See `Generator.paint`."""
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
