"""Binary attributes of scenes: dark or bright photographs, layouts with much of a class.

There are no labels of the time of day. Photographs are called dark, or bright, by tercile of their
mean luminance in the training set: at night and dusk most are in the lowest third, at noon in the
highest. A layout has much of a class when it has more of it than the median training layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from augflow.data.scenes import Layout, Scene

LIGHT = ("dark", "bright")
"""The attributes that a photograph has whatever its layout is."""
STATES = ((1.0, 0.0), (0.0, 0.0), (0.0, 1.0))
"""What `LIGHT` can be, from dark to bright."""

_LUMA = (0.2126, 0.7152, 0.0722)


def brightness(image: Tensor) -> Tensor:
    """The mean luma of photographs.

    Shapes:
        image: (N, 3, H, W) uint8, or floating in [0, 1].
        returns: (N,) float64 in [0, 1].

    References:
        ITU-R BT.709, the weights of the primaries.
    """
    unit = 1.0 if image.is_floating_point() else 255.0
    means = image.double().mean((2, 3)) / unit
    return means @ torch.tensor(_LUMA, dtype=torch.float64, device=image.device)


def terciles(image: Tensor) -> Tensor:
    """The two brightnesses that part photographs into three equal groups, (2,) float64."""
    levels = brightness(image)
    shares = torch.tensor([1 / 3, 2 / 3], dtype=levels.dtype, device=levels.device)
    return torch.quantile(levels, shares)


def light(image: Tensor, thresholds: Tensor) -> Tensor:
    """Whether photographs are dark, and whether they are bright.

    Shapes:
        image: (N, 3, H, W).
        thresholds: (2,), below and above which they are.
        returns: (N, 2) float32 of 0 and 1, as `LIGHT`.
    """
    levels = brightness(image).to(thresholds)
    return torch.stack([levels < thresholds[0], levels > thresholds[1]], 1).float()


def areas(layout: Layout, count: int) -> Tensor:
    """The share of each class in layouts, (N, count) float64; unknown pixels are of no class."""
    flat = layout.classes.flatten(1).cpu().numpy()
    rows = [np.bincount(ids, minlength=256)[:count] / ids.size for ids in flat]
    return torch.from_numpy(np.stack(rows)).to(layout.classes.device)


@dataclass(frozen=True)
class Attributes:
    """The attributes of a data set and where they begin, measured on its training scenes.

    `names` are those of `LIGHT`, then `much CLASS` for every class in `classes`: those that some
    training layouts have much of and others have not.

    Shapes:
        thresholds: (2,) brightnesses.
        medians: (len(classes),) shares.
    """

    names: tuple[str, ...]
    classes: tuple[int, ...]
    thresholds: Tensor
    medians: Tensor

    @classmethod
    def measure(cls, scenes: Scene, names: Sequence[str]) -> Attributes:
        """Measures where attributes begin; `names` are those of the K classes."""
        shares = areas(scenes.layout, len(names))
        medians = shares.median(0).values
        part = (shares > medians).double().mean(0)
        kept = tuple(int(c) for c in torch.nonzero((part > 0) & (part < 1)).flatten())
        all_names = (*LIGHT, *(f"much {names[c]}" for c in kept))
        return cls(all_names, kept, terciles(scenes.image), medians[list(kept)])

    def of(self, scenes: Scene) -> Tensor:
        """The attributes of scenes, (N, A) float32 of 0 and 1."""
        return torch.cat([light(scenes.image, self.thresholds), self.of_layout(scenes.layout)], 1)

    def of_layout(self, layout: Layout) -> Tensor:
        """The attributes that layouts decide, (N, A - 2) float32 of 0 and 1."""
        shares = areas(layout, max(self.classes, default=-1) + 1)
        return (shares[:, list(self.classes)] > self.medians.to(shares)).float()
