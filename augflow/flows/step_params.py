"""What the steps of a level are given: parameters, conditions, and what a source level put out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from augflow.flows.transforms import ActNormParams, ConvParams, Mixing, inverses


@dataclass(frozen=True)
class StepParams:
    """Parameters of one step.

    Attributes:
        actnorm: scale and shift per channel.
        conv: the matrix.
        features: what the coupling network reads of the condition, (N, F, H, W), if anything.
        share: what its first convolution made of the features, once that is worked out.
        undo: the inverse of actnorm and matrix in one, once that is worked out.
    """

    actnorm: ActNormParams
    conv: ConvParams
    features: Tensor | None = None
    share: Tensor | None = None
    undo: Mixing | None = None

    def inverted(self) -> StepParams:
        """The same with actnorm and matrix inverted."""
        return replace(self, undo=self.actnorm.undone_after(inverses(self.conv.weight)))

    def rows(self, index: Tensor) -> StepParams:
        """The parameters of some rows of the batch."""
        act, conv = self.actnorm, self.conv
        return StepParams(
            ActNormParams(_picked(act.scale, index), _picked(act.shift, index)),
            ConvParams(_picked(conv.weight, index), _picked(conv.log_det, index)),
            _rows(self.features, index),
            _rows(self.share, index),
            None if self.undo is None else Mixing(
                _picked(self.undo.matrix, index), _picked(self.undo.offset, index)
            ),
        )  # fmt: skip


@dataclass(frozen=True)
class LevelParams:
    """Parameters of the K steps of a level, and features for its prior, if any."""

    steps: tuple[StepParams, ...]
    prior: Tensor | None = None

    def inverted(self) -> LevelParams:
        """The same with actnorm and matrix of every step inverted, once for all later samples."""
        known = inverses(torch.stack([step.conv.weight for step in self.steps]))
        steps = tuple(
            replace(step, undo=step.actnorm.undone_after(inverse))
            for step, inverse in zip(self.steps, known.unbind(0), strict=True)
        )
        return replace(self, steps=steps)

    def rows(self, rows: Sequence[int]) -> LevelParams:
        """The parameters of some rows of the batch; a row may be taken several times."""
        device = self.steps[0].conv.weight.device
        index = torch.as_tensor(list(rows), device=device)
        steps = tuple(step.rows(index) for step in self.steps)
        return LevelParams(steps, _rows(self.prior, index))


def _picked(values: Tensor, index: Tensor) -> Tensor:
    """Some rows, where there is more than one that serves all."""
    return values if len(values) == 1 else values[index]


def _rows(values: Tensor | None, index: Tensor) -> Tensor | None:
    """Some rows; one that is taken again and again is not copied."""
    if values is None:
        return None
    if len(index) and bool((index == index[0]).all()):
        return values[index[:1]].expand(len(index), *values.shape[1:])
    return values[index]


@dataclass(frozen=True)
class Trace:
    """What the K steps of a source level put out, after each of their three operations.

    Shapes:
        actnorm, conv, coupling: K tensors (N, C, H, W) each.
    """

    actnorm: tuple[Tensor, ...]
    conv: tuple[Tensor, ...]
    coupling: tuple[Tensor, ...]


class Conditioner(Protocol):
    """Makes the parameters of a level's steps, all of them or some that lie next to each other.

    Parameters and buffers have a leading axis of steps, so a part of the steps is the same module
    on slices of them.
    """

    def __call__(self, trace: Trace | None, maps: Tensor | None) -> LevelParams:
        """Parameters of the steps.

        Args:
            trace: what the source level's steps put out, where there is a source.
            maps: (N, B, H, W), what is read beside it: a boundary map, or a layout's planes.
        """
        ...


class HoldsActNorms(Protocol):
    """A conditioner whose actnorms the data-dependent initialisation can set."""

    def initialise_step(self, step: int, mean: Tensor, std: Tensor) -> ActNormParams:
        """Sets a step's actnorm so that channels of this mean and std come out as 0 and 1."""
        ...
