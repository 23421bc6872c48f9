"""Files of evidence as checked records."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from augflow.core import io
from augflow.core.errors import DataError


class Record(BaseModel):
    """A part of a file; keys that a report has no use for are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


R = TypeVar("R", bound=Record)


def read(kind: type[R], path: Path, remedy: str) -> R:
    """The record that a JSON file holds.

    Raises:
        DataError: it is missing, not JSON, or not such a record: names the first fault and its
            place, and says the `remedy`.
    """
    try:
        return kind.model_validate(io.read_json(path))
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: {place}: {first['msg']}; {remedy}") from fault
