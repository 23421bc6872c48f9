"""Perceptual distance as a loss and as a held-out number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from augflow.core import seeding
from augflow.core.tensors import device_of
from augflow.data.scenes import Scenes
from augflow.generators.crn import PerceptualConfig
from augflow.metrics.features import Features, features
from augflow.metrics.perceptual import balanced_weights, difference_maps, distance

BALANCED_ON, LOOKED_AT, DRAWS = 64, 24, 8
"""Photographs that layers are balanced on; held-out scenes looked at, samples of each of them."""


@dataclass(frozen=True)
class Measure:
    """The distance of photographs, averaged over features whose layers weigh alike.

    1 is the distance of two photographs that have nothing to do with each other.
    """

    features: tuple[Features, ...]
    weights: tuple[tuple[float, ...], ...]

    def __call__(self, a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `metrics.perceptual.distance`; (N,)."""
        parts = [
            distance(one, a, b, weights, mask)
            for one, weights in zip(self.features, self.weights, strict=True)
        ]
        return torch.stack(parts).mean(0)

    def by_region(self, a: Tensor, b: Tensor, regions: Tensor) -> Tensor:
        """What each region adds to the distance of the images of a to the one image of b.

        Shapes:
            a: (N, 3, H, W).
            b: (1, 3, H, W).
            regions: (R, H, W), 1 where a pixel belongs to a region; they may overlap.
            returns: (N, R).
        """
        total = torch.zeros(len(a), len(regions), device=a.device)
        for one, weights in zip(self.features, self.weights, strict=True):
            for weight, layer in zip(weights, difference_maps(one, a, b), strict=True):
                places = F.interpolate(regions[None], layer.shape[-2:], mode="area")[0]
                shares = torch.einsum("nhw,rhw->nr", layer[:, 0], places)
                total = total + weight * shares / places[0].numel()
        return total / len(self.features)


def measure(config: PerceptualConfig, scenes: Scenes, device: torch.device) -> Measure:
    """The distance that a configuration asks for, on a device, its layers balanced on scenes.

    The photographs of some of them, spread evenly, are compared in turn.

    Raises:
        ModelError: weights of the features cannot be read.
    """
    images = scenes[_spread(len(scenes), BALANCED_ON)].image.to(device) / 255
    others = images.roll(1, 0) if len(images) > 1 else 1 - images
    file = Path(config.features_file) if config.features_file else None
    rows = tuple(
        features(name, file if name == "vgg19" else None).to(device) for name in config.features
    )
    return Measure(rows, tuple(balanced_weights(row, images, others) for row in rows))


@torch.no_grad()
def held_out_distances(generator: Any, scenes: Scenes) -> dict[str, float]:
    """The distance of held-out photographs to a sample, and to the nearest of several samples.

    Samples are drawn with noise of fixed names. What a maker of many looks has, and a maker of one
    has not, is the difference of the two numbers.

    Returns:
        `val_distance` and `val_nearest`, means over scenes, in units of `Measure`.
    """
    device = device_of(generator)
    compare = measure(generator.config, scenes, device)
    found = []
    for row in _spread(len(scenes), LOOKED_AT):
        one = scenes[[row]].to(device)
        conditions = generator.condition(one.layout).rows([0] * DRAWS)
        noise = seeding.Noise([seeding.derive(0, "held out", row, draw) for draw in range(DRAWS)])
        found.append(compare(generator.sample(conditions, noise), one.image / 255))
    distances = torch.stack(found).double()  # (scenes, DRAWS)
    return {
        "val_distance": float(distances[:, 0].mean()),
        "val_nearest": float(distances.min(1).values.mean()),
    }


def _spread(count: int, wanted: int) -> Sequence[int]:
    return [k * count // min(count, wanted) for k in range(min(count, wanted))]
