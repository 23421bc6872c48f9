"""A small network that reads binary attributes in photographs, and how it learns."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow import seeds
from augflow.attributes import Attributes
from augflow.learners.base import GeneratorLearner, flipped, uniform
from augflow.params import TrainingParams
from augflow.scenes import Scene

WIDTHS = (16, 32, 64, 64)


class AttributeReader(nn.Module):
    """Strided convolutions, then one logit per attribute from the mean and the rows' means.

    Means of the four horizontal bands are kept apart, as what is where tells street scenes apart.
    """

    def __init__(self, attributes: int, seed: int) -> None:
        """Draws the weights from `seed`."""
        super().__init__()
        with seeds.torch_seeded(seed):
            inputs = (3, *WIDTHS[:-1])
            self.convs = nn.ModuleList(
                nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(inputs, WIDTHS, strict=True)
            )
            for conv in self.convs:
                assert isinstance(conv, nn.Conv2d)
                nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            self.head = nn.Linear(4 * WIDTHS[-1], attributes)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of photographs, (N, 3, H, W) in [0, 1] -> (N, A)."""
        x = 2 * image - 1
        for conv in self.convs:
            x = F.relu(conv(x))
        return self.head(F.adaptive_avg_pool2d(x, (4, 1)).flatten(1))

    @torch.no_grad()
    def read(self, image: Tensor) -> np.ndarray:
        """The probability of each attribute, photographs (N, 3, H, W) uint8 -> (N, A) float64.

        One by one, so that a photograph is read alike whatever is beside it.
        """
        rows = [torch.sigmoid(self(one[None].float() / 255))[0] for one in image]
        return torch.stack(rows).double().numpy()


class AttributeLearner(GeneratorLearner):
    """Binary cross-entropy on real photographs, mirrored by chance and slightly relit.

    The light changes by less than what parts dark from bright, so that colours are not learned by
    heart.
    """

    def __init__(
        self, reader: AttributeReader, attributes: Attributes, params: TrainingParams
    ) -> None:
        """Sets up the optimizer."""
        super().__init__(reader, params)
        self.attributes = attributes

    def step(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `Learner.step`."""
        scene = flipped(scene, rng)
        rate = self.set_rate(step)
        relit = scene.image.float() / 255 * (0.97 + 0.06 * uniform((len(scene), 1, 1, 1), rng))
        logits = self.generator(relit.clamp(max=1))
        loss = F.binary_cross_entropy_with_logits(logits, self.attributes.of(scene))
        norm = self.descend("generator", loss, step, lambda: "the attribute reader")
        self.follow(step)
        return {"loss": float(loss.detach()), "grad_norm": norm, "learning_rate": rate}
