"""What the description of a network names: layers that mmseg has, or modules and files besides."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from augflow.core.errors import ModelError, on_one_line

log = logging.getLogger("augflow")

_WORD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)?")
_PLACE = re.compile(r"pretrained|class_weight|.*(checkpoint|path|file|url).*")
"""Parameters whose texts are files and addresses to mmseg, however short."""

_SCOPES = (None, "mmseg", "mmengine", "mmcv")
_OURS = ("mmseg", "mmengine", "mmcv", "torch")


CONSENT = "set trust_config: true beside config in params.yaml"
"""How a user says that what a config of the parameters names may be run."""


def require_names(
    model: Any, where: str, trust_config: bool = False, consent: str = CONSENT
) -> None:
    """Lets a `model` section pass that names nothing but layers of mmseg.

    mmengine imports modules that a `type` or `_scope_` names, calls what it finds in them, and
    opens files. With `trust_config` all that may be, and is told.

    Args:
        model: plain values.
        where: begins the message.
        trust_config: whether the user trusts what the section names.
        consent: how the user says so.

    Raises:
        ModelError: it names something else.
    """
    found = next(_foreign(model), None)
    if found is None:
        return
    shown = on_one_line(repr(found), 80)
    if not trust_config:
        raise ModelError(
            f"{where} names {shown}, expected names of mmseg's own layers alone: a module would be "
            f"run, and a file opened; look at it and, if you trust it, {consent}"
        )
    log.warning("%s names %s: trust_config is given, so it is imported or opened", where, shown)


def dicts_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every dict in a nested value, outermost first."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from dicts_in(item)


def by_word(model: Any) -> Any:
    """A `model` section that was run, its types named as another process finds them.

    Layers of mmseg that are named by their module get the word that they are registered under;
    classes that the config registered itself are named by their module.
    """
    if isinstance(model, list | tuple):
        return [by_word(item) for item in model]
    if not isinstance(model, dict):
        return model
    return {key: _word_of(item) if key == "type" else by_word(item) for key, item in model.items()}


def _word_of(kind: Any) -> Any:
    import mmseg.models  # noqa: F401 - fills the registry
    from mmengine.registry import MODELS as ROOT
    from mmengine.utils import get_object_from_string
    from mmseg.registry import MODELS

    known = {**ROOT.module_dict, **MODELS.module_dict}
    made = get_object_from_string(kind) if isinstance(kind, str) and "." in kind else kind
    made = known.get(made, made) if isinstance(made, str) else made
    if not isinstance(made, type):
        return kind
    if made.__module__.split(".")[0] in _OURS:
        return next((word for word, one in known.items() if one is made), kind)
    return f"{made.__module__}.{made.__qualname__}"


def _foreign(model: Any) -> Iterator[Any]:
    """What a section names besides words that mmseg knows."""
    for part in dicts_in(model):
        for key, value in part.items():
            yield from (text for text in _texts(value) if not _is_word(str(key), text))
        if part.get("_scope_") not in _SCOPES:
            yield part["_scope_"]
    # a word that mmseg does not know is imported as a module
    yield from (part["type"] for part in dicts_in(model) if _is_module(part.get("type")))


def _texts(value: Any) -> Iterator[str]:
    """A text, or those of a nested list; dicts are looked at by themselves."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _is_word(key: str, text: str) -> bool:
    return bool(_WORD.fullmatch(text)) and not _PLACE.fullmatch(key)


def _is_module(kind: Any) -> bool:
    if not isinstance(kind, str) or not kind or not _WORD.fullmatch(kind):
        return False  # to look for a.b would import a
    try:
        return find_spec(kind) is not None
    except ValueError:  # a module that says nothing of where it is from
        return True
