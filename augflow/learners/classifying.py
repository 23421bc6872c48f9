"""Maximum likelihood beside a classifier that reads the layout back from the latents."""

from __future__ import annotations

from typing import Any

from augflow.learners.base import photo_noise
from augflow.learners.likelihood import LikelihoodLearner
from augflow.scenes import Scene


class ClassifyingLearner(LikelihoodLearner):
    """`LikelihoodLearner` that also says how well the classes are read.

    References:
        Kingma and Dhariwal 2018, "Glow"; CAGlow (Liu et al. 2019), section 1, on CGlow.
    """

    columns = (*LikelihoodLearner.columns, "classification", "val_classes")

    @staticmethod
    def evaluate(generator: Any, scene: Scene) -> dict[str, float]:
        """The flow's numbers, and the share of pixels whose class is read from the latents."""
        right = 0.0
        for start in range(0, len(scene), 16):
            part = scene[list(range(start, min(start + 16, len(scene))))]
            noise = photo_noise(start, len(part)).uniform(*part.image.shape[1:])
            right += generator.class_accuracy(part, noise) * len(part)
        numbers = LikelihoodLearner.evaluate(generator, scene)
        return {**numbers, "val_classes": right / len(scene)}
