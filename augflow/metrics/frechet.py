"""How far apart two sets of images are as distributions of features."""

from __future__ import annotations

import torch
from torch import Tensor

from augflow.metrics.features import Features


@torch.no_grad()
def pooled_features(features: Features, images: Tensor) -> Tensor:
    """The mean over places of every layer, layers one after the other; each image by itself.

    Shapes:
        images: (N, 3, H, W) uint8.
        returns: (N, C) float64, C the channels of all layers.
    """
    rows = []
    for image in images.split(1):
        rows.append(torch.cat([layer.mean((2, 3)) for layer in features(image / 255)], 1))
    return torch.cat(rows).double()


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """The squared Frechet distance of the normal distributions fitted to two sets of features.

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), with covariances over N - 1. It falls with
    the number of rows, most where they are fewer than features: compare sets of equal size.

    Shapes:
        a, b: (N, C) float64; N may differ.

    Raises:
        ValueError: fewer than two rows, or unequal numbers of features.

    References:
        Dowson and Landau 1982, "The Frechet distance between multivariate normal distributions";
        Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash
        equilibrium", eq. 6 (with the features of Inception).
    """
    if min(len(a), len(b)) < 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"expected two rows or more of equal length, got {a.shape}, {b.shape}")
    first, second = (torch.cov(rows.T).reshape(rows.shape[1], -1) for rows in (a, b))
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    # root C_b root has the eigenvalues of C_a C_b, and is symmetric
    crossed = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    shift = (a.mean(0) - b.mean(0)).square().sum()
    return max(float(shift + first.trace() + second.trace() - 2 * crossed), 0.0)
