"""Regression on perceptual features: how CRN learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from augflow.core.distributed import MicroBatch
from augflow.data.scenes import Scene, Scenes
from augflow.generators.crn import RegressionConfig
from augflow.training.batches import EVAL_BATCH
from augflow.training.learner import GeneratorLearner
from augflow.training.params import TrainingParams
from augflow.training.perceptual import Measure, held_out_distances, measure


class RegressionLearner(GeneratorLearner):
    """Brings the nearest of a generator's `outputs` closer to the photograph, class by class.

    The generator's conditions are `Planes`, of which the first K + 1 say where each class is and
    where none is known.

    References:
        Chen and Koltun 2017, section 3.3 and eq. 3.
    """

    columns = ("loss", "grad_norm", "learning_rate", "val_distance", "val_nearest")
    measure: Measure

    def __init__(self, generator: Any, params: TrainingParams) -> None:
        """Sets up the optimizer."""
        super().__init__(generator, params)
        self.config: RegressionConfig = generator.config

    def on_fit_start(self, scenes: Scenes) -> None:
        """Balances the layers of the features on the training photographs."""
        self.measure = measure(self.config, scenes, self.device)

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
        weight = self.config.mean_weight
        nearest, mean = parts.min(1).values.sum(1), parts.mean(1).sum(1)
        return ((1 - weight) * nearest + weight * mean).mean()

    @staticmethod
    def evaluate(generator: Any, scene: Scene, batch: int = EVAL_BATCH) -> dict[str, float]:
        """See `held_out_distances`, which looks at scenes one by one."""
        return held_out_distances(generator, scene)
