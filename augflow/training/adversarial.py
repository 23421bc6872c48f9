"""Learning against a discriminator: how pix2pix learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.distributed import MicroBatch, Ranks
from augflow.core.tensors import device_of
from augflow.data.scenes import Layout, Scene
from augflow.generators.base import Planes
from augflow.generators.pix2pix import PATCHES, Norm, Pix2Pix, draw_weights
from augflow.training.batches import EVAL_BATCH, cache_single, iter_batches, photo_noise, uniform
from augflow.training.learner import GeneratorLearner
from augflow.training.params import TrainingParams


class AdversarialLearner(GeneratorLearner):
    """Discriminator and generator in turns, one update of each per step.

    The discriminator sees layout planes and photographs in [-1, 1], and is no part of the
    generator that is saved. The papers' learning rate is 2e-4 with `betas` (0.5, 0.999).

    References:
        Isola et al. 2017, "Image-to-image translation with conditional adversarial networks",
        equations 1 to 4 and section 3.3.
    """

    generator: Pix2Pix
    columns = (
        "loss",
        "loss_discriminator",
        "l1",
        "grad_norm",
        "learning_rate",
        "val_distance",
    )

    def __init__(self, generator: Pix2Pix, params: TrainingParams) -> None:
        """Makes the discriminator from `params.seed`."""
        config = self.config = generator.config
        with seeding.torch_seeded(seeding.derive(params.seed, "discriminator")):
            self.discriminator = PatchGAN(
                generator.planes_count + 3, config.patch, config.patch_width, config.norm == "batch"
            )
        self.discriminator.to(device_of(generator))
        networks = {"generator": generator, "discriminator": self.discriminator}
        super().__init__(generator, params, networks)

    def join(self, ranks: Ranks) -> None:
        """See `GeneratorLearner.join`; batch norms look at the rows of all ranks."""
        super().join(ranks)
        for network in self.networks.values():
            for module in network.modules():
                if isinstance(module, Norm):
                    module.ranks = ranks

    def whole_batches(self) -> str | None:
        """See `Learner.whole_batches`."""
        if self.config.norm == "instance":
            return None
        return "batch norm looks at the whole batch: leave it null, or set norm: instance"

    def update(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `GeneratorLearner.update`."""
        if self.config.jitter:
            scene = random_jitter(scene, self.config.jitter, rng)
        coins = [uniform((len(scene), *s), rng) for s in self.generator.latent_shapes()]
        parts = self.parts(len(scene))
        pair = cache_single(lambda part: self._pair(part, scene, coins), parts)

        def judge(part: MicroBatch) -> dict[str, Tensor]:
            return self._discriminator_losses(pair(part), part.share)

        judged = self.optimizer_step("discriminator", parts, step, judge)
        self.discriminator.requires_grad_(False)
        numbers = self.optimizer_step(
            "generator",
            parts,
            step,
            lambda part: self._generator_losses(pair(part), part.share),
            lambda part: self.generator.decode_latents(pair(part).coins, pair(part).planes),
        )
        self.discriminator.requires_grad_(True)
        return {**numbers, "loss_discriminator": judged["loss"], "l1": numbers["l1"] * 128}

    def discriminator_loss(self, planes: Tensor, real: Tensor, fake: Tensor) -> Tensor:
        """Half the cross-entropy of taking photographs for photographs and fakes for fakes.

        Shapes:
            planes: (N, C, H, W).
            real, fake: (N, 3, H, W) in [-1, 1].
            returns: a scalar, nats.
        """
        on_real = self._against(planes, real, 1.0)
        on_fake = self._against(planes, fake, 0.0)
        return 0.5 * (on_real + on_fake)

    def generator_loss(self, planes: Tensor, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The cross-entropy of passing for a photograph plus the weighted distance to the real one.

        Shapes:
            returns: the loss, and the mean absolute distance on [-1, 1]; scalars.
        """
        distance = F.l1_loss(fake, real)
        passed = self._against(planes, fake, 1.0)
        return passed + self.config.l1_weight * distance, distance

    @staticmethod
    def evaluate(generator: Any, scene: Scene, batch: int = EVAL_BATCH) -> dict[str, float]:
        """Mean absolute distance to held-out photographs, in 8-bit grey values, fixed coins."""
        total = 0.0
        for start, part in iter_batches(scene, batch, device_of(generator)):
            noise = photo_noise(start, len(part))
            made = generator.sample(generator.condition(part.layout), noise, 1.0)
            error = (made * 2 - 1 - _to_signed(part)).abs().mean((1, 2, 3)) * 128
            total += float(error.double().sum())
        return {"val_distance": total / len(scene)}

    def _pair(self, part: MicroBatch, scene: Scene, coins: Sequence[Tensor]) -> _Pair:
        """The photographs of a part of a batch, and what the generator makes in their place."""
        own, *drawn = self.rows_on_device(part, scene, *coins)
        conditions = self.generator.condition(own.layout)
        with self.precision():
            fake = 2 * self.generator.paint_together(drawn, conditions) - 1
        return _Pair(conditions, tuple(drawn), _to_signed(own), fake)

    def _discriminator_losses(self, pair: _Pair, share: float) -> dict[str, Tensor]:
        with self.precision():
            loss = self.discriminator_loss(pair.planes.values, pair.real, pair.fake.detach())
        return {"loss": share * loss}

    def _generator_losses(self, pair: _Pair, share: float) -> dict[str, Tensor]:
        with self.precision():
            loss, distance = self.generator_loss(pair.planes.values, pair.real, pair.fake)
        return {"loss": share * loss, "l1": share * distance}

    def _against(self, planes: Tensor, photographs: Tensor, wanted: float) -> Tensor:
        logits = self.discriminator(torch.cat([planes, photographs], 1)).float()
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted))


@dataclass(frozen=True)
class _Pair:
    """Photographs and fakes of equal layouts in [-1, 1], and what the fakes were made from."""

    planes: Planes
    coins: tuple[Tensor, ...]
    real: Tensor
    fake: Tensor


def _to_signed(scene: Scene) -> Tensor:
    """Photographs in [-1, 1], 8-bit values at the centres of their bins."""
    return (scene.image.float() + 0.5) / 128 - 1


def random_jitter(scene: Scene, rows: int, rng: np.random.Generator) -> Scene:
    """Scenes enlarged by so many rows, and columns in proportion, each cut to size at random.

    Photographs are enlarged bicubically, boundary maps bilinearly, classes to the nearest.

    References:
        Isola et al. 2017, section 6.2.
    """
    height, width = scene.layout.size
    size = (height + rows, round(width * (height + rows) / height))
    tops = rng.integers(0, size[0] - height + 1, len(scene))
    lefts = rng.integers(0, size[1] - width + 1, len(scene))

    def cut(values: Tensor, mode: str) -> Tensor:
        large = F.interpolate(values.float(), size, mode=mode)
        windows = [
            one[:, top : top + height, left : left + width]
            for one, top, left in zip(large, tops, lefts, strict=True)
        ]
        return torch.stack(windows)

    image = cut(scene.image, "bicubic").round().clamp(0, 255).to(torch.uint8)
    classes = cut(scene.layout.classes[:, None], "nearest-exact")[:, 0].to(torch.uint8)
    return Scene(image, Layout(classes, cut(scene.layout.boundary[:, None], "bilinear")[:, 0]))


class PatchGAN(nn.Module):
    """The discriminator judges overlapping patches of a photograph with its layout.

    Convolutions 4x4: some that halve, one that does not, one to a judgement per patch.

    References:
        Isola et al. 2017, sections 3.2.2 and 6.1.2.
    """

    def __init__(self, inputs: int, patch: int, width: int, batch_norm: bool) -> None:
        """Draws the weights from N(0, 0.02).

        `patch` is a key of `PATCHES`; from `width` channels after the first convolution on they
        double up to eight times that; without `batch_norm`, norms are instance norms without
        weights.
        """
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(inputs, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        before = width
        for number in range(1, PATCHES[patch] + 1):
            after = width * min(2**number, 8)
            stride = 2 if number < PATCHES[patch] else 1
            layers += [nn.Conv2d(before, after, 4, stride, 1, bias=not batch_norm)]
            layers += [Norm(after, batch_norm, running=False), nn.LeakyReLU(0.2)]
            before = after
        layers.append(nn.Conv2d(before, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)
        draw_weights(self, 0.02)

    def forward(self, pairs: Tensor) -> Tensor:
        """How real each patch looks, as logits.

        Shapes:
            pairs: (N, inputs, H, W), the layout's planes followed by the photograph.
            returns: (N, 1, h, w).
        """
        return self.layers(pairs)
