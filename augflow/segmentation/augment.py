"""Training photographs varied: by the classic rules for street scenes, and by objects of others."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from augflow.data.boundaries import guessed_instances
from augflow.data.classes import IGNORE
from augflow.editing.cutouts import Cutout, ObjectPool, groups_of, values_below

MOST = 5
"""The most objects that a scene gets."""

_OBJECT_SCALE = (0.85, 1.15)
_SCENE_SCALE = (0.8, 1.25)
_TRIES = 12
_SOFT = 0.7
_GREY = (124, 116, 104)


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
        fill=_GREY,
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


class CopyPastePolicy:
    """Objects of another scene pasted in; then the scene is mirrored, scaled and cropped.

    A random number of objects of one other scene of the pool come to stand on the row on which
    they stood, some columns aside, where the ground is of the same class; each is mirrored or not,
    scaled by 0.85 to 1.15, and joined with soft edges. What stands nearer, on a lower row, stays in
    front. Afterwards the scene is mirrored or not and scaled by 0.8 to 1.25, as in the paper; what
    comes in from outside the picture is mean grey and not learned from.

    In the paper objects are pasted anywhere, on top of everything.

    References:
        Ghiasi et al. 2021, "Simple copy-paste is a strong data augmentation method for instance
        segmentation", section 3.
    """

    def __init__(self, pool: ObjectPool) -> None:
        """Holds the pool."""
        self._pool = pool

    def __call__(
        self, images: Tensor, labels: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """A varied version of each scene, by a seed of its own drawn from the caller's generator.

        Shapes:
            images: (N, 3, H, W) uint8, of the pool's size.
            labels: (N, H, W) uint8 train ids.
            returns: the same shapes and types, on the CPU.

        Raises:
            ValueError: the scenes are not of the pool's size.
        """
        size = self._pool.classes.shape[1:]
        if labels.shape[1:] != size:
            raise ValueError(f"scenes are {tuple(labels.shape[1:])}, those of the pool {size}")
        photos, maps = [], []
        for image, classes in zip(images.cpu(), labels.cpu(), strict=True):
            own = np.random.default_rng(int(rng.integers(2**63)))
            canvas = _Canvas(image.permute(1, 2, 0).numpy(), classes.numpy(), self._pool.things)
            self._paste(canvas, own)
            photo, varied = _vary_scene(canvas.photo, canvas.classes, own)
            photos.append(torch.from_numpy(photo).permute(2, 0, 1))
            maps.append(torch.from_numpy(varied))
        return torch.stack(photos), torch.stack(maps)

    def _paste(self, canvas: _Canvas, rng: np.random.Generator) -> None:
        objects = self._draw_donors(canvas.classes, rng)
        if not objects:
            return
        count = int(rng.integers(1, min(len(objects), MOST) + 1))
        picked = rng.permutation(len(objects))[:count]
        # far ones first: they stand higher up
        for one in sorted((objects[place] for place in picked), key=lambda one: one.bottom):
            _place(canvas, one, rng)

    def _draw_donors(self, classes: np.ndarray, rng: np.random.Generator) -> list[Cutout]:
        """The objects of a scene drawn from the pool that is not this one, by its labels."""
        scenes = list(self._pool.objects)
        for _ in range(_TRIES):
            scene = scenes[int(rng.integers(len(scenes)))]
            if not np.array_equal(self._pool.classes[scene], classes):
                return self._pool.objects[scene]
        return []


class _Canvas:
    """A scene that is painted on, and how far down each of its things stands."""

    def __init__(self, photo: np.ndarray, classes: np.ndarray, things: Sequence[int]) -> None:
        self.photo, self.classes = photo.copy(), classes.copy()
        self.bottoms = np.zeros(classes.shape, int)
        ids = guessed_instances(classes, things)
        for values in groups_of(ids):
            mask = np.isin(ids, values)
            self.bottoms[mask] = np.flatnonzero(mask.any(1))[-1] + 1


def _place(canvas: _Canvas, one: Cutout, rng: np.random.Generator) -> None:
    """Pastes an object where there is room and ground for it; nowhere, if that is not found."""
    mask, classes, pixels = _vary_object(one, rng)
    (height, width), columns = mask.shape, canvas.classes.shape[1]
    top = one.bottom - height
    if top < 0 or width > columns:
        return
    for left in rng.integers(0, columns - width + 1, _TRIES).tolist():
        box = np.s_[top : top + height, left : left + width]
        seen = mask & (canvas.bottoms[box] <= one.bottom)
        if seen.sum() > mask.sum() / 2 and _stands(canvas.classes, one, mask, (top, left)):
            part = _soft(seen)[..., None]
            mixed = part * pixels + (1 - part) * canvas.photo[box]
            canvas.photo[box] = np.rint(mixed).astype(np.uint8)
            canvas.classes[box][seen] = classes[seen]
            canvas.bottoms[box][seen] = one.bottom
            return


def _vary_object(
    one: Cutout, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An object's mask, classes and photograph in its box, scaled and perhaps mirrored."""
    assert one.photo is not None
    height, width = one.numbers.shape
    scale = rng.uniform(*_OBJECT_SCALE)
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    nearest = cv2.INTER_NEAREST_EXACT
    made = (
        cv2.resize((one.numbers > 0).astype(np.uint8), size, interpolation=nearest) > 0,
        cv2.resize(one.classes, size, interpolation=nearest),
        cv2.resize(one.photo, size),
    )
    if rng.random() < 0.5:
        return made[0][:, ::-1], made[1][:, ::-1], made[2][:, ::-1]
    return made


def _stands(classes: np.ndarray, one: Cutout, mask: np.ndarray, corner: tuple[int, int]) -> bool:
    """Whether the object would stand on what it stood on."""
    under = values_below(classes, mask, corner)
    return one.ground is None or not len(under) or bool((under == one.ground).mean() >= 0.5)


def _soft(mask: np.ndarray) -> np.ndarray:
    """How much of each pixel is pasted: fading inwards, so that no background comes along."""
    padded = np.pad(mask.astype(np.float32), 2)
    return np.clip(2 * cv2.GaussianBlur(padded, (0, 0), _SOFT)[2:-2, 2:-2] - 1, 0, 1)


def _vary_scene(
    photo: np.ndarray, classes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A scene mirrored or not, scaled, and cropped or laid on grey somewhere."""
    if rng.random() < 0.5:
        photo, classes = photo[:, ::-1], classes[:, ::-1]
    scale, (height, width) = rng.uniform(*_SCENE_SCALE), classes.shape
    down, right = (1 - scale) * rng.random(2) * (height, width)
    # pixel centres are at halves
    half = (scale - 1) / 2
    matrix = np.array([[scale, 0, right + half], [0, scale, down + half]])
    size = (width, height)
    photo, classes = (np.ascontiguousarray(array) for array in (photo, classes))
    return (
        cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_LINEAR, borderValue=_GREY),
        cv2.warpAffine(classes, matrix, size, flags=cv2.INTER_NEAREST, borderValue=IGNORE),
    )
