"""Small flows of every kind, and scenes to try them on."""

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.data.classes import table
from augflow.data.scenes import Layout, Scene
from augflow.generators.c_flow import CFlowConfig
from augflow.generators.c_glow import CondGlowConfig
from augflow.generators.caflow import CAFlowConfig
from augflow.generators.caglow import CAGlowConfig
from augflow.generators.cglow import CGlowConfig
from augflow.generators.crn import CrnConfig
from augflow.generators.dual_glow import DualGlowConfig
from augflow.generators.imle import ImleConfig
from augflow.generators.pix2pix import Pix2PixConfig
from augflow.generators.presets import FullGlowConfig, GlowConfig
from augflow.generators.raw_glow import RELEASED
from augflow.training.learners import LEARNERS
from augflow.training.likelihood import LikelihoodLearner

SIZE = (16, 24)


def scenes(count, seed=0):
    """Scenes of two classes whose colours depend on the class."""
    rng = np.random.default_rng(seed)
    classes = np.zeros((count, *SIZE), np.uint8)
    for n in range(count):
        top, left = rng.integers(2, 8), rng.integers(2, 12)
        classes[n, top : top + 6, left : left + 9] = 3
        classes[n, : top // 2] = 6
    colours = rng.integers(0, 200, (count, 7, 1, 1, 3))
    image = np.take_along_axis(
        np.broadcast_to(colours, (count, 7, *SIZE, 3)), classes[:, None, :, :, None].astype(int), 1
    )[:, 0]
    image = np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
    edges = np.zeros((count, *SIZE), np.float32)
    edges[:, :, 1:] = classes[:, :, 1:] != classes[:, :, :-1]
    layout = Layout(torch.from_numpy(classes), torch.from_numpy(edges))
    return Scene(torch.from_numpy(image).permute(0, 3, 1, 2).contiguous(), layout)


OURS = {
    "size": SIZE, "steps": (2, 2), "width": 16, "source_width": 8, "condition_width": 8,
    "features": 6, "source": "one_hot", "boundary": "v1", "boundary_planes": 1, "head": "pooled",
    "head_grid": 2, "head_bound": 1.5, "strict_lu": True, "floor": 0.05, "actnorm": "log",
    "min_std": 0.02, "prior": "source", "prior_bound": 3.0,
}  # fmt: skip
PAPER = {"size": (20, 24), "steps": (2, 2), "width": 16, "source_width": 16, "boundary": "v2"}
TOWERS = {
    key: OURS[key] for key in (
        "size", "steps", "width", "source_width", "condition_width", "source", "boundary",
        "boundary_planes", "floor", "actnorm", "min_std", "prior_bound",
    )
}  # fmt: skip
RAW = {
    "size": SIZE, "steps": (2, 2), "width": 16, "source": "one_hot", "boundary": "plane",
    "matrix": "lu", "head_bound": 1.5, "floor": 0.05, "actnorm": "log", "min_std": 0.02,
    "prior_bound": 3.0,
}  # fmt: skip
CAFLOW = {
    "size": SIZE, "levels": 2, "source_steps": 1, "target_steps": 2, "conditional_steps": 1,
    "source_width": 8, "target_width": 16, "conditional_width": 8, "min_std": 0.02,
}  # fmt: skip
CASCADE = {"size": SIZE, "widths": (8, 8), "features": ("pixels",)}
IMLE_SMALL = {
    **CASCADE, "encoder_width": 8, "set_size": 6, "candidates": 3, "outer": 5,
}  # fmt: skip
GLOW_SMALL = {
    "size": SIZE, "steps": (2, 2), "width": 16, "floor": 0.05, "actnorm": "log", "min_std": 0.02,
    "prior_bound": 3.0,
}  # fmt: skip
UNET = {"size": SIZE, "downs": 3, "width": 8, "patch": 16, "patch_width": 8}
ENCODER = {"encoder_widths": (8, 8), "block_widths": (8, 8)}
VARIANTS = {
    "crn": ("crn", CrnConfig(**CASCADE, outputs=3)),
    "crn, one output": ("crn", CrnConfig(**CASCADE)),
    "imle": ("imle", ImleConfig(**IMLE_SMALL, style=3, noise=2, noise_grid=(2, 3))),
    "full_glow ours": ("full_glow", FullGlowConfig(**OURS)),
    "full_glow ours, no maps": ("full_glow", FullGlowConfig(**{**OURS, "boundary": "none"})),
    "full_glow with a mean": (
        "full_glow",
        FullGlowConfig(**{**OURS, "floor": 0.0}, scale_bound=0.7, mean=(8, 8)),
    ),
    "full_glow paper": ("full_glow", FullGlowConfig(**{**PAPER, "size": (24, 24)})),
    "dual_glow": ("dual_glow", DualGlowConfig(**TOWERS, prior_features=8)),
    "dual_glow released": (
        "dual_glow",
        DualGlowConfig(**TOWERS, prior="mean", fixed_temperature=0.7),
    ),
    "c_flow": ("c_flow", CFlowConfig(**TOWERS, features=6)),
    "pix2pix": ("pix2pix", Pix2PixConfig(
        **UNET, dropout=(0, 1), jitter=2, source="one_hot", boundary="v1", norm="instance",
    )),
    "pix2pix batch": ("pix2pix", Pix2PixConfig(**UNET, dropout=(1,), test_statistics="running")),
    "c_glow v1": ("c_glow", CondGlowConfig(**RAW, conv_channels=8, linear_width=8, features=6)),
    "c_glow with factors": (
        "c_glow",
        CondGlowConfig(
            **{**RAW, "floor": 0.0}, scale_bound=0.7, mean=(8, 8), factors=2, conv_channels=8,
            linear_width=8, features=6,
        ),
    ),
    "c_glow paper": ("c_glow", CondGlowConfig(size=SIZE, steps=(2, 2), width=16, conv_channels=8)),
    "c_glow released": (
        "c_glow",
        CondGlowConfig(size=SIZE, steps=(1, 2), width=16, conv_channels=4, **RELEASED),
    ),
    "caflow": ("caflow", CAFlowConfig(**CAFLOW, source="one_hot", boundary="v1", last="keep")),
    "caflow shared": (
        "caflow",
        CAFlowConfig(**{**CAFLOW, "levels": 3}, boundary="v2", last="keep", share=True),
    ),
    "caflow variational": (
        "caflow",
        CAFlowConfig(**CAFLOW, dequantization="variational", dequantization_steps=1),
    ),
    "glow": ("glow", GlowConfig(size=SIZE, steps=(2, 2), width=16, floor=0.05, actnorm="log")),
    "cglow": ("cglow", CGlowConfig(**GLOW_SMALL, priors="all", class_weight=0.1)),
    "cglow, top only": ("cglow", CGlowConfig(**GLOW_SMALL)),
    "caglow": (
        "caglow",
        CAGlowConfig(**GLOW_SMALL, **ENCODER, spectral=True, weights={"latents": 1.0}),
    ),
}  # fmt: skip

ONE_OF_EACH = (
    "full_glow ours", "dual_glow", "c_flow", "c_glow v1", "caflow variational", "glow", "cglow",
    "caglow", "crn", "imle", "pix2pix", "pix2pix batch",
)  # fmt: skip
"""A variant of every system, and both norms of pix2pix."""

FLOWS = {
    key: row
    for key, row in VARIANTS.items()
    if issubclass(LEARNERS[generators.SYSTEMS[row[0]].generator.learner], LikelihoodLearner)
}


@pytest.fixture(params=VARIANTS.keys())
def variant(request):
    return VARIANTS[request.param]


def fitted(scene, size):
    """Scenes cut or repeated to another size."""
    rows = torch.arange(size[0]) % scene.image.shape[2]
    columns = torch.arange(size[1]) % scene.image.shape[3]
    image = scene.image[:, :, rows][..., columns]
    layout = scene.layout
    return Scene(
        image, Layout(layout.classes[:, rows][..., columns], layout.boundary[:, rows][..., columns])
    )


def built(variant, seed=0):
    name, config = variant
    return generators.build(name, config, table("idd_lite"), seed)
