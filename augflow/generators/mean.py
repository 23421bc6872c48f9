"""The first transform of a flow's photographs: their mean given the layout, and what moves it.

Light, weather and palette change an image as a whole. A flow of pixels draws them place by place; a
few factors, each with a coordinate drawn once per image, hold them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from augflow.core.config import Count, Section, Whole
from augflow.data.scenes import Layout
from augflow.generators.base import misfit
from augflow.generators.crn import Cascade, layout_planes

SCALES = 4
"""Resolutions at which a painting is compared with the photograph, each half of the one before."""

FIRST_SD = 0.1
"""Standard deviation of pixels about mean and factors that learning starts from, of [0, 1]."""

FAINTEST = 1e-4
"""Share of the noise's variance below which a factor has no direction of its own."""

MEANS: dict[str, dict[str, Any]] = {
    "tiny": {"mean": (64, 64, 48, 24), "factors": 6},
    "small": {"mean": (96, 96, 64, 48, 24), "factors": 6},
    "medium": {"mean": (128, 128, 96, 64, 32), "factors": 6},
}
"""Mean and factors in our own presets of flows."""


class MeanConfig(Section):
    """A flow of a standardised x in place of x.

    `mean`: channels of the modules of the cascade that paints mu, the coarsest first; none for a
    flow of photographs as they are. `mean_weight`: what mu's distance to the photograph (`SCALES`)
    counts in the loss, beside bits per dimension. `factors`: so many directions of light and
    palette are painted beside mu, and taken out of x (`Affine`).
    """

    mean: tuple[Count, ...] = ()
    mean_weight: Annotated[float, Field(ge=0)] = 3.0
    factors: Whole = 0

    @model_validator(mode="after")
    def _factors_are_painted_beside_a_mean(self) -> Self:
        if self.factors and not self.mean:
            raise ValueError(
                f"factors is {self.factors}, but there is no mean to paint them beside"
            )
        return self


def _in_full(image: Tensor) -> AbstractContextManager[Any]:
    """A context in which products of matrices keep the precision of their factors."""
    kind = image.device.type
    return nullcontext() if kind == "meta" else torch.autocast(kind, enabled=False)


@dataclass(frozen=True)
class Affine:
    """The map between photographs of some layouts and what a flow sees of them.

    Photographs are taken as x = mean + W g + noise, with g ~ N(0, 1) once for an image and noise of
    standard deviation `sd` in every pixel: a Gaussian of covariance sd^2 (1 + B B^T), B = W / sd.
    The flow sees y = (1 + B B^T)^(-1/2) (x - mean), in which what the factors explain is no larger
    than noise. The map is exactly invertible, and its determinant is that of a (K, K) matrix.

    An image's `style` is where y lies along the factors, K numbers that are N(0, 1) if the model
    holds: they mean the same in every layout, as factors are painted for each.

    Shapes:
        mean: (N, 3, H, W).
        loadings: (N, K, 3 H W), the rows of W; None without factors.
        sd: a scalar.

    References:
        Tipping and Bishop 1999, "Probabilistic principal component analysis", section 3.1; here the
        components are functions of the layout.
    """

    mean: Tensor
    loadings: Tensor | None = None
    sd: Tensor | None = None

    def rows(self, rows: Sequence[int]) -> Affine:
        """The maps of some layouts; a layout may be taken several times."""
        loadings = None if self.loadings is None else self.loadings[list(rows)]
        return Affine(self.mean[list(rows)], loadings, self.sd)

    @property
    def log_det(self) -> Tensor:
        """Log-determinant of `standardize`, (N,); gradients do not flow to the factors."""
        if self.loadings is None:
            return self.mean.new_zeros(len(self.mean))
        return -0.5 * torch.log1p(self._spectrum[0]).sum(1)

    def standardize(self, image: Tensor) -> Tensor:
        """What the flow sees of photographs (N, 3, H, W); gradients flow to the mean alone."""
        rest = image - self.mean
        if self.loadings is None:
            return rest
        # (1 + B B^T)^(-1/2) = 1 - B f(B^T B) B^T with f(v) = (1 - (1 + v)^(-1/2)) / v
        with _in_full(rest):
            values, vectors = self._spectrum
            root = torch.sqrt(1 + values)
            return rest - self._along(rest, vectors, 1 / (root * (root + 1)))

    def restore(self, y: Tensor, style: Tensor | None = None) -> Tensor:
        """The inverse of `standardize`, of another `style`, (N, K), if one is given."""
        if self.loadings is None:
            return y + self.mean
        with _in_full(y):
            if style is not None:
                move = style * self._noise - self._coordinates(y)
                y = y + torch.einsum("nk,nkd->nd", move, self._basis).view_as(y)
            values, vectors = self._spectrum
            return self.mean + y + self._along(y, vectors, 1 / (torch.sqrt(1 + values) + 1))

    def style(self, y: Tensor) -> Tensor:
        """Where a standardised photograph lies along the factors, (N, K)."""
        with _in_full(y):
            return self._coordinates(y) / self._noise

    def nats(self, image: Tensor) -> Tensor:
        """Negative log-density of photographs under the Gaussian, a mean per dimension, (N,)."""
        assert self.sd is not None
        assert self.loadings is not None
        with _in_full(image):
            rest = ((image - self.mean) / self.sd).flatten(1)
            scaled = self.loadings / self.sd
            root = torch.linalg.cholesky(self._inner(scaled))
            seen = torch.einsum("nkd,nd->nk", scaled, rest)
            explained = torch.linalg.solve_triangular(root, seen[..., None], upper=False)[..., 0]
            squares = rest.square().sum(1) - explained.square().sum(1)
            log_det = 2 * root.diagonal(dim1=1, dim2=2).log().sum(1)
            count = rest.shape[1]
            return (squares + log_det) / (2 * count) + self.sd.log()

    @torch.no_grad()
    def posterior(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (N, K) and covariance (N, K, K) of g given photographs."""
        assert self.sd is not None
        assert self.loadings is not None
        scaled = self.loadings / self.sd
        covariance = torch.linalg.inv(self._inner(scaled))
        rest = ((image - self.mean) / self.sd).flatten(1)
        seen = torch.einsum("nkd,nd->nk", scaled, rest)
        return torch.einsum("nkj,nj->nk", covariance, seen), covariance

    def _inner(self, scaled: Tensor) -> Tensor:
        """1 + B^T B, (N, K, K)."""
        eye = torch.eye(scaled.shape[1], device=scaled.device, dtype=scaled.dtype)
        return eye + scaled @ scaled.transpose(1, 2)

    @property
    def _noise(self) -> Tensor:
        assert self.sd is not None
        return self.sd.detach()

    @cached_property
    def _relative(self) -> Tensor:
        assert self.loadings is not None
        return self.loadings.detach() / self._noise

    @cached_property
    def _spectrum(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues (N, K) and eigenvectors (N, K, K) of B^T B, in double precision."""
        scaled = self._relative.double()
        values, vectors = torch.linalg.eigh(scaled @ scaled.transpose(1, 2))
        return values.clamp(min=0).to(self.mean), vectors.to(self.mean)

    @cached_property
    def _basis(self) -> Tensor:
        """Orthonormal rows nearest to those of B^T, (N, K, D): signs are those of B's."""
        values, vectors = self._spectrum
        scale = values.clamp(min=FAINTEST).rsqrt()
        turn = vectors * scale[:, None] @ vectors.transpose(1, 2)
        return turn @ self._relative

    def _coordinates(self, y: Tensor) -> Tensor:
        return torch.einsum("nkd,nd->nk", self._basis, y.flatten(1))

    def _along(self, x: Tensor, vectors: Tensor, gains: Tensor) -> Tensor:
        """B V diag(gains) V^T B^T x, of the shape of x."""
        seen = torch.einsum("nkd,nd->nk", self._relative, x.flatten(1))
        moved = torch.einsum("nkj,nj->nk", vectors * gains[:, None] @ vectors.transpose(1, 2), seen)
        return torch.einsum("nk,nkd->nd", moved, self._relative).view_as(x)


class MeanNetwork(nn.Module):
    """Paints mean and factors of a layout's photographs, so that a flow only has to model the rest.

    Buffers turn what is painted so that the factors' coordinates have unit variance over training
    photographs (`fit_factors`).
    """

    log_sd: Tensor
    factor_shift: Tensor
    factor_root: Tensor

    def __init__(self, config: MeanConfig, size: tuple[int, int], classes: int) -> None:
        """Draws weights.

        Raises:
            ValueError: the size cannot be halved often enough.
        """
        super().__init__()
        modules = len(config.mean)
        if fault := misfit(size, 2 ** (modules - 1), f"{modules} modules (mean)"):
            raise ValueError(fault)
        sizes = [(size[0] >> k, size[1] >> k) for k in range(modules - 1, -1, -1)]
        self.classes, self.weight, self.factors = classes, config.mean_weight, config.factors
        self.cascade = Cascade(classes + 2, config.mean, sizes, 3 + 3 * config.factors)
        if self.factors:
            self.log_sd = nn.Parameter(torch.tensor(FIRST_SD).log())
            self.register_buffer("factor_shift", torch.zeros(self.factors))
            self.register_buffer("factor_root", torch.eye(self.factors))

    def forward(self, layout: Layout) -> Affine:
        """The map of photographs, about [0, 1], in the type of the weights."""
        like = self.cascade.pixels.weight
        planes = layout_planes(layout, self.classes, boundary=True)
        painted = self.cascade(planes.to(like)).to(like.dtype)
        if not self.factors:
            return Affine(painted)
        mean, raw = painted[:, :3], (2 * painted[:, 3:] - 1).flatten(1)
        raw = raw.view(len(raw), self.factors, -1)  # (N, K, D)
        with _in_full(painted):
            shift = torch.einsum("k,nkd->nd", self.factor_shift, raw).view_as(mean)
            loadings = torch.einsum("kj,nkd->njd", self.factor_root, raw)
        return Affine(mean + shift, loadings, self.log_sd.exp())

    def loss(self, painted: Affine, image: Tensor) -> Tensor:
        """What mean and factors learn from, a scalar.

        `mean_weight` times the mean absolute difference over `SCALES` resolutions; with factors,
        and the nats per dimension of the Gaussian that they make.

        Shapes:
            image: (N, 3, H, W).
        """
        total, difference = torch.zeros((), device=image.device), painted.mean - image
        for _ in range(SCALES):
            total = total + difference.abs().mean()
            difference = F.avg_pool2d(difference, 2, ceil_mode=True)
        total = self.weight * total / SCALES
        return total + painted.nats(image).mean() if self.factors else total

    @torch.no_grad()
    def fit_factors(self, batches: Iterable[tuple[Layout, Tensor]]) -> None:
        """Turns the factors so that their coordinates are N(0, 1) over photographs.

        A step of expectation maximisation for the distribution of g; images are (N, 3, H, W) in
        [0, 1].
        """
        if not self.factors:
            return
        means, squares = [], []
        for layout, image in batches:
            mean, covariance = self(layout).posterior(image)
            means.append(mean.double())
            squares.append(mean.double()[:, :, None] * mean.double()[:, None] + covariance)
        first, second = torch.cat(means).mean(0), torch.cat(squares).mean(0)
        root = torch.linalg.cholesky(second - torch.outer(first, first))
        self.factor_shift += self.factor_root @ first.to(self.factor_root)
        self.factor_root.copy_(self.factor_root @ root.to(self.factor_root))
