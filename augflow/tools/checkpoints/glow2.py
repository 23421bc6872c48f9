"""Checkpoints of the authors' Full-Glow code (github.com/MoeinSorkhei/glow2).

They hold one small network per step; ours hold those of a level stacked. What differs and is not in
the file: their layouts are colour images, resized so that colours blend at borders, with colours
for classes that are not learned; ours are class maps painted with the palette, black elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from augflow.core.errors import ModelError
from augflow.data.boundaries import Filter
from augflow.data.classes import ClassTable
from augflow.generators.full_glow import FullGlow
from augflow.generators.presets import FullGlowConfig
from augflow.tools.checkpoints.checkpoints import Shape, check_fit, config_of, shapes_of, tensors_of

CONSTANTS = ("initialized", "u_mask", "l_mask", "l_eye")
"""Buffers of theirs that hold no choice: flags, triangles of ones, the identity."""


@dataclass(frozen=True)
class TensorSlice:
    """A tensor of ours, or its slice of one step, and where it stands in the checkpoint.

    `layout`: theirs is of the same shape, transposed, or a (1, C, 1, 1) column for our C.
    """

    ours: str
    step: int | None
    theirs: str
    layout: Literal["same", "transposed", "column"] = "same"

    def expected_shape(self, whole: Shape) -> Shape:
        """The shape of theirs, given that of the whole tensor of ours."""
        shape = whole if self.step is None else whole[1:]
        if self.ours.startswith("conditioners") and self.ours.endswith(("permutation", "sign")):
            shape = shape[1:]
        if self.layout == "transposed":
            return shape[::-1]
        return (1, *shape, 1, 1) if self.layout == "column" else shape

    def write(self, tensor: Tensor, value: Tensor) -> None:
        """Copies theirs to its place in ours."""
        place = tensor if self.step is None else tensor[self.step]
        turned = value.T if self.layout == "transposed" else value
        place.copy_(turned.reshape(place.shape))


def read_glow2(
    path: Path,
    table: ClassTable,
    size: tuple[int, int],
    boundary: Literal["v1", "v2"] = "v1",
    boundary_filter: Filter = "bicubic",
) -> FullGlow:
    """A Full-Glow with the weights of a checkpoint; depths and widths are those of the file.

    `boundary` is the version of boundary map it learned with, if it did: `v2` is `--do_ceil`.

    Raises:
        ModelError: not a checkpoint of that code, or not of that size.
    """
    found = tensors_of(path, "model_state_dict")
    options = {"boundary": boundary, "boundary_filter": boundary_filter}
    config = _config(path, found, size, options)
    try:
        shapes = shapes_of(lambda: FullGlow(config, table), path)
    except ValueError as fault:
        raise ModelError(f"{path}: size {size[0]}x{size[1]}: {fault}; say the right size") from None
    pieces = list(_pieces(config.steps))
    expected = {piece.theirs: piece.expected_shape(shapes[piece.ours]) for piece in pieces}
    _check_size(path, found, expected, size)
    check_fit(path, found, expected, CONSTANTS)
    generator = FullGlow(config, table)
    state = {name: value.clone() for name, value in generator.state_dict().items()}
    for piece in pieces:
        piece.write(state[piece.ours], found[piece.theirs])
    generator.load_state_dict(state)
    return generator.eval()


def _config(
    path: Path, found: Mapping[str, Tensor], size: tuple[int, int], maps: dict[str, Any]
) -> FullGlowConfig:
    """What the file's names and shapes say of the network."""
    flows: dict[int, set[int]] = {}
    for name in found:
        match = re.match(r"right_glow\.blocks\.([0-9]{1,4})\.flows\.([0-9]{1,4})\.", name)
        if match:
            flows.setdefault(int(match[1]), set()).add(int(match[2]))
    numbered = [flows, *flows.values()]
    if not flows or any(sorted(some) != list(range(len(some))) for some in numbered):
        raise ModelError(
            f"{path}: no right_glow.blocks.N.flows.N in it, each from 0 on, so it is none of the "
            "Full-Glow code, or not whole"
        )
    first = "right_glow.blocks.0.flows.0"
    if f"{first}.inv_conv.w_p" not in found:
        raise ModelError(
            f"{path}: {first}.inv_conv.w_p is missing: it was trained without --do_lu, and "
            "matrices that are no LU product are not read; take one that was trained with it"
        )

    def side(name: str, axis: int = 0) -> int:
        if name not in found or found[name].ndim <= axis:
            raise ModelError(f"{path}: {name} is missing or of too few sides; fetch it again")
        return found[name].shape[axis]

    act = f"{first}.act_norm.cond_net"
    conditions = side(f"{act}.conv_net.conv_net.0.weight", 1)
    content = {
        "size": size,
        "steps": tuple(len(flows[block]) for block in sorted(flows)),
        "width": side(f"{first}.coupling.net.0.bias"),
        "source_width": side("left_glow.blocks.0.flows.0.coupling.net.0.bias"),
        "condition_width": side(f"{first}.coupling.cond_net.conv_net.0.bias"),
        "head_convs": tuple(side(f"{act}.conv_net.conv_net.{n}.bias") for n in (0, 2, 4)),
        "head_hidden": tuple(side(f"{act}.linear_net.linear_net.{n}.bias") for n in (0, 2, 4)),
        **(maps if conditions > 12 else {}),
        "pixels": "unit",
        "layout_noise": "none",
    }
    return config_of(FullGlowConfig, content, path)


def _check_size(
    path: Path, found: Mapping[str, Tensor], expected: Mapping[str, Shape], size: tuple[int, int]
) -> None:
    """Refuses another size than the flat layers were made for, before shapes are listed."""
    name = "right_glow.blocks.0.flows.0.act_norm.cond_net.linear_net.linear_net.0.weight"
    if name in found and found[name].ndim == 2 and found[name].shape[1] != expected[name][1]:
        maps = len(found["right_glow.blocks.0.flows.0.act_norm.cond_net.conv_net.conv_net.4.bias"])
        raise ModelError(
            f"{path}: it did not learn at {size[0]}x{size[1]}: say the height and width for which "
            f"(height / 2 - 4) * (width / 2 - 4) is {found[name].shape[1] // maps}"
        )


def _pieces(steps: tuple[int, ...]) -> Iterator[TensorSlice]:
    for level, count in enumerate(steps):
        for ours, theirs in (("source", "left_glow"), ("target", "right_glow")):
            prior, block = f"{ours}.priors.{level}.conv", f"{theirs}.blocks.{level}.gaussian"
            yield TensorSlice(f"{prior}.weight", None, f"{block}.conv.weight")
            yield TensorSlice(f"{prior}.bias", None, f"{block}.conv.bias")
            yield TensorSlice(f"{prior}.scale", None, f"{block}.scale", "column")
        for step in range(count):
            left = f"left_glow.blocks.{level}.flows.{step}"
            right = f"right_glow.blocks.{level}.flows.{step}"
            yield from _coupling(f"source.levels.{level}.nets", step, f"{left}.coupling.net")
            yield from _coupling(f"target.levels.{level}.nets", step, f"{right}.coupling.net")
            yield from _constants(f"source_params.{level}", step, left)
            yield from _conditioner(f"conditioners.{level}", step, right)


def _coupling(ours: str, step: int, theirs: str) -> Iterator[TensorSlice]:
    for name, number in (("first", "0"), ("second", "2"), ("last", "4.conv")):
        yield TensorSlice(f"{ours}.{name}", step, f"{theirs}.{number}.weight")
        yield TensorSlice(f"{ours}.{name}_bias", step, f"{theirs}.{number}.bias")
    yield TensorSlice(f"{ours}.scale", step, f"{theirs}.4.scale", "column")


def _constants(ours: str, step: int, theirs: str) -> Iterator[TensorSlice]:
    yield TensorSlice(f"{ours}.scale", step, f"{theirs}.act_norm.scale", "column")
    yield TensorSlice(f"{ours}.shift", step, f"{theirs}.act_norm.loc", "column")
    names = {"permutation": "w_p", "sign": "s_sign", "lower": "w_l", "upper": "w_u", "log_s": "w_s"}
    for name, other in names.items():
        yield TensorSlice(f"{ours}.{name}", step, f"{theirs}.inv_conv.{other}")


def _conditioner(ours: str, step: int, theirs: str) -> Iterator[TensorSlice]:
    yield TensorSlice(f"{ours}.permutation", step, f"{theirs}.inv_conv.w_p")
    yield TensorSlice(f"{ours}.sign", step, f"{theirs}.inv_conv.s_sign")
    for name, other in (("actnorm", "act_norm"), ("conv", "inv_conv")):
        net = f"{theirs}.{other}.cond_net"
        for number in range(3):
            conv, linear = f"{ours}.{name}.convs.{number}", f"{ours}.{name}.linears.{number}"
            their_conv = f"{net}.conv_net.conv_net.{2 * number}"
            their_linear = f"{net}.linear_net.linear_net.{2 * number}"
            yield TensorSlice(f"{conv}.weight", step, f"{their_conv}.weight")
            yield TensorSlice(f"{conv}.bias", step, f"{their_conv}.bias")
            yield TensorSlice(f"{linear}.weight", step, f"{their_linear}.weight", "transposed")
            yield TensorSlice(f"{linear}.bias", step, f"{their_linear}.bias")
        last = f"{net}.linear_net.linear_net.6.linear"
        yield TensorSlice(f"{ours}.{name}.last", step, f"{last}.weight", "transposed")
        yield TensorSlice(f"{ours}.{name}.bias", step, f"{last}.bias")
    for number in range(2):
        conv, their_conv = f"{ours}.coupling.{number}", f"{theirs}.coupling.cond_net.conv_net"
        yield TensorSlice(f"{conv}.weight", step, f"{their_conv}.{2 * number}.weight")
        yield TensorSlice(f"{conv}.bias", step, f"{their_conv}.{2 * number}.bias")
