"""The discriminator of pix2pix: it judges overlapping patches of a photograph with its layout.

References:
    Isola et al. 2017, "Image-to-image translation with conditional adversarial networks",
    sections 3.2.2 and 6.1.2.
"""

from __future__ import annotations

from torch import Tensor, nn

from augflow.generators.batch_norm import BatchNorm
from augflow.generators.pix2pix import PATCHES


class PatchGAN(nn.Module):
    """Convolutions 4x4: some that halve, one that does not, one to a judgement per patch."""

    def __init__(self, inputs: int, patch: int, width: int, batch_norm: bool) -> None:
        """Draws the weights from N(0, 0.02).

        Args:
            inputs: channels of layout and photograph together.
            patch: a key of `PATCHES`.
            width: channels after the first convolution; they double up to eight times that.
            batch_norm: batch normalisation, or instance normalisation without weights.
        """
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(inputs, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        before = width
        for number in range(1, PATCHES[patch] + 1):
            after = width * min(2**number, 8)
            stride = 2 if number < PATCHES[patch] else 1
            layers += [nn.Conv2d(before, after, 4, stride, 1, bias=not batch_norm)]
            layers += [_norm(after, batch_norm), nn.LeakyReLU(0.2)]
            before = after
        layers.append(nn.Conv2d(before, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)
        self.apply(_drawn)

    def forward(self, pairs: Tensor) -> Tensor:
        """How real each patch looks, as logits.

        Shapes:
            pairs: (N, inputs, H, W), the layout's planes followed by the photograph.
            returns: (N, 1, h, w).
        """
        return self.layers(pairs)


def _norm(channels: int, batch_norm: bool) -> nn.Module:
    return BatchNorm(channels) if batch_norm else nn.InstanceNorm2d(channels)


def _drawn(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, BatchNorm):
        nn.init.normal_(module.weight, 1, 0.02)
