"""Learning against a discriminator: how pix2pix learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from augflow.core import seeding
from augflow.core.distributed import Part, Ranks
from augflow.core.tensors import device_of
from augflow.data.scenes import Layout, Scene
from augflow.generators.base import Planes
from augflow.generators.batch_norm import BatchStatistics
from augflow.generators.pix2pix import AdversarialGenerator, Opponent
from augflow.training.batches import HELD_OUT, flipped, kept, photo_noise, pieces, uniform
from augflow.training.learner import GeneratorLearner
from augflow.training.nonfinite import culprit
from augflow.training.params import TrainingParams
from augflow.training.patch_gan import PatchGAN


class AdversarialLearner(GeneratorLearner):
    """Discriminator and generator in turns, one update of each per step.

    The discriminator sees layout planes and photographs in [-1, 1], and is no part of the
    generator that is saved. The papers' learning rate is 2e-4 with `betas` (0.5, 0.999).

    References:
        Isola et al. 2017, "Image-to-image translation with conditional adversarial networks",
        equations 1 to 4 and section 3.3.
    """

    generator: AdversarialGenerator
    columns = (
        "loss", "loss_discriminator", "l1", "grad_norm", "learning_rate", "val_distance",
    )  # fmt: skip

    def __init__(self, generator: Any, params: TrainingParams) -> None:
        """Makes the discriminator from `params.seed`."""
        opponent = generator.opponent
        with seeding.torch_seeded(seeding.derive(params.seed, "discriminator")):
            self.discriminator = PatchGAN(
                generator.planes_count + 3, opponent.patch, opponent.width, opponent.batch_norm
            )
        self.discriminator.to(device_of(generator))
        self.opponent: Opponent = opponent
        networks = {"generator": generator, "discriminator": self.discriminator}
        super().__init__(generator, params, networks)

    def join(self, ranks: Ranks) -> None:
        """See `GeneratorLearner.join`; batch norms look at the rows of all ranks."""
        super().join(ranks)
        for network in self.networks.values():
            for module in network.modules():
                if isinstance(module, BatchStatistics):
                    module.ranks = ranks

    def whole_batches(self) -> str | None:
        """See `Learner.whole_batches`."""
        if not self.opponent.batch_norm:
            return None
        return "batch norm looks at the whole batch: leave it null, or set norm: instance"

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `Learner.step`.

        Raises:
            NotFiniteError: before the weights in question are touched.
        """
        if self.params.flip:
            scene = flipped(scene, rng)
        if self.opponent.jitter:
            scene = jittered(scene, self.opponent.jitter, rng)
        rate = self.set_rate(step)
        coins = [uniform((len(scene), *s), rng) for s in self.generator.latent_shapes()]
        parts = self.parts(len(scene))
        pair = kept(lambda part: self._pair(part, scene, coins), parts)
        judged = self.descend(
            "discriminator", parts, step, lambda part: self._judged(pair(part), part.share),
            lambda part: culprit(self.discriminator, lambda: self._judged(pair(part), part.share)),
        )  # fmt: skip
        self.discriminator.requires_grad_(False)
        numbers = self.descend(
            "generator", parts, step, lambda part: self._made(pair(part), part.share),
            lambda part: culprit(
                self.generator, lambda: self.generator.paint(pair(part).coins, pair(part).planes)
            ),
        )  # fmt: skip
        self.discriminator.requires_grad_(True)
        self.follow(step)
        return {
            **numbers,
            "loss_discriminator": judged["loss"],
            "l1": numbers["l1"] * 128,
            "learning_rate": rate,
        }

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
        return passed + self.opponent.l1_weight * distance, distance

    @staticmethod
    def evaluate(generator: Any, scene: Scene, batch: int = HELD_OUT) -> dict[str, float]:
        """Mean absolute distance to held-out photographs, in 8-bit grey values, fixed coins."""
        total = 0.0
        for start, part in pieces(scene, batch, device_of(generator)):
            noise = photo_noise(start, len(part))
            made = generator.sample(generator.condition(part.layout), noise, 1.0)
            error = (made * 2 - 1 - _signed(part)).abs().mean((1, 2, 3)) * 128
            total += float(error.double().sum())
        return {"val_distance": total / len(scene)}

    def _pair(self, part: Part, scene: Scene, coins: Sequence[Tensor]) -> _Pair:
        """The photographs of a part of a batch, and what the generator makes in their place."""
        own, *drawn = self.taken(part, scene, *coins)
        conditions = self.generator.condition(own.layout)
        with self.precision():
            fake = 2 * self.generator.paint_together(drawn, conditions) - 1
        return _Pair(conditions, tuple(drawn), _signed(own), fake)

    def _judged(self, pair: _Pair, share: float) -> dict[str, Tensor]:
        with self.precision():
            loss = self.discriminator_loss(pair.planes.values, pair.real, pair.fake.detach())
        return {"loss": share * loss}

    def _made(self, pair: _Pair, share: float) -> dict[str, Tensor]:
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


def _signed(scene: Scene) -> Tensor:
    """Photographs in [-1, 1], 8-bit values at the centres of their bins."""
    return (scene.image.float() + 0.5) / 128 - 1


def jittered(scene: Scene, rows: int, rng: np.random.Generator) -> Scene:
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
