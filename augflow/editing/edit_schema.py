"""Edit lists: what to add, paste, move, remove or recolour in a label map, as a YAML list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from augflow.core import yaml
from augflow.core.config import Fraction, Section, validate_section
from augflow.core.errors import ParamsError, suggest
from augflow.data.classes import ClassTable

NEAREST = "nearest"
"""The fill that takes, for every pixel of a hole, what the nearest pixel around it is."""

Origin = tuple[str, str | None]
"""A file to paste from, and its instance ids if it has them."""

Number = Annotated[float, Field(ge=-1000, le=1000)]
Positive = Annotated[float, Field(ge=1e-6, le=1000)]
"""In fractions of the picture's height or width; beyond these bounds nothing is meant."""

Point = tuple[Fraction, Fraction]
Place = tuple[Number, Number]
Extent = tuple[Positive, Positive]


class Box(Section):
    """Centre (row, column) and size (height, width), in fractions of the picture's."""

    centre: Place
    size: Extent


class Shape(Section):
    """One of three outlines; a polygon is a list of [row, column], in fractions of the picture."""

    ellipse: Box | None = None
    rectangle: Box | None = None
    polygon: Annotated[tuple[Place, ...], Field(min_length=3)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Shape:
        _only_one(self, ("ellipse", "rectangle", "polygon"))
        return self


class Target(Section):
    """Objects of a layout: the one under a point, or all or the largest of a class.

    A thing is all of its instance, a stuff class (road, building) has connected segments.
    """

    at: Point | None = None
    class_name: Annotated[str | None, Field(alias="class")] = None
    largest: bool = False

    @model_validator(mode="after")
    def _is_one(self) -> Target:
        if (self.at is None) == (self.class_name is None):
            raise ValueError("expected either at: [row, column] or class: NAME")
        if self.largest and self.class_name is None:
            raise ValueError("largest goes with class: NAME")
        return self


class Add(Section):
    """A new object of a class in the form of a shape."""

    class_name: Annotated[str, Field(alias="class")]
    shape: Shape


class Paste(Section):
    """A copy of an object, of this layout or of another file, around a new centre.

    `from` and `instances` (its 16-bit instance ids) are files, beside the edit list; `scale` is
    relative to the height of the picture. Place and class stay where they are not given.
    """

    object: Target
    source: Annotated[str | None, Field(alias="from")] = None
    instances: str | None = None
    at: Place | None = None
    scale: Annotated[float, Field(gt=0, le=10)] = 1.0
    class_name: Annotated[str | None, Field(alias="class")] = None

    @model_validator(mode="after")
    def _ids_have_their_layout(self) -> Paste:
        if self.instances is not None and self.source is None:
            raise ValueError("instances goes with from: FILE")
        return self

    @property
    def origin(self) -> Origin | None:
        """The file it is cut from and its instance ids, or None for the layout itself."""
        return None if self.source is None else (self.source, self.instances)


class Move(Section):
    """An object elsewhere, by fractions of height and width; its hole is filled."""

    object: Target
    by: Place
    fill: str = NEAREST


class Remove(Section):
    """An object no more; its hole is filled."""

    object: Target
    fill: str = NEAREST


class Recolour(Section):
    """Another class for an object, or for a whole class; the outline stays."""

    object: Target
    to: str


Action = Add | Paste | Move | Remove | Recolour


class Edit(Section):
    """One item of the list."""

    add: Add | None = None
    paste: Paste | None = None
    move: Move | None = None
    remove: Remove | None = None
    recolour: Recolour | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Edit:
        _only_one(self, tuple(type(self).model_fields))
        return self

    @property
    def action(self) -> Action:
        """What is to be done."""
        given = (self.add, self.paste, self.move, self.remove, self.recolour)
        return next(action for action in given if action is not None)


@dataclass(frozen=True)
class EditList:
    """The edits of a file by their numbers (from 1), and the faults of the others."""

    path: Path
    edits: dict[int, Edit]
    faults: dict[int, str]


def read_edits(path: Path, table: ClassTable) -> EditList:
    """Reads an edit list; every item that is wrong or names an unknown class has its fault.

    Raises:
        ParamsError: the file is missing, not plain YAML (see `core.yaml`), or no list.
    """
    if not path.is_file():
        raise ParamsError(f"{path}: no such file; give a YAML list of edits with --edits")
    content = yaml.read(path)
    if not isinstance(content, list) or not content:
        raise ParamsError(f"{path}: expected a list of edits, each as `- add: ...`")
    return checked_edits(content, path, table)


def checked_edits(items: Sequence[object], path: Path, table: ClassTable) -> EditList:
    """The edits of a list as YAML holds it; `path` is the file that they come from."""
    found = EditList(path, {}, {})
    for number, item in enumerate(items, start=1):
        try:
            edit = validate_section(Edit, item, f"edit {number}")
        except ParamsError as fault:
            found.faults[number] = str(fault).removeprefix(f"edit {number}: ")
            continue
        unknown = [name for name in _classes(edit.action) if name not in table.names]
        if unknown:
            found.faults[number] = "; ".join(
                f"no class {name!r}; {suggest(name, table.names)}" for name in unknown
            )
        else:
            found.edits[number] = edit
    return found


def _classes(action: Action) -> Iterator[str]:
    """Every class that an edit names."""
    target = getattr(action, "object", None)
    names = [getattr(action, key, None) for key in ("class_name", "to", "fill")]
    for name in (target.class_name if target else None, *names):
        if name is not None and name != NEAREST:
            yield name


def _only_one(section: Section, keys: tuple[str, ...]) -> None:
    given = [key for key in keys if getattr(section, key) is not None]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        raise ValueError(f"expected one of {', '.join(keys)}, got {got}")
