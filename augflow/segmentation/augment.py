"""Training photographs varied by hand-made rules: the classic policy for street scenes."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augflow.data.classes import IGNORE


class ClassicPolicy:
    """Mirror, scale, shift, slight turn, light, blur and sensor noise, by albumentations.

    Geometry moves photograph and labels together (labels by nearest neighbour); what comes in from
    outside the picture is mean grey and not learned from. Every scene has a seed of its own, drawn
    from the caller's generator, so a result depends on nothing else.
    """

    def __init__(self, strength: float = 1.0) -> None:
        """Builds the transforms.

        Args:
            strength: how far scale, shift, turn and light may go, as a share of the most.
        """
        self._compose = _policy(strength)

    def __call__(
        self, images: Tensor, labels: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """A varied version of each scene.

        Shapes:
            images: (N, 3, H, W) uint8.
            labels: (N, H, W) uint8 train ids.
            returns: the same shapes and types, on the CPU.
        """
        photos, maps = [], []
        for photo, classes in zip(images.cpu(), labels.cpu(), strict=True):
            seed = int(rng.integers(2**63))
            # set_random_seed would start every transform at the same draw: they would be chosen
            # together or not at all; here all draw from one stream
            self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
            varied = self._compose(image=photo.permute(1, 2, 0).numpy(), mask=classes.numpy())
            photos.append(torch.from_numpy(np.ascontiguousarray(varied["image"])).permute(2, 0, 1))
            maps.append(torch.from_numpy(np.ascontiguousarray(varied["mask"])))
        return torch.stack(photos), torch.stack(maps)


def _policy(strength: float) -> Any:
    # without this, albumentations asks the network for its newest version when it is imported
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    import albumentations
    import cv2

    geometry = albumentations.Affine(
        scale=(1 - 0.25 * strength, 1 + 0.75 * strength),
        translate_percent={
            "x": (-0.15 * strength, 0.15 * strength),
            "y": (-0.1 * strength, 0.1 * strength),
        },
        rotate=(-4 * strength, 4 * strength),
        keep_ratio=True,
        interpolation=cv2.INTER_LINEAR,
        mask_interpolation=cv2.INTER_NEAREST,
        fill=(124, 116, 104),
        fill_mask=IGNORE,
        p=0.8,
    )
    light = albumentations.ColorJitter(
        brightness=_about_one(0.3 * strength),
        contrast=_about_one(0.3 * strength),
        saturation=_about_one(0.4 * strength),
        hue=(-0.03 * strength, 0.03 * strength),
        p=0.8,
    )
    blur = albumentations.OneOf(
        [
            albumentations.GaussianBlur(blur_limit=(3, 3), sigma_limit=(0.3, 1.0)),
            albumentations.MotionBlur(blur_limit=(3, 3)),
        ],
        p=0.1,
    )
    noise = albumentations.GaussNoise(std_range=(0.01, 0.03), p=0.2)
    mirror = albumentations.HorizontalFlip(p=0.5)
    return albumentations.Compose([mirror, geometry, light, blur, noise])


def _about_one(most: float) -> tuple[float, float]:
    return 1 - most, 1 + most
