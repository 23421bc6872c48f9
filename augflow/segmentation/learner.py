"""How a segmentation network learns from labelled photographs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from augflow.core import seeding
from augflow.core.distributed import ALONE, Ranks
from augflow.core.errors import ParamsError
from augflow.core.tensors import fitting
from augflow.data.scenes import Scene
from augflow.segmentation.augment import ClassicPolicy
from augflow.segmentation.copy_paste import CopyPastePolicy
from augflow.segmentation.mmseg_model import MmsegSegmenter, put
from augflow.segmentation.object_pool import ObjectPool
from augflow.segmentation.params import SegmenterParams
from augflow.training.batches import flipped
from augflow.training.learner import NotFiniteError

COLUMNS = ("loss", "learning_rate")
"""What a step reports."""


class SupervisedLearner:
    """One update per step with AdamW on the loss of the network's own config.

    The learning rate climbs linearly over the warm-up, then falls as (1 - step / steps)**0.9, the
    schedule of PSPNet. Norms and biases are not decayed.

    References:
        Zhao et al. 2017, "Pyramid scene parsing network", section 5.1; Loshchilov and Hutter 2019.
    """

    ranks: Ranks = ALONE
    micro_batch: int | None = None

    def __init__(
        self,
        segmenter: MmsegSegmenter,
        params: SegmenterParams,
        augment: Literal["none", "classic", "copy_paste"] = "none",
        pool: ObjectPool | None = None,
        strength: float = 1.0,
    ) -> None:
        """Prepares `params.steps` updates of a segmenter, which is changed in place.

        Args:
            segmenter: what learns.
            params: its schedule.
            augment: the hand-made rules by which scenes are varied.
            pool: where `copy_paste` takes its objects from.
            strength: of the rules of `classic`.

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
        self._optimizer = torch.optim.AdamW(groups, lr=params.learning_rate)

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """One update; all randomness (augmentation, dropout) comes from `rng`.

        Raises:
            NotFiniteError: the loss is not; the weights are left as they were.
        """
        images, labels = self._varied(scene, rng)
        rate = self.learning_rate(step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self.segmenter.network.train()
        self._optimizer.zero_grad()
        with seeding.torch_seeded(int(rng.integers(2**63))):
            loss = self.segmenter.loss(images.float() / 255, labels)
        if not torch.isfinite(loss):
            raise NotFiniteError(
                f"step {step}: the loss of segmenter config {self.params.config} is {loss.item()}"
            )
        loss.backward()
        self._optimizer.step()
        return {"loss": loss.item(), "learning_rate": rate}

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step, 0 at `steps`."""
        warmup = min(1.0, (step + 1) / max(1, self.params.warmup_steps))
        decay = max(0.0, 1 - step / self.params.steps) ** 0.9
        return self.params.learning_rate * warmup * decay

    def whole_batches(self) -> str | None:
        """See `Learner.whole_batches`."""
        return "batch norm looks at the whole batch"

    def state(self) -> dict[str, Tensor]:
        """All that a later process needs to go on with equal weights."""
        tensors = {f"network/{name}": tensor for name, tensor in self.segmenter.state().items()}
        for index, moments in self._optimizer.state_dict()["state"].items():
            for name, tensor in moments.items():
                copy = tensor.detach().to("cpu", copy=True).contiguous()
                tensors[f"optimizer/{index}/{name}"] = copy
        return tensors

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from a `state`.

        Raises:
            ModelError: the weights are not of this network.
            KeyError: moments of the optimizer are missing, or of weights that there are not.
            ValueError: they are of another shape or type.
        """
        network: dict[str, Tensor] = {}
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in state.items():
            kind, _, name = key.partition("/")
            if kind == "network":
                network[name] = tensor
            else:
                index, _, moment = name.partition("/")
                moments.setdefault(int(index), {})[moment] = tensor.clone()
        put(self.segmenter.network, network, "resume state")
        own = [p for group in self._optimizer.param_groups for p in group["params"]]
        weights = dict(enumerate(own))
        for number, found in moments.items():
            likes = {"exp_avg": weights[number], "exp_avg_sq": weights[number]}
            for moment, like in {**likes, "step": torch.zeros(())}.items():
                fitting(found, moment, like)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})

    def _varied(self, scene: Scene, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self._policy is not None:
            return self._policy(scene.image, scene.layout.classes, rng)
        if self.params.flip:
            scene = flipped(scene, rng)
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
