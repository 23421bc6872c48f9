"""Features of photographs by name: what perceptual distances and diversity are measured in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from augflow.core.errors import ParamsError, suggest
from augflow.metrics.scattering import Scattering
from augflow.metrics.vgg import Vgg, random_vgg, vgg19

SMALLEST = 16
"""The shortest side, in pixels, that every row can look at."""


class PixelFeatures(nn.Module):
    """The image itself and its means over 2x2 and 4x4 pixels."""

    layers = ("pixels_1", "pixels_2", "pixels_4")

    def forward(self, image: Tensor) -> list[Tensor]:
        """The image at three scales, (N, 3, H, W) -> (N, 3, H / k, W / k), k = 1, 2, 4."""
        return [image, F.avg_pool2d(image, 2), F.avg_pool2d(image, 4)]


ROWS: dict[str, Callable[[], PixelFeatures | Scattering | Vgg]] = {
    # name        network     what it knows
    "pixels": PixelFeatures,  # colours at their places
    "scattering": Scattering,  # colours, directions and textures at four scales; nothing learned
    "random_vgg": random_vgg,  # a narrow VGG with fixed random weights
    "vgg19": vgg19,  # objects too: the papers' choice; weights have to be fetched
}


class Features(nn.Module):
    """Named layers of a photograph, differentiable in it, with nothing to train or to save.

    `layers` names what `forward` returns. Rows of a batch do not influence each other.
    """

    def __init__(self, name: str, network: PixelFeatures | Scattering | Vgg) -> None:
        """Holds a network of fixed weights."""
        super().__init__()
        self.name, self.layers, self.network = name, network.layers, network

    def forward(self, image: Tensor) -> list[Tensor]:
        """One tensor per layer.

        Shapes:
            image: (N, 3, H, W) in [0, 1], RGB, at least 16 pixels high and wide.
            returns: each (N, C, h, w) with sizes of the layer's own.

        Raises:
            ValueError: not a batch of RGB images, or too small.
        """
        if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[2:]) < SMALLEST:
            raise ValueError(
                f"features need (N, 3, H, W) with H and W from {SMALLEST}, got {tuple(image.shape)}"
            )
        return self.network(image)


def features(name: str, weights: Path | None = None) -> Features:
    """The features of that name.

    Args:
        name: a row of `ROWS`.
        weights: for `vgg19` the file of its weights, or `hub` to let torchvision download it.

    Raises:
        ParamsError: no such name, or a file for features that have no weights to be read.
        ModelError: the weights cannot be read or fetched, or no file is named.
    """
    if name not in ROWS:
        raise ParamsError(f"features: no {name!r}; {suggest(name, sorted(ROWS))}")
    if name == "vgg19":
        return Features(name, vgg19(weights))
    if weights is not None:
        raise ParamsError(f"features {name} read no file, got {weights}; only vgg19 does")
    return Features(name, ROWS[name]())
