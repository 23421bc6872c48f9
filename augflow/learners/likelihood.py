"""Maximum likelihood: how flows learn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from augflow import seeds
from augflow.flows.conditional import LikelihoodGenerator, content_noise
from augflow.flows.density import bits_per_dim, dequantized, discrete_log_prob
from augflow.learners.base import GeneratorLearner, culprit, flipped, photo_noise, uniform
from augflow.scenes import Layout, Scene

ROUND_TRIP_SCENES = 8


class LikelihoodLearner(GeneratorLearner):
    """Maximum likelihood of photographs given layouts, and of layouts: equation 11 of Full-Glow."""

    generator: LikelihoodGenerator
    columns: ClassVar[tuple[str, ...]] = (
        "loss", "bpd_target", "bpd_source", "grad_norm", "learning_rate", "round_trip", "val_bpd",
    )  # fmt: skip

    def initialise(self, scene: Scene) -> None:
        """Data-dependent initialisation of every actnorm from a batch, before the first step."""
        rng = seeds.generator(self.params.seed, "initialise")
        noise = uniform(tuple(scene.image.shape), rng)
        planes = content_noise(scene.layout, self.generator.planes_count)
        self.generator.initialise(dequantized(scene.image, noise), scene.layout, planes)
        self.restart_average()

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `Learner.step`.

        Raises:
            NotFiniteError: before the weights are touched.
        """
        if self.params.flip:
            scene = flipped(scene, rng)
        rate = self.set_rate(step)
        image = dequantized(scene.image, uniform(tuple(scene.image.shape), rng))
        planes = uniform((len(scene), self.generator.planes_count, *scene.layout.size), rng)
        with self.precision():
            loss, bits = self._loss(image, scene.layout, planes)
        norm = self.descend(
            "generator", loss, step,
            lambda: culprit(self.generator, lambda: self._loss(image, scene.layout, planes)),
        )  # fmt: skip
        self.follow(step)
        return {"loss": float(loss.detach()), **bits, "grad_norm": norm, "learning_rate": rate}

    @staticmethod
    def evaluate(generator: LikelihoodGenerator, scene: Scene) -> dict[str, float]:
        """Bits per dimension, and the round-trip error on some of the scenes, spread evenly."""
        picks = np.linspace(0, len(scene) - 1, min(ROUND_TRIP_SCENES, len(scene)))
        return {
            "val_bpd": held_out_bits(generator, scene),
            "round_trip": round_trip(generator, scene[sorted({int(n) for n in picks})]),
        }

    def _loss(
        self, image: Tensor, layout: Layout, planes: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        generator = self.generator
        terms = generator.terms(image, layout, planes)
        loss = bits_per_dim(discrete_log_prob(terms.target, generator.dims), generator.dims).mean()
        numbers = {"bpd_target": float(loss.detach())}
        loss = generator.target_weight * loss
        if terms.source is not None:
            dims = planes[0].numel()
            source = bits_per_dim(discrete_log_prob(terms.source, dims), dims).mean()
            numbers["bpd_source"] = float(source.detach())
            loss = loss + generator.source_weight * source
        for name, value in terms.extra.items():
            numbers[name] = float(value.detach())
            loss = loss + value
        return loss, numbers


@torch.no_grad()
def held_out_bits(generator: LikelihoodGenerator, scenes: Scene, batch: int = 16) -> float:
    """Mean conditional bits per dimension over scenes, one fixed dequantization draw each."""
    total = 0.0
    for start in range(0, len(scenes), batch):
        part = scenes[list(range(start, min(start + batch, len(scenes))))]
        noise = photo_noise(start, len(part))
        image = dequantized(part.image, torch.from_numpy(noise.uniform(*part.image.shape[1:])))
        conditions = generator.condition(part.layout)
        total += float(generator.bits_per_dim(image, conditions).double().sum())
    return total / len(scenes)


@torch.no_grad()
def round_trip(generator: LikelihoodGenerator, scenes: Scene) -> float:
    """The largest error of decode(encode(x)) over scenes, in 8-bit grey values."""
    image = (scenes.image.float() + 0.5) / 256
    conditions = generator.condition(scenes.layout)
    back = generator.decode(generator.encode(image, conditions), conditions)
    return float((back - image).abs().max()) * 256
