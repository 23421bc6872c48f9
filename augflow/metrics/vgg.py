"""The first ten to fourteen convolutions of VGG-19, with trained or with random weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from augflow.core import seeding
from augflow.core.errors import ModelError

LAYERS = ("conv1_2", "conv2_2", "conv3_2", "conv4_2", "conv5_2")
"""The layers that CRN and IMLE compare, after their ReLU."""

_WIDTHS = (64, 128, 256, 512, 512)
_DEPTHS = (2, 2, 4, 4, 2)
"""VGG-19's channels and convolutions of each block, up to conv5_2."""

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_LOCAL = "pixels, scattering and random_vgg need no file"

HUB = "hub"
"""What stands in the place of a file's name where torchvision is to download the weights."""


class Vgg(nn.Module):
    """Blocks of 3x3 convolutions with a pooling by two between them, as torchvision builds them.

    The weights are buffers that no state dict holds: there is nothing to train and nothing to save.

    References:
        Simonyan and Zisserman 2015, "Very deep convolutional networks", table 1, column E.
    """

    mean: Tensor
    std: Tensor
    layers = LAYERS

    def __init__(
        self,
        network: nn.Sequential,
        weights: Mapping[str, Tensor],
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        """Gives a network its weights by name; images are scaled by mean and deviation."""
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        for name in network.state_dict():
            layer, kind = network[int(name.partition(".")[0])], name.partition(".")[2]
            delattr(layer, kind)
            layer.register_buffer(kind, weights[name], persistent=False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """The five layers, (N, 3, H, W) -> (N, C_k, H / 2^k, W / 2^k), k = 0..4."""
        x, outputs, convolutions = (image - self.mean) / self.std, [], 0
        for layer in self.network:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                convolutions += 1
                if convolutions == 2:
                    outputs.append(x)
            elif not isinstance(layer, nn.Conv2d):
                convolutions = 0
        return outputs


def _network(widths: tuple[int, ...], depths: tuple[int, ...]) -> nn.Sequential:
    """The convolutions of a VGG without weights."""
    from torchvision.models.vgg import make_layers  # type: ignore[import-untyped]

    plan: list[str | int] = []
    for width, depth in zip(widths, depths, strict=True):
        plan += [*[width] * depth, "M"]
    with torch.device("meta"):  # nothing is drawn for weights that are replaced
        network: nn.Sequential = make_layers(plan[:-1])
    for layer in network:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return network


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
    network, weights = _network(widths, (2,) * len(widths)), dict[str, Tensor]()
    convolutions = [number for number, layer in enumerate(network) if isinstance(layer, nn.Conv2d)]
    for place, number in enumerate(convolutions):
        outputs, inputs = cast(nn.Conv2d, network[number]).weight.shape[:2]
        name = f"conv{place // 2 + 1}_{place % 2 + 1}"
        drawn = _random_filters(outputs, inputs, seeding.generator(seed, "random_vgg", name))
        weights |= {f"{number}.weight": drawn, f"{number}.bias": torch.zeros(outputs)}
    averaging = [nn.AvgPool2d(2) if isinstance(one, nn.MaxPool2d) else one for one in network]
    return Vgg(nn.Sequential(*averaging), weights, (0.5,) * 3, (0.25,) * 3)


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
    network = _network(_WIDTHS, _DEPTHS)
    weights = {
        name: _tensor(state, name, tuple(wanted.shape), where)
        for name, wanted in network.state_dict().items()
    }
    return Vgg(network, weights, *_IMAGENET)


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
