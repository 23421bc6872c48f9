"""Small generators of 32x48 pixels on disk, moved away from their even start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from augflow import generators
from augflow.core.config import Section
from augflow.data.classes import table
from augflow.generators.imle import ImleConfig
from augflow.generators.pix2pix import Pix2PixConfig
from augflow.generators.presets import FullGlowConfig

SIZE = (32, 48)

MAKERS: dict[str, tuple[str, Section]] = {
    "flow": ("full_glow", FullGlowConfig(
        size=SIZE, steps=(1, 1), width=8, source_width=4, condition_width=4, head_hidden=(4, 4, 4),
        features=4, boundary="none", actnorm="log", floor=0.05,
    )),
    "styled": ("full_glow", FullGlowConfig(
        size=SIZE, steps=(1, 1), width=8, source_width=4, condition_width=4, head_hidden=(4, 4, 4),
        features=4, boundary="none", actnorm="log", floor=0.05, mean=(8, 8), factors=2,
    )),
    "coins": ("pix2pix", Pix2PixConfig(
        size=SIZE, downs=3, width=8, dropout=(0, 1), patch=16, patch_width=8, jitter=2,
        source="one_hot", boundary="v1", norm="instance",
    )),
    "plain": ("imle", ImleConfig(size=SIZE, widths=(8, 8), noise=2, style=3, encoder_width=8)),
}  # fmt: skip


def save(name: str, folder: Path) -> Path:
    """Writes a generator whose weights are a function of its name alone; returns its folder."""
    system, config = MAKERS[name]
    maker = generators.build(system, config, table("cityscapes"), 0)
    rng = np.random.default_rng(len(name))
    with torch.no_grad():
        for parameter in maker.parameters():
            parameter += 0.03 * torch.from_numpy(rng.normal(size=parameter.shape)).float()
    generators.save(folder / name, system, maker, {})
    return folder / name
