"""Boundary maps: where two instances meet, at full resolution and at every level of a flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from augflow.core.errors import DataError


def boundary_map(instances: np.ndarray) -> np.ndarray:
    """Marks the pixels where two instances meet.

    A pixel is marked when a 4-neighbour carries another id, so both sides of an edge are.

    Shapes:
        instances: (H, W) integer ids.
        returns: (H, W) bool.

    Raises:
        DataError: ids are not a map of integers.

    References:
        Full-Glow, appendix B; Wang et al. 2018, "pix2pixHD", section 3.3.
    """
    if instances.ndim != 2 or not np.issubdtype(instances.dtype, np.integer):
        raise DataError(
            f"instance ids are {instances.dtype} of shape {instances.shape}; "
            "expected a (H, W) map of integers"
        )
    edges = np.zeros(instances.shape, bool)
    beside = instances[:, 1:] != instances[:, :-1]
    below = instances[1:] != instances[:-1]
    edges[:, 1:] |= beside
    edges[:, :-1] |= beside
    edges[1:] |= below
    edges[:-1] |= below
    return edges


def strength(boundary: np.ndarray, instances: np.ndarray) -> float:
    """How strong edges of a boundary map are: its median where instances meet, 1 where none do.

    It is below 1 in a map that was made smaller.

    Shapes:
        boundary: (H, W) float in [0, 1].
        instances: (H, W) integer ids.
    """
    edges = boundary[boundary_map(instances)]
    return float(np.median(edges[edges > 0])) if (edges > 0).any() else 1.0


def guessed_instances(classes: np.ndarray, things: Sequence[int]) -> np.ndarray:
    """Instance ids for data that has none: one per connected component of each thing class.

    Objects of one class that touch are merged, which real instance ids would tell apart.

    Shapes:
        classes: (H, W) train ids.
        returns: (H, W) int32; the train id for stuff, `10**6 * (train id + 1) + n` for things.
    """
    import cv2

    instances = classes.astype(np.int32)
    for thing in things:
        mask = (classes == thing).astype(np.uint8)
        if mask.any():
            _, components = cv2.connectedComponents(mask, connectivity=8)
            inside = components > 0
            instances[inside] = 10**6 * (thing + 1) + components[inside] - 1
    return instances


def resize_boundary(boundary: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A full-resolution boundary map at the working size, as bytes.

    Bilinear with antialiasing, so thin lines fade instead of vanishing; a value that would round to
    nothing stays 1, so that the binary version keeps it.

    Shapes:
        boundary: (H, W) bool.
        size: (h, w).
        returns: (h, w) uint8; 255 is a boundary over the whole pixel.
    """
    full = torch.from_numpy(boundary.astype(np.float32))[None, None]
    small = _bilinear(full, size)[0, 0].numpy()
    return np.maximum(np.rint(small * 255), small > 1e-6).astype(np.uint8)


Filter = Literal["bilinear", "bicubic", "nearest"]


def pyramid(
    boundary: Tensor, levels: int, version: str, resize: Filter = "bilinear"
) -> list[Tensor]:
    """The boundary map at the size of every level of a flow: H/2, H/4, ... H/2**levels.

    Version `v1` holds floats, `v2` is 1 wherever `v1` is above 0. The paper resizes bilinearly; its
    authors' code as Pillow does by default, `bicubic` from 7.0 on and `nearest` before, in bytes.

    Shapes:
        boundary: (N, H, W) in [0, 1].
        returns: `levels` tensors (N, 1, H / 2**l, W / 2**l), l = 1..levels.

    References:
        Full-Glow, appendix B, table 3 (configurations B and C).
    """
    if version not in ("v1", "v2"):
        raise ValueError(f"boundary version is {version!r}, expected 'v1' or 'v2'")
    height, width = boundary.shape[1:]
    maps = [
        _smaller(boundary[:, None], (height >> level, width >> level), resize)
        for level in range(1, levels + 1)
    ]
    return maps if version == "v1" else [(m > 1e-6).to(boundary.dtype) for m in maps]


def _smaller(maps: Tensor, size: tuple[int, int], resize: Filter) -> Tensor:
    if resize == "bilinear":
        return _bilinear(maps, size)
    maps = (maps * 255).round()
    if resize == "nearest":
        return F.interpolate(maps, size=size, mode="nearest-exact") / 255
    for step in ((maps.shape[2], size[1]), size):  # columns first, bytes in between, as Pillow
        maps = F.interpolate(maps, size=step, mode="bicubic", antialias=True, align_corners=False)
        maps = maps.round().clamp(0, 255)
    return maps / 255


def _bilinear(maps: Tensor, size: tuple[int, int]) -> Tensor:
    smaller = F.interpolate(maps, size=size, mode="bilinear", antialias=True, align_corners=False)
    return smaller.clamp(0, 1)
