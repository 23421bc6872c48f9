"""Parameters of a segmentation network and its training."""

from __future__ import annotations

import operator
from typing import Annotated, Self

from pydantic import Field, model_validator

from augflow.core.config import Count, Section, Seed, Whole


class SegmenterParams(Section):
    """A segmentation network: an mmseg config (name or file) and its schedule.

    Training starts from the weights of `checkpoint` where one is given; with 0 steps they are used
    as they are. With `balance_classes`, rare classes weigh more in the cross-entropy.

    A JSON or YAML config is read as data. A Python file is a program: with `trust_config` you say
    that you have read it, and that it, and what it names, may run.
    """

    config: str = "pspnet_small"
    trust_config: Annotated[bool, Field(exclude_if=operator.not_)] = False
    checkpoint: str | None = None
    steps: Whole = 400
    batch_size: Count = 8
    learning_rate: Annotated[float, Field(gt=0)] = 5e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    warmup_steps: Whole = 50
    balance_classes: bool = True
    flip: bool = True
    seed: Seed = 0

    @model_validator(mode="after")
    def _can_be_had(self) -> Self:
        faults = []
        if self.batch_size < 2:
            faults.append("batch_size is 1, expected 2 or more: batch norm needs more than a scene")
        if self.steps == 0 and self.checkpoint is None:
            faults.append("steps is 0 and there is no checkpoint; give steps, a checkpoint or both")
        if faults:
            raise ValueError("; ".join(faults))
        return self
