"""What conditions a flow, level by level, and its way down when steps leave no graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from augflow.core.config import Memory
from augflow.flows.glow import Descent, Encoding, Glow
from augflow.flows.level import Level
from augflow.flows.reversible import JointLevel, Side

Modules = Sequence[nn.Module] | nn.ModuleList


@dataclass(frozen=True)
class SourcePlan:
    """A source flow: its conditioners by level, and what it reads, (N, planes, H, W)."""

    tower: Glow
    conditioners: Modules
    x: Tensor


Prior = Callable[[int, Descent | None], Tensor | None]
"""Features for a level's prior, given how far down the source is."""


@dataclass(frozen=True)
class Plan:
    """What conditions a flow, level by level, before any of it is worked out."""

    conditioners: Modules
    maps: Sequence[Tensor | None]
    prior: Prior = lambda number, source: None
    source: SourcePlan | None = None


def encode(tower: Glow, x: Tensor, plan: Plan, memory: Memory) -> tuple[Encoding, Encoding | None]:
    """Data to latents, source and target side by side, without a graph of the steps.

    A source whose coupling scales have no floor keeps the inputs of its steps in `reversible` too:
    trained with a small weight such a flow stops being invertible in single precision within tens
    of steps.

    Shapes:
        x: (N, inputs, H, W).
    """
    source = plan.source
    down = Descent(tower, x)
    beside = None if source is None else Descent(source.tower, source.x)
    for number, level in enumerate(tower.levels):
        assert isinstance(level, Level)
        target = Side(level, plan.conditioners[number], memory == "checkpoint")
        if source is None or beside is None:
            out = JointLevel(target)(down.read(), maps=plan.maps[number])
        else:
            own = source.tower.levels[number]
            assert isinstance(own, Level)
            keeps = memory == "checkpoint" or own.coupling.floor == 0
            joint = JointLevel(target, Side(own, source.conditioners[number], keeps))
            out = joint(down.read(), beside.read(), plan.maps[number])
            beside.factor(out[2], out[3], None)
        down.factor(out[0], out[1], plan.prior(number, beside))
    return down.encoding(), None if beside is None else beside.encoding()
