"""How much the photographs of one layout differ, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from augflow.core import seeding
from augflow.metrics.features import Features
from augflow.metrics.perceptual import unit

CLUSTERS, REPEATS = 9, 10
"""The paper's number of clusters, and how often their members are picked anew."""


@dataclass(frozen=True)
class Spread:
    """A measure per class, None where a class has no pixel, and over all pixels."""

    per_class: tuple[float | None, ...]
    overall: float


@dataclass(frozen=True)
class Diversity:
    """Three measures of the photographs of a layout, or their means over layouts.

    `clustered` is the variance among one member of each cluster (the paper's table 1) and
    `variance` that among all photographs, both of pixels in [0, 1]; `perceptual` is the mean
    `lpips_like` of a pair.
    """

    clustered: Spread
    variance: Spread
    perceptual: Spread


def diversity(
    samples: np.ndarray,
    classes: np.ndarray,
    count: int,
    features: Features,
    *,
    clusters: int = CLUSTERS,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Diversity:
    """What the photographs made for one layout say of the diversity of their maker.

    Args:
        samples: the photographs.
        classes: the layout's class map.
        count: K, the number of classes.
        features: what the perceptual measure looks at.
        clusters: see `clustered_map`.
        repeats: see `clustered_map`.
        seed: see `clustered_map`.

    Shapes:
        samples: (N, H, W, 3) uint8.
        classes: (H, W) uint8, 255 where no class is known.

    Raises:
        ValueError: no photographs, or not of the layout's size.
    """
    if samples.ndim != 4 or not len(samples) or samples.shape[1:3] != classes.shape:
        raise ValueError(f"samples {samples.shape} are not (N, H, W, 3) for a map {classes.shape}")
    maps = (
        clustered_map(samples, clusters, repeats, seed),
        variance_map(samples),
        perceptual_map(samples, features),
    )
    return Diversity(*(by_class(values, classes, count) for values in maps))


def clustered_map(
    samples: np.ndarray, clusters: int = CLUSTERS, repeats: int = REPEATS, seed: int = 0
) -> np.ndarray:
    """The variance, at each pixel, among one random member of each cluster of photographs.

    k-means divides the photographs into clusters by all their pixels, and so levels out how often a
    maker comes back to the same picture. The mean is taken over picks of the members. Where fewer
    than `clusters` photographs differ, each is a cluster of its own; equal photographs give 0.

    The paper prints 100 times these values.

    Shapes:
        samples: (N, H, W, 3) uint8.
        returns: (H, W) float64, pixels in [0, 1], the mean over the three channels.

    References:
        IMLE (Li, Zhang and Malik 2019), section 4.3, "Diversity evaluation", and table 1.
    """
    labels = _clusters(samples.reshape(len(samples), -1), clusters, seed)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    total = np.zeros(samples.shape[1:3])
    for turn in range(repeats):
        draw = seeding.generator(seed, "picks", turn)
        total += variance_map(samples[[draw.choice(cluster) for cluster in members]])
    return total / repeats


def _clusters(rows: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """The cluster of each row, (N, D) uint8 -> (N,)."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    different, own = np.unique(rows, axis=0, return_inverse=True)
    if len(different) <= clusters:
        return own.reshape(-1)
    state = seeding.derive(seed, "clusters") % 2**32
    with threadpool_limits(1):  # sums of several threads come in no fixed order
        return KMeans(clusters, n_init=10, random_state=state).fit_predict(rows / 255.0)


def variance_map(samples: np.ndarray) -> np.ndarray:
    """The variance at each pixel, 1 / N sum (x - mean)^2, averaged over the channels.

    Shapes:
        samples: (N, H, W, 3) uint8.
        returns: (H, W) float64, pixels in [0, 1].
    """
    return (samples / 255.0).var(axis=0).mean(axis=-1)


@torch.no_grad()
def perceptual_map(samples: np.ndarray, features: Features) -> np.ndarray:
    """The mean over all pairs of photographs of their perceptual distance at each pixel.

    A pixel has the distance of the places that cover it, summed over layers, so the mean of the
    map is that of `lpips_like` over pairs where the layers' sizes divide the image's. The mean
    squared distance of two different ones of N vectors is twice their variance times N / (N - 1),
    which spares the pairs. A single photograph gives 0.

    Shapes:
        samples: (N, H, W, 3) uint8.
        returns: (H, W) float64.
    """
    layers = [_pair_distances(group) for group in zip(*_units(samples, features), strict=True)]
    size = samples.shape[1:3]
    grown = [F.interpolate(layer[None, None], size, mode="nearest-exact") for layer in layers]
    return torch.stack(grown).sum(0)[0, 0].numpy()


def _units(samples: np.ndarray, features: Features) -> list[list[torch.Tensor]]:
    """Per photograph its layers of unit vectors, each made by itself."""
    return [
        [
            unit(layer)[0]
            for layer in features(torch.from_numpy(sample).permute(2, 0, 1)[None] / 255)
        ]
        for sample in samples
    ]


def _pair_distances(vectors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean squared distance of two different ones of N, each (C, h, w) -> (h, w) float64."""
    moved = torch.stack([(vector - vectors[0]).double() for vector in vectors])
    squares = (moved - moved.mean(0)).square().sum((0, 1))
    return 2 * squares / max(len(moved) - 1, 1)


def by_class(values: np.ndarray, classes: np.ndarray, count: int) -> Spread:
    """The mean of a map over the pixels of each class, and over all pixels, unlabelled ones too.

    Shapes:
        values: (H, W).
        classes: (H, W) uint8, 255 where no class is known.
    """
    ids = classes.reshape(-1)
    areas = np.bincount(ids, minlength=256)[:count]
    sums = np.bincount(ids, values.reshape(-1), 256)[:count]
    return Spread(
        tuple(float(s / n) if n else None for s, n in zip(sums, areas, strict=True)),
        float(values.mean()),
    )


def over_layouts(found: Sequence[Diversity]) -> Diversity:
    """The means over layouts: of a class, over the layouts that have a pixel of it.

    Raises:
        ValueError: no layouts.
    """
    if not found:
        raise ValueError("no layouts to average over")
    return Diversity(
        _mean([one.clustered for one in found]),
        _mean([one.variance for one in found]),
        _mean([one.perceptual for one in found]),
    )


def _mean(spreads: Sequence[Spread]) -> Spread:
    columns = zip(*(spread.per_class for spread in spreads), strict=True)
    known = [[value for value in column if value is not None] for column in columns]
    return Spread(
        tuple(float(np.mean(values)) if values else None for values in known),
        float(np.mean([spread.overall for spread in spreads])),
    )
