"""Maximum likelihood of class maps given photographs: how a flow learns to predict."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from augflow.core import seeding
from augflow.core.distributed import MicroBatch
from augflow.core.tensors import device_of
from augflow.data.scenes import Scene
from augflow.generators.c_glow_predictor import CGlowPredictor
from augflow.metrics import confusion_matrix, scores
from augflow.training.batches import EVAL_BATCH, photo_noise, uniform
from augflow.training.learner import GeneratorLearner


class PredictionLearner(GeneratorLearner):
    """Class maps are dequantized with noise in [-1/2, 1/2), anew at every step.

    As the bins of the planes' integers are one wide, the log-density bounds the log-probability of
    the class map as it is. `val_iou` is the mean class IoU of one sample per held-out photograph.

    References:
        C-Glow (Lu and Huang 2020), section 4.2.
    """

    generator: CGlowPredictor
    columns = ("loss", "grad_norm", "learning_rate", "val_bpd", "val_iou")

    def initialise(self, scene: Scene) -> None:
        """Data-dependent initialisation of every actnorm from a batch, before the first step."""
        rng = seeding.generator(self.params.seed, "initialise")
        noise = uniform(_shape(self.generator, scene), rng).to(self.device)
        scene = scene.to(self.device)
        spread = _spread(self.generator, scene, noise)
        self.generator.initialise(spread, pixels(scene.image))
        self.reset_ema()

    def update(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `GeneratorLearner.update`."""
        noise = uniform(_shape(self.generator, scene), rng)

        def losses(part: MicroBatch) -> dict[str, Tensor]:
            with self.precision():
                bits = _bits(self.generator, *self.rows_on_device(part, scene, noise))
                return {"loss": part.share * bits.mean()}

        return self.optimizer_step("generator", self.parts(len(scene)), step, losses)

    @staticmethod
    @torch.no_grad()
    def evaluate(
        generator: CGlowPredictor, scene: Scene, batch: int = EVAL_BATCH
    ) -> dict[str, float]:
        """Bits per dimension from one fixed draw each, and the IoU of one sample each.

        Whatever `batch` says, photographs are looked at one by one.
        """
        bits, count, device = 0.0, generator.table.count, device_of(generator)
        matrix = np.zeros((count, count), np.int64)
        for n in range(len(scene)):
            one = scene[[n]].to(device)
            drawn = photo_noise(n, 1).uniform(*_shape(generator, one)[1:])
            noise = torch.from_numpy(drawn).to(device)
            bits += float(_bits(generator, one, noise))
            predicted = generator.predict(pixels(one.image), 1)
            truth = one.layout.classes.cpu().numpy()
            matrix += confusion_matrix(truth, predicted.cpu().numpy(), count)
        return {"val_bpd": bits / len(scene), "val_iou": scores(matrix).class_iou}


def pixels(image: Tensor) -> Tensor:
    """8-bit photographs as a predictor sees them, in [0, 1]."""
    return image.float() / 255


def _shape(predictor: CGlowPredictor, scene: Scene) -> tuple[int, ...]:
    return (len(scene), predictor.planes_count, *scene.layout.size)


def _spread(predictor: CGlowPredictor, scene: Scene, noise: Tensor) -> Tensor:
    return predictor.planes(scene.layout.classes) + noise - 0.5


def _bits(predictor: CGlowPredictor, scene: Scene, noise: Tensor) -> Tensor:
    """Bits per dimension of the planes, (N,)."""
    spread = _spread(predictor, scene, noise)
    density = predictor.log_prob(spread, pixels(scene.image))
    return -density / (spread[0].numel() * math.log(2))
