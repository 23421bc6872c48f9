"""What every checked section of parameters is made of: frozen records, and faults in one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from augflow.core import io
from augflow.core.errors import ParamsError, on_one_line, suggest

_MOST_PIXELS = 2**24
"""Of a scene: sixteen of them, with noise in single precision, are 7 GB."""


def _few_pixels(size: tuple[int, int]) -> tuple[int, int]:
    """Lets pass a size that memory can hold."""
    height, width = size
    if height * width > _MOST_PIXELS:
        raise ValueError(
            f"{height}x{width} are {height * width} pixels, expected at most {_MOST_PIXELS} "
            "(4096x4096); make it smaller"
        )
    return size


Side = Annotated[int, Field(ge=8, le=2**14)]
Size = Annotated[tuple[Side, Side], AfterValidator(_few_pixels)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
Whole = Annotated[int, Field(ge=0, lt=2**31)]
Several = Annotated[int, Field(ge=2, lt=2**31)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Grey = Annotated[int, Field(ge=0, le=255)]
Threads = Annotated[int, Field(ge=1, le=1024)]


def exact(value: float) -> float:
    """Lets pass a number that a table holds as it is; -0 as 0.

    Raises:
        ValueError: it has more digits than are written; says the one that would be.
    """
    if float(io.cell(value)) != value:
        raise ValueError(
            f"{value!r} has more digits than tables hold; round it to {io.cell(value)}"
        )
    return value + 0.0


Temperature = Annotated[float, Field(ge=0, le=2), AfterValidator(exact)]


def _plain_name(name: str) -> str:
    """Lets pass what is one folder in every path and one word in every command."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise ValueError(
            "folders and stages are named after it: up to 64 letters, digits, _ and -, "
            "of which - and _ are not the first; rename it"
        )
    return name


Name = Annotated[str, AfterValidator(_plain_name)]


class Section(BaseModel):
    """A section: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _truths_are_no_numbers(cls, value: object, info: ValidationInfo) -> object:
        """Pydantic takes yes for 1, and 1 for yes."""
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        values = value if isinstance(value, list | tuple) else [value]
        if kinds == {bool} and type(value) is not bool:
            raise ValueError(f"expected true or false, got {_show_value(value)}")
        if {int, float} & kinds and not {bool, Any} & kinds and bool in map(type, values):
            raise ValueError(f"expected a number, got {_show_value(value)}")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """The types that a field's type is put together from."""
    inner = get_args(annotation)
    if get_origin(annotation) is Literal or not inner:
        return {annotation}
    return set().union(*map(_kinds, inner))


def _show_value(value: object) -> str:
    """What came, in a line, the beginning of it if it is long."""
    try:
        return on_one_line(repr(value), 80)
    except ValueError:
        return "a number of thousands of digits"


Memory = Literal["store", "checkpoint", "reversible"]
"""What a flow's training holds for the backward pass: the hidden maps of every network; the input
of every step; or what goes into a level and what comes out."""


V = TypeVar("V", bound=Sequence[object])


def no_doubles(values: V, where: str = "") -> V:
    """Lets pass a list that names nothing twice.

    Raises:
        ValueError: names what it has twice.
    """
    doubled = sorted({str(value) for value in values if values.count(value) > 1})
    if doubled:
        raise ValueError(f"{where}{', '.join(doubled)} more than once; name each once")
    return values


Names = Annotated[tuple[str, ...], AfterValidator(no_doubles)]
Temperatures = Annotated[tuple[Temperature, ...], AfterValidator(no_doubles)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(no_doubles)]


S = TypeVar("S", bound=BaseModel)


def validate_section(section: type[S], content: object, where: str) -> S:
    """A section from plain values.

    Raises:
        ParamsError: with every fault, each under its dotted name.
    """
    if not isinstance(content, dict):
        raise ParamsError(f"{where}: expected a mapping, got {_kind_of(content)}")
    try:
        return section.model_validate(content)
    except ValidationError as faults:
        lines = "; ".join(_line(error, section) for error in faults.errors())
        raise ParamsError(f"{where}: {lines}") from faults


def _kind_of(content: object) -> str:
    names: dict[type, str] = {type(None): "nothing", list: "a list", str: "text"}
    return names.get(type(content), type(content).__name__)


def _line(error: Any, section: type[BaseModel]) -> str:
    parts = [part for part in error["loc"] if part != "[key]"]
    place = on_one_line(".".join(str(part) for part in parts), 200)
    if error["type"] == "extra_forbidden":
        known = sorted(_fields_at(section, error["loc"][:-1]))
        return f"{place}: no such parameter; {suggest(str(error['loc'][-1])[:200], known)}"
    message = on_one_line(error["msg"].removeprefix("Value error, "))
    if error["type"] in ("missing", "value_error"):
        return f"{place}: {message}" if place else message
    return f"{place}: {message}, got {_show_value(error['input'])}"


def _fields_at(section: type[BaseModel], loc: tuple) -> list[str]:
    """The field names of the record that a validation error's place points into."""
    current: Any = section
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[part].annotation
        else:  # dict[str, X] under a name, tuple[X, ...] under an index
            current = get_args(current)[0 if isinstance(part, int) else -1]
        if type(None) in get_args(current):
            current = next(kind for kind in get_args(current) if kind is not type(None))
    is_section = isinstance(current, type) and issubclass(current, BaseModel)
    if not is_section:
        return []
    return [field.alias or name for name, field in current.model_fields.items()]
