"""Maximum likelihood, alone or beside a classifier: how flows learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.distributed import MicroBatch
from augflow.core.tensors import device_of
from augflow.data.scenes import Layout, Scene, Scenes, evenly
from augflow.flows.density import bits_per_dim, dequantize, discrete_log_prob
from augflow.generators.base import known_fraction, known_pixels
from augflow.generators.likelihood import LikelihoodGenerator, content_noise
from augflow.training.batches import EVAL_BATCH, iter_batches, photo_noise, uniform
from augflow.training.learner import GeneratorLearner
from augflow.training.loop import init_rows
from augflow.training.params import TrainingParams

ROUND_TRIP_SCENES = 8
FACTOR_SCENES = 256
"""Training scenes over which the factors of a mean are brought to unit variance."""


class LikelihoodLearner(GeneratorLearner):
    """Maximum likelihood of photographs given layouts, and of layouts: equation 11 of Full-Glow."""

    generator: LikelihoodGenerator
    columns: tuple[str, ...] = (
        "loss",
        "bpd_target",
        "bpd_source",
        "grad_norm",
        "learning_rate",
        "round_trip",
        "val_bpd",
    )

    def __init__(
        self,
        generator: Any,
        params: TrainingParams,
        networks: Mapping[str, nn.Module] | None = None,
    ) -> None:
        """See `GeneratorLearner`; up to `border` steps a mean, if there is one, learns alone."""
        super().__init__(generator, params, networks)
        self.border = 0
        if getattr(generator, "mean", None) is not None:
            given, half = params.mean_steps, params.steps // 2
            self.border = half if given is None else min(given, params.steps)
            self.columns = (*self.columns, "mean_loss")

    def on_fit_start(self, scenes: Scenes) -> None:
        """Keeps what actnorms are set from once the mean has learned."""
        self.scenes = scenes

    def initialise(self, scene: Scene) -> None:
        """Data-dependent initialisation of every actnorm from a batch, before the flow learns."""
        rng = seeding.generator(self.params.seed, "initialise")
        noise = uniform(tuple(scene.image.shape), rng).to(self.device)
        planes = content_noise(scene.layout, self.generator.planes_count).to(self.device)
        scene = scene.to(self.device)
        self.generator.initialise(dequantize(scene.image, noise), scene.layout, planes)
        self.reset_ema()

    def update(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `GeneratorLearner.update`."""
        if step < self.border:
            return self._learn_mean(scene, step)
        if step == self.border > 0:
            self._fit_factors()
            self.initialise(self.scenes[init_rows(self.params, len(self.scenes))])
        noise = uniform(tuple(scene.image.shape), rng)
        planes = uniform((len(scene), self.generator.planes_count, *scene.layout.size), rng)
        return self.train_step("generator", scene, noise, planes, step)

    def _fit_factors(self) -> None:
        """Brings the factors of the mean to unit variance, once they have learned."""
        rows = evenly(len(self.scenes), min(len(self.scenes), FACTOR_SCENES))
        parts = (self.scenes[rows[n : n + EVAL_BATCH]] for n in range(0, len(rows), EVAL_BATCH))
        mean: Any = self.generator.mean
        mean.fit_factors((part.layout, part.image / 255) for part in map(self._here, parts))

    def _here(self, scene: Scene) -> Scene:
        return scene.to(self.device)

    def _learn_mean(self, scene: Scene, step: int) -> dict[str, float]:
        """One update of the mean alone."""
        mean: Any = self.generator.mean

        def losses(part: MicroBatch) -> dict[str, Tensor]:
            (own,) = self.rows_on_device(part, scene)
            with self.precision():
                loss = part.share * mean.loss(mean(own.layout), own.image / 255)
            return {"loss": loss, "mean_loss": loss.detach()}

        return self.optimizer_step("generator", self.parts(len(scene)), step, losses)

    def train_step(
        self, network: str, scene: Scene, noise: Tensor, planes: Tensor, step: int
    ) -> dict[str, float]:
        """One update towards the likelihood of a batch, images and planes under given noise."""

        def losses(part: MicroBatch) -> dict[str, Tensor]:
            own, spread, source = self.rows_on_device(part, scene, noise, planes)
            image = dequantize(own.image, spread)
            extra = self.extra_share(part, scene.layout)
            with self.precision():
                return self._losses(image, own.layout, source, part.share, extra)

        return self.optimizer_step(network, self.parts(len(scene)), step, losses)

    def extra_share(self, part: MicroBatch, layout: Layout) -> float:
        """What a part's further terms (`Terms.extra`) count in those of the whole batch."""
        return part.share

    @staticmethod
    def evaluate(
        generator: LikelihoodGenerator, scene: Scene, batch: int = EVAL_BATCH
    ) -> dict[str, float]:
        """Bits per dimension, and the round-trip error on some of the scenes, spread evenly."""
        picks = np.linspace(0, len(scene) - 1, min(ROUND_TRIP_SCENES, len(scene)))
        return {
            "val_bpd": held_out_bits(generator, scene, batch),
            "round_trip": round_trip(generator, scene[sorted({int(n) for n in picks})], batch),
        }

    def _losses(
        self, image: Tensor, layout: Layout, planes: Tensor, share: float, extra: float
    ) -> dict[str, Tensor]:
        """What a part adds to the batch's numbers, of which it is this share."""
        generator = self.generator
        terms = generator.terms(image, layout, planes)
        bits = bits_per_dim(discrete_log_prob(terms.target, generator.dims), generator.dims)
        numbers = {"bpd_target": share * bits.mean()}
        loss = generator.target_weight * numbers["bpd_target"]
        if terms.source is not None:
            dims = planes[0].numel()
            bits = bits_per_dim(discrete_log_prob(terms.source, dims), dims)
            numbers["bpd_source"] = share * bits.mean()
            loss = loss + generator.source_weight * numbers["bpd_source"]
        for name, value in terms.extra.items():
            numbers[name] = extra * value
            loss = loss + numbers[name]
        return {"loss": loss, **numbers}


class ClassifyingLearner(LikelihoodLearner):
    """Maximum likelihood beside a classifier that reads the layout back from the latents.

    References:
        Kingma and Dhariwal 2018, "Glow"; CAGlow (Liu et al. 2019), section 1, on CGlow.
    """

    generator: Any
    columns = (*LikelihoodLearner.columns, "classification", "val_classes")

    def extra_share(self, part: MicroBatch, layout: Layout) -> float:
        """The classification loss is a mean over known pixels."""
        return known_fraction(layout.classes, self.generator.table.count, part.rows)

    @staticmethod
    def evaluate(generator: Any, scene: Scene, batch: int = EVAL_BATCH) -> dict[str, float]:
        """The flow's numbers, and the share of pixels whose class is read from the latents."""
        right, known, count = 0.0, 0, generator.table.count
        for start, part in iter_batches(scene, batch, device_of(generator)):
            accuracy = generator.class_accuracy(held_out_image(part, start), part.layout)
            pixels = known_pixels(part.layout.classes, count)
            right, known = right + accuracy * pixels, known + pixels
        numbers = LikelihoodLearner.evaluate(generator, scene, batch)
        return {**numbers, "val_classes": right / max(known, 1)}


def held_out_image(scene: Scene, start: int) -> Tensor:
    """Held-out photographs from the place `start` on, dequantized, (N, 3, H, W) in [0, 1)."""
    noise = photo_noise(start, len(scene)).uniform(*scene.image.shape[1:])
    return dequantize(scene.image, torch.from_numpy(noise).to(scene.image.device))


@torch.no_grad()
def held_out_bits(generator: LikelihoodGenerator, scenes: Scene, batch: int = EVAL_BATCH) -> float:
    """Mean conditional bits per dimension over scenes, one fixed dequantization draw each."""
    total = 0.0
    for start, part in iter_batches(scenes, batch, device_of(generator)):
        bits = generator.bits_per_dim(held_out_image(part, start), generator.condition(part.layout))
        total += float(bits.double().sum())
    return total / len(scenes)


@torch.no_grad()
def round_trip(generator: LikelihoodGenerator, scenes: Scene, batch: int = EVAL_BATCH) -> float:
    """The largest error of decode(encode(x)) over scenes, in 8-bit grey values."""
    errors = []
    for _, part in iter_batches(scenes, batch, device_of(generator)):
        image = (part.image.float() + 0.5) / 256
        conditions = generator.condition(part.layout)
        back = generator.decode(generator.encode(image, conditions), conditions)
        errors.append((back - image).abs().max())
    return float(torch.stack(errors).max()) * 256
