"""CAGlow: a flow by maximum likelihood, then an encoder into its latents by adversaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.core.distributed import MicroBatch
from augflow.core.tensors import device_of
from augflow.data.scenes import Scene, Scenes
from augflow.flows.density import bits_per_dim, dequantize
from augflow.generators.base import (
    class_accuracy,
    class_fractions,
    class_loss,
    known_fraction,
    known_pixels,
)
from augflow.generators.caglow import EncoderCondition, Findings
from augflow.training.batches import (
    EVAL_BATCH,
    cache_single,
    iter_batches,
    normal,
    uniform,
)
from augflow.training.learner import schedule
from augflow.training.likelihood import LikelihoodLearner, held_out_image
from augflow.training.params import TrainingParams

LOSSES = ("discriminator", "encoder", "classifier", "decoder", "matching", "latents")


class LatentAdversarialLearner(LikelihoodLearner):
    """Two stages: the flow alone; then, on the frozen flow, encoder and supervision block in turn.

    The flow learns during the first `config.flow_share` of all steps and keeps its averaged
    weights. Each stage has a schedule of its own: warm-up and decay happen in both.

    References:
        CAGlow (Liu et al. 2019), sections 3.2 and 3.3.
    """

    generator: Any
    columns = (
        "loss",
        "bpd_target",
        *LOSSES,
        "grad_norm",
        "learning_rate",
        "round_trip",
        "val_bpd",
        "val_bpd_given",
        "val_classes",
    )

    def __init__(self, generator: Any, params: TrainingParams) -> None:
        """Sets up an optimizer each for the flow, the encoder and the supervision block."""
        flow = nn.ModuleList([generator.target, generator.target_params])
        networks = {"flow": flow, "encoder": generator.encoder, "block": generator.block}
        super().__init__(generator, params, networks)
        self.border = round(generator.config.flow_share * params.steps)

    def on_fit_start(self, scenes: Scenes) -> None:
        """Measures which photographs are dark and bright, and how many are."""
        self.generator.measure_light(scenes[:].image)

    def update(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `GeneratorLearner.update`."""
        noise = uniform(tuple(scene.image.shape), rng)
        if step < self.border:
            planes = noise.new_zeros(len(scene), 0, *scene.layout.size)
            return self.train_step("flow", scene, noise, planes, step)  # equation 9
        if step == self.border:
            self._freeze()
        return self._encoder_step(scene, noise, rng, step)

    def rate(self, step: int) -> float:
        """The learning rate by the schedule of the stage that a step belongs to."""
        first, steps = 0, max(self.border, 1)
        if step >= self.border:
            first, steps = self.border, self.params.steps - self.border
        stage = self.params.model_copy(update={"steps": steps})
        return stage.learning_rate * schedule(stage, step - first)

    @staticmethod
    def evaluate(generator: Any, scene: Scene, batch: int = EVAL_BATCH) -> dict[str, float]:
        """The flow's numbers; bits given layout and light; how well classes are read back.

        `val_bpd_given` are the bits of photographs when the encoder's Gaussians, all codes in the
        middle, take the place of the flow's standard ones. `val_classes` is the share of pixels
        whose class the classifier reads from the real latents.
        """
        flow = LikelihoodLearner.evaluate(generator, scene, batch)
        bits, right, known = 0.0, 0.0, 0
        for start, part in iter_batches(scene, batch, device_of(generator)):
            gain, accuracy = _held_out(generator, part, start)
            pixels = known_pixels(part.layout.classes, generator.table.count)
            bits, right, known = bits + gain * len(part), right + accuracy * pixels, known + pixels
        given = flow["val_bpd"] - bits / len(scene)
        return {**flow, "val_bpd_given": given, "val_classes": right / max(known, 1)}

    def _buffers(self) -> dict[str, Tensor]:
        """Those of the generator, of which all networks are parts."""
        return {f"generator.{name}": value for name, value in self.generator.named_buffers()}

    @torch.no_grad()
    def _freeze(self) -> None:
        """The flow takes its averaged weights, and keeps them."""
        for name, p in self.generator.named_parameters():
            if self.average is not None and name.startswith(("target.", "target_params.")):
                p.copy_(self.average[name])

    def _encoder_step(
        self, scene: Scene, noise: Tensor, rng: np.random.Generator, step: int
    ) -> dict[str, float]:
        """The supervision block's update, then the encoder's: equations 10 to 15."""
        generator, lambdas = self.generator, self.generator.config.weights
        parts = self.parts(len(scene))
        shapes = generator.target.shape.latents(scene.layout.size)
        draws = [normal((len(scene), *shape), rng) for shape in shapes]
        codes = 2 * uniform((len(scene), generator.config.codes), rng) - 1
        batch = cache_single(lambda part: self._batch(part, scene, noise, draws, codes), parts)

        def with_total(losses: dict[str, Tensor]) -> dict[str, Tensor]:
            return {"loss": lambdas.total(losses), **losses}

        judged = self.optimizer_step(
            "block", parts, step, lambda part: with_total(self._block_losses(batch(part)))
        )
        made = self.optimizer_step(
            "encoder",
            parts,
            step,
            lambda part: with_total(self._encoder_losses(batch(part))),
            lambda part: generator.encoder(batch(part).noise, batch(part).told),
        )
        return {**judged, **made, **{name: judged[name] for name in ("classifier", "decoder")}}

    def _batch(
        self, part: MicroBatch, scene: Scene, noise: Tensor, draws: Sequence[Tensor], codes: Tensor
    ) -> _Batch:
        """Real latents of a part of a batch, and what the encoder makes for its conditions."""
        generator = self.generator
        own, spread, code, *drawn = self.rows_on_device(part, scene, noise, codes, *draws)
        real = generator.target_latents(dequantize(own.image, spread))
        attributes = generator.light_of(own.image)
        shares = class_fractions(own.layout.classes, generator.table.count, len(real))
        with self.precision():
            told = generator.encode_condition(own.layout, attributes, code)
            fake = generator.encoder(drawn, told)
        known = known_fraction(scene.layout.classes, generator.table.count, part.rows)
        return _Batch(real, fake, tuple(drawn), told, shares, part.share, known)

    def _block_losses(self, batch: _Batch) -> dict[str, Tensor]:
        """What the supervision block's three heads minimise."""
        with self.precision():
            real = self.generator.block(batch.real)
            fake = self.generator.block([part.detach() for part in batch.fake])
        return {
            "discriminator": batch.share * discriminator_loss(real, fake),
            "classifier": batch.classifier_loss(real) + batch.classifier_loss(fake),
            "decoder": batch.share * decoder_loss(fake, batch.told.codes),
        }

    def _encoder_losses(self, batch: _Batch) -> dict[str, Tensor]:
        """What the encoder minimises."""
        with self.precision():
            with torch.no_grad():
                real = self.generator.block(batch.real)
            fake = self.generator.block(batch.fake)
            gaussians = self.generator.encoder.gaussians(
                batch.real, batch.told.with_central_codes()
            )
        return {
            "encoder": batch.share * encoder_loss(fake),
            "classifier": batch.classifier_loss(fake),
            "decoder": batch.share * decoder_loss(fake, batch.told.codes),
            "matching": batch.share * matching_loss(real.features, fake.features),
            "latents": batch.share * latent_loss(batch.real, gaussians),
        }


@dataclass(frozen=True)
class _Batch:
    """Real and made latents of equal conditions, of a part of a batch.

    `shares` are those of the classes per level, `share` and `known` the part's share of the batch's
    rows and of its known pixels.
    """

    real: tuple[Tensor, ...]
    fake: tuple[Tensor, ...]
    noise: tuple[Tensor, ...]
    told: EncoderCondition
    shares: tuple[Tensor, ...]
    share: float
    known: float

    def classifier_loss(self, found: Findings) -> Tensor:
        """What the part adds to `classifier_loss` of the batch."""
        return classifier_loss(found, self.shares, self.told.attributes, self.known, self.share)


def discriminator_loss(real: Findings, fake: Findings) -> Tensor:
    """-log D(real) - log(1 - D(fake)), the mean over cells, then over levels.

    The second term is printed as 1 - log D(fake), which would reward the discriminator for taking
    fakes for real; it is read as equation 2 has it.

    References:
        CAGlow, equation 11.
    """
    terms = [
        F.softplus(-there.float()).mean() + F.softplus(here.float()).mean()
        for there, here in zip(real.real, fake.real, strict=True)
    ]
    return torch.stack(terms).mean()


def encoder_loss(fake: Findings) -> Tensor:
    """-log D(fake), the mean over cells, then over levels.

    References:
        CAGlow, equation 10.
    """
    return torch.stack([F.softplus(-logit.float()).mean() for logit in fake.real]).mean()


def classifier_loss(
    found: Findings,
    shares: Sequence[Tensor],
    attributes: Tensor,
    known: float = 1.0,
    share: float = 1.0,
) -> Tensor:
    """Cross-entropy of classes, the mean over levels, and binary cross-entropy of attributes.

    Of a part of a batch, weighted by its share of the batch's known pixels and of its rows.

    References:
        CAGlow, equation 12, one of its two terms.
    """
    classes = torch.stack(
        [class_loss(logits, part) for logits, part in zip(found.classes, shares, strict=True)]
    ).mean()
    light = F.binary_cross_entropy_with_logits(found.attributes.float(), attributes)
    return known * classes + share * light


def decoder_loss(fake: Findings, codes: Tensor) -> Tensor:
    """The mean squared error of the codes that are read back.

    References:
        CAGlow, equation 13, for continuous codes.
    """
    return F.mse_loss(fake.codes.float(), codes)


def matching_loss(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Half the squared distance of features under equal conditions; means over each level's.

    References:
        CAGlow, equation 14.
    """
    terms = [
        0.5 * F.mse_loss(here.float(), there.float())
        for there, here in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean()


def latent_loss(real: Sequence[Tensor], gaussians: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """How unlikely real latents are under the encoder's Gaussians, nats; the mean over levels.

    It is per dimension, and a constant is left out. It matches the latents themselves, pair by
    pair, where the paper matches features of them alone.
    """
    terms = [
        (0.5 * ((z - mean) * (-log_sd).exp()).square() + log_sd).mean()
        for z, (mean, log_sd) in zip(real, gaussians, strict=True)
    ]
    return torch.stack(terms).mean()


@torch.no_grad()
def _held_out(generator: Any, scene: Scene, start: int) -> tuple[float, float]:
    """Bits per dimension that layout and light save, and the classifier's accuracy."""
    image = held_out_image(scene, start)
    real = generator.target_latents(image)
    codes = image.new_zeros(len(scene), generator.config.codes)
    told: EncoderCondition = generator.encode_condition(
        scene.layout, generator.light_of(scene.image), codes
    )
    saved = torch.stack(
        [
            (0.5 * z.square() - 0.5 * ((z - mean) * (-log_sd).exp()).square() - log_sd).sum(
                (1, 2, 3)
            )
            for z, (mean, log_sd) in zip(real, generator.encoder.gaussians(real, told), strict=True)
        ]
    ).sum(0)
    bits = -bits_per_dim(saved, generator.dims)
    shares = class_fractions(scene.layout.classes, generator.table.count, 1)
    return float(bits.mean()), class_accuracy(generator.block(real).classes[0], shares[0])
