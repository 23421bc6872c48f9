"""How near synthetic photographs come to training photographs, checked as it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from augflow.core.errors import DataError
from augflow.report.records import Record, read
from augflow.report.table import Cell, Column, Row, Table

FILE = "leaks.json"

Share = Annotated[float, Field(ge=0, le=1)]


class Distances(Record):
    """Distances to the nearest training photograph, at `quantiles` from the least to the most."""

    distances: Annotated[list[float], Field(min_length=1)]


class NearSet(Distances):
    """Those of a set's photographs, and what they say beside those of validation photographs."""

    trained_on: bool
    photographs: int
    nearer_than_any_val: Share
    nearer_than_1_percent_of_val: Share
    copies: list[str]


class Leaks(Record):
    """What stage leaks found."""

    quantiles: list[Share]
    scenes: dict[str, int]
    leaks: list[dict[str, Any]]
    val: Distances
    sets: dict[str, NearSet]


def load(path: Path) -> Leaks | None:
    """The file, None where there is none.

    Raises:
        DataError: it is damaged, or it lists leaks: no score of such a study counts.
    """
    if not path.exists():
        return None
    found = read(Leaks, path, "run stage leaks again")
    if found.leaks:
        raise DataError(
            f"{path}: lists {len(found.leaks)} leaks between validation scenes and what is trained "
            "on, so no report can be made; `augflow check-leaks` shows them"
        )
    for name, row in {"val": found.val, **found.sets}.items():
        if len(row.distances) != len(found.quantiles):
            raise DataError(
                f"{path}: {name}: {len(row.distances)} distances for {len(found.quantiles)} "
                "quantiles; run stage leaks again"
            )
    return found


def nearest(found: Leaks | None) -> Table:
    """Distances to the nearest training photograph: of unseen real photographs, then of sets."""
    columns = (
        Column("photographs_of"), Column("photographs", "count"), Column("least", "ratio"),
        Column("median", "ratio"), Column("nearer_than_any_val", "percent"),
        Column("nearer_than_1_percent_of_val", "percent"), Column("copies", "count"),
    )  # fmt: skip
    if found is None:
        return Table("nearest", columns, ())
    middle = min(range(len(found.quantiles)), key=lambda n: abs(found.quantiles[n] - 0.5))

    def row(name: str, count: int, distances: list[float], **more: Cell) -> Row:
        blank = {column.name: None for column in columns[4:]}
        cells: dict[str, Cell] = {
            "photographs_of": name, "photographs": count, "least": distances[0],
            "median": distances[middle], **blank, **more,
        }  # fmt: skip
        return Row(name, cells, (f"scores/{FILE}",))

    rows = [row("val", found.scenes["val"], found.val.distances)]
    for name, near in found.sets.items():
        rows.append(row(
            name, near.photographs, near.distances,
            nearer_than_any_val=near.nearer_than_any_val,
            nearer_than_1_percent_of_val=near.nearer_than_1_percent_of_val,
            copies=len(near.copies),
        ))  # fmt: skip
    return Table("nearest", columns, tuple(rows))
