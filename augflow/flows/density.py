"""Densities, dequantization and bits per dimension."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEVELS = 256
"""The number of values an 8-bit channel takes."""


def gaussian_log_prob(z: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    """Log-density of a diagonal Gaussian.

    Shapes:
        z, mean, log_sd: (N, C, H, W).
        returns: (N,), nats.
    """
    scaled = (z - mean) * (-log_sd).exp()
    terms = -0.5 * (scaled * scaled + math.log(2 * math.pi)) - log_sd
    return terms.sum((1, 2, 3))


def standard_log_prob(z: Tensor) -> Tensor:
    """Log-density under a standard normal distribution, (N, C, H, W) to (N,) nats."""
    return -0.5 * (z * z + math.log(2 * math.pi)).sum((1, 2, 3))


def dequantize(pixels: Tensor, noise: Tensor) -> Tensor:
    """Spreads each 8-bit value over its bin: (k + u) / 256.

    Shapes:
        pixels: (N, C, H, W) uint8.
        noise: the same shape, in [0, 1).
        returns: the same shape, in [0, 1).

    References:
        Theis et al. 2016, "A note on the evaluation of generative models", section 3.1.
    """
    return ((pixels.to(noise.dtype) + noise) / LEVELS).clamp(max=1 - 2**-24)


def quantize(image: Tensor) -> Tensor:
    """The 8-bit values whose bins the pixels fall in; outside [0, 1) the nearest bin.

    Shapes:
        image: (N, C, H, W).
        returns: the same shape, uint8.
    """
    return (image * LEVELS).floor().clamp(0, LEVELS - 1).to(torch.uint8)


def discrete_log_prob(log_density: Tensor, dims: int) -> Tensor:
    """Log-probability of an 8-bit image from the density of its dequantization, (N,) nats."""
    return log_density - dims * math.log(LEVELS)


def bits_per_dim(log_prob: Tensor, dims: int) -> Tensor:
    """Bits per dimension of an 8-bit image from its log-probability in nats.

    References:
        Full-Glow, section 5 (conditional BPD).
    """
    return -log_prob / (dims * math.log(2))
