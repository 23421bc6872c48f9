"""Maximum likelihood: how flows learn."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from augflow.core import seeding
from augflow.core.distributed import Part
from augflow.core.tensors import device_of
from augflow.data.scenes import Layout, Scene
from augflow.flows.density import bits_per_dim, dequantized, discrete_log_prob
from augflow.generators.likelihood import LikelihoodGenerator, content_noise
from augflow.training.batches import HELD_OUT, flipped, photo_noise, pieces, uniform
from augflow.training.learner import GeneratorLearner
from augflow.training.nonfinite import culprit

ROUND_TRIP_SCENES = 8


class LikelihoodLearner(GeneratorLearner):
    """Maximum likelihood of photographs given layouts, and of layouts: equation 11 of Full-Glow."""

    generator: LikelihoodGenerator
    columns: ClassVar[tuple[str, ...]] = (
        "loss", "bpd_target", "bpd_source", "grad_norm", "learning_rate", "round_trip", "val_bpd",
    )  # fmt: skip

    def initialise(self, scene: Scene) -> None:
        """Data-dependent initialisation of every actnorm from a batch, before the first step."""
        rng = seeding.generator(self.params.seed, "initialise")
        noise = uniform(tuple(scene.image.shape), rng).to(self.device)
        planes = content_noise(scene.layout, self.generator.planes_count).to(self.device)
        scene = scene.to(self.device)
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
        noise = uniform(tuple(scene.image.shape), rng)
        planes = uniform((len(scene), self.generator.planes_count, *scene.layout.size), rng)
        numbers = self.learned("generator", scene, noise, planes, step)
        self.follow(step)
        return {**numbers, "learning_rate": rate}

    def learned(
        self, network: str, scene: Scene, noise: Tensor, planes: Tensor, step: int
    ) -> dict[str, float]:
        """One update towards the likelihood of a batch, photographs and planes under given noise.

        Raises:
            NotFiniteError: before the weights are touched.
        """

        def losses(part: Part) -> dict[str, Tensor]:
            own, spread, source = self.taken(part, scene, noise, planes)
            image = dequantized(own.image, spread)
            extra = self.extra_share(part, scene.layout)
            with self.precision():
                return self._losses(image, own.layout, source, part.share, extra)

        return self.descend(
            network, self.parts(len(scene)), step, losses,
            lambda part: culprit(self.generator, lambda: losses(part)),
        )  # fmt: skip

    def extra_share(self, part: Part, layout: Layout) -> float:
        """What a part's further terms (`Terms.extra`) count in those of the whole batch."""
        return part.share

    @staticmethod
    def evaluate(
        generator: LikelihoodGenerator, scene: Scene, batch: int = HELD_OUT
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


@torch.no_grad()
def held_out_bits(generator: LikelihoodGenerator, scenes: Scene, batch: int = HELD_OUT) -> float:
    """Mean conditional bits per dimension over scenes, one fixed dequantization draw each."""
    total, device = 0.0, device_of(generator)
    for start, part in pieces(scenes, batch, device):
        noise = photo_noise(start, len(part)).uniform(*part.image.shape[1:])
        image = dequantized(part.image, torch.from_numpy(noise).to(device))
        conditions = generator.condition(part.layout)
        total += float(generator.bits_per_dim(image, conditions).double().sum())
    return total / len(scenes)


@torch.no_grad()
def round_trip(generator: LikelihoodGenerator, scenes: Scene, batch: int = HELD_OUT) -> float:
    """The largest error of decode(encode(x)) over scenes, in 8-bit grey values."""
    errors = []
    for _, part in pieces(scenes, batch, device_of(generator)):
        image = (part.image.float() + 0.5) / 256
        conditions = generator.condition(part.layout)
        back = generator.decode(generator.encode(image, conditions), conditions)
        errors.append((back - image).abs().max())
    return float(torch.stack(errors).max()) * 256
