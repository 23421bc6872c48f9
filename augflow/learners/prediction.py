"""Maximum likelihood of class maps given photographs: how a flow learns to predict."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from augflow import seeds
from augflow.classes import ClassTable
from augflow.learners.base import GeneratorLearner, culprit, flipped, photo_noise, uniform
from augflow.metrics import confusion_matrix, scores
from augflow.scenes import Scene


class Predictor(Protocol):
    """A conditional density of class maps, written as planes, given photographs."""

    table: ClassTable

    @property
    def planes_count(self) -> int:
        """The number of planes in which a class map is written."""
        ...

    def planes(self, classes: Tensor) -> Tensor:
        """Class maps (N, H, W) as planes of integers, (N, planes_count, H, W)."""
        ...

    def initialise(self, planes: Tensor, images: Tensor) -> None:
        """Sets every actnorm from a batch."""
        ...

    def log_prob(self, planes: Tensor, images: Tensor) -> Tensor:
        """Log-density of dequantized planes given photographs in [0, 1], (N,) nats."""
        ...

    def predict(self, images: Tensor, samples: int | None = None) -> Tensor:
        """Class maps of photographs in [0, 1], (N, H, W)."""
        ...


class PredictionLearner(GeneratorLearner):
    """Class maps are dequantized with noise in [-1/2, 1/2), anew at every step.

    As the bins of the planes' integers are one wide, the log-density bounds the log-probability of
    the class map as it is. `val_iou` is the mean class IoU of one sample per held-out photograph.

    References:
        C-Glow (Lu and Huang 2020), section 4.2.
    """

    generator: Predictor
    columns = ("loss", "grad_norm", "learning_rate", "val_bpd", "val_iou")

    def initialise(self, scene: Scene) -> None:
        """Data-dependent initialisation of every actnorm from a batch, before the first step."""
        rng = seeds.generator(self.params.seed, "initialise")
        spread = _spread(self.generator, scene, uniform(_shape(self.generator, scene), rng))
        self.generator.initialise(spread, pixels(scene.image))
        self.restart_average()

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `Learner.step`.

        Raises:
            NotFiniteError: before the weights are touched.
        """
        if self.params.flip:
            scene = flipped(scene, rng)
        rate = self.set_rate(step)
        noise = uniform(_shape(self.generator, scene), rng)
        with self.precision():
            loss = _bits(self.generator, scene, noise).mean()
        norm = self.descend(
            "generator", loss, step,
            lambda: culprit(self.networks["generator"],
                            lambda: _bits(self.generator, scene, noise)),
        )  # fmt: skip
        self.follow(step)
        return {"loss": float(loss.detach()), "grad_norm": norm, "learning_rate": rate}

    @staticmethod
    @torch.no_grad()
    def evaluate(generator: Predictor, scene: Scene) -> dict[str, float]:
        """Bits per dimension from one fixed draw each, and the IoU of one sample each."""
        bits, count = 0.0, generator.table.count
        matrix = np.zeros((count, count), np.int64)
        for n in range(len(scene)):
            one = scene[[n]]
            noise = torch.from_numpy(photo_noise(n, 1).uniform(*_shape(generator, one)[1:]))
            bits += float(_bits(generator, one, noise))
            predicted = generator.predict(pixels(one.image), 1)
            truth = one.layout.classes.numpy()
            matrix += confusion_matrix(truth, predicted.numpy(), count)
        return {"val_bpd": bits / len(scene), "val_iou": scores(matrix).class_iou}


def pixels(image: Tensor) -> Tensor:
    """8-bit photographs as a predictor sees them, in [0, 1]."""
    return image.float() / 255


def _shape(predictor: Predictor, scene: Scene) -> tuple[int, ...]:
    return (len(scene), predictor.planes_count, *scene.layout.size)


def _spread(predictor: Predictor, scene: Scene, noise: Tensor) -> Tensor:
    return predictor.planes(scene.layout.classes) + noise - 0.5


def _bits(predictor: Predictor, scene: Scene, noise: Tensor) -> Tensor:
    """Bits per dimension of the planes, (N,)."""
    spread = _spread(predictor, scene, noise)
    density = predictor.log_prob(spread, pixels(scene.image))
    return -density / (spread[0].numel() * math.log(2))
