"""Everything that `params.yaml` may hold: for people to read, and as a JSON schema for editors."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Iterator
from io import StringIO
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from augflow.study.params import Params

_WIDTH = 96


def json_schema() -> dict[str, Any]:
    """The schema of `params.yaml`, with the descriptions of its sections."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Params.model_json_schema(),
        "title": "params.yaml of augflow",
    }


def all_params() -> str:
    """All sections with their parameters: what each is, whether it is required, its default."""
    head = (
        "Everything that params.yaml may hold. What has a default may be left out; NAME stands "
        "for a name of your own, of which there may be several."
    )
    lines = [*_comment(head), ""]
    for name, field in Params.model_fields.items():
        lines += [*_entry(name, field, ""), ""]
    return "\n".join(lines).rstrip()


def as_yaml(content: Any) -> str:
    """Plain values as YAML."""
    from ruamel.yaml import YAML

    yaml, stream = YAML(), StringIO()
    yaml.default_flow_style, yaml.width = None, _WIDTH
    yaml.dump(content, stream)
    return stream.getvalue()


def _entry(name: str, field: FieldInfo, margin: str) -> Iterator[str]:
    """A parameter, or a section with all of its own."""
    section, many = _section_of(field.annotation)
    if section is None:
        yield f"{margin}{name}: {_value(field)}"
        return
    off = not field.is_required() and field.get_default(call_default_factory=True) is None
    yield f"{margin}{name}:" + ("  # off unless it is given" if off and not many else "")
    margin += "  "
    yield from _comment(inspect.cleandoc(section.__doc__ or ""), margin)
    if many is dict:
        yield f"{margin}NAME:"
        margin += "  "
    if many is tuple:
        yield f"{margin}-"
        margin += "  "
    for key, own in section.model_fields.items():
        yield from _entry(key, own, margin)


def _value(field: FieldInfo) -> str:
    """The default, and what else may stand there."""
    if field.is_required():
        text = "# required"
    else:
        value = to_jsonable_python(field.get_default(call_default_factory=True))
        text = json.dumps(value, ensure_ascii=False)
    choices = ", ".join(str(choice) for choice in _choices(field.annotation))
    sign = ": " if field.is_required() else "  # "
    return f"{text}{sign}one of {choices}" if choices else text


def _choices(annotation: Any) -> Iterator[Any]:
    """The words that a parameter may be."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    for inner in get_args(annotation):
        yield from _choices(inner)


def _section_of(annotation: Any) -> tuple[type[BaseModel] | None, type | None]:
    """The section that a parameter is, and `dict` or `tuple` where there are many of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, None
    for inner in reversed(get_args(annotation)):
        found, many = _section_of(inner)
        if found is not None:
            origin = get_origin(annotation)
            return found, origin if origin in (dict, tuple) else many
    return None, None


def _comment(text: str, margin: str = "") -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        for line in textwrap.wrap(" ".join(paragraph.split()), _WIDTH - len(margin) - 2):
            yield f"{margin}# {line}"
