"""C-Glow in its own use, structured prediction: class maps from photographs.

References:
    Lu and Huang 2020, "Structured output learning with conditional generative flows" (c-Glow).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from augflow import generators
from augflow.core import io
from augflow.core.config import Count, Memory, validate_section
from augflow.core.errors import DataError, ModelError
from augflow.core.seeding import Noise, derive
from augflow.data.classes import ClassTable
from augflow.generators.base import class_planes
from augflow.generators.likelihood import FlowConditions, flow_conditions
from augflow.generators.presets import make_config
from augflow.generators.raw_glow import REPAIRED, RawGlow, RawGlowConfig

NAME = "c_glow_predictor"
"""What `config.json` calls a predictor."""


class CGlowPredictorConfig(RawGlowConfig):
    """C-Glow for class maps; a prediction is the mean of so many `samples`."""

    samples: Count = 10


C_GLOW_PREDICTOR: dict[str, dict[str, Any]] = {
    # the paper's sections 5.2 (two classes) and 5.3 (several)
    "paper": {"size": (128, 128), "steps": (8,) * 3},
    "paper_multiclass": {"size": (128, 128), "steps": (8,) * 4},
    "tiny": {
        **REPAIRED, "size": (48, 72), "steps": (4, 4, 4), "width": (48, 64, 96),
        "conv_channels": 16, "linear_width": 24,
    },
    "small": {
        **REPAIRED, "size": (64, 96), "steps": (4, 6, 6, 4), "width": (64, 96, 128, 128),
        "conv_channels": 24, "linear_width": 32,
    },
}  # fmt: skip


class CGlowPredictor(nn.Module):
    """A flow of class maps, all of whose steps are conditioned on the photograph.

    A class map is a plane per class, or with two classes one map three times over, and 0 where no
    class is known.
    """

    memory: Memory = "store"
    """What `log_prob` holds for the backward pass; its numbers do not depend on it."""

    def __init__(self, config: CGlowPredictorConfig, table: ClassTable, seed: int = 0) -> None:
        """Builds flow and conditioning networks."""
        super().__init__()
        self.config, self.table = config, table
        self.raw = RawGlow(config, self.planes_count, 3, seed)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of photographs and class maps."""
        return self.config.size

    @property
    def planes_count(self) -> int:
        """The number of planes in which a class map is written."""
        return 3 if self.table.count == 2 else self.table.count

    def planes(self, classes: Tensor) -> Tensor:
        """Class maps as planes of 0 and 1, (N, H, W) -> (N, planes_count, H, W)."""
        like = next(self.parameters())
        if self.table.count == 2:
            return (classes == 1)[:, None].expand(-1, 3, -1, -1).to(like)
        return class_planes(classes, self.table.count).to(like)

    def round_planes(self, planes: Tensor) -> Tensor:
        """Planes rounded to class maps, (N, planes_count, H, W) -> (N, H, W) int64."""
        if self.table.count == 2:
            return (planes.mean(1) > 0.5).long()
        return planes.argmax(1)

    def initialise(self, planes: Tensor, images: Tensor) -> None:
        """Sets every actnorm from a batch of dequantized planes with their photographs."""
        self.raw.initialise(planes, images)

    def log_prob(self, planes: Tensor, images: Tensor) -> Tensor:
        """Log-density of dequantized planes given photographs, (N,) nats.

        Shapes:
            planes: (N, planes_count, H, W), integers spread by noise in [-1/2, 1/2).
            images: (N, 3, H, W) in [0, 1].

        References:
            C-Glow, equation 1 and section 4.2.
        """
        return self.raw.plan(images).encode(self.raw.tower, planes, self.memory)[0].log_prob

    @torch.no_grad()
    def condition(self, images: Tensor) -> FlowConditions:
        """All that depends on the photographs alone.

        Raises:
            DataError: the photographs are not of the predictor's size.
        """
        if tuple(images.shape[2:]) != self.size:
            raise DataError(
                f"photographs are {images.shape[2]}x{images.shape[3]}; this predictor reads "
                f"{self.size[0]}x{self.size[1]}: resize them to that"
            )
        return flow_conditions(self.raw.tower, self.raw.plan(images), len(images))

    @torch.no_grad()
    def sample(self, conditions: FlowConditions, noise: Noise) -> Tensor:
        """Planes drawn given photographs, (N, planes_count, H, W), not rounded."""
        like, shapes = next(self.parameters()), self.raw.tower.shape.latents(self.size)
        latents = [torch.from_numpy(noise.normal(*shape)).to(like) for shape in shapes]
        return self.raw.tower.decode_noise(latents, conditions.levels)

    @torch.no_grad()
    def predict(self, images: Tensor, samples: int | None = None) -> Tensor:
        """The class of every pixel: the mean of some samples, rounded.

        Photographs are looked at one by one, under noise that their own pixels decide, so a map
        depends on its photograph alone.

        Args:
            images: (N, 3, H, W) in [0, 1].
            samples: how many; those of the configuration by default.

        Returns:
            (N, H, W) int64 train ids.

        Raises:
            DataError: the photographs are not of the predictor's size.
            ModelError: a sample is not finite.

        References:
            C-Glow, equation 4 and section 4.3.
        """
        count = samples or self.config.samples
        return torch.cat([self.round_planes(self._mean(image, count)) for image in images.split(1)])

    def _mean(self, image: Tensor, count: int) -> Tensor:
        pixels = np.rint(image.cpu().numpy() * 255).astype(np.uint8)
        seed = derive(0, "predict", io.digest_array(pixels))
        conditions = self.condition(image).rows([0] * count)
        drawn_planes = self.sample(conditions, Noise([derive(seed, n) for n in range(count)]))
        if not torch.isfinite(drawn_planes).all():
            raise ModelError("a sample is not finite: raise the predictor's floor, train it again")
        return drawn_planes.mean(0, keepdim=True)


def config_of(preset: str, overrides: dict[str, Any]) -> CGlowPredictorConfig:
    """The configuration of a preset with what differs from it."""
    config = make_config(CGlowPredictorConfig, C_GLOW_PREDICTOR, preset, overrides)
    assert isinstance(config, CGlowPredictorConfig)
    return config


def load(folder: Path) -> CGlowPredictor:
    """Reads a predictor that `generators.save` wrote.

    Raises:
        ModelError: files are missing, damaged, or of something else.
    """
    path = folder / "config.json"
    if not path.exists():
        raise ModelError(f"{folder}: no predictor here (expected config.json); train one")
    record = generators.read_record(folder, "predictor")
    if record.system != NAME:
        raise ModelError(
            f"{folder}: holds {record.system!r}, expected {NAME!r}; give the folder of a "
            "predictor, data/STUDY/predictors/NAME"
        )
    config = validate_section(CGlowPredictorConfig, record.config, str(path))
    predictor = CGlowPredictor(config, record.table)
    generators.fill(predictor, folder, record.weights)
    return predictor.eval()
