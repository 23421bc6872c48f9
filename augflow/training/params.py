"""Parameters of a generator's training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from augflow.core.config import Count, Fraction, Memory, Section, Seed, Whole


class TrainingParams(Section):
    """How long and how a generator learns.

    The learning rate rises over `warmup_steps`, falls to zero from `decay_from` on (a share of all
    steps), is multiplied by `gamma` every `gamma_every` steps, and is a tenth from `drop_from` on.

    A flow whose photographs have a learned mean (`mean`) begins with `mean_steps` of its steps in
    which that network alone learns, by regression; by default half of all, as such a step takes a
    small share of the time of one of the flow.

    `memory` trades time for memory where a flow learns: `checkpoint` and `reversible` run its
    networks once more in the backward pass, and `reversible` does not grow with depth.

    `micro_batch` is how many rows of a batch are worked through at once: the memory of a step
    depends on it, results do not but by rounding. `auto` takes what fits, null all of them.
    """

    steps: Count
    mean_steps: Whole | None = None
    batch_size: Count = 1
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    warmup_steps: Whole = 0
    decay_from: Fraction = 1.0
    gamma: Annotated[float, Field(gt=0, le=1)] = 1.0
    gamma_every: Count = 100
    drop_from: Fraction = 1.0
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (
        0.9,
        0.999,
    )
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    ema: Annotated[float, Field(ge=0, lt=1)] | None = None
    flip: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    memory: Memory = "store"
    micro_batch: int | Literal["auto"] | None = None
    init_scenes: Count = 16
    save_every: Count = 100
    log_every: Count = 10
    eval_every: Count = 200
    sample_every: Count = 400
    seed: Seed = 0

    @field_validator("micro_batch", mode="before")
    @classmethod
    def _is_a_number_of_rows(cls, value: object) -> object:
        rows = type(value) is int and value >= 1
        if not (rows or value in (None, "auto")):
            raise ValueError(f"expected a number of rows from 1 on, auto or null, got {value!r}")
        return value
