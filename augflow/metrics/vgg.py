"""The first ten to fourteen convolutions of VGG-19, with trained or with random weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.errors import ModelError

LAYERS = ("conv1_2", "conv2_2", "conv3_2", "conv4_2", "conv5_2")
"""The layers that CRN and IMLE compare, after their ReLU."""

TRAINED = {
    "conv1_1": 0,
    "conv1_2": 2,
    "conv2_1": 5,
    "conv2_2": 7,
    "conv3_1": 10,
    "conv3_2": 12,
    "conv3_3": 14,
    "conv3_4": 16,
    "conv4_1": 19,
    "conv4_2": 21,
    "conv4_3": 23,
    "conv4_4": 25,
    "conv5_1": 28,
    "conv5_2": 30,
}
"""VGG-19's convolutions up to conv5_2, and their numbers in torchvision's `features`."""

_WIDTHS = (64, 128, 256, 512, 512)
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_LOCAL = "pixels, scattering and random_vgg need no file"

HUB = "hub"
"""What stands in the place of a file's name where torchvision is to download the weights."""

Weights = Mapping[str, tuple[Tensor, Tensor]]
"""Weight and bias of each convolution, named convB_K, in the order of application."""


class Vgg(nn.Module):
    """Blocks of 3x3 convolutions with a pooling by two between them.

    The weights are buffers that no state dict holds: there is nothing to train and nothing to save.

    References:
        Simonyan and Zisserman 2015, "Very deep convolutional networks", table 1, column E.
    """

    mean: Tensor
    std: Tensor
    layers = LAYERS

    def __init__(
        self,
        weights: Weights,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        pool: Callable[[Tensor, int], Tensor],
    ) -> None:
        """Takes weights as they are, and the mean and deviation that photographs are scaled by."""
        super().__init__()
        self.names, self.pool = tuple(weights), pool
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        for name, (weight, bias) in weights.items():
            self.register_buffer(f"{name}_weight", weight, persistent=False)
            self.register_buffer(f"{name}_bias", bias, persistent=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """The five layers, (N, 3, H, W) -> (N, C_k, H / 2^k, W / 2^k), k = 0..4."""
        x, block, outputs = (image - self.mean) / self.std, "1", []
        for name in self.names:
            if name[4] != block:
                x, block = self.pool(x, 2), name[4]
            weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")
            x = F.relu(F.conv2d(x, weight, bias, padding=1))
            if name in LAYERS:
                outputs.append(x)
        return outputs


def random_vgg(widths: tuple[int, ...] = (16, 32, 64, 64, 64), seed: int = 0) -> Vgg:
    """Two convolutions a block with random weights, orthogonal where there are inputs enough.

    From the second convolution on each filter sums to 0: activations after a ReLU are positive, and
    their common mean would otherwise make all photographs alike after a few layers. Filters are
    scaled to keep the variance that is left (He's gain of 2, divided by 1 - 1 / pi).

    Random features see edges, colours and their arrangement but know no objects: a weaker stand-in
    for trained ones.

    Args:
        widths: channels of each block.
        seed: what the weights are drawn from.

    References:
        He et al. 2015, "Delving deep into rectifiers", section 2.2; Saxe et al. 2014, "Exact
        solutions to the nonlinear dynamics of learning", section 3; Amir and Weiss 2021,
        "Understanding and simplifying perceptual distances" (random networks as distances).
    """
    weights, inputs = {}, 3
    for block, width in enumerate(widths, start=1):
        for number in (1, 2):
            name = f"conv{block}_{number}"
            drawn = _random_filters(width, inputs, seeding.generator(seed, "random_vgg", name))
            weights[name] = (drawn, torch.zeros(width))
            inputs = width
    return Vgg(weights, (0.5,) * 3, (0.25,) * 3, F.avg_pool2d)


def _random_filters(outputs: int, inputs: int, draw: np.random.Generator) -> Tensor:
    first = inputs == 3
    rows = draw.standard_normal((outputs, inputs * 9))
    if not first:
        rows -= rows.mean(axis=1, keepdims=True)
    if outputs < inputs * 9:
        rows = np.linalg.qr(rows.T)[0].T
    gain = math.sqrt(2 if first else 2 / (1 - 1 / math.pi))
    rows *= gain / np.linalg.norm(rows, axis=1, keepdims=True)
    return torch.from_numpy(rows.reshape(outputs, inputs, 3, 3)).float()


def vgg19(path: Path | None = None) -> Vgg:
    """VGG-19 with weights trained on ImageNet, from a file or, if asked for by name, from the hub.

    Args:
        path: a state dict of torchvision's `vgg19` or of its `features`, saved by torch (.pth, .pt)
            or as safetensors. Only tensors are read. `hub` lets torchvision download it, once.

    Raises:
        ModelError: no file is named, or it cannot be read or fetched, or is not of this network.
    """
    if path is None:
        raise ModelError(
            "features vgg19: no file of weights is named, and nothing is downloaded unasked: name "
            f"the file of torchvision's vgg19, or `{HUB}` to let torchvision download it, or "
            f"choose other features: {_LOCAL}"
        )
    state, where = (_download_weights() if str(path) == HUB else _read(path)), str(path)
    weights, inputs = {}, 3
    for name, number in TRAINED.items():
        width = _WIDTHS[int(name[4]) - 1]
        weights[name] = (
            _tensor(state, f"{number}.weight", (width, inputs, 3, 3), where),
            _tensor(state, f"{number}.bias", (width,), where),
        )
        inputs = width
    return Vgg(weights, *_IMAGENET, F.max_pool2d)


def _download_weights() -> Mapping[str, Tensor]:
    from torchvision.models import VGG19_Weights  # type: ignore[import-untyped]

    weights = VGG19_Weights.IMAGENET1K_V1
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as fault:
        raise ModelError(
            f"features vgg19: {weights.url} cannot be downloaded ({_line(fault)}); give a file "
            f"with these weights, or choose other features: {_LOCAL}"
        ) from fault


def _read(path: Path) -> Mapping[str, Tensor]:
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected weights of vgg19 ({_LOCAL})")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as fault:
        # a damaged file makes the readers raise whatever they happen to stumble over
        raise ModelError(
            f"{path}: not a file of weights ({_line(fault)}); expected tensors saved by torch "
            "or as safetensors"
        ) from fault
    if not isinstance(state, dict):
        raise ModelError(f"{path}: holds a {type(state).__name__}; expected a state dict of vgg19")
    return state


def _line(fault: Exception) -> str:
    """The beginning of a foreign error, on one line."""
    return " ".join(str(fault).split())[:80]


def _tensor(state: Mapping[str, Tensor], key: str, shape: tuple[int, ...], where: str) -> Tensor:
    found = state.get(f"features.{key}", state.get(key))
    if not isinstance(found, Tensor) or tuple(found.shape) != shape:
        got = tuple(found.shape) if isinstance(found, Tensor) else "nothing"
        raise ModelError(
            f"{where}: features.{key}: expected {shape}, got {got}; give the weights of "
            "torchvision's vgg19"
        )
    if not torch.isfinite(found).all():
        raise ModelError(f"{where}: features.{key}: not finite; download the file again")
    return found.detach().float()
