"""The invertible steps of a Glow: pure maths on given parameters.

A map holds no weights. Whatever makes its parameters (learned constants, the raw layout, the source
flow's trace) is a conditioner's business, so one map serves every system. Rows of a batch never
influence each other.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Mixing:
    """An affine map of the channels of every pixel, y = M x + o.

    Shapes:
        matrix: (N or 1, C, C).
        offset: (N or 1, C).
    """

    matrix: Tensor
    offset: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) in one matrix product."""
        return _per_pixel(self.matrix, x, self.offset)


@dataclass(frozen=True)
class ActNormParams:
    """An affine map per channel, y = s * (x + t); scale and shift are (N, C) or (1, C).

    References:
        Kingma and Dhariwal 2018, "Glow", section 3.1; Full-Glow, equation 5.
    """

    scale: Tensor
    shift: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W)."""
        return self.scale[..., None, None] * (x + self.shift[..., None, None])

    def inverse(self, y: Tensor) -> Tensor:
        """Undoes the map."""
        return y / self.scale[..., None, None] - self.shift[..., None, None]

    def log_det(self, area: int) -> Tensor:
        """Of a map of so many pixels, (N,) or (1,), nats."""
        return self.scale.abs().log().sum(1) * area

    def before(self, weight: Tensor) -> Mixing:
        """This, then a matrix (N, C, C), as one map."""
        moved = (weight @ (self.scale * self.shift)[..., None])[..., 0]
        return Mixing(weight * self.scale[:, None], moved)

    def inverse_after(self, inverse: Tensor) -> Mixing:
        """The inverse of the matrix that came after this, then this undone, as one map."""
        return Mixing(inverse / self.scale[..., None], -self.shift)


@dataclass(frozen=True)
class ConvParams:
    """An invertible 1x1 convolution: one matrix per image over the channels of every pixel.

    Shapes:
        weight: (N, C, C) or (1, C, C).
        log_det: (N,) or (1,), nats per pixel.

    References:
        Kingma and Dhariwal 2018, "Glow", section 3.2; Full-Glow, equation 6.
    """

    weight: Tensor
    log_det: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W)."""
        return _per_pixel(self.weight, x)

    def inverse(self, y: Tensor) -> Tensor:
        """Undoes the map."""
        return _per_pixel(inverses(self.weight), y)


def inverses(weights: Tensor) -> Tensor:
    """The inverse of every matrix, worked out in double precision.

    One at a time on the CPU: torch's batched solver returns garbage there for well-conditioned
    matrices of 160 rows once the number of threads was set (seen with torch 2.14.1 and oneMKL
    2024.2).

    Shapes:
        weights: (..., C, C).
        returns: the same shape and type.
    """
    if weights.device.type != "cpu":
        return torch.linalg.inv(weights.double()).to(weights)
    flat = weights.double().flatten(0, -3)
    return torch.stack([torch.linalg.inv(one) for one in flat]).to(weights).reshape(weights.shape)


def log_determinants(weights: Tensor) -> Tensor:
    """The logarithm of every matrix's absolute determinant, one at a time where `inverses` are.

    Shapes:
        weights: (..., C, C).
        returns: (...).
    """
    if weights.device.type != "cpu":
        return torch.linalg.slogdet(weights)[1]
    flat = weights.flatten(0, -3)
    logs = torch.stack([torch.linalg.slogdet(one)[1] for one in flat])
    return logs.reshape(weights.shape[:-2])


def _per_pixel(weight: Tensor, x: Tensor, offset: Tensor | None = None) -> Tensor:
    """W x + o at every pixel, in full precision; free of copies when `x` is channels-last."""
    n, c, h, w = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(n, h * w, c).to(weight.dtype)
    with full_precision(x):
        mixed = torch.matmul(pixels, weight.transpose(1, 2))
        if offset is not None:
            mixed = mixed.add_(offset[:, None])
    return mixed.reshape(n, h, w, c).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class LU:
    """The constant part of an LU-parametrised matrix, W = P (L + I) (U + diag(sign * exp(log_s))).

    Shapes:
        permutation: (C, C).
        sign: (C,).
    """

    permutation: Tensor
    sign: Tensor

    def matrix(self, lower: Tensor, upper: Tensor, log_s: Tensor) -> ConvParams:
        """Assembles the matrices of a batch; entries outside the strict triangles are not read.

        Shapes:
            lower, upper: (..., C, C).
            log_s: (..., C).
        """
        eye = torch.eye(log_s.shape[-1], dtype=lower.dtype, device=lower.device)
        with full_precision(lower):
            left = torch.tril(lower, -1) + eye
            right = torch.triu(upper, 1) + torch.diag_embed(self.sign * log_s.exp())
            return ConvParams(self.permutation @ left @ right, log_s.sum(-1))


def random_lu(steps: int, channels: int, rng: torch.Generator) -> tuple[Tensor, ...]:
    """The LU factors of a random rotation for each of K steps.

    Returns:
        Permutation (K, C, C), sign (K, C), lower and upper (K, C, C), log_s (K, C).

    References:
        Kingma and Dhariwal 2018, "Glow", section 3.2.
    """
    factors = [_random_lu(channels, rng) for _ in range(steps)]
    return tuple(torch.stack(factor) for factor in zip(*factors, strict=True))


def _random_lu(channels: int, rng: torch.Generator) -> tuple[Tensor, ...]:
    noise = torch.randn(channels, channels, generator=rng, dtype=torch.float64)
    rotation, _ = torch.linalg.qr(noise)
    permutation, lower, upper = torch.linalg.lu(rotation)
    diagonal = torch.diagonal(upper)
    factors = permutation, diagonal.sign(), lower, upper, diagonal.abs().log()
    permutation, sign, lower, upper, log_s = (factor.float() for factor in factors)
    return permutation, sign, torch.tril(lower, -1), torch.triu(upper, 1), log_s


@dataclass(frozen=True)
class CouplingParams:
    """What the coupling network made of the untouched half (and the condition).

    Shapes:
        raw_scale, shift: (N, C / 2, H, W).
    """

    raw_scale: Tensor
    shift: Tensor


class AffineMap(nn.Module):
    """An affine map per value; it has no weights, its parameters are given at each call.

    Attributes:
        shifts_first: whether z = (x + t) s, or z = x s + t.
    """

    shifts_first: ClassVar[bool]

    def log_scale(self, raw: Tensor) -> Tensor:
        """The logarithm of the scale s."""
        raise NotImplementedError

    def forward(self, x: Tensor, params: CouplingParams) -> tuple[Tensor, Tensor]:
        """Towards the latents.

        Shapes:
            x: as the parameters, (N, C, H, W).
            returns: z as x, and log |det dz/dx| (N,), nats.
        """
        log_s = self.log_scale(params.raw_scale)
        if self.shifts_first:
            return (x + params.shift) * log_s.exp(), log_s.sum((1, 2, 3))
        return x * log_s.exp() + params.shift, log_s.sum((1, 2, 3))

    def inverse(self, z: Tensor, params: CouplingParams) -> Tensor:
        """Undoes `forward` under the same parameters."""
        gain = (-self.log_scale(params.raw_scale)).exp()
        return z * gain - params.shift if self.shifts_first else (z - params.shift) * gain


class AffineCoupling(AffineMap):
    """The map of a Glow's coupling, with s = floor + (1 - floor) * sigmoid(o + 2).

    A floor above 0 bounds the inverse's gain; the papers have none, and their flows can divide by
    zero. Such a scale only contracts towards the latents, so every inverse step expands. With
    `bound` it is s = exp(bound * tanh(o / bound)) instead, which does either.

    References:
        Full-Glow, equations 7 to 10; Lugmayr et al. 2020, "SRFlow", for the floor.
    """

    shifts_first = True

    def __init__(self, floor: float = 0.0, bound: float | None = None) -> None:
        """Sets the lower bound of the scale, in [0, 1), or the bound of |log s|."""
        super().__init__()
        self.floor, self.bound = floor, bound

    @property
    def gain_is_bounded(self) -> bool:
        """Whether the inverse's gain has a limit."""
        return self.bound is not None or self.floor > 0

    def log_scale(self, raw: Tensor) -> Tensor:
        """The logarithm of s, in (log floor, 0) or (-bound, bound)."""
        if self.bound is not None:
            return self.bound * torch.tanh(raw / self.bound)
        if self.floor == 0:
            return F.logsigmoid(raw + 2)
        return torch.log(self.floor + (1 - self.floor) * torch.sigmoid(raw + 2))


class SoftClampedAffine(AffineMap):
    """An affine map with log s = clamp * 2 / pi * atan(o).

    The scale stays within exp(+-clamp), so neither direction can blow up. Given parameters that
    depend on a condition alone it is an affine injector, on a half of the channels a coupling.

    References:
        CAFLOW, equations 3 and 5 and section 2.2 (affine injector); the clamp is that of the
        authors' code (FrEIA).
    """

    shifts_first = False

    def __init__(self, clamp: float = 2.0) -> None:
        """Sets the largest magnitude of the logarithm of a scale."""
        super().__init__()
        self.clamp = clamp

    def log_scale(self, raw: Tensor) -> Tensor:
        """The logarithm of the scale, in (-clamp, clamp)."""
        return self.clamp * (2 / math.pi) * torch.atan(raw)


def squeeze(x: Tensor) -> Tensor:
    """Trades space for channels: (N, C, H, W) -> (N, 4C, H/2, W/2), order channel, row, column.

    The result is channels-last in memory, which the convolutions and the 1x1 steps are fastest on.
    """
    return F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)


def unsqueeze(x: Tensor) -> Tensor:
    """Undoes `squeeze`."""
    return F.pixel_shuffle(x, 2)


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Leaves autocast for a part that has to be exact; meta tensors know no autocast to leave."""
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)
