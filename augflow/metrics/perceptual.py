"""How far apart two photographs are, measured in the layers of named features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from augflow.metrics.features import Features

FAINT = 0.01
"""The length below which `unit` leaves a feature vector short: what is faint is not blown up."""


def distance(
    features: Features,
    a: Tensor,
    b: Tensor,
    weights: Sequence[float] | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The weighted L1 distance over layers, sum_l weight_l mean |mask_l (phi_l(a) - phi_l(b))|.

    Means run over channels and places, so that weights hold for every image size. One of the two
    batches may be of one image, which is then compared with each of the other.

    Args:
        features: where it is measured.
        a: the one.
        b: the other.
        weights: lambda of each layer (`balanced_weights`); 1 each by default.
        mask: what each pixel counts (`rebalancing.rarity_mask`); 1 by default.

    Shapes:
        a, b: (N, 3, H, W) in [0, 1].
        mask: (N, 1, H, W), averaged over the pixels that a place of a layer covers.
        returns: (N,).

    Raises:
        ValueError: not one weight per layer.

    References:
        Chen and Koltun 2017, "Photographic image synthesis with cascaded refinement networks",
        eq. 1; IMLE (Li, Zhang and Malik 2019), eq. 1 and section 3.4.
    """
    layers = difference_maps(features, a, b)
    given = [1.0] * len(layers) if weights is None else weights
    if len(given) != len(layers):
        raise ValueError(f"expected {len(layers)} weights, one per layer, got {len(given)}")
    return torch.stack(
        [weight * _mean(layer, mask) for weight, layer in zip(given, layers, strict=True)]
    ).sum(0)


def difference_maps(features: Features, a: Tensor, b: Tensor) -> list[Tensor]:
    """The mean absolute difference over channels at each place, a (N, 1, h, w) for each layer."""
    return [
        (one - other).abs().mean(1, keepdim=True)
        for one, other in zip(features(a), features(b), strict=True)
    ]


def _mean(layer: Tensor, mask: Tensor | None) -> Tensor:
    """The masked mean over places, (N, 1, h, w) -> (N,)."""
    if mask is not None:
        layer = layer * F.interpolate(mask, layer.shape[-2:], mode="area")
    return layer.mean((1, 2, 3))


@torch.no_grad()
def balanced_weights(features: Features, images: Tensor, others: Tensor) -> tuple[float, ...]:
    """Weights with which every layer contributes the same, and the distance averages 1.

    Args:
        features: where it is measured.
        images: photographs.
        others: what they are compared with, row by row: photographs of other scenes, say.

    Shapes:
        images, others: (N, 3, H, W) in [0, 1].

    Raises:
        ValueError: a layer does not tell one pair apart.

    References:
        IMLE (Li, Zhang and Malik 2019), section 3.3.1.
    """
    means = [float(layer.mean()) for layer in difference_maps(features, images, others)]
    if min(means) <= 0:
        raise ValueError("the pairs to balance the layers on must differ in every layer")
    return tuple(1 / (len(means) * mean) for mean in means)


def lpips_like(features: Features, a: Tensor, b: Tensor) -> Tensor:
    """The squared distance of unit feature vectors, averaged over places, summed over layers.

    It is LPIPS with all channel weights 1 when the features are a trained network's. Vectors much
    shorter than `FAINT` stay short (see `unit`). Among `pixels` it compares hues alone, as the
    length of a colour is its brightness.

    Shapes:
        a, b: (N, 3, H, W) in [0, 1].
        returns: (N,).

    References:
        Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual
        metric", eq. 1.
    """
    pairs = zip(features(a), features(b), strict=True)
    layers = [(unit(one) - unit(other)).square().sum(1).mean((1, 2)) for one, other in pairs]
    return torch.stack(layers).sum(0)


def unit(layer: Tensor) -> Tensor:
    """Feature vectors brought to length 1, f / sqrt(|f|^2 + FAINT^2), over the channels.

    On flat ground band-pass features are close to 0, and their direction is noise.

    Shapes:
        layer: (N, C, h, w).
        returns: the same.
    """
    return layer / (layer.square().sum(1, keepdim=True) + FAINT**2).sqrt()
