"""Class maps at coarser resolutions: which share of a cell's pixels each class has."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from augflow.generators.base import class_planes


def class_fractions(classes: Tensor, count: int, levels: int) -> tuple[Tensor, ...]:
    """The share of each class in the cells of every level of a flow.

    A cell of level l is a square of 2**l pixels. Pixels of no known class count as nothing, so the
    shares of a cell sum to less than 1 where there are some.

    Shapes:
        classes: (N, H, W) train ids, 255 where no class is known.
        returns: `levels` tensors (N, count, H / 2**l, W / 2**l), l = 1..levels, float32 in [0, 1].
    """
    planes = class_planes(classes, count).float()
    return tuple(F.avg_pool2d(planes, 2**level) for level in range(1, levels + 1))


def class_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy of cells' class shares under logits, in nats per known pixel; a scalar.

    Shapes:
        logits, shares: (N, K, h, w).
    """
    known = shares.sum().clamp(min=1e-6)
    return -(shares * F.log_softmax(logits.float(), 1)).sum() / known


def known_pixels(classes: Tensor, count: int) -> int:
    """How many pixels of class maps are of one of `count` classes."""
    return int((classes < count).sum())


def known_fraction(classes: Tensor, count: int, rows: slice) -> float:
    """The share of a batch's known pixels that some of its rows have.

    It is what `class_loss` of those rows counts in that of the whole batch, at every level.

    Shapes:
        classes: (N, H, W) train ids, 255 where no class is known.
    """
    return known_pixels(classes[rows], count) / max(known_pixels(classes, count), 1)


def class_accuracy(logits: Tensor, shares: Tensor) -> float:
    """The share of known pixels whose cell is read as their class.

    Shapes:
        logits, shares: (N, K, h, w).
    """
    picked = logits.argmax(1, keepdim=True)
    return float(shares.gather(1, picked).sum() / shares.sum().clamp(min=1e-6))
