"""How a segmentation network learns from labelled photographs."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from augflow.core import seeding
from augflow.core.errors import ParamsError
from augflow.data.scenes import Scene
from augflow.editing.cutouts import ObjectPool
from augflow.segmentation.augment import ClassicPolicy, CopyPastePolicy
from augflow.segmentation.mmseg_model import MmsegSegmenter
from augflow.segmentation.params import SegmenterParams
from augflow.training.batches import random_flip
from augflow.training.learner import Learner, NotFiniteError

STEP_COLUMNS = ("loss", "learning_rate")
"""What a step reports."""


class SupervisedLearner(Learner):
    """One update per step with AdamW on the loss of the network's own config.

    The learning rate climbs linearly over the warm-up, then falls as (1 - step / steps)**0.9, the
    schedule of PSPNet. Norms and biases are not decayed.

    References:
        Zhao et al. 2017, "Pyramid scene parsing network", section 5.1; Loshchilov and Hutter 2019.
    """

    def __init__(
        self,
        segmenter: MmsegSegmenter,
        params: SegmenterParams,
        augment: Literal["none", "classic", "copy_paste"] = "none",
        pool: ObjectPool | None = None,
        strength: float = 1.0,
    ) -> None:
        """Prepares `params.steps` updates of a segmenter, which is changed in place.

        Scenes are varied by the rules of `augment`: `copy_paste` takes its objects from `pool`, and
        `strength` is that of `classic`.

        Raises:
            ParamsError: `copy_paste` has no pool.
        """
        self.segmenter = segmenter
        self.params = params
        self._policy = _policy(augment, pool, strength)
        weights = [p for p in segmenter.network.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in weights if p.ndim > 1], "weight_decay": params.weight_decay},
            {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.networks = {"network": segmenter.network}
        self.optimizers = {"network": torch.optim.AdamW(groups, lr=params.learning_rate)}

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """One update; all randomness (augmentation, dropout) comes from `rng`.

        Raises:
            NotFiniteError: the loss is not; the weights are left as they were.
        """
        images, labels = self._augment(scene, rng)
        rate = self.learning_rate(step)
        optimizer = self.optimizers["network"]
        for group in optimizer.param_groups:
            group["lr"] = rate
        self.segmenter.network.train()
        optimizer.zero_grad()
        with seeding.torch_seeded(int(rng.integers(2**63))):
            loss = self.segmenter.loss(images.float() / 255, labels)
        if not torch.isfinite(loss):
            raise NotFiniteError(
                f"step {step}: the loss of segmenter config {self.params.config} is {loss.item()}"
            )
        loss.backward()
        optimizer.step()
        return {"loss": loss.item(), "learning_rate": rate}

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step, 0 at `steps`."""
        warmup = min(1.0, (step + 1) / max(1, self.params.warmup_steps))
        decay = max(0.0, 1 - step / self.params.steps) ** 0.9
        return self.params.learning_rate * warmup * decay

    def whole_batches(self) -> str | None:
        """See `Learner.whole_batches`."""
        return "batch norm looks at the whole batch"

    def _augment(self, scene: Scene, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self._policy is not None:
            return self._policy(scene.image, scene.layout.classes, rng)
        if self.params.flip:
            scene = random_flip(scene, rng)
        return scene.image, scene.layout.classes


def _policy(
    augment: str, pool: ObjectPool | None, strength: float
) -> ClassicPolicy | CopyPastePolicy | None:
    if augment == "copy_paste":
        if pool is None:
            raise ParamsError(
                "augment: copy_paste needs training scenes to take objects from, got none; "
                "give a pool, or take augment: classic"
            )
        return CopyPastePolicy(pool)
    return ClassicPolicy(strength) if augment == "classic" else None
