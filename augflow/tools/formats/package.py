"""What is exported: labelled photographs in parts, one of which is synthetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from augflow.data.classes import ClassTable

SYNTHETIC, REAL, REAL_VAL = "synthetic", "real", "real_val"


@dataclass(frozen=True)
class Labelled:
    """A photograph with its labels.

    Shapes:
        image: (H, W, 3) uint8, RGB.
        classes: (H, W) uint8 train ids, 255 where nothing is to be learned.
        instances: (H, W) int32 as Cityscapes codes them, None where they are not known.
    """

    name: str
    city: str
    image: np.ndarray
    classes: np.ndarray
    instances: np.ndarray | None = None


@dataclass(frozen=True)
class Package:
    """The parts of an export, `SYNTHETIC` and, where they are asked for, real ones.

    Attributes:
        parts: photographs by part; names are unique within a part.
        weights: by name, how often a synthetic photograph is drawn relative to others.
    """

    table: ClassTable
    size: tuple[int, int]
    parts: Mapping[str, Sequence[Labelled]]
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Placed:
    """Where a photograph and its labels were written, relative to the export's folder."""

    part: str
    name: str
    photo: str
    labels: str


def pixels(photos: Sequence[Labelled], count: int) -> np.ndarray:
    """How many labelled pixels each class has in each photograph, (N, count) int64."""
    return np.stack([np.bincount(p.classes.ravel(), minlength=256)[:count] for p in photos])
