"""A segmentation network of mmsegmentation behind the Segmenter interface."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from augflow.core import io, seeding
from augflow.core.distributed import device
from augflow.core.errors import DataError, ModelError, ParamsError
from augflow.core.tensors import read_weights
from augflow.data.classes import ClassTable
from augflow.segmentation.mmseg_config import NetworkConfig, config_from

_CLASSIFIER = re.compile(r"(decode|auxiliary)_head.*\.conv_seg\.(weight|bias)")

WEIGHTS, FACTS = "weights.safetensors", "config.json"


class MmsegSegmenter:
    """A network that gives every pixel of a photograph one of K classes.

    Attributes:
        config: what the network was built from.
        names: the K class names by train id.
        network: mmseg's module; its weights, and its statistics where it has batch norm.
        training: what a stage noted of how it was trained (arm, seed, steps), kept when saved.
    """

    def __init__(self, config: NetworkConfig, names: Sequence[str], seed: int = 0) -> None:
        """Builds the network and draws its initial weights from `seed`.

        Raises:
            ModelError: mmseg cannot build it.
        """
        self.config = config
        self.names = tuple(names)
        self.training: dict[str, Any] = {}
        with seeding.torch_seeded(seed):
            self.network: Any = _build(config)
        self._mean = torch.tensor(config.normalisation.mean).view(1, 3, 1, 1)
        self._std = torch.tensor(config.normalisation.std).view(1, 3, 1, 1)

    @property
    def count(self) -> int:
        """K, the number of classes."""
        return len(self.names)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    def to(self, device: torch.device | str) -> MmsegSegmenter:
        """Moves the weights."""
        self.network.to(device)
        return self

    def predict(self, images: Tensor) -> Tensor:
        """The most probable class of every pixel.

        Logits are brought to the size of the photographs before the maximum is taken. Images go
        through the network one by one: none can depend on the batch it comes in.

        Shapes:
            images: (N, 3, H, W) float in [0, 1].
            returns: (N, H, W) int64 train ids, on the device of `images`.
        """
        with self._inference_mode():
            maps = [self._logits(image).argmax(1) for image in images.split(1)]
        return torch.cat(maps).to(images.device)

    def log_probs(self, image: Tensor) -> Tensor:
        """The logarithm of every class's probability at every pixel of a photograph.

        Shapes:
            image: (3, H, W) float in [0, 1].
            returns: (K, H, W) float32, on the device of `image`.
        """
        with self._inference_mode():
            return nn.functional.log_softmax(self._logits(image[None]).float(), 1)[0].to(image)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The config's own loss, auxiliary heads included, in the module's current mode.

        Shapes:
            images: (N, 3, H, W) float in [0, 1].
            labels: (N, H, W) integer train ids, 255 where nothing is learned.
            returns: ().
        """
        from mmengine.structures import PixelData
        from mmseg.structures import SegDataSample

        meta = _meta(images)
        samples = []
        for label in labels.long().to(self.device):
            sample = SegDataSample(metainfo=meta)
            sample.gt_sem_seg = PixelData(data=label[None])
            samples.append(sample)
        losses = self.network.loss(self._input(images), samples)
        return self.network.parse_losses(losses)[0]

    def state(self) -> dict[str, Tensor]:
        """A copy of weights and statistics, contiguous, on the CPU."""
        return {name: _copy_to_cpu(tensor) for name, tensor in self.network.state_dict().items()}

    def digest(self) -> str:
        """A digest of all weights and statistics: equal for equal numbers."""
        parts = [f"{name}:{io.digest_array(t.numpy())}" for name, t in sorted(self.state().items())]
        return io.digest_bytes("\n".join(parts).encode())

    def save(self, folder: Path) -> None:
        """Writes `weights.safetensors` and `config.json` into a folder."""
        from safetensors.torch import save

        io.atomic_write(folder / WEIGHTS, save(self.state()))
        facts = {
            "kind": "segmenter",
            "classes": list(self.names),
            "config": self.config.facts(),
            "digest": self.digest(),
            "training": self.training,
        }
        io.write_json(folder / FACTS, facts)

    @contextmanager
    def _inference_mode(self) -> Iterator[None]:
        """The network as it is asked, not as it learns."""
        was_training = self.network.training
        self.network.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.network.train(was_training)

    def _logits(self, images: Tensor) -> Tensor:
        logits = self.network.inference(self._input(images), [_meta(images)] * len(images))
        if logits.shape[2:] != images.shape[2:]:
            logits = nn.functional.interpolate(logits, images.shape[2:], mode="bilinear")
        return logits  # (N, K, H, W)

    def _input(self, images: Tensor) -> Tensor:
        scaled = images.to(self.device) * 255
        if not self.config.normalisation.rgb:
            scaled = scaled.flip(1)
        scaled = (scaled - self._mean.to(scaled)) / self._std.to(scaled)
        return scaled.contiguous(memory_format=torch.channels_last)


def load_segmenter(folder: Path, trust_config: bool = False) -> MmsegSegmenter:
    """A segmenter as `MmsegSegmenter.save` wrote it.

    Its config may name modules and files where `trust_config` says that the user trusts it.

    Raises:
        DataError: a file is missing or not JSON.
        ModelError: not a segmenter, or one that names what is not mmseg's, or the weights are
            damaged, not finite or not those of the config.
    """
    facts = io.read_json(folder / FACTS)
    try:
        segmenter = MmsegSegmenter(config_from(facts["config"], trust_config), facts["classes"])
        segmenter.training = dict(facts["training"])
        expected = facts["digest"]
    except (KeyError, TypeError, ValueError, RecursionError, ParamsError) as fault:
        raise ModelError(
            f"{folder / FACTS}: not the config of a saved segmenter ({fault}); train it again"
        ) from fault
    path = folder / WEIGHTS
    if not path.exists():
        raise DataError(f"{path}: no such file; train the segmenter again")
    state = read_weights(path)
    put(segmenter.network, state, str(path))
    if segmenter.digest() != expected:
        raise ModelError(
            f"{path}: weights have digest {segmenter.digest()}, {FACTS} says {expected}; "
            "train the segmenter again"
        )
    return segmenter


def load_segmenter_for(
    folder: Path, table: ClassTable, trust_config: bool = False
) -> MmsegSegmenter:
    """A saved segmenter of the classes of a table, where the environment has it computed.

    Raises:
        DataError: a file is missing or not JSON.
        ModelError: see `load`; or it was trained on other classes.
    """
    segmenter = load_segmenter(folder, trust_config)
    if segmenter.names != table.names:
        raise ModelError(
            f"{folder}: trained on classes {', '.join(segmenter.names)}; "
            f"expected {', '.join(table.names)}; train it again"
        )
    seeding.exact()
    return segmenter.to(device())


def load_mmseg_checkpoint(
    segmenter: MmsegSegmenter, checkpoint: str, new_classes: bool = False
) -> None:
    """Puts the weights of an mmseg `.pth` file into a network.

    With `new_classes`, for networks that go on to be trained, the layers that decide for classes
    keep their fresh weights where the file was trained on another number of classes.

    Raises:
        ModelError: a url, no such file, a file that holds more than tensors and plain values, or
            weights that do not fit.
    """
    state = _read_checkpoint(checkpoint)
    for name, own in segmenter.network.state_dict().items() if new_classes else ():
        if _CLASSIFIER.fullmatch(name) and name in state and state[name].shape != own.shape:
            state[name] = own
    put(segmenter.network, state, checkpoint)


def _is_plain(value: Tensor) -> bool:
    dense = value.layout == torch.strided and value.device.type == "cpu"
    real = not (value.is_quantized or value.is_nested or value.is_complex())
    return dense and real and bool(torch.isfinite(value).all())


def _read_checkpoint(checkpoint: str) -> dict[str, Tensor]:
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


def put(network: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Copies a state into a network.

    Raises:
        ModelError: names or shapes are not the network's; lists them all.
    """
    own = network.state_dict()
    faults = [f"{name} is missing" for name in own if name not in state]
    faults += [f"{name} is unknown" for name in state if name not in own]
    faults += [
        f"{name} is {tuple(state[name].shape)}, expected {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if faults:
        raise ModelError(
            f"{where}: weights do not fit the config: {'; '.join(faults)}; "
            "give the config and the number of classes they were trained with"
        )
    network.load_state_dict(dict(state))


def _build(config: NetworkConfig) -> nn.Module:
    import logging
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mmseg.models  # noqa: F401 - fills the registry
        from mmengine.config import ConfigDict
        from mmengine.logging import MMLogger
        from mmengine.registry import DefaultScope
        from mmseg.registry import MODELS

        MMLogger.get_current_instance().setLevel(logging.WARNING)
        try:
            with DefaultScope.overwrite_default_scope("mmseg"):
                network = MODELS.build(ConfigDict(copy.deepcopy(config.model)))
                network.init_weights()
        except Exception as fault:
            # what a config names may raise anything when it is built
            reason = " ".join(f"{type(fault).__name__}: {fault}".split())
            raise ModelError(
                f"segmenter config {config.name}: mmseg cannot build it ({reason}); "
                "give an encoder-decoder config that needs no compiled operators"
            ) from fault
    # on a processor a few percent faster
    return network.to(memory_format=torch.channels_last)


def _meta(images: Tensor) -> dict[str, Any]:
    size = tuple(images.shape[2:])
    return {"ori_shape": size, "img_shape": size, "pad_shape": size, "padding_size": [0, 0, 0, 0]}


def _copy_to_cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()
