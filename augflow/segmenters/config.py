"""An mmseg config file as the plain description of one network for K classes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from augflow.errors import ModelError, ParamsError, nearest

PACKAGED = Path(__file__).with_name("configs")
"""Config files that go by their bare name."""

_HEADS = ("decode_head", "auxiliary_head")
_OF_ITS_OWN = ("use_sigmoid", "use_mask", "class_weight")


@dataclass(frozen=True)
class Normalisation:
    """What a network expects of its input: (x - mean) / std in 0..255, channels RGB or BGR."""

    mean: tuple[float, ...] = (123.675, 116.28, 103.53)
    std: tuple[float, ...] = (58.395, 57.12, 57.375)
    rgb: bool = True


@dataclass(frozen=True)
class NetworkConfig:
    """The `model` of a config file, resolved, and the numbers its input is normalised with.

    `model` holds plain JSON values only, so that a saved network is read without running code.
    """

    name: str
    model: dict[str, Any]
    normalisation: Normalisation

    def facts(self) -> dict[str, Any]:
        """The config as plain JSON."""
        norm = self.normalisation
        return {
            "name": self.name,
            "model": self.model,
            "normalisation": {"mean": list(norm.mean), "std": list(norm.std), "rgb": norm.rgb},
        }


def balanced(config: NetworkConfig, pixels: Sequence[int]) -> NetworkConfig:
    """The config with rare classes weighing more in the cross-entropy of every head.

    A class with the share f of all labelled pixels weighs f**(-1/2), scaled so that a pixel weighs
    1 on average. Losses that bring weights of their own, or are no softmax cross-entropy, stay.

    Args:
        config: the network.
        pixels: how many labelled pixels each class has; classes without any weigh 1.
    """
    shares = np.asarray(pixels, np.float64) / max(1, sum(pixels))
    there = shares > 0
    weights = np.ones(len(shares))
    weights[there] = shares[there] ** -0.5 / np.sqrt(shares[there]).sum()
    model = copy.deepcopy(config.model)
    for head in _HEADS:
        for part in _dicts(model.get(head)):
            if part.get("type") == "CrossEntropyLoss" and not any(map(part.get, _OF_ITS_OWN)):
                part["class_weight"] = [round(float(weight), 6) for weight in weights]
                # with weights mmseg leaves ignored pixels out either way, and fails when asked to
                part["avg_non_ignore"] = False
    return replace(config, model=model)


def config_from(facts: dict[str, Any]) -> NetworkConfig:
    """A config as `NetworkConfig.facts` wrote it."""
    norm = facts["normalisation"]
    normalisation = Normalisation(tuple(norm["mean"]), tuple(norm["std"]), bool(norm["rgb"]))
    return NetworkConfig(facts["name"], facts["model"], normalisation)


def read_config(config: str, count: int) -> NetworkConfig:
    """Reads an mmseg config file and fits it to `count` classes.

    Every head gets `count` classes, synchronised batch norm becomes plain batch norm, and weights
    that the file asks for (`pretrained`, `init_cfg` of type `Pretrained`) are dropped: the one way
    for weights to come in is the parameter `checkpoint`, and nothing is ever downloaded.

    Args:
        config: the bare name of a packaged config, or the path of an mmseg config file.
        count: K, the number of classes.

    Raises:
        ParamsError: no such config.
        ModelError: the file is not an mmseg config, or holds weights per class for another number
            of classes.
    """
    path = _path(config)
    model = _model_section(path)
    normalisation = _normalisation(model.pop("data_preprocessor", None), path)
    model = _without_checkpoints(model)
    if not isinstance(model.get("decode_head"), dict | list):
        raise ModelError(f"{path}: `model` has no decode_head; give an mmseg segmentation config")
    for head in _HEADS:
        for part in _dicts(model.get(head)):
            _fit(part, count, path)
    return NetworkConfig(config, model, normalisation)


def _path(config: str) -> Path:
    known = sorted(path.stem for path in PACKAGED.glob("*.py"))
    if config in known:
        return PACKAGED / f"{config}.py"
    if Path(config).is_file():
        return Path(config)
    raise ParamsError(
        f"segmenter config {config!r} is neither a file nor a packaged config; "
        f"{nearest(config, known)}"
    )


def _model_section(path: Path) -> dict[str, Any]:
    from mmengine.config import Config

    try:
        config = Config.fromfile(path)
        model = config.to_dict()["model"]
    except KeyError as fault:
        raise ModelError(f"{path}: no {fault} in it; expected an mmseg config file") from fault
    except Exception as fault:
        # a config file is a program of the user's: it can raise anything
        reason = " ".join(f"{type(fault).__name__}: {fault}".split())
        raise ModelError(f"{path}: not an mmseg config file ({reason})") from fault
    if not isinstance(model, dict):
        raise ModelError(f"{path}: `model` is {model!r}, expected a dict")
    return _plain(model, path)


def _plain(value: Any, path: Path) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item, path) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, path) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, type):
        return value.__name__
    raise ModelError(
        f"{path}: `model` holds a {type(value).__name__}; expected numbers, texts, lists and dicts"
    )


def _normalisation(preprocessor: dict[str, Any] | None, path: Path) -> Normalisation:
    if not preprocessor or preprocessor.get("mean") is None:
        return Normalisation()
    mean, std = tuple(preprocessor["mean"]), tuple(preprocessor["std"])
    if len(mean) != 3 or len(std) != 3:
        raise ModelError(f"{path}: mean and std are {mean} and {std}; expected 3 numbers each")
    # mmseg reads photos as BGR; either flag turns the channels round before the network sees them
    rgb = bool(preprocessor.get("bgr_to_rgb") or preprocessor.get("rgb_to_bgr"))
    return Normalisation(mean, std, rgb)


def _without_checkpoints(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_checkpoints(item) for item in value if not _is_pretrained(item)]
    if not isinstance(value, dict):
        return value
    kept = {
        key: _without_checkpoints(item)
        for key, item in value.items()
        if key != "pretrained" and not (key == "init_cfg" and _is_pretrained(item))
    }
    if kept.get("type") in ("SyncBN", "MMSyncBN"):
        kept["type"] = "BN"
    return kept


def _is_pretrained(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") in ("Pretrained", "PretrainedInit")


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Every dict in a nested value, outermost first."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _dicts(item)


def _fit(part: dict[str, Any], count: int, path: Path) -> None:
    if "num_classes" in part:
        part["num_classes"] = count
        # one output with a threshold is how mmseg may tell two classes apart; here each has its own
        part.pop("out_channels", None)
        part.pop("threshold", None)
    weights = part.get("class_weight")
    if isinstance(weights, list) and len(weights) != count:
        raise ModelError(
            f"{path}: class_weight has {len(weights)} numbers, expected {count}, one per class; "
            "give as many or remove it"
        )
