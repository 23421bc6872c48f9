"""What the steps of a level are given: parameters, conditions, and what a source level put out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from augflow.flows.transforms import (
    ActNormParams,
    ConvParams,
    CouplingParams,
    Mixing,
    inverses,
)


def leaf(value: Tensor) -> Tensor:
    """The same numbers at the start of a graph of their own."""
    return value.detach().requires_grad_()


@dataclass(frozen=True)
class StepParams:
    """Parameters of one step.

    Attributes:
        actnorm: scale and shift per channel.
        conv: the matrix.
        features: what the coupling network reads of the condition, (N, F, H, W), if anything.
        share: what its first convolution made of the features, once that is worked out.
        undo: the inverse of actnorm and matrix in one, once that is worked out.
        injector: scale and shift that the condition alone decides, where a step has an injector.
    """

    actnorm: ActNormParams
    conv: ConvParams
    features: Tensor | None = None
    cond_term: Tensor | None = None
    inverse_mixing: Mixing | None = None
    injector: CouplingParams | None = None

    def log_det(self, area: int) -> Tensor:
        """Of actnorm and matrix on so many pixels, (N,) or (1,), nats."""
        return self.actnorm.log_det(area) + self.conv.log_det * area

    def invert(self) -> StepParams:
        """The same with actnorm and matrix inverted."""
        return replace(self, inverse_mixing=self.actnorm.inverse_after(inverses(self.conv.weight)))

    def tensors(self) -> Iterator[Tensor]:
        """What is given for a pass towards latents, in a fixed order."""
        yield from (self.actnorm.scale, self.actnorm.shift, self.conv.weight, self.conv.log_det)
        if self.features is not None:
            yield self.features
        if self.injector is not None:
            yield from (self.injector.raw_scale, self.injector.shift)

    def leaves(self) -> StepParams:
        """The same `tensors`, each a `leaf`."""
        scale, shift, weight, log_det, *rest = map(leaf, self.tensors())
        features = rest.pop(0) if self.features is not None else None
        injector = CouplingParams(*rest) if rest else None
        act, conv = ActNormParams(scale, shift), ConvParams(weight, log_det)
        return StepParams(act, conv, features, injector=injector)

    def rows(self, wanted: Rows) -> StepParams:
        """The parameters of some rows of the batch."""
        act, conv, undo = self.actnorm, self.conv, self.inverse_mixing
        if undo is not None:
            undo = Mixing(wanted.of_shared(undo.matrix), wanted.of_shared(undo.offset))
        return StepParams(
            ActNormParams(wanted.of_shared(act.scale), wanted.of_shared(act.shift)),
            ConvParams(wanted.of_shared(conv.weight), wanted.of_shared(conv.log_det)),
            wanted.of(self.features),
            wanted.of(self.cond_term),
            undo,
        )


@dataclass(frozen=True)
class LevelParams:
    """Parameters of the K steps of a level, and features for its prior, if any."""

    steps: tuple[StepParams, ...]
    prior: Tensor | None = None

    def invert(self) -> LevelParams:
        """The same with actnorm and matrix of every step inverted, once for all later samples."""
        known = inverses(torch.stack([step.conv.weight for step in self.steps]))
        steps = tuple(
            replace(step, inverse_mixing=step.actnorm.inverse_after(inverse))
            for step, inverse in zip(self.steps, known.unbind(0), strict=True)
        )
        return replace(self, steps=steps)

    def rows(self, rows: Sequence[int]) -> LevelParams:
        """The parameters of some rows of the batch; a row may be taken several times."""
        wanted = Rows(rows, self.steps[0].conv.weight.device)
        return LevelParams(tuple(step.rows(wanted) for step in self.steps), wanted.of(self.prior))


class Rows:
    """Rows of a batch that are wanted; one that is taken again and again is not copied."""

    def __init__(self, rows: Sequence[int], device: torch.device) -> None:
        """Takes the numbers of the rows."""
        self.count = len(rows)
        index = rows[:1] if len(set(rows)) == 1 else rows
        self.index = torch.as_tensor(list(index), device=device)

    def of(self, values: Tensor | None) -> Tensor | None:
        """These rows of a tensor, (count, ...)."""
        if values is None:
            return None
        picked = values[self.index]
        return picked if len(picked) == self.count else picked.expand(self.count, *values.shape[1:])

    def of_shared(self, values: Tensor) -> Tensor:
        """These rows, or the only one where it serves all: (count, ...) or (1, ...)."""
        return values if len(values) == 1 else values[self.index]


@dataclass(frozen=True)
class Trace:
    """What the K steps of a source level put out, after each of their three operations.

    Shapes:
        actnorm, conv, coupling: K tensors (N, C, H, W) each.
    """

    actnorm: tuple[Tensor, ...]
    conv: tuple[Tensor, ...]
    coupling: tuple[Tensor, ...]
