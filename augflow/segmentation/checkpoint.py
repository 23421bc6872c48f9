"""Weights of the user's own, in the form in which mmsegmentation saves them."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from augflow.core.errors import ModelError
from augflow.segmentation.mmseg_model import MmsegSegmenter, put

_CLASSIFIER = re.compile(r"(decode|auxiliary)_head.*\.conv_seg\.(weight|bias)")


def load_mmseg_checkpoint(
    segmenter: MmsegSegmenter, checkpoint: str, new_classes: bool = False
) -> None:
    """Puts the weights of an mmseg `.pth` file into a network.

    Args:
        segmenter: the network; changed in place.
        checkpoint: the path of the file; it is never downloaded.
        new_classes: the layers that decide for classes keep their fresh weights where the file was
            trained on another number of classes; for networks that go on to be trained.

    Raises:
        ModelError: a url, no such file, a file that holds more than tensors and plain values, or
            weights that do not fit.
    """
    state = _read(checkpoint)
    for name, own in segmenter.network.state_dict().items() if new_classes else ():
        if _CLASSIFIER.fullmatch(name) and name in state and state[name].shape != own.shape:
            state[name] = own
    put(segmenter.network, state, checkpoint)


def _is_plain(value: Tensor) -> bool:
    dense = value.layout == torch.strided and value.device.type == "cpu"
    real = not (value.is_quantized or value.is_nested or value.is_complex())
    return dense and real and bool(torch.isfinite(value).all())


def _read(checkpoint: str) -> dict[str, Tensor]:
    if "://" in checkpoint:
        raise ModelError(
            f"checkpoint {checkpoint}: is an address, expected a file; nothing is ever downloaded: "
            "download it yourself and give its path"
        )
    path = Path(checkpoint)
    if not path.is_file():
        raise ModelError(
            f"checkpoint {checkpoint}: no such file; give the path of an mmseg .pth file"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as fault:
        # a damaged file makes torch's reader raise whatever it happens to stumble over; what torch
        # advises, to let the file run, is not passed on
        asked = re.search(r"GLOBAL ([\w.]+)", str(fault))
        reason = f"it asks for {asked[1]}" if asked else type(fault).__name__
        raise ModelError(
            f"checkpoint {checkpoint}: not readable as tensors and plain values alone ({reason}); "
            "save its state_dict by itself: torch.save({'state_dict': model.state_dict()}, path)"
        ) from fault
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(item, Tensor) for name, item in state.items()
    ):
        raise ModelError(
            f"checkpoint {checkpoint}: holds no state_dict of tensors; give an mmseg .pth file"
        )
    odd = [name for name, item in state.items() if not _is_plain(item)]
    if odd:
        raise ModelError(
            f"checkpoint {checkpoint}: {odd[0]!r} and {len(odd) - 1} more are no dense tensors of "
            "finite numbers; save the state_dict of the network as it was trained"
        )
    # mmengine's data preprocessor keeps mean and std in its state; the config holds them here
    return {
        name.removeprefix("module."): tensor
        for name, tensor in state.items()
        if not name.startswith("data_preprocessor.")
    }
