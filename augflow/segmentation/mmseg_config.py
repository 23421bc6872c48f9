"""An mmseg config file as the plain description of one network for K classes."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from augflow.core.errors import ModelError, ParamsError, nearest, on_one_line
from augflow.segmentation.config_names import CONSENT, by_word, dicts_in, require_names
from augflow.segmentation.plain import RunsCodeError, read_plain

log = logging.getLogger("augflow")

PACKAGED = Path(__file__).with_name("configs")
"""Config files that go by their bare name."""

_HEADS = ("decode_head", "auxiliary_head")
_OF_ITS_OWN = ("use_sigmoid", "use_mask", "class_weight")
_MOST = 1e6
_CONSENT = f"read the file and, if you trust it, {CONSENT}"


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
        for part in dicts_in(model.get(head)):
            if part.get("type") == "CrossEntropyLoss" and not any(map(part.get, _OF_ITS_OWN)):
                part["class_weight"] = [round(float(weight), 6) for weight in weights]
                # with weights mmseg leaves ignored pixels out either way, and fails when asked to
                part["avg_non_ignore"] = False
    return replace(config, model=model)


def config_from(facts: dict[str, Any], trust_config: bool = False) -> NetworkConfig:
    """A config as `NetworkConfig.facts` wrote it, which only names layers that mmseg has.

    mmengine imports and calls whatever a dotted `type` names, and opens files and addresses that
    are named as weights: a saved network that names such things is built with `trust_config` alone.

    Raises:
        ModelError: it names a file, an address, or something by its module; or it has no numbers to
            normalise photographs with.
    """
    norm, model = facts["normalisation"], facts["model"]
    where = f"segmenter config {on_one_line(facts['name'], 80)}"
    require_names(
        model, f"{where}: a saved network", trust_config, f"{CONSENT}, or pass --trust-config"
    )
    return NetworkConfig(
        facts["name"], model, _checked_numbers(norm["mean"], norm["std"], bool(norm["rgb"]), where)
    )


def read_config(config: str, count: int, trust_config: bool = False) -> NetworkConfig:
    """Reads an mmseg config file and fits it to `count` classes.

    Every head gets `count` classes, synchronised batch norm becomes plain batch norm, and weights
    that the file asks for (`pretrained`, `init_cfg` with a checkpoint) are dropped: the one way for
    weights to come in is the parameter `checkpoint`, and nothing is ever downloaded.

    A file of plain values is read without running it. Any other is a program: it is run with the
    user's rights, and told of, where `trust_config` says that the user has read it.

    Args:
        config: the bare name of a packaged config, or the path of an mmseg config file.
        count: K, the number of classes.
        trust_config: whether the file may run code, and name modules and files.

    Raises:
        ParamsError: no such config, or one that is not trusted and would run code.
        ModelError: the file is not an mmseg config, or holds weights per class for another number
            of classes.
    """
    path = _path(config)
    model = _model_section(path, trust_config)
    normalisation = _normalisation(model.pop("data_preprocessor", None), path)
    model = _without_checkpoints(model)
    require_names(model, f"{path}: `model`", trust_config)
    if not isinstance(model.get("decode_head"), dict | list):
        raise ModelError(f"{path}: `model` has no decode_head; give an mmseg segmentation config")
    for head in _HEADS:
        for part in dicts_in(model.get(head)):
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


def _model_section(path: Path, trust_config: bool) -> dict[str, Any]:
    try:
        content = read_plain(path)
    except RunsCodeError as fault:
        if not trust_config:
            raise ParamsError(f"{fault} runs code, expected plain values; {_CONSENT}") from fault
        log.warning("%s runs code: trust_config is given, so the config runs as a program", fault)
        content = _run(path)
    if "model" not in content:
        raise ModelError(f"{path}: no 'model' in it; expected an mmseg config file")
    if not isinstance(content["model"], dict):
        shown = on_one_line(repr(content["model"]), 80)
        raise ModelError(f"{path}: `model` is {shown}, expected a dict")
    return _plain(content["model"], path)


def _run(path: Path) -> dict[str, Any]:
    from mmengine.config import Config

    try:
        content = Config.fromfile(path).to_dict()
        return {**content, "model": by_word(content.get("model"))}
    except Exception as fault:
        # a config file is a program of the user's: it can raise anything
        reason = on_one_line(f"{type(fault).__name__}: {fault}", 200)
        raise ModelError(
            f"{path}: not an mmseg config file ({reason}); run it by itself to see why"
        ) from fault


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


def _normalisation(preprocessor: Any, path: Path) -> Normalisation:
    if not preprocessor:
        return Normalisation()
    if not isinstance(preprocessor, dict):
        raise ModelError(f"{path}: data_preprocessor is {preprocessor!r}, expected a dict")
    if preprocessor.get("mean") is None:
        return Normalisation()
    # mmseg reads photos as BGR; either flag turns the channels round before the network sees them
    rgb = bool(preprocessor.get("bgr_to_rgb") or preprocessor.get("rgb_to_bgr"))
    return _checked_numbers(preprocessor["mean"], preprocessor.get("std"), rgb, str(path))


def _checked_numbers(mean: Any, std: Any, rgb: bool, where: str) -> Normalisation:
    for values in (mean, std):
        plain = isinstance(values, list | tuple) and len(values) == 3
        if not plain or not all(isinstance(n, int | float) and abs(n) < _MOST for n in values):
            shown = on_one_line(f"{mean} and {std}", 80)
            raise ModelError(f"{where}: mean and std are {shown}; expected 3 numbers each")
    if not all(n > 0 for n in std):
        raise ModelError(f"{where}: std is {on_one_line(std, 80)}; expected numbers above 0")
    return Normalisation(tuple(mean), tuple(std), rgb)


def _without_checkpoints(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_checkpoints(item) for item in value if not _asks_for_weights(item)]
    if not isinstance(value, dict):
        return value
    kept = {
        key: _without_checkpoints(item)
        for key, item in value.items()
        if key != "pretrained" and not (key == "init_cfg" and _asks_for_weights(item))
    }
    if kept.get("type") in ("SyncBN", "MMSyncBN"):
        kept["type"] = "BN"
    return kept


def _asks_for_weights(value: Any) -> bool:
    """Whether it is an `init_cfg` that reads a file: some backbones have types of their own."""
    if not isinstance(value, dict):
        return False
    return "checkpoint" in value or value.get("type") in ("Pretrained", "PretrainedInit")


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
