"""mmseg config files read as data: their plain assignments are worked out here, nothing is run."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from augflow.core import io, yaml
from augflow.core.errors import ModelError, on_one_line

BASES, IMPORTS, DELETE = "_base_", "custom_imports", "_delete_"

MOST_BYTES = 2**20
MOST_FILES = 64
MOST_LEVELS = 64
MOST_VALUES = 2**18
"""Numbers, characters and the like of a value, each counted as often as names repeat it."""

MOST_BITS = 1024

_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
}  # fmt: skip
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
}  # fmt: skip
_TEMPLATE = re.compile(r"\{\{\s*(\S*?)\s*\}\}")
_WORDS = {
    ast.Import: "an import", ast.ImportFrom: "an import", ast.Attribute: "access to an attribute",
    ast.ListComp: "a comprehension", ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension", ast.GeneratorExp: "a comprehension", ast.Lambda: "a function",
    ast.FunctionDef: "a function", ast.ClassDef: "a class", ast.JoinedStr: "a formatted text",
    ast.For: "a loop", ast.While: "a loop", ast.With: "a with block", ast.If: "a condition",
    ast.IfExp: "a condition", ast.Delete: "a deletion", ast.Subscript: "a part of a value",
    ast.Set: "a template", ast.Name: "a name that no line before gives",
}  # fmt: skip


class RunsCodeError(ModelError):
    """A config is more than plain values: only a program can read it."""


def read_plain(path: Path) -> dict[str, Any]:
    """What a config file and its bases assign, merged as mmengine merges them.

    Python files may hold plain assignments alone: numbers, texts, lists, tuples, dicts (`dict()`
    too), sums and products of these, `sum()`, `int()`, `range()`, `[VALUE for NAME in LIST]`, names
    of earlier lines, and `{{ _base_.NAME }}` and `{{ fileDirname }}`. `_base_` names such files,
    relative or as `mmseg::PATH` in the configs that come with mmseg. YAML and JSON files hold plain
    values anyway.

    Raises:
        RunsCodeError: more than that; names file, line and what it is.
        ParamsError: a YAML file is not plain.
        DataError: a JSON file is none.
        ModelError: no Python, no such base, bases that do not fit, or more than can be meant.
    """
    try:
        return _Reader().read(path, ())
    except RecursionError as fault:
        raise ModelError(f"{path}: nested too deeply; write out what is meant") from fault


class _Reader:
    """Reads a file and its bases; counts them."""

    def __init__(self) -> None:
        self._count = 0

    def read(self, path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
        self._count += 1
        if path.resolve() in above or self._count > MOST_FILES:
            raise ModelError(
                f"{path}: is among its own bases, or there are more than {MOST_FILES}; "
                "remove it from _base_"
            )
        if path.suffix == ".py":
            tree = _parsed(path)
            bases = self._bases(path, _named_bases(path, tree), above)
            content = _Assignments(path, bases).read(tree)
        else:
            content = _data(path)
            bases = self._bases(path, content.pop(BASES, []), above)
        return _merged(bases, content, path)

    def _bases(self, path: Path, named: Any, above: tuple[Path, ...]) -> dict[str, Any]:
        """What the bases of a file assign, none of them what another does."""
        found: dict[str, Any] = {}
        for name in named if isinstance(named, list | tuple) else [named]:
            base = self.read(_located(path, name), (*above, path.resolve()))
            twice = sorted(found.keys() & base.keys())
            if twice:
                raise ModelError(
                    f"{path}: _base_ {name!r} gives {', '.join(twice)}, as another base does; "
                    "keep one of them"
                )
            found |= base
        return found


class _Assignments:
    """The assignments of a Python file, worked out line by line."""

    def __init__(self, path: Path, bases: dict[str, Any]) -> None:
        self.path = path
        self.names: dict[str, Any] = {}
        self._bases = bases
        self._made = 0
        self._kept: list[Any] = []  # so that no two values ever have one id
        self._extents: dict[int, tuple[int, int]] = {}
        for value in bases.values():
            self._extent(value)

    def read(self, tree: ast.Module) -> dict[str, Any]:
        for statement in tree.body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue  # a docstring
            names = [target.id for target in getattr(statement, "targets", [])
                     if isinstance(target, ast.Name)]  # fmt: skip
            if not isinstance(statement, ast.Assign) or len(names) != len(statement.targets):
                raise self._runs(statement)
            if IMPORTS in names:
                raise self._runs(statement, IMPORTS)
            value = self._bounded(statement, self._value(statement.value))
            self.names |= dict.fromkeys(names, value)
        return {name: value for name, value in self.names.items()
                if name != BASES and not name.startswith("__")}  # fmt: skip

    def _value(self, node: ast.expr) -> Any:
        work = {
            ast.Constant: self._constant, ast.Name: self._name, ast.List: self._list,
            ast.Tuple: self._list, ast.Dict: self._dict, ast.Call: self._call, ast.Set: self._base,
            ast.BinOp: self._binary, ast.UnaryOp: self._unary, ast.ListComp: self._each,
        }.get(type(node))  # fmt: skip
        if work is None:
            raise self._runs(node)
        return work(node)

    def _constant(self, node: Any) -> Any:
        if not isinstance(node.value, str):
            return node.value
        where = self.path.absolute()
        known = {
            "fileDirname": where.parent.as_posix(), "fileBasename": where.name,
            "fileBasenameNoExtension": where.stem, "fileExtname": where.suffix,
        }  # fmt: skip
        if set(_TEMPLATE.findall(node.value)) - set(known) or "{{$" in node.value.replace(" ", ""):
            raise self._runs(node, "a template")
        return _TEMPLATE.sub(lambda found: known[found[1]], node.value)

    def _name(self, node: Any) -> Any:
        if node.id not in self.names:
            raise self._runs(node)
        return self.names[node.id]

    def _list(self, node: Any) -> Any:
        values = []
        for item in node.elts:
            if isinstance(item, ast.Starred):
                values += self._of(item, self._value(item.value), list, tuple)
            else:
                values.append(self._value(item))
        return tuple(values) if isinstance(node, ast.Tuple) else values

    def _dict(self, node: Any) -> Any:
        found: dict[Any, Any] = {}
        for key, item in zip(node.keys, node.values, strict=True):
            if key is None:
                found |= self._of(item, self._value(item), dict)
            else:
                found[self._of(key, self._value(key), str, int, float)] = self._value(item)
        return found

    def _call(self, node: Any) -> Any:
        called = on_one_line(ast.unparse(node.func), 60)
        if called in self.names or called not in ("dict", "sum", "range", "int"):
            raise self._runs(node, f"the call of {called}")
        if called != "dict":
            return self._counted(node, called)
        found: dict[Any, Any] = {}
        for item in node.args:
            found |= self._of(item, self._value(item), dict)
        for word in node.keywords:
            value = self._value(word.value)
            found |= self._of(word, value, dict) if word.arg is None else {word.arg: value}
        return found

    def _counted(self, node: Any, called: str) -> Any:
        """A sum of numbers, a number cut to a whole one, or the numbers of a range as a list."""
        if node.keywords:
            raise self._runs(node)
        given = [self._value(item) for item in node.args]
        if called != "range":
            kinds = {"sum": (list, tuple), "int": (int, float)}[called]
            one = self._of(node, given[0] if len(given) == 1 else None, *kinds)
            return self._worked(node, lambda: sum(one) if called == "sum" else int(one))
        numbers = self._worked(node, lambda: range(*given))
        self._count(node, self._worked(node, lambda: len(numbers)))
        return list(numbers)

    def _base(self, node: Any) -> Any:
        """`{{ _base_.NAME }}`, to Python a set in a set."""
        inner = node.elts[0]
        if not isinstance(inner, ast.Set) or len(node.elts) + len(inner.elts) != 2:
            raise self._runs(node)
        text = ast.unparse(inner.elts[0])
        first, *parts = text.split(".")
        if first != BASES or not parts or not all(map(str.isidentifier, parts)):
            raise self._runs(node, "a template")
        value: Any = self._bases
        for part in parts:
            if not isinstance(value, dict) or part not in value:
                raise self._wrong(node, f"no base gives {text}")
            value = value[part]
        return value

    def _each(self, node: Any) -> Any:
        """`[VALUE for NAME in LIST]`, the one kind of comprehension that mmseg's configs have."""
        loop = node.generators[0]
        alone = len(node.generators) == 1 and not loop.ifs and not loop.is_async
        if not alone or not isinstance(loop.target, ast.Name):
            raise self._runs(node)
        name, outside = loop.target.id, dict(self.names)
        values = []
        for item in self._of(loop.iter, self._value(loop.iter), list, tuple):
            self.names[name] = item
            values.append(self._value(node.elt))
            self._count(node, self._extent(values[-1])[0])
        self.names = outside
        return self._bounded(node, values)

    def _binary(self, node: Any) -> Any:
        operation = _OPERATIONS.get(type(node.op))
        if operation is None:
            raise self._runs(node, "an operator")
        left, right = self._value(node.left), self._value(node.right)
        if isinstance(node.op, ast.Mult):
            self._require_small(node, left, right)
        return self._bounded(node, self._worked(node, lambda: operation(left, right)))

    def _unary(self, node: Any) -> Any:
        sign = _SIGNS.get(type(node.op))
        if sign is None:
            raise self._runs(node, "an operator")
        value = self._value(node.operand)
        return self._worked(node, lambda: sign(value))

    def _worked(self, node: ast.AST, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except (TypeError, ValueError, ArithmeticError) as fault:
            raise self._wrong(node, on_one_line(fault, 100)) from fault

    def _require_small(self, node: ast.AST, left: Any, right: Any) -> None:
        """Before it is multiplied: lists and texts by numbers."""
        for value, times in ((left, right), (right, left)):
            if not isinstance(value, str | bytes | list | tuple) or not isinstance(times, int):
                continue
            self._count(node, len(value) * max(times, 0))

    def _count(self, node: ast.AST, more: int) -> None:
        """Of all lists and texts that a file multiplies: each is held until the file is read."""
        self._made += more
        if self._made > MOST_VALUES:
            raise self._wrong(node, f"more than {MOST_VALUES} values; write out what is meant")

    def _of(self, node: ast.AST, value: Any, *kinds: type) -> Any:
        if not isinstance(value, kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise self._wrong(node, f"a {type(value).__name__}, expected {wanted}")
        return value

    def _bounded(self, node: ast.AST, value: Any) -> Any:
        size, levels = self._extent(value)
        if isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise self._wrong(node, f"a number of more than {MOST_BITS} bits; write a smaller one")
        if size > MOST_VALUES or levels > MOST_LEVELS:
            raise self._wrong(
                node, f"more than {MOST_VALUES} values or {MOST_LEVELS} levels; write out what is "
                "meant"
            )  # fmt: skip
        return value

    def _extent(self, value: Any) -> tuple[int, int]:
        """Values and levels of a value, what names repeat written out."""
        known = self._extents.get(id(value))
        if known is not None:
            return known
        if isinstance(value, dict | list | tuple):
            inner = [self._extent(item) for item in _items(value)]
            found = 1 + sum(n for n, _ in inner), 1 + max((n for _, n in inner), default=0)
        else:
            size = len(value) if isinstance(value, str | bytes) else 1
            found = (value.bit_length() // 64 if isinstance(value, int) else size) + 1, 1
        self._kept.append(value)
        self._extents[id(value)] = found
        return found

    def _runs(self, node: ast.AST, what: str | None = None) -> RunsCodeError:
        line = getattr(node, "lineno", 0)
        what = what or _WORDS.get(type(node), "more than a plain assignment")
        shown = on_one_line(ast.unparse(node), 60)
        return RunsCodeError(f"{self.path}: line {line}: {what} ({shown})")

    def _wrong(self, node: ast.AST, what: str) -> ModelError:
        line = getattr(node, "lineno", getattr(getattr(node, "value", None), "lineno", 0))
        return ModelError(f"{self.path}: line {line}: {what}; correct the config")


def _parsed(path: Path) -> ast.Module:
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ModelError(f"{path}: not an mmseg config file (has more than {MOST_BYTES} bytes)")
    try:
        return ast.parse(content.decode("utf-8-sig"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        line = f"line {fault.lineno}: {fault.msg}" if isinstance(fault, SyntaxError) else fault
        raise ModelError(
            f"{path}: not an mmseg config file (not Python: {on_one_line(line, 100)})"
        ) from fault


def _named_bases(path: Path, tree: ast.Module) -> Any:
    """What `_base_` says, the one line that is worked out before the others."""
    for statement in tree.body:
        targets = getattr(statement, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == BASES for target in targets):
            alone = ast.Module([statement], [])
            reader = _Assignments(path, {})
            reader.read(alone)
            return reader.names[BASES]
    return []


def _data(path: Path) -> dict[str, Any]:
    """A YAML or JSON file."""
    if path.suffix not in (".yaml", ".yml", ".json"):
        raise ModelError(f"{path}: not an mmseg config file (expected .py, .yaml or .json)")
    content = io.read_json(path) if path.suffix == ".json" else yaml.read(path)
    if not isinstance(content, dict):
        raise ModelError(f"{path}: not an mmseg config file (holds no names with values)")
    if IMPORTS in content:
        raise RunsCodeError(f"{path}: {IMPORTS}")
    if any("{{" in text for text in _texts(content)):
        raise RunsCodeError(f"{path}: a template ({{{{ }}}})")
    return content


def _located(path: Path, name: Any) -> Path:
    if isinstance(name, str) and name.startswith("mmseg::"):
        spec = find_spec("mmseg")
        home = Path(str(spec.origin)).parent / ".mim" / "configs" if spec else Path("mmseg")
        base = home / name.removeprefix("mmseg::")
    else:
        base = path.parent / str(name)
    if not base.is_file() or "::" in str(base):
        raise ModelError(
            f"{path}: _base_ {on_one_line(repr(name), 100)}: no such file; give a path relative to "
            "the config, or mmseg::PATH for a config that comes with mmseg"
        )
    return base


def _merged(base: dict[str, Any], own: dict[str, Any], path: Path) -> dict[str, Any]:
    """`own` over `base`: dicts are merged key by key unless `_delete_` says otherwise."""
    found = dict(base)
    for name, value in own.items():
        if not isinstance(value, dict):
            found[name] = value
            continue
        kept = {key: item for key, item in value.items() if key != DELETE}
        if name not in found or value.get(DELETE):
            found[name] = kept
        elif isinstance(found[name], dict):
            found[name] = _merged(found[name], kept, path)
        else:
            raise ModelError(
                f"{path}: {on_one_line(name, 60)} is a dict, in its base it is none; "
                f"add {DELETE}=True to it to replace what the base has"
            )
    return found


def _items(value: dict[Any, Any] | list[Any] | tuple[Any, ...]) -> Iterator[Any]:
    yield from value.values() if isinstance(value, dict) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in _items(value):
            yield from _texts(item)
