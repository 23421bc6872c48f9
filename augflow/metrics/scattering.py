"""Oriented band-pass energies of a photograph over four octaves; nothing in them is learned."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALES = 4
ORIENTATIONS = 4
_RADIUS = 3
_SOFT = 1e-3

_OPPONENT = (
    (1 / math.sqrt(3), 1 / math.sqrt(3), 1 / math.sqrt(3)),
    (1 / math.sqrt(2), 0.0, -1 / math.sqrt(2)),
    (1 / math.sqrt(6), -2 / math.sqrt(6), 1 / math.sqrt(6)),
)
"""An orthonormal turn of RGB: luminance, red against blue, green against purple."""


class Scattering(nn.Module):
    """What a photograph looks like up to small shifts: colours, textures, textures of textures.

    An image pyramid halves the photograph with a binomial blur. At each of its four scales
    `first_k` is the modulus of complex Morlet filters in four directions on luminance and two
    colour differences, and `low_k` the blurred image that is handed on, with its negative, so that
    it still tells dark from light where its length is divided out. `second_k` filters the
    luminance of `first_k` once more, one octave further down. All are blurred and halved after the
    modulus; per octave that is a scattering transform cut to neighbouring scales.

    The modulus is sqrt(re^2 + im^2 + s^2) - s with s = 0.001 (a quarter of a grey value), so its
    gradient exists on flat ground.

    References:
        Bruna and Mallat 2013, "Invariant scattering convolution networks", sections 2.2 and 2.3;
        Burt and Adelson 1983, "The Laplacian pyramid as a compact image code".
    """

    bank: Tensor
    blur: Tensor
    opponent: Tensor
    layers = tuple(
        f"{kind}_{k}" for k in range(1, SCALES + 1) for kind in ("low", "first")
    ) + tuple(f"second_{k}" for k in range(1, SCALES))

    def __init__(self) -> None:
        """Works the filters out."""
        super().__init__()
        side = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("bank", _morlets(), persistent=False)
        self.register_buffer("blur", torch.outer(side, side)[None, None], persistent=False)
        self.register_buffer("opponent", torch.tensor(_OPPONENT), persistent=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """One tensor per layer, coarser and coarser.

        Shapes:
            image: (N, 3, H, W) in [0, 1].
            returns: low_k and first_k are (N, 6, h, w) and (N, 12, h, w), h = H / 2^k rounded up;
                second_k is (N, 16, H / 2^(k + 1), W / 2^(k + 1)).
        """
        firsts, seconds = [], []
        colours = torch.einsum("ij,njhw->nihw", self.opponent, image)
        for scale in range(SCALES):
            if scale:
                colours, image = self._downsample(colours), self._downsample(image)
            energy = self._energy(colours)
            low = self._downsample(image)
            firsts += [torch.cat([low, 1 - low], 1), energy]
            if scale < SCALES - 1:
                seconds.append(self._energy(energy[:, :ORIENTATIONS]))
        return firsts + seconds

    def _energy(self, x: Tensor) -> Tensor:
        """Blurred moduli per plane and direction, (N, C, H, W) -> (N, 4 C, H / 2, W / 2)."""
        planes = x.flatten(0, 1)[:, None]
        padded = F.pad(planes, (_RADIUS,) * 4, mode="replicate")
        re, im = F.conv2d(padded, self.bank).chunk(2, dim=1)
        modulus = (re.square() + im.square() + _SOFT**2).sqrt() - _SOFT
        return self._downsample(modulus.unflatten(0, x.shape[:2]).flatten(1, 2))

    def _downsample(self, x: Tensor) -> Tensor:
        """Blurred and halved, odd sides rounded up, (N, C, H, W) -> (N, C, H / 2, W / 2)."""
        height, width = x.shape[-2:]
        padded = F.pad(x, (1, 1 + width % 2, 1, 1 + height % 2), mode="replicate")
        return F.conv2d(padded.flatten(0, 1)[:, None], self.blur, stride=2).unflatten(
            0, x.shape[:2]
        )[:, :, 0]


def _morlets() -> Tensor:
    """Morlet wavelets of one octave, real parts before imaginary ones.

    exp(-r^2 / 2 s^2) (exp(i w u) - c) with s = 0.8, w = 3 pi / 4 along the direction u and c such
    that the sum is 0: a flat image gives 0. The absolute values of each sum to 1.

    Shapes:
        returns: (8, 1, 7, 7).
    """
    line = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float64)
    y, x = torch.meshgrid(line, line, indexing="ij")
    envelope = torch.exp(-(x.square() + y.square()) / (2 * 0.8**2))
    waves = []
    for step in range(ORIENTATIONS):
        angle = math.pi * step / ORIENTATIONS
        wave = torch.exp(1j * 0.75 * math.pi * (x * math.cos(angle) + y * math.sin(angle)))
        filters = envelope * (wave - (envelope * wave).sum() / envelope.sum())
        waves.append(filters / filters.abs().sum())
    stacked = torch.stack(waves)
    return torch.cat([stacked.real, stacked.imag])[:, None].float()
