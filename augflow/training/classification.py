"""Maximum likelihood beside a classifier that reads the layout back from the latents."""

from __future__ import annotations

from typing import Any

from augflow.core.distributed import Part
from augflow.core.tensors import device_of
from augflow.data.scenes import Layout, Scene
from augflow.generators.class_fractions import known_pixels, known_share
from augflow.training.batches import HELD_OUT, photo_noise, pieces
from augflow.training.likelihood import LikelihoodLearner


class ClassifyingLearner(LikelihoodLearner):
    """`LikelihoodLearner` that also says how well the classes are read.

    References:
        Kingma and Dhariwal 2018, "Glow"; CAGlow (Liu et al. 2019), section 1, on CGlow.
    """

    columns = (*LikelihoodLearner.columns, "classification", "val_classes")

    def extra_share(self, part: Part, layout: Layout) -> float:
        """The classification loss is a mean over known pixels."""
        return known_share(layout.classes, self.generator.table.count, part.rows)

    @staticmethod
    def evaluate(generator: Any, scene: Scene, batch: int = HELD_OUT) -> dict[str, float]:
        """The flow's numbers, and the share of pixels whose class is read from the latents."""
        right, known, count = 0.0, 0, generator.table.count
        for start, part in pieces(scene, batch, device_of(generator)):
            noise = photo_noise(start, len(part)).uniform(*part.image.shape[1:])
            pixels = known_pixels(part.layout.classes, count)
            right, known = right + generator.class_accuracy(part, noise) * pixels, known + pixels
        numbers = LikelihoodLearner.evaluate(generator, scene, batch)
        return {**numbers, "val_classes": right / max(known, 1)}
