"""What a segmenter sees in photographs whose labels are known, pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from augflow.data.classes import IGNORE
from augflow.data.scenes import Scene
from augflow.metrics import confusion_matrix
from augflow.segmentation.mmseg_model import MmsegSegmenter


@dataclass(frozen=True)
class PixelLosses:
    """What the judge saw in a photograph.

    Shapes:
        agreement: the share of labelled pixels that it reads as the label says, in [0, 1].
        loss: (H, W) float32, its cross-entropy in nats; nan where there is no label.
    """

    agreement: float
    loss: np.ndarray


def pixel_losses(log_probs: np.ndarray, classes: np.ndarray) -> PixelLosses:
    """What a judge's class probabilities say of labels.

    Shapes:
        log_probs: (K, H, W), logarithms.
        classes: (H, W) uint8 train ids, 255 where no class is known.
    """
    known = classes != IGNORE
    index = np.where(known, classes, 0)[None]
    loss = -np.take_along_axis(log_probs, index.astype(np.intp), 0)[0].astype(np.float32)
    loss[~known] = np.nan
    right = (log_probs.argmax(0) == classes)[known]
    return PixelLosses(float(right.mean()) if right.size else 0.0, loss)


def class_losses(looks: Iterable[tuple[PixelLosses, np.ndarray]], count: int) -> np.ndarray:
    """The mean loss of the pixels of each class, over photographs with their class maps.

    Shapes:
        returns: (count,) float64 in nats; nan for a class of which there is no pixel.
    """
    sums, pixels = np.zeros(256), np.zeros(256)
    for seen, classes in looks:
        flat = classes.ravel()
        sums += np.bincount(flat, np.nan_to_num(seen.loss).ravel(), 256)
        pixels += np.bincount(flat, minlength=256)
    with np.errstate(invalid="ignore"):
        return np.where(pixels > 0, sums / pixels, np.nan)[:count]


def iter_pixel_losses(
    segmenter: MmsegSegmenter, scenes: Scene
) -> Iterator[tuple[PixelLosses, np.ndarray]]:
    """What a segmenter sees in photographs, one by one, with their class maps."""
    for image, classes in zip(scenes.image, scenes.layout.classes.numpy(), strict=True):
        yield pixel_losses(segmenter.log_probs(image.float() / 255).cpu().numpy(), classes), classes


def confusions(segmenter: MmsegSegmenter, images: Tensor, classes: Tensor) -> Iterator[np.ndarray]:
    """The confusion matrix of each photograph, one by one.

    Shapes:
        images: (N, 3, H, W) uint8.
        classes: (N, H, W) uint8 train ids, 255 where nothing is scored.
        yields: (K, K) int64, rows ground truth.
    """
    for image, truth in zip(images, classes, strict=True):
        predicted = segmenter.predict(image[None].float() / 255)[0]
        yield confusion_matrix(truth.numpy(), predicted.cpu().numpy(), segmenter.count)
