"""How near synthetic photographs come to training photographs: nearer than real ones, or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from augflow.metrics.scattering import Scattering

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 1.0)
"""The quantiles of distances that a summary tells."""

_CELLS = (4, 6)
_PIECE = 256


class TrainNeighbours:
    """Training photographs as points in a space of features, to find the nearest of a photograph.

    The features are those of `Scattering`, averaged over 4 x 6 cells of the picture. Each layer is
    divided by its standard deviation over the training photographs, so that all count alike: two
    training photographs that have nothing to do with each other are about 1.4 apart.
    """

    def __init__(self, photographs: Iterable[Tensor]) -> None:
        """Looks at the training photographs.

        Shapes:
            photographs: batches, each (N, 3, H, W) uint8.
        """
        self._network = Scattering()
        layers = self._layers(photographs)
        self._means = [layer.mean(0) for layer in layers]
        # a layer of no variance tells nothing of one photograph's distance to another
        self._widths = [
            max(float(layer.std(0).square().mean().sqrt()), 1e-6) if len(layer) > 1 else 1.0
            for layer in layers
        ]
        self._points = self._embed(layers)

    def nearest(self, photographs: Iterable[Tensor]) -> Nearest:
        """The nearest training photograph of each photograph.

        Shapes:
            photographs: batches, each (N, 3, H, W) uint8.
        """
        points = self._embed(self._layers(photographs))
        squares = self._points.square().sum(1)
        places = torch.cat(
            [(squares - 2 * piece @ self._points.T).argmin(1) for piece in points.split(_PIECE)]
        )
        # anew from differences: in the sum above small distances drown in rounding
        distances = (points - self._points[places]).square().sum(1).sqrt()
        return Nearest(distances.double().numpy(), places.numpy())

    @torch.no_grad()
    def _layers(self, photographs: Iterable[Tensor]) -> list[Tensor]:
        """The averaged features, a (N, D) for each layer."""
        found = [
            [
                F.adaptive_avg_pool2d(layer, _CELLS).flatten(1)
                for layer in self._network(batch.float() / 255)
            ]
            for batch in photographs
        ]
        return [torch.cat(pieces) for pieces in zip(*found, strict=True)]

    def _embed(self, layers: list[Tensor]) -> Tensor:
        """Points whose squared distances are means over layers and over features in a layer."""
        scaled = [
            (layer - mean) / (width * (layer.shape[1] * len(layers)) ** 0.5)
            for layer, mean, width in zip(layers, self._means, self._widths, strict=True)
        ]
        return torch.cat(scaled, 1)


@dataclass(frozen=True)
class Nearest:
    """How far photographs are from their nearest training photographs, and which these are.

    Shapes:
        distances: (N,) float64, in standard deviations of training photographs.
        places: (N,) integers, the training photographs' places.
    """

    distances: np.ndarray[Any, Any]
    places: np.ndarray[Any, Any]

    def quantiles(self) -> list[float]:
        """The distances at `QUANTILES`."""
        return [float(value) for value in np.quantile(self.distances, QUANTILES)]


def fraction_closer(synthetic: Nearest, real: Nearest, share: float) -> float:
    """The share of synthetic photographs that are nearer than the nearest `share` of real ones.

    With share 0 that is: nearer than any real one. Photographs that keep as far from training as
    unseen real ones come to about `share`, or to 1 in (number of real ones + 1) where it is 0.
    Look at this end of the distances, not at their middle: dull photographs, such as those of low
    temperatures, lie amid the others and so are nearer than real ones on average.
    """
    return float((synthetic.distances < np.quantile(real.distances, share)).mean())
