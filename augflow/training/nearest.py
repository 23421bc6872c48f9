"""Implicit maximum likelihood: every photograph draws the nearest sample of its layout closer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augflow.core import seeding
from augflow.core.distributed import MicroBatch
from augflow.core.tensors import require_like
from augflow.data.rarity import Rarity, rarity, rarity_mask, rebalanced_batch
from augflow.data.scenes import Scene, Scenes
from augflow.generators.imle import NearestConfig
from augflow.training.batches import random_flip
from augflow.training.learner import NotFiniteError
from augflow.training.params import TrainingParams
from augflow.training.perceptual import PerceptualLearner


@dataclass(frozen=True)
class SceneSet:
    """The scenes of an outer epoch; a scene may stand at several places, each with its own noise.

    Shapes:
        rows: (S,) rows of the training set.
        masks: (S, 1, H, W), what each pixel counts, or None for all alike.
    """

    epoch: int
    rows: np.ndarray
    scene: Scene
    masks: Tensor | None

    def mask(self, places: Sequence[int], device: torch.device) -> Tensor | None:
        """The masks of some places."""
        return None if self.masks is None else self.masks[list(places)].to(device)


class NearestLearner(PerceptualLearner):
    """Conditional IMLE, algorithm 1.

    An outer epoch's set, its coins and its candidates' noise are functions of (seed, epoch, place),
    so of an epoch only the numbers of the nearest candidates have to be remembered. Batches are
    drawn from the set: of the scenes that a step is given only their number counts.

    References:
        Li, Zhang and Malik 2019, "Diverse image synthesis from semantic layouts via conditional
        IMLE", algorithm 1 and section 3.4.
    """

    scenes: Scenes
    rarity: Rarity | None

    def __init__(self, generator: Any, params: TrainingParams) -> None:
        """Sets up the optimizer."""
        super().__init__(generator, params)
        self.config: NearestConfig = generator.config
        self.choices = torch.zeros(self.config.set_size, dtype=torch.int64)
        self._set: SceneSet | None = None

    def on_fit_start(self, scenes: Scenes) -> None:
        """Keeps the scenes, balances the features' layers, and finds out which looks are rare."""
        self.scenes, self._set = scenes, None
        super().on_fit_start(scenes)
        wanted = self.config.rebalance_data or self.config.rebalance_loss
        self.rarity = rarity(scenes, self.generator.table.count) if wanted else None

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `Learner.step`; the first step of an outer epoch chooses its noise before.

        Raises:
            NotFiniteError: before the weights are touched.
        """
        self._restart(step)
        epoch, place = divmod(step, self.config.outer)
        if place == 0:
            self.choose(epoch)
        size = self.config.set_size
        places = rng.choice(size, min(len(scene), size), replace=False).tolist()
        rate = self.set_rate(step)

        def losses(part: MicroBatch) -> dict[str, Tensor]:
            with self.precision():
                return {"loss": part.share * self.loss(epoch, places[part.rows])}

        try:
            numbers = self.optimizer_step("generator", self.parts(len(places)), step, losses)
        except NotFiniteError as fault:
            fault.rows = self.members(epoch).rows[places].tolist()
            raise
        self.update_ema(step)
        return {**numbers, "learning_rate": rate}

    @torch.no_grad()
    def choose(self, epoch: int) -> None:
        """Finds the nearest candidate of every place of an epoch's set, by brute force.

        Ranks take turns at the places, as none has to do with another.
        """
        own = range(self.ranks.rank, self.config.set_size, self.ranks.count)
        nearest = {place: int(self.distances(epoch, place).argmin()) for place in own}
        for found in self.ranks.all_gather(nearest):
            for place, number in found.items():
                self.choices[place] = number

    @torch.no_grad()
    def distances(self, epoch: int, place: int) -> Tensor:
        """The distance of each candidate to the photograph at a place, (candidates,)."""
        members = self.members(epoch)
        one, count = members.scene[[place]].to(self.device), self.config.candidates
        conditions = self.generator.condition(one.layout).rows([0] * count)
        names = [self._name(epoch, place, number) for number in range(count)]
        with self.precision():
            painted = self.generator.decode_latents(
                self.generator.draw(seeding.Noise(names)), conditions
            )
            return self.measure(painted, one.image / 255, members.mask([place], self.device))

    def loss(self, epoch: int, places: Sequence[int]) -> Tensor:
        """The mean distance of photographs to what is painted with their chosen noise."""
        members = self.members(epoch)
        scene = members.scene[places].to(self.device)
        names = [self._name(epoch, place, int(self.choices[place])) for place in places]
        latents = self.generator.draw(seeding.Noise(names))
        painted = self.generator.decode_latents(latents, self.generator.condition(scene.layout))
        return self.measure(painted, scene.image / 255, members.mask(places, self.device)).mean()

    def members(self, epoch: int) -> SceneSet:
        """The set of an outer epoch."""
        if self._set is None or self._set.epoch != epoch:
            rng = seeding.generator(self.params.seed, "set", epoch)
            rows = self._rows(rng)
            scene = self.scenes[rows.tolist()]
            if self.params.flip:
                scene = random_flip(scene, rng)
            self._set = SceneSet(epoch, rows, scene, self._masks(rows, scene))
        return self._set

    def state(self) -> dict[str, Tensor]:
        """See `Learner.state`."""
        return {**super().state(), "nearest.choices": self.choices}

    def restore(self, state: dict[str, Tensor]) -> None:
        """See `Learner.restore`."""
        super().restore(state)
        self.choices.copy_(require_like(state, "nearest.choices", self.choices))

    def _name(self, epoch: int, place: int, number: int) -> int:
        return seeding.derive(self.params.seed, "candidate", epoch, place, number)

    def _rows(self, rng: np.random.Generator) -> np.ndarray:
        size = self.config.set_size
        if self.config.rebalance_data and self.rarity is not None:
            return rebalanced_batch(self.rarity, size, rng)
        return np.resize(rng.permutation(len(self.scenes)), size)

    def _masks(self, rows: np.ndarray, scene: Scene) -> Tensor | None:
        if not self.config.rebalance_loss or self.rarity is None:
            return None
        classes = scene.layout.classes.numpy()
        masks = [
            rarity_mask(self.rarity.log_scores[row], own)
            for row, own in zip(rows, classes, strict=True)
        ]
        return torch.from_numpy(np.stack(masks))[:, None]

    def _restart(self, step: int) -> None:
        share = self.config.restart_encoder
        if share is not None and step == round(share * self.params.steps):
            device = self.device
            self.generator.to("cpu")  # whose draws are the same on every machine
            self.generator.restart_encoder(seeding.derive(self.params.seed, "restart"))
            self.generator.to(device)
            self.optimizers["generator"].state.clear()
            self.reset_ema()
