"""Small flows of every kind, and scenes to try them on."""

import numpy as np
import pytest
import torch

from augflow import generators
from augflow.classes import table
from augflow.generators.presets import FullGlowConfig, GlowConfig
from augflow.scenes import Layout, Scene

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
VARIANTS = {
    "full_glow ours": ("full_glow", FullGlowConfig(**OURS)),
    "full_glow ours v2": ("full_glow", FullGlowConfig(**{**OURS, "boundary": "v2"})),
    "full_glow ours, no maps": ("full_glow", FullGlowConfig(**{**OURS, "boundary": "none"})),
    "full_glow paper": ("full_glow", FullGlowConfig(**{**PAPER, "size": (24, 24)})),
    "glow": ("glow", GlowConfig(size=SIZE, steps=(2, 2), width=16, floor=0.05, actnorm="log")),
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
        image,
        Layout(layout.classes[:, rows][..., columns], layout.boundary[:, rows][..., columns]),
    )


def built(variant, seed=0):
    name, config = variant
    return generators.built(name, config, table("idd_lite"), seed)
