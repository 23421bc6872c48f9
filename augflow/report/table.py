"""Tables of a report, as CSV and as claims, and sentences that cite their cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from augflow.core import io
from augflow.report.names import Name

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


def format_value(value: Cell, kind: str) -> str:
    """A value as the report writes it; a dash where nothing was measured."""
    return "–" if value is None else KINDS[kind](value)


def columns(head: str) -> dict[str, str]:
    """Columns with the kinds of their cells, from `name` or `name: kind`, joined by ` | `."""
    pairs = [text.partition(": ") for text in head.split(" | ")]
    return {name: kind or "text" for name, _, kind in pairs}


@dataclass(frozen=True)
class Row:
    """A row: a key that no other row of the table has, its cells, and the files they come from."""

    key: str
    cells: Mapping[str, Cell]
    sources: tuple[str, ...]

    def number(self, column: str, absent: float = float("nan")) -> float:
        """The number in a cell, `absent` where it holds none."""
        value = self.cells.get(column)
        return float(value) if isinstance(value, int | float) else absent

    def text(self, column: str) -> str:
        """A cell as plain text."""
        return str(self.cells[column])


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
        facts = {name: value for name, value in vars(self).items() if name != "sources"}
        return {**facts, "from": list(self.sources)}


RichText = tuple[str | Claim | Name, ...]
"""A sentence or a cell: words, names, and numbers with what they were computed from."""


def plain(text: RichText) -> str:
    """The text without the sources of its numbers; a name with its key."""
    return "".join(map(_plain, text))


def _plain(span: str | Claim | Name) -> str:
    if isinstance(span, Name):
        return span.heading if span.key == span.words else f"{span.heading} ({span.key})"
    return span if isinstance(span, str) else span.text


@dataclass(frozen=True)
class Table:
    """Rows under columns with the kinds of their cells; `name` is also that of its function."""

    name: str
    columns: Mapping[str, str]
    rows: Sequence[Row]

    @property
    def file(self) -> str:
        """Where the table lies in a report folder."""
        return f"tables/{self.name}.csv"

    def row(self, key: str) -> Row:
        """The row of that key."""
        return next(row for row in self.rows if row.key == key)

    def claim(self, row: Row, column: str) -> Claim | None:
        """What a cell claims; None when it holds no number."""
        value = row.cells[column]
        if not isinstance(value, int | float):
            return None
        name = f"{self.name}.{row.key}.{column}"
        text = format_value(value, self.columns[column])
        return Claim(name, value, text, self.file, row.sources, self.name)

    def span(self, row: Row, column: str) -> str | Claim:
        """A cell as the report writes it; a dash where nothing was measured."""
        return self.claim(row, column) or format_value(row.cells[column], self.columns[column])

    def rich(self, row: Row, column: str) -> RichText:
        """A cell as the report writes it.

        `name±` joins the columns of mean and spread, `some of all` those of two counts.
        """
        some, of, every = column.partition(" of ")
        if of:
            return (self.span(row, some), of, self.span(row, every))
        if not column.endswith("±"):
            return (self.span(row, column),)
        mean, std = (self.span(row, f"{column[:-1]}.{part}") for part in ("mean", "std"))
        return (mean,) if isinstance(std, str) else (mean, " ± ", std)

    def csv(self) -> bytes:
        """The table as CSV: eight significant digits, empty where nothing was measured."""
        whole = ("text", "count", "step")
        rows = [
            {
                name: float(value) if isinstance(value, int) and kind not in whole else value
                for name, kind in self.columns.items()
                for value in (row.cells[name],)
            }
            for row in self.rows
        ]
        return io.csv_bytes(rows, list(self.columns))

    def claims(self) -> list[Claim]:
        """A claim per cell that holds a number."""
        cells = [self.claim(row, column) for row in self.rows for column in self.columns]
        return [claim for claim in cells if claim is not None]

    def write(self, folder: Path) -> None:
        """Writes the CSV file to its place in a report folder."""
        io.atomic_write(folder / self.file, self.csv())


_MARK = "\x1f"


class Citations:
    """Cites cells of tables in sentences, and keeps a claim for each."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        """Cites cells of these tables."""
        self.tables = tables
        self.claims: dict[str, Claim] = {}

    def cell(self, table: str, row: Row, column: str) -> str:
        """A mark that stands for a cell until `resolve` resolves it."""
        claim = self.tables[table].span(row, column)
        if isinstance(claim, str):
            return claim
        name = f"verdict.{claim.id}"
        self.claims[name] = replace(claim, id=name, file="report.html", how="verdict")
        return f"{_MARK}{name}{_MARK}"

    def resolve(self, text: str) -> RichText:
        """A text with marks as words and claims."""
        parts = text.split(_MARK)
        spans = (self.claims[part] if n % 2 else part for n, part in enumerate(parts))
        return tuple(span for span in spans if span)


def join_words(words: Sequence[str]) -> str:
    """Words joined by commas and a last `and`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
