"""A small network that reads binary attributes in photographs, and how it learns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.distributed import MicroBatch
from augflow.core.tensors import device_of
from augflow.data.attributes import Attributes, brightness
from augflow.data.scenes import Layout, Scene
from augflow.generators.base import class_loss, class_planes
from augflow.training.batches import uniform
from augflow.training.learner import GeneratorLearner
from augflow.training.params import TrainingParams

WIDTHS = (24, 48, 64)
_STEEPNESS = 20.0
"""What differences of class shares are multiplied by, before anything is learned."""
_LIGHT_STEEPNESS = 100.0


class AttributeReader(nn.Module):
    """Finds classes at half the size; their shares, against the medians, say what there is much of.

    Strided convolutions go down to an eighth of the size and come back up, as what a patch is
    depends on what is around it. How dark or bright a photograph is, is measured.
    """

    def __init__(self, attributes: Attributes, classes: int, seed: int) -> None:
        """Draws the weights from `seed`; `classes` is the number of classes of the layouts."""
        super().__init__()
        self.columns = list(attributes.classes)
        self.light: Tensor
        self.medians: Tensor
        self.register_buffer("light", attributes.thresholds.float())
        self.register_buffer("medians", attributes.medians.float())
        with seeding.torch_seeded(seed):
            self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise((3, *WIDTHS)))
            self.up = nn.ModuleList(nn.Conv2d(b, a, 3, 1, 1) for a, b in pairwise(WIDTHS))
            for conv in (*self.down, *self.up):
                assert isinstance(conv, nn.Conv2d)
                nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            self.out = nn.Conv2d(WIDTHS[0], classes, 1)
        self.log_steepness = nn.Parameter(torch.zeros(len(self.columns)))
        self.offset = nn.Parameter(torch.zeros(len(self.columns)))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the attributes and of the classes of photographs.

        Shapes:
            image: (N, 3, H, W) in [0, 1].
            returns: (N, A), and (N, K, ceil(H / 2), ceil(W / 2)).
        """
        x, found = 2 * image - 1, []
        for conv in self.down:
            x = F.relu(conv(x))
            found.append(x)
        for conv, finer in zip(reversed(self.up), reversed(found[:-1]), strict=True):
            x = F.interpolate(x, finer.shape[-2:], mode="bilinear", align_corners=False)
            x = F.relu(conv(x) + finer)
        where = self.out(x)
        shares = where.softmax(1).mean((2, 3))[:, self.columns] - self.medians
        much = _STEEPNESS * self.log_steepness.exp() * shares + self.offset
        level = brightness(image).to(image)[:, None]
        light = _LIGHT_STEEPNESS * torch.cat([self.light[:1] - level, level - self.light[1:]], 1)
        return torch.cat([light, much], 1), where

    @torch.no_grad()
    def read(self, image: Tensor) -> np.ndarray:
        """The probability of each attribute, photographs (N, 3, H, W) uint8 -> (N, A) float64.

        One by one, so that a photograph is read alike whatever is beside it.
        """
        device = device_of(self)
        rows = [torch.sigmoid(self(one[None].to(device).float() / 255)[0])[0] for one in image]
        return torch.stack(rows).double().cpu().numpy()


class AttributeLearner(GeneratorLearner):
    """Cross-entropy of attributes and of pixels, on real photographs mirrored and relit by chance.

    Photographs are relit so that colours are not learned by heart. Pixels teach it where
    attributes, a few bits a scene, do not go far.
    """

    def __init__(
        self, reader: AttributeReader, attributes: Attributes, params: TrainingParams
    ) -> None:
        """Sets up the optimizer; scenes are mirrored whatever `params.flip` says."""
        super().__init__(reader, params.model_copy(update={"flip": True}))
        self.attributes = attributes

    def update(self, scene: Scene, rng: np.random.Generator, step: int) -> dict[str, float]:
        """See `GeneratorLearner.update`."""
        light = 0.9 + 0.2 * uniform((len(scene), 1, 1, 1), rng)
        much = self.attributes.of_layout(scene.layout)
        known = float(_shares(scene.layout, self.generator.out.out_channels).sum().clamp(min=1))

        def losses(part: MicroBatch) -> dict[str, Tensor]:
            own, lit, wanted = self.rows_on_device(part, scene, light, much)
            logits, where = self.generator((own.image.float() / 255 * lit).clamp(max=1))
            loss = F.binary_cross_entropy_with_logits(logits[:, -wanted.shape[1] :], wanted)
            pixels = class_loss(where, _shares(own.layout, where.shape[1]), known)
            return {"loss": part.share * loss + pixels}

        return self.optimizer_step("generator", self.parts(len(scene)), step, losses)


def _shares(layout: Layout, classes: int) -> Tensor:
    """The share of each class in the pixels of half the size, (N, K, ceil(H / 2), ceil(W / 2))."""
    height, width = layout.size
    planes = class_planes(layout.classes, classes).float()
    return F.adaptive_avg_pool2d(planes, (-(-height // 2), -(-width // 2)))
