"""A table of a report: rows of typed cells, as CSV and as claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from augflow.core import io

if TYPE_CHECKING:
    import pandas as pd

Cell = str | int | float | None

KINDS: dict[str, Callable[[Any], str]] = {
    "text": str,
    "count": lambda value: f"{value:,}",
    "step": lambda value: f"{value}",
    "degree": lambda value: f"{float(value)}",
    "percent": lambda value: f"{100 * value:.2f}",
    "points": lambda value: f"{100 * value:+.2f}".replace("-", "−"),
    "tera": lambda value: f"{value / 1e12:.2f}",
    "times": lambda value: f"{value:.1f}",
    "ratio": lambda value: f"{value:.3f}",
    "bits": lambda value: f"{value:.3f}",
    "tiny": lambda value: f"{value:.1e}",
    "chance": lambda value: f"{value:.4f}",
    "fraction": lambda value: "all" if value == 1 else f"1/{round(1 / value)}",
}
"""Kind of cell -> how the report writes it."""


@dataclass(frozen=True)
class Column:
    """A column's name and the kind of its cells."""

    name: str
    kind: str = "text"


@dataclass(frozen=True)
class Row:
    """A row: a key that no other row of the table has, its cells, and the files they come from."""

    key: str
    cells: Mapping[str, Cell]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """A number of the report with what it was computed from."""

    id: str
    value: float
    text: str
    file: str
    sources: tuple[str, ...]
    how: str

    def facts(self) -> dict[str, object]:
        """The claim as plain JSON."""
        return {"id": self.id, "value": self.value, "text": self.text, "file": self.file,
                "from": list(self.sources), "how": self.how}  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A stretch of text; `claim` is the id of the number that it writes, None for words."""

    text: str
    claim: str | None = None


Said = tuple[Piece, ...]
"""A sentence or a cell, piece by piece."""


@dataclass(frozen=True)
class Table:
    """Rows under typed columns; `name` is also that of the function that computes it."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def file(self) -> str:
        """Where the table lies in a report folder."""
        return f"tables/{self.name}.csv"

    def row(self, key: str) -> Row:
        """The row of that key."""
        return next(row for row in self.rows if row.key == key)

    def kind(self, column: str) -> str:
        """The kind of a column's cells."""
        return next(c.kind for c in self.columns if c.name == column)

    def claim(self, row: Row, column: str) -> Claim | None:
        """What a cell claims; None when it holds no number."""
        value = row.cells[column]
        if not isinstance(value, int | float):
            return None
        name = f"{self.name}.{row.key}.{column}"
        text = written(value, self.kind(column))
        return Claim(name, value, text, self.file, row.sources, self.name)

    def piece(self, row: Row, column: str) -> Piece:
        """A cell as the report writes it; a dash where nothing was measured."""
        claim = self.claim(row, column)
        text = written(row.cells[column], self.kind(column))
        return Piece(text, claim.id if claim else None)

    def frame(self) -> pd.DataFrame:
        """The table as a data frame, with one type per column."""
        import pandas as pd

        types = {"text": "string", "count": "Int64", "step": "Int64"}
        return pd.DataFrame({
            column.name: pd.Series(
                [row.cells[column.name] for row in self.rows],
                dtype=types.get(column.kind, "float64"),
            )
            for column in self.columns
        })  # fmt: skip

    def csv(self) -> bytes:
        """The table as CSV: eight significant digits, empty where nothing was measured."""
        text = self.frame().to_csv(index=False, lineterminator="\n", float_format="%.8g")
        return text.encode()

    def claims(self) -> list[Claim]:
        """A claim per cell that holds a number."""
        cells = [self.claim(row, column.name) for row in self.rows for column in self.columns]
        return [claim for claim in cells if claim is not None]

    def write(self, folder: Path) -> None:
        """Writes the CSV file to its place in a report folder."""
        io.atomic_write(folder / self.file, self.csv())


def written(value: Cell, kind: str) -> str:
    """A value as the report writes it."""
    return "–" if value is None else KINDS[kind](value)
