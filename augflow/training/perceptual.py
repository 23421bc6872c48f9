"""Learning by perceptual distance, as CRN does by regression; the distance as a held-out number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from augflow.core import seeding
from augflow.core.distributed import MicroBatch
from augflow.core.tensors import device_of
from augflow.data.scenes import Scene, Scenes
from augflow.generators.crn import PerceptualConfig
from augflow.metrics.features import Features, features
from augflow.metrics.perceptual import balanced_weights, difference_maps, distance
from augflow.training.batches import EVAL_BATCH
from augflow.training.learner import GeneratorLearner

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
    """
    images = scenes[_spread(len(scenes), BALANCED_ON)].image.to(device) / 255
    others = images.roll(1, 0) if len(images) > 1 else 1 - images
    file = Path(config.features_file) if config.features_file else None
    rows = tuple(
        features(name, file if name == "vgg19" else None).to(device) for name in config.features
    )
    return Measure(rows, tuple(balanced_weights(row, images, others) for row in rows))


class PerceptualLearner(GeneratorLearner):
    """A learner by perceptual distance, whose layers weigh alike on the training photographs."""

    columns = ("loss", "grad_norm", "learning_rate", "val_distance", "val_nearest")
    measure: Measure

    def on_fit_start(self, scenes: Scenes) -> None:
        """Balances the layers of the features on the training photographs."""
        self.measure = measure(self.generator.config, scenes, self.device)

    @staticmethod
    @torch.no_grad()
    def evaluate(generator: Any, scene: Scene, batch: int = EVAL_BATCH) -> dict[str, float]:
        """The distance of held-out photographs to a sample, and to the nearest of several samples.

        Samples are drawn with noise of fixed names, of one scene at a time whatever `batch` says.
        What a generator of many looks has, and one of a single look has not, is the difference of
        `val_distance` and `val_nearest`, means over scenes in units of `Measure`.
        """
        device = device_of(generator)
        compare = measure(generator.config, scene, device)
        found = []
        for row in _spread(len(scene), LOOKED_AT):
            one = scene[[row]].to(device)
            conditions = generator.condition(one.layout).rows([0] * DRAWS)
            names = [seeding.derive(0, "held out", row, draw) for draw in range(DRAWS)]
            made = generator.sample(conditions, seeding.Noise(names))
            found.append(compare(made, one.image / 255))
        distances = torch.stack(found).double()  # (scenes, DRAWS)
        return {
            "val_distance": float(distances[:, 0].mean()),
            "val_nearest": float(distances.min(1).values.mean()),
        }


class RegressionLearner(PerceptualLearner):
    """Brings the nearest of a generator's `outputs` closer to the photograph, class by class.

    The generator's conditions are `Planes`, of which the first K + 1 say where each class is and
    where none is known.

    References:
        Chen and Koltun 2017, section 3.3 and eq. 3.
    """

    def update(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `GeneratorLearner.update`."""

        def losses(part: MicroBatch) -> dict[str, Tensor]:
            (own,) = self.rows_on_device(part, scene)
            with self.precision():
                return {"loss": part.share * self.loss(own)}

        return self.optimizer_step("generator", self.parts(len(scene)), step, losses)

    def loss(self, scene: Scene) -> Tensor:
        """(1 - w) sum_p min_k d_pk + w mean_k sum_p d_pk, averaged over scenes.

        d_pk is what the pixels of class p add to the distance of guess k, and w `mean_weight`. With
        one guess it is the distance.
        """
        conditions = self.generator.condition(scene.layout)
        guesses = self.generator.outputs(conditions)  # (N, outputs, 3, H, W)
        regions = conditions.values[:, : self.generator.table.count + 1]
        parts = torch.stack(
            [
                self.measure.by_region(guesses[n], scene.image[[n]] / 255, regions[n])
                for n in range(len(scene))
            ]
        )  # (N, outputs, K + 1)
        weight = self.generator.config.mean_weight
        nearest, mean = parts.min(1).values.sum(1), parts.mean(1).sum(1)
        return ((1 - weight) * nearest + weight * mean).mean()


def _spread(count: int, wanted: int) -> Sequence[int]:
    return [k * count // min(count, wanted) for k in range(min(count, wanted))]
