"""Three networks in one that look at the latents of a flow: discriminator, classifier, decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


@dataclass(frozen=True)
class Findings:
    """What the three find in latents, and what they have in common.

    Shapes:
        real: logits of being real, one (N, 1, h, w) per level.
        classes: logits of the classes, one (N, K, h, w) per level.
        attributes: logits, (N, A).
        codes: (N, U).
        features: f(z), the trunk's last layer at each level, (N, width, h, w).
    """

    real: tuple[Tensor, ...]
    classes: tuple[Tensor, ...]
    attributes: Tensor
    codes: Tensor
    features: tuple[Tensor, ...]


class SupervisionBlock(nn.Module):
    """A trunk from the top latents down to the finest, with heads at every level.

    Discriminator and classifier judge every cell of each level; attributes and codes are read from
    the means of all levels' features.

    References:
        CAGlow, section 3.2: the three share all parameters except for their output layers.
    """

    def __init__(
        self, shapes: Sequence[tuple[int, ...]], widths: Sequence[int],
        *, classes: int, attributes: int, codes: int, spectral: bool,
    ) -> None:  # fmt: skip
        """Makes the networks.

        Args:
            shapes: the latents' (C, h, w) at each level, the finest first.
            widths: the trunk's channels at each level.
            classes: K.
            attributes: A.
            codes: U.
            spectral: whether the trunk is of spectral norm 1, which steadies the discriminator.
        """
        super().__init__()
        above = (*widths[1:], 0)
        inputs = [shape[0] + over for shape, over in zip(shapes, above, strict=True)]
        self.first = nn.ModuleList(
            _conv(a, w, spectral) for a, w in zip(inputs, widths, strict=True)
        )
        self.second = nn.ModuleList(_conv(w, w, spectral) for w in widths)
        self.real = nn.ModuleList(nn.Conv2d(w, 1, 1) for w in widths)
        self.classes = nn.ModuleList(nn.Conv2d(w, classes, 1) for w in widths)
        self.attributes = nn.Linear(sum(widths), attributes)
        self.codes = nn.Linear(sum(widths), codes)

    def forward(self, latents: Sequence[Tensor]) -> Findings:
        """What is found in standardised latents, one (N, C, h, w) per level, the finest first."""
        features: list[Tensor] = []
        for level in reversed(range(len(latents))):
            x = latents[level]
            if features:
                x = torch.cat([x, F.interpolate(features[0], scale_factor=2).to(x.dtype)], 1)
            x = F.leaky_relu(self.first[level](x), 0.2)
            features.insert(0, F.leaky_relu(self.second[level](x), 0.2))
        means = torch.cat([maps.mean((2, 3)) for maps in features], 1)
        return Findings(
            tuple(head(maps) for head, maps in zip(self.real, features, strict=True)),
            tuple(head(maps) for head, maps in zip(self.classes, features, strict=True)),
            self.attributes(means),
            self.codes(means),
            tuple(features),
        )


def _conv(inputs: int, outputs: int, spectral: bool) -> nn.Module:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    return spectral_norm(conv) if spectral else conv
