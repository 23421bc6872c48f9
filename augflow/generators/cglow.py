"""CGlow: a Glow whose priors are Gaussians of the classes, beside a classifier of the latents.

References:
    Kingma and Dhariwal 2018, "Glow", whose code has both; Liu et al. 2019, "Conditional Adversarial
    Generative Flow" (CAGlow), sections 1 and 4, where it is the baseline.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from augflow.core import seeding
from augflow.data import boundaries
from augflow.data.classes import ClassTable
from augflow.data.scenes import Layout
from augflow.flows.glow import Plan
from augflow.flows.networks import ZeroConv
from augflow.generators.base import Likelihood, class_accuracy, class_fractions, class_loss
from augflow.generators.glow import Glow
from augflow.generators.likelihood import Terms
from augflow.generators.presets import GLOW, GlowConfig


class CGlowConfig(GlowConfig):
    """CGlow on layouts: the flow's fields, then those of priors and classifier.

    `priors`: the layout decides the Gaussian of the `top` level (as for images of one class), or
    those of `all` levels. `class_weight` weighs the classification loss, in nats per pixel, against
    the bits per dimension.
    """

    priors: Literal["top", "all"] = "top"
    class_weight: Annotated[float, Field(ge=0)] = 0.01


_OURS: dict[str, Any] = {"priors": "all", "class_weight": 0.1}
CGLOW: dict[str, dict[str, Any]] = {
    # Glow 3x32 for 64x64 (CAGlow, section 4.1)
    "paper": {"size": (64, 64), "steps": (32,) * 3, "width": 512},
    "tiny": {**GLOW["tiny"], **_OURS},
    "small": {**GLOW["small"], **_OURS},
}


class CGlow(Glow):
    """A Glow whose latents are Gaussian given which classes their cell has.

    Mean and log standard deviation are a zero-initialised 3x3 convolution of the cells' class
    shares and boundaries (and of what the level above leaves, as in every Glow). The classifier, a
    convolution too, reads the class shares from the latents of the same levels.
    """

    config: CGlowConfig
    likelihood: ClassVar[Likelihood] = "conditional"
    learner: ClassVar[str] = "classification"

    def __init__(self, config: CGlowConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds the tower and the classifier."""
        super().__init__(config, table, seed)
        shapes = self.target.shape.latents(config.size)
        with seeding.torch_seeded(seeding.derive(seed, "classifier") % 2**63):
            self.classifiers = nn.ModuleDict(
                {str(n): ZeroConv(shapes[n][0], table.count, "zeros") for n in _levels(config)}
            )

    @staticmethod
    def prior_features(config: GlowConfig, table: ClassTable) -> tuple[int, ...]:
        """Channels of features that each level's prior reads: classes and boundary, where told."""
        told = _levels(config)
        return tuple(table.count + 1 if n in told else 0 for n in range(len(config.steps)))

    def plan(self, layout: Layout, noise: Tensor | None = None) -> Plan:
        """See `FlowGenerator.plan`; the classes' features go to the priors."""
        told, features = _levels(self.config), self._features(layout)
        return replace(
            super().plan(layout, noise),
            prior=lambda number, z, latents: features[number] if number in told else None,
        )

    def terms(self, image: Tensor, layout: Layout, planes: Tensor) -> Terms:
        """See `LikelihoodGenerator.terms`; the classification loss is an extra term."""
        encoding, _ = self.learning(image, layout, planes)
        shares = class_fractions(layout.classes, self.table.count, len(encoding.latents))
        losses = [
            class_loss(head(encoding.latents[int(n)]), shares[int(n)].to(image))
            for n, head in self.classifiers.items()
        ]
        weighted = self.config.class_weight * torch.stack(losses).mean()
        return Terms(encoding.log_prob, None, {"classification": weighted})

    @torch.no_grad()
    def class_accuracy(self, image: Tensor, layout: Layout) -> float:
        """The share of pixels whose cell is read as their class at the finest level that is read.

        Shapes:
            image: (N, 3, H, W) in [0, 1), dequantized.
        """
        latents = self.target.encode(image, self.plan(layout).params()[0]).latents
        n = min(_levels(self.config))
        shares = class_fractions(layout.classes, self.table.count, n + 1)[n]
        return class_accuracy(self.classifiers[str(n)](latents[n]), shares)

    def _features(self, layout: Layout) -> list[Tensor]:
        """Class shares and boundary of every level's cells, (N, K + 1, h, w)."""
        like = next(self.parameters())
        count = len(self.target.shape.steps)
        shares = class_fractions(layout.classes, self.table.count, count)
        edges = boundaries.pyramid(layout.boundary.to(like), count, "v1")
        return [torch.cat([s.to(like), e], 1) for s, e in zip(shares, edges, strict=True)]


def _levels(config: Any) -> tuple[int, ...]:
    """The levels whose prior and classifier know the classes."""
    last = len(config.steps) - 1
    return (last,) if config.priors == "top" else tuple(range(last + 1))
