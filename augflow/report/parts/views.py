"""What a part of a report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from augflow.report.citations import listed
from augflow.report.table import Piece, Row, Said, Table


@dataclass(frozen=True)
class Picture:
    """A figure: its file's stem, its kind, and a caption that says what was measured.

    Kinds are `photo`, `chart`, and `chart upright` for one that is narrow enough for a phone.
    """

    name: str
    kind: str
    caption: str


@dataclass(frozen=True)
class Slider:
    """Pictures of which one is shown, as a slider has it, beside pictures that stay.

    Attributes:
        folder: where they lie, under `figures`.
        beside: file stems and headings of those that stay.
        shown: file stems and values of the others, in order.
        caption: what they are.
    """

    folder: str
    beside: tuple[tuple[str, str], ...]
    shown: tuple[tuple[str, str], ...]
    caption: str


@dataclass(frozen=True)
class View:
    """Some columns of a table, as the report prints them."""

    file: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Said, ...], ...]


@dataclass(frozen=True)
class Part:
    """A titled part of a report."""

    title: str
    pictures: tuple[Picture, ...]
    views: tuple[View, ...]
    slider: Slider | None = None


def view(table: Table, caption: str, shown: Sequence[str]) -> View:
    """Prints columns; `heading=column` renames one, `name±` joins its mean and spread."""
    pairs = [(text.rpartition("=")[0] or text, text.rpartition("=")[2]) for text in shown]
    rows = tuple(tuple(cell(table, row, name) for _, name in pairs) for row in table.rows)
    return View(table.file, caption, tuple(heading for heading, _ in pairs), rows)


def cell(table: Table, row: Row, name: str) -> Said:
    """A cell; `name±` joins mean and spread."""
    if not name.endswith("±"):
        return (table.piece(row, name),)
    mean, std = (table.piece(row, f"{name.removesuffix('±')}.{part}") for part in ("mean", "std"))
    return (mean,) if std.claim is None else (mean, Piece(" ± "), std)


def bounds(table: Table) -> str:
    """A sentence on generators whose bits are no more than a bound; empty where all are exact."""
    names = [row.key for row in table.rows if row.cells["bits_are"] == "bound"]
    if not names:
        return ""
    return (
        f" Bits of {listed(names)} are an upper bound: the noise that fills the 8-bit steps is "
        "learned there (variational dequantization)."
    )
