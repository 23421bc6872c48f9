"""YAML 1.2 as DVC reads it: plain values, no key twice, nothing that is larger than it looks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from augflow.core.errors import ParamsError, on_one_line

MOST_BYTES = 2**18
MOST_DEPTH = 32
MOST_CHARACTERS = 2**20
"""Of all values, each counted as often as aliases repeat it."""

_PREFIX = "tag:yaml.org,2002:"
_PLAIN = {"str", "int", "float", "bool", "null", "map", "seq", "merge", "timestamp"}


def read(path: Path) -> object:
    """The value that a file holds; None for an empty one.

    Raises:
        ParamsError: no file, too large, not UTF-8, not YAML, or with tags, keys that come twice or
            are no text, aliases that repeat too much; in one line.
    """
    where = on_one_line(path)
    text = _text(path, where)
    parser = YAML(typ="safe", pure=True)
    parser.max_depth = MOST_DEPTH
    faults: list[str] = []
    try:
        with warnings.catch_warnings(action="ignore"):  # of anchors that are used again
            root = parser.compose(text)
            if root is not None:
                _measure(root, {}, faults)
            if faults:
                raise ParamsError(f"{where}: {'; '.join(faults)}")
            return parser.load(text)
    except (YAMLError, ValueError, OverflowError) as fault:
        raise ParamsError(f"{where}: not YAML: {_reason(fault)}") from fault


def _text(path: Path, where: str) -> str:
    if not path.is_file():
        raise ParamsError(f"{where}: no such file")
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ParamsError(f"{where}: has more than {MOST_BYTES} bytes; parameters are a short text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise ParamsError(
            f"{where}: not YAML: byte {fault.start} is not UTF-8; save the file as UTF-8"
        ) from fault


def _reason(fault: Exception) -> str:
    mark = getattr(fault, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = getattr(fault, "problem", None) or " ".join(str(fault).split())
    if isinstance(fault, MaxDepthExceededError):
        problem = f"more than {MOST_DEPTH} levels deep"
    advice = "; keep one" if isinstance(fault, DuplicateKeyError) else ""
    return place + on_one_line(problem, 200) + advice


def _measure(
    node: Node, known: dict[Node, tuple[int, int] | None], faults: list[str]
) -> tuple[int, int]:
    """Characters and levels of a value, aliases written out; adds what is wrong to `faults`."""
    if node in known:
        found = known[node]
        if found is None:
            raise YAMLError(f"line {_line(node)}: an alias of what it is a part of")
        return found
    known[node] = None
    faults += _faults(node)
    inner = [_measure(child, known, faults) for child in _children(node)]
    own = len(node.value) if isinstance(node, ScalarNode) else 0
    size = 1 + own + sum(count for count, _ in inner)
    depth = 1 + max((levels for _, levels in inner), default=0)
    if size > MOST_CHARACTERS or depth > MOST_DEPTH:
        raise YAMLError(
            f"line {_line(node)}: aliases repeat so much that there are more than "
            f"{MOST_CHARACTERS} characters or {MOST_DEPTH} levels; write out what is meant"
        )
    known[node] = size, depth
    return size, depth


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, SequenceNode):
        yield from node.value


def _faults(node: Node) -> Iterator[str]:
    """What is wrong with a value itself, whatever it holds."""
    kind = str(node.tag)
    if kind.removeprefix(_PREFIX) not in _PLAIN:
        tag = on_one_line(kind.replace(_PREFIX, "!!"), 60)
        yield (
            f"line {_line(node)}: of tag {tag}, expected a plain value: remove the tag or put the "
            "value in quotes"
        )
    for key, _ in node.value if isinstance(node, MappingNode) else ():
        kind = key.tag.removeprefix(_PREFIX)
        if not isinstance(key, ScalarNode):
            yield f"line {_line(key)}: a list or mapping as key, expected a name"
        elif kind not in ("str", "merge"):
            shown = on_one_line(key.value, 60)
            yield f"line {_line(key)}: key {shown} is read as {kind}, not as text; put it in quotes"


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
