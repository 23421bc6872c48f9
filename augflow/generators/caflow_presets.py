"""What CAFLOW is made of, and its named presets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from augflow.core.config import Count, Section


class CAFlowConfig(Section):
    """CAFLOW. Defaults are the paper's.

    `source_steps`, `target_steps` and `conditional_steps` are the steps per level of R, T and every
    f_j^i, `transitions` and `conditional_transitions` the steps without coupling before them.
    `source`: R sees palette colours or one plane per class; `boundary`: the version of boundary map
    that stands beside R's latents in every condition. `share`: f_j^i is one function for all i > j.
    `last`: the functions f_0^i `squeeze` as all others do, or `keep` the resolution of l_0, so that
    smaller photographs and odd multiples fit. `dequantization`: `variational` learns the noise with
    a flow of `dequantization_steps`; bits per dimension are an upper bound then. `clamp` bounds the
    logarithm of every affine scale, `min_std` the actnorms' initial one. `loss_scale`: bits per
    dimension, or nats divided by the product of both images' dimensions as in the released code.
    """

    size: tuple[Count, Count]
    levels: Count = 3
    source_steps: Count = 24
    target_steps: Count = 24
    conditional_steps: Count = 12
    source_width: Count = 64
    target_width: Count = 64
    conditional_width: Count = 32
    transitions: Annotated[int, Field(ge=0)] = 2
    conditional_transitions: Annotated[int, Field(ge=0)] = 2
    source: Literal["palette", "one_hot"] = "palette"
    boundary: Literal["none", "v1", "v2"] = "none"
    share: bool = False
    last: Literal["squeeze", "keep"] = "squeeze"
    dequantization: Literal["uniform", "variational"] = "uniform"
    dequantization_steps: Count = 4
    clamp: Annotated[float, Field(gt=0)] = 2.0
    min_std: Annotated[float, Field(gt=0)] = 1e-6
    source_weight: Annotated[float, Field(ge=0)] = 0.01
    loss_scale: Literal["per_dim", "product"] = "per_dim"


_PAPER: dict[str, Any] = {"size": (64, 64)}
_RELEASED: dict[str, Any] = {
    "conditional_transitions": 1, "source_weight": 1e-3, "loss_scale": "product",
}  # fmt: skip
_OURS: dict[str, Any] = {
    "source": "one_hot", "boundary": "v1", "last": "keep", "min_std": 0.02, "source_weight": 0.05,
}  # fmt: skip
_TINY: dict[str, Any] = {
    "size": (48, 72), "source_steps": 2, "target_steps": 4, "conditional_steps": 4,
    "source_width": 24, "target_width": 48, "conditional_width": 24,
}  # fmt: skip
_SMALL: dict[str, Any] = {
    "size": (64, 96), "source_steps": 4, "target_steps": 8, "conditional_steps": 6,
    "source_width": 32, "target_width": 64, "conditional_width": 32,
}  # fmt: skip

CAFLOW: dict[str, dict[str, Any]] = {
    # the paper's appendix B
    "super_resolution": {
        **_PAPER, "source_steps": 16, "target_steps": 32, "dequantization": "variational",
    },
    "colorization": _PAPER,
    "inpainting": {
        **_PAPER, "source_steps": 30, "target_steps": 30, "conditional_steps": 16,
        "source_weight": 0.05,
    },
    # the released code: T is as deep as R, one transition step in the conditional flows, a loss so
    # small that Adam's epsilon damps most updates
    "released": {**_PAPER, **_RELEASED, "source_steps": 16, "target_steps": 16},
    # ours: class planes with boundary maps, a guarded initialisation, f_0^i at l_0's resolution
    "tiny": {**_TINY, **_OURS},
    "small": {**_SMALL, **_OURS},
    # the released quirks at the size and cost of ours
    "released_tiny": {**_TINY, **_OURS, **_RELEASED, "target_steps": 2},
    "released_small": {**_SMALL, **_OURS, **_RELEASED, "target_steps": 4},
}  # fmt: skip
