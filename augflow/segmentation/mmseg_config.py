"""An mmseg config file as the plain description of one network for K classes."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from augflow.core import io, yaml
from augflow.core.config import Section, validate_section
from augflow.core.errors import ModelError, ParamsError, on_one_line, suggest

log = logging.getLogger("augflow")

PACKAGED = Path(__file__).with_name("configs")
"""Config files that go by their bare name."""

CONSENT = "set trust_config: true beside config in params.yaml"
"""How a user says that a config of the parameters, and what it names, may be run."""

_DUMP = (
    'python -c "from augflow.segmentation.mmseg_config import dump_config; '
    "dump_config('CONFIG.py', 'CONFIG.json')\""
)
_PROGRAMS = ("_base_", "custom_imports")
_OF_ITS_OWN = ("use_sigmoid", "use_mask", "class_weight")
_Mean = Annotated[float, Field(ge=-1e6, le=1e6)]
_Deviation = Annotated[float, Field(gt=0, le=1e6)]
_WORD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)?")
_PLACE = re.compile(r"pretrained|class_weight|.*(checkpoint|path|file|url).*")
"""Parameters whose texts are files and addresses to mmseg, however short."""
_SCOPES = (None, "mmseg", "mmengine", "mmcv")
_OURS = ("mmseg", "mmengine", "mmcv", "torch")


class Normalisation(Section):
    """What a network expects of its input: (x - mean) / std in 0..255, channels RGB or BGR."""

    mean: tuple[_Mean, _Mean, _Mean] = (123.675, 116.28, 103.53)
    std: tuple[_Deviation, _Deviation, _Deviation] = (58.395, 57.12, 57.375)
    rgb: bool = True


class NetworkConfig(Section):
    """The `model` of a config file, resolved, and the numbers its input is normalised with.

    `model` holds plain JSON values only, so that a saved network is read without running code.
    """

    name: str
    model: dict[str, Any]
    normalisation: Normalisation

    def facts(self) -> dict[str, Any]:
        """The config as plain JSON."""
        return self.model_dump()


def balance_classes(config: NetworkConfig, pixels: Sequence[int]) -> NetworkConfig:
    """The config with rare classes weighing more in the cross-entropy of every head.

    A class with the share f of all labelled pixels weighs f**(-1/2), scaled so that a pixel weighs
    1 on average. Losses that bring weights of their own, or are no softmax cross-entropy, stay.

    `pixels` counts the labelled ones of each class; classes without any weigh 1.
    """
    shares = np.asarray(pixels, np.float64) / max(1, sum(pixels))
    there = shares > 0
    weights = np.ones(len(shares))
    weights[there] = shares[there] ** -0.5 / np.sqrt(shares[there]).sum()

    def with_weights(part: dict[str, Any]) -> dict[str, Any]:
        if part.get("type") == "CrossEntropyLoss" and not any(map(part.get, _OF_ITS_OWN)):
            part["class_weight"] = [round(float(weight), 6) for weight in weights]
            # with weights mmseg leaves ignored pixels out either way, and fails when asked to
            part["avg_non_ignore"] = False
        return part

    heads = {head: _map_dicts(config.model[head], with_weights) for head in _heads(config.model)}
    return config.model_copy(update={"model": {**config.model, **heads}})


def config_from(facts: object, trust_config: bool = False) -> NetworkConfig:
    """A config as `NetworkConfig.facts` wrote it, which names nothing but layers of mmseg.

    With `trust_config` it may name modules and files as well, see `read_config`.

    Raises:
        ParamsError: it is no such config.
        ModelError: it names a file, an address, or something by its module.
    """
    config = validate_section(NetworkConfig, facts, "config")
    where = f"segmenter config {on_one_line(config.name, 80)}: a saved network"
    _require_known_names(config.model, where, trust_config, f"{CONSENT}, or pass --trust-config")
    return config


def read_config(config: str, count: int, trust_config: bool = False) -> NetworkConfig:
    """Reads an mmseg config file and fits it to `count` classes.

    Every head gets `count` classes, synchronised batch norm becomes plain batch norm, and weights
    that the file asks for (`pretrained`, `init_cfg` with a checkpoint) are dropped: the one way for
    weights to come in is the parameter `checkpoint`, and nothing is ever downloaded.

    JSON and YAML files are data. A Python file is a program, and so may be bases and
    `custom_imports`: mmengine runs them, with the user's rights, where `trust_config` says that the
    user has read them, which is logged.

    `config` is the bare name of a packaged config, or the path of an mmseg config file.

    Raises:
        ParamsError: no such config, or one that would run code and is not trusted.
        DataError: a JSON file is none.
        ModelError: the file is not an mmseg config, or holds weights per class for another number
            of classes.
    """
    path = config_path(config)
    model, normalisation = _parts(path, trust_config)
    for head in _heads(model):
        model[head] = _map_dicts(model[head], lambda part: _fit(part, count, path))
    return NetworkConfig(name=config, model=model, normalisation=normalisation)


def config_path(config: str) -> Path:
    """The file of a config, by its bare name if it is packaged, else by its path.

    Raises:
        ParamsError: no such config.
    """
    known = sorted(path.stem for path in PACKAGED.glob("*.py"))
    if config in known:
        return PACKAGED / f"{config}.py"
    if Path(config).is_file():
        return Path(config)
    raise ParamsError(
        f"segmenter config {config!r} is neither a file nor a packaged config; "
        f"{suggest(config, known)}"
    )


def require_readable(config: str, trust_config: bool) -> None:
    """Lets pass what `read_config` finds, and reads if it runs nothing for that.

    Raises:
        ParamsError, DataError, ModelError: as `read_config`, but for what depends on the classes.
    """
    path = config_path(config)
    if path.parent != PACKAGED and not trust_config:
        _parts(path, trust_config)


def dump_config(config: str, out: str) -> None:
    """Runs an mmseg config file and writes its `model` section as JSON, which is read as data."""
    io.write_json(Path(out), {"model": _model_section(Path(config), trust_config=True)})


def _parts(path: Path, trust_config: bool) -> tuple[dict[str, Any], Normalisation]:
    """The `model` section of a config file, and how it wants its input."""
    model = _map_dicts(_model_section(path, trust_config), _without_weights)
    normalisation = _normalisation(model.pop("data_preprocessor", None), path)
    _require_known_names(model, f"{path}: `model`", trust_config, CONSENT)
    if not isinstance(model.get("decode_head"), dict | list):
        raise ModelError(f"{path}: `model` has no decode_head; give an mmseg segmentation config")
    return model, normalisation


def _model_section(path: Path, trust_config: bool) -> dict[str, Any]:
    if path.parent == PACKAGED:
        model = _run(path)
    elif trust_config:
        log.warning("%s: trust_config is given, so the config may run as a program", path)
        model = _run(path)
    else:
        model = _read(path).get("model")
    if not isinstance(model, dict):
        got = on_one_line(repr(model), 80)
        raise ModelError(f"{path}: `model` is {got}, expected the dict of an mmseg config file")
    try:
        return _map_dicts(model, _with_registered_name if trust_config else dict)
    except TypeError as fault:
        raise ModelError(
            f"{path}: `model` is not plain ({fault}); expected numbers, texts, lists and dicts"
        ) from fault
    except RecursionError as fault:
        raise ModelError(f"{path}: not an mmseg config file (nested too deeply)") from fault


def _read(path: Path) -> dict[str, Any]:
    """A config file that is data.

    Raises:
        ParamsError: it is a program.
    """
    if path.suffix not in (".py", ".json", ".yaml", ".yml"):
        raise ModelError(f"{path}: not an mmseg config file (expected .json, .yaml or .py)")
    program, content = "a Python file", {}
    if path.suffix != ".py":
        found = io.read_json(path) if path.suffix == ".json" else yaml.read(path)
        if not isinstance(found, dict):
            raise ModelError(f"{path}: not an mmseg config file (holds no names with values)")
        program, content = next((key for key in _PROGRAMS if key in found), ""), found
    if program:
        raise ParamsError(
            f"{path}: {program} runs code, expected JSON; read it and, if you trust it, {CONSENT}, "
            f"or run it once to make JSON of it: {_DUMP}"
        )
    return content


def _run(path: Path) -> Any:
    """The `model` of a config file that is run as a program."""
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE["mmseg"] = "mmseg"  # installed as onedl-mmsegmentation, which mmengine misses
    try:
        return Config.fromfile(path).to_dict().get("model")
    except Exception as fault:
        # a config file is a program of the user's: it can raise anything
        reason = on_one_line(f"{type(fault).__name__}: {fault}", 200)
        raise ModelError(
            f"{path}: not an mmseg config file ({reason}); run it by itself to see why"
        ) from fault


def _with_registered_name(part: dict[str, Any]) -> dict[str, Any]:
    """A part of a config that was run, its type named as another process finds it.

    Layers of mmseg that are named by their module get the word that they are registered under;
    classes that the config registered itself are named by their module.
    """
    import mmseg.models  # noqa: F401 - fills the registry
    from mmengine.registry import MODELS as ROOT
    from mmengine.utils import get_object_from_string
    from mmseg.registry import MODELS

    if part.get("_scope_") == "mmseg":  # of bases that come with mmseg; the default anyway
        del part["_scope_"]
    known, kind = {**ROOT.module_dict, **MODELS.module_dict}, part.get("type")
    if isinstance(kind, str):
        made = get_object_from_string(kind) if "." in kind else known.get(kind)
        if isinstance(made, type) and made.__module__.split(".")[0] not in _OURS:
            part["type"] = f"{made.__module__}.{made.__qualname__}"
        elif isinstance(made, type) and "." in kind:
            part["type"] = next((word for word, one in known.items() if one is made), kind)
    return part


def _require_known_names(model: Any, where: str, trust_config: bool, consent: str) -> None:
    """Lets a `model` section pass that names nothing but layers of mmseg, or is trusted.

    mmengine imports modules that a `type` or `_scope_` names, calls what it finds in them, and
    opens files.
    """
    found = next((leaf for key, leaf in _leaves(model) if _is_foreign(key, leaf)), None)
    if found is None:
        return
    shown = on_one_line(repr(found), 80)
    if not trust_config:
        raise ModelError(
            f"{where} names {shown}, expected names of mmseg's own layers alone: a module would be "
            f"run, and a file opened; look at it and, if you trust it, {consent}"
        )
    log.warning("%s names %s: trust_config is given, so it is imported or opened", where, shown)


def _is_foreign(key: str, value: Any) -> bool:
    """Whether a parameter may name a module, a file or an address."""
    if key == "_scope_" and value not in _SCOPES:
        return True
    if not isinstance(value, str):
        return False
    if not _WORD.fullmatch(value) or _PLACE.fullmatch(key):
        return True
    try:
        # a type that mmseg does not know is imported as a module
        return key == "type" and value != "" and find_spec(value) is not None
    except ValueError:  # a module that says nothing of where it is from
        return True


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a nested dict or list that is neither, with the key that it goes by."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, key)
    else:
        yield key, value


def _map_dicts(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A copy of a nested value as plain JSON, every dict changed, the innermost first."""
    return json.loads(json.dumps(value), object_hook=change)


def _heads(model: Mapping[str, Any]) -> list[str]:
    return [key for key in ("decode_head", "auxiliary_head") if key in model]


def _normalisation(preprocessor: Any, path: Path) -> Normalisation:
    given = preprocessor or {}
    if not isinstance(given, dict):
        raise ModelError(f"{path}: data_preprocessor is {preprocessor!r}, expected a dict")
    if given.get("mean") is None:
        return Normalisation()
    # mmseg reads photos as BGR; either flag turns the channels round before the network sees them
    rgb = bool(given.get("bgr_to_rgb") or given.get("rgb_to_bgr"))
    content = {"mean": given["mean"], "std": given.get("std"), "rgb": rgb}
    return validate_section(Normalisation, content, f"{path}: data_preprocessor")


def _without_weights(part: dict[str, Any]) -> dict[str, Any]:
    """Without what asks for weights, and with plain batch norm in place of a synchronised one."""
    part.pop("pretrained", None)
    asked = part.get("init_cfg")
    if isinstance(asked, list):
        part["init_cfg"] = [item for item in asked if not _asks_for_weights(item)]
    elif _asks_for_weights(asked):
        del part["init_cfg"]
    if part.get("type") in ("SyncBN", "MMSyncBN"):
        part["type"] = "BN"
    return part


def _asks_for_weights(value: Any) -> bool:
    """Whether it is an `init_cfg` that reads a file: some backbones have types of their own."""
    if not isinstance(value, dict):
        return False
    return "checkpoint" in value or value.get("type") in ("Pretrained", "PretrainedInit")


def _fit(part: dict[str, Any], count: int, path: Path) -> dict[str, Any]:
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
    return part
