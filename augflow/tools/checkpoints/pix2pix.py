"""Generators of the public pix2pix code (github.com/junyanz/pytorch-CycleGAN-and-pix2pix).

Read are U-Nets (`unet_256`, `unet_128`) that make photographs from colour maps, with batch or with
instance norm. Whether they learned with dropout is not in the file: it is taken to be so, as is
their default. Their test mode normalises by the statistics of the image itself; so does what is
read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from torch import Tensor

from augflow.core.errors import ModelError
from augflow.data.classes import ClassTable
from augflow.generators.pix2pix import PATCHES, Pix2Pix, Pix2PixConfig
from augflow.tools.checkpoints.checkpoints import check_fit, config_of, shapes_of, tensors_of

OUTER = "model.model"


def read_pix2pix(path: Path, table: ClassTable, size: tuple[int, int]) -> Pix2Pix:
    """A pix2pix with the weights of a `*_net_G.pth`; depth, width and norm are those of the file.

    Raises:
        ModelError: not a U-Net of that code, or not one from layouts to photographs.
    """
    found = tensors_of(path)
    config = _config(path, found, table, size)
    shapes = shapes_of(lambda: Pix2Pix(config, table), path)
    names = dict(_names(config.downs, config.norm))
    ignored = ["num_batches_tracked"]
    if config.norm == "instance":
        ignored += ["running_mean", "running_var"]
    check_fit(path, found, {theirs: shapes[ours] for ours, theirs in names.items()}, ignored)
    generator = Pix2Pix(config, table)
    state = {name: value.clone() for name, value in generator.state_dict().items()}
    for ours, theirs in names.items():
        state[ours].copy_(found[theirs])
    generator.load_state_dict(state)
    return generator.eval()


def _config(
    path: Path, found: Mapping[str, Tensor], table: ClassTable, size: tuple[int, int]
) -> Pix2PixConfig:
    """What the file's names and shapes say of the network."""
    first = found.get(f"{OUTER}.0.weight")
    nested = [re.match(r"model\.model\.1\.model((?:\.3\.model)*)\.", name) for name in found]
    depths = [match[1].count("3") for match in nested if match]
    if first is None or first.ndim != 4 or not depths:
        raise ModelError(
            f"{path}: no {OUTER}.0.weight and {OUTER}.1 in it, so it is no U-Net of that code "
            "(a resnet_9blocks is none); give the latest_net_G.pth of a pix2pix with unet_256"
        )
    planes = first.shape[1]
    if planes not in (3, table.count):
        raise ModelError(
            f"{path}: it reads {planes} channels; expected 3 (palette colours) or {table.count} "
            f"(one per class of table {table.name!r})"
        )
    downs = 2 + max(depths)
    content = {
        "size": size,
        "downs": downs,
        "width": len(first),
        "norm": "instance" if f"{OUTER}.1.model.1.bias" in found else "batch",
        "test_statistics": "image",
        "dropout": tuple(range(1, downs - 4)),
        "source": "palette" if planes == 3 else "one_hot",
        "patch": _patch(size),
    }
    return config_of(Pix2PixConfig, content, path)


def _patch(size: tuple[int, int]) -> Literal[16, 34, 70, 142, 286]:
    """The paper's patch of the discriminator, or the largest that fits."""
    fitting: tuple[Literal[16, 34, 70], ...] = (70, 34, 16)
    return next((patch for patch in fitting if patch in PATCHES and patch <= min(size)), 16)


def _names(downs: int, norm: Literal["batch", "instance"]) -> Iterator[tuple[str, str]]:
    """Our names of the tensors of every level, and theirs: each level stands inside the one before.

    A level's layers are numbered in a row: activation, convolution and norm on the way down, the
    level inside, activation, convolution and norm on the way up, as far as it has them.
    """
    last, place = downs - 1, OUTER
    for level in range(downs):
        inner = 0 < level < last
        up = 5 if inner else 3
        yield from _layer(f"unet.down.{level}", f"{place}.{min(level, 1)}", norm == "instance")
        biased = norm == "instance" or level == 0
        yield from _layer(f"unet.up.{level}", f"{place}.{up}", biased)
        if norm == "batch" and inner:
            yield from _statistics(f"unet.down_norms.{level}", f"{place}.2")
        if norm == "batch" and level:
            yield from _statistics(f"unet.up_norms.{level}", f"{place}.{up + 1}")
        place += ".3.model" if level else ".1.model"


def _layer(ours: str, theirs: str, biased: bool) -> Iterator[tuple[str, str]]:
    for name in ("weight", "bias") if biased else ("weight",):
        yield f"{ours}.{name}", f"{theirs}.{name}"


def _statistics(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    for name in ("weight", "bias", "running_mean", "running_var"):
        yield f"{ours}.{name}", f"{theirs}.{name}"
