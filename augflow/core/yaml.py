"""YAML of plain values: no tags, no key twice, nothing that is larger than it looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from augflow.core.errors import ParamsError, on_one_line

MOST_BYTES = 2**18
MOST_DEPTH = 32
MOST_CHARACTERS = 2**20
"""Of all values, each counted as often as aliases repeat it."""

_PREFIX = "tag:yaml.org,2002:"
_PLAIN = {_PREFIX + name for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge",
                                      "timestamp")}  # fmt: skip


def read(path: Path) -> object:
    """The value that a file holds; None for an empty one.

    Raises:
        ParamsError: no file, too large, not UTF-8, not YAML, or with tags, keys that come twice or
            are no text, aliases that repeat too much; all of the latter in one line.
    """
    where = on_one_line(path)
    text = _text(path, where)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if loader.faults:
            raise ParamsError(f"{where}: {'; '.join(loader.faults)}")
        return None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, OverflowError) as fault:
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
    return place + on_one_line(problem, 200)


class _Loader(yaml.SafeLoader):
    """Bounds what is composed while it is, so that no more than the bound is ever worked on."""

    def __init__(self, text: str) -> None:
        self._open = 0
        self._extents: dict[yaml.Node, tuple[int, int]] = {}
        self.faults: list[str] = []
        super().__init__(text)

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        """A value and all that it holds; an alias stands for what its anchor is at."""
        is_alias = self.check_event(yaml.AliasEvent)
        line = self.peek_event().start_mark.line + 1
        self._open += 1
        self._require(self._open <= MOST_DEPTH, f"line {line}: more than {MOST_DEPTH} levels deep")
        node = super().compose_node(parent, index)  # type: ignore[arg-type]
        self._open -= 1
        if node is None:
            return None
        if is_alias:
            self._require(node in self._extents, f"line {line}: an alias of what it is a part of")
        else:
            self.faults += _faults(node)
            self._extents[node] = self._extent(node)
        size, depth = self._extents[node]
        self._require(
            size <= MOST_CHARACTERS and depth <= MOST_DEPTH,
            f"line {line}: aliases repeat so much that there are more than {MOST_CHARACTERS} "
            f"characters or {MOST_DEPTH} levels; write out what is meant",
        )
        return node

    def _extent(self, node: yaml.Node) -> tuple[int, int]:
        """Characters and levels of a value, aliases written out."""
        inner = [self._extents[child] for child in _children(node)]
        own = len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        return 1 + own + sum(n for n, _ in inner), 1 + max((n for _, n in inner), default=0)

    def _require(self, holds: bool, problem: str) -> None:
        if not holds:
            raise yaml.YAMLError(problem)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _faults(node: yaml.Node) -> list[str]:
    """What is wrong with a value itself, whatever it holds."""
    faults = []
    if node.tag not in _PLAIN:
        tag = on_one_line(node.tag.replace(_PREFIX, "!!"), 60)
        faults.append(
            f"line {_line(node)}: of tag {tag}, expected a plain value: remove the tag or put the "
            "value in quotes"
        )
    if isinstance(node, yaml.MappingNode):
        first: dict[object, yaml.Node] = {}
        for key, _ in node.value:
            faults += _key_faults(key, first)
    return faults


def _key_faults(key: yaml.Node, first: dict[object, yaml.Node]) -> list[str]:
    if not isinstance(key, yaml.ScalarNode):
        return [f"line {_line(key)}: a list or mapping as key, expected a name"]
    shown = on_one_line(key.value, 60)
    if key.tag not in (_PREFIX + "str", _PREFIX + "merge"):
        kind = key.tag.removeprefix(_PREFIX)
        return [f"line {_line(key)}: key {shown} is read as {kind}, not as text; put it in quotes"]
    before = first.setdefault(key.value, key)
    if before is key:
        return []
    return [f"line {_line(key)}: key {shown!r} is already in line {_line(before)}; keep one"]


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
