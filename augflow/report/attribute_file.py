"""The file of the attribute tests, checked as it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from augflow.core.errors import DataError
from augflow.report.records import Record, read
from augflow.study.params import Params

Share = Annotated[float, Field(ge=0, le=1)]
Moves = Annotated[float, Field(ge=0)]


class Read(Record):
    """How well attributes are read in photographs, and how steadily over layouts.

    `accuracy_each` has a value per attribute, None where it was never asked for.
    """

    accuracy: Share
    accuracy_layout: Share | None
    accuracy_each: list[Share | None]
    variance: Moves


class Made(Read):
    """The same of a generator, and how far other attributes move at each change."""

    light: bool
    changes: list[Moves | None]


class AttributeScores(Record):
    """What stage attributes measured."""

    names: Annotated[list[str], Field(min_length=1)]
    layouts: list[str]
    samples: int
    temperature: float
    real: Read
    generators: dict[str, Made]


def load(path: Path, params: Params) -> AttributeScores | None:
    """The file of a study, generators in the order of `params`; None without a section or file.

    Raises:
        DataError: the file is damaged, or not of the generators that `params` lists.
    """
    if params.attributes is None or not path.exists():
        return None
    found = read(AttributeScores, path, "run stage attributes again")
    reads: Mapping[str, Read] = {"real": found.real, **found.generators}
    expected = {
        "generators": (sorted(params.attributes.generators), sorted(found.generators)),
        "attributes": ({len(found.names)}, {len(read.accuracy_each) for read in reads.values()}),
        "changes": (
            {params.attributes.changes} if found.generators else set(),
            {len(made.changes) for made in found.generators.values()},
        ),
    }
    for what, (wanted, got) in expected.items():
        if wanted != got:
            raise DataError(
                f"{path}: {what}: expected {wanted}, got {got}; run stage attributes again"
            )
    listed = {name: found.generators[name] for name in params.attributes.generators}
    return found.model_copy(update={"generators": listed})
