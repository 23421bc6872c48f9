"""Tables as a page prints them: some of their columns, with words for names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from augflow.report import names
from augflow.report.evidence import Evidence
from augflow.report.names import Name
from augflow.report.table import RichText, Row, Table

_NAMED = {
    "arm": names.arm,
    "against": names.arm,
    "generator": names.generator,
    "row": names.generator,
    "photographs": names.generator,
    "set": names.image_set,
    "selection": names.image_set,
    "photographs_of": names.image_set,
}
"""Columns of names, and what calls them by words."""

_REFERENCES = {
    "real": "real photos",
    "best": "main system, best temperature",
    "flat": "flat paint",
    "wrong": "photos of other layouts",
}


@dataclass(frozen=True)
class View:
    """Some columns of a table, as the report prints them."""

    file: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[RichText, ...], ...]


class Views:
    """The tables of a study, ready to be printed."""

    def __init__(self, evidence: Evidence, tables: Mapping[str, Table]) -> None:
        """Prints these tables with the names that the parameters give."""
        self.evidence, self.tables, self.params = evidence, tables, evidence.params

    def __call__(self, name: str, shown: str, caption: str) -> tuple[View, ...]:
        """Columns of a table, joined by ` | `; none where there is no such table.

        `heading=column` renames one, `name±` joins its mean and spread.
        """
        table = self.tables.get(name)
        return (self.of(table, shown, caption),) if table is not None else ()

    def of(self, table: Table, shown: str, caption: str) -> View:
        """The same of a table that is at hand."""
        heads = [text.rpartition("=") for text in shown.split(" | ")]
        rows = tuple(
            tuple(self._cell(table, row, name) for *_, name in heads) for row in table.rows
        )
        headings = (self._heading(head or name) for head, _, name in heads)
        return View(table.file, caption, tuple(headings), rows)

    def _heading(self, text: str) -> str:
        """Some tables have a column for each generator."""
        known = text in self.params.generators
        return names.generator(self.params, text).words if known else text

    def _cell(self, table: Table, row: Row, column: str) -> RichText:
        key = row.cells.get(column)
        if column not in _NAMED or not isinstance(key, str):
            return table.rich(row, column)
        if column == "row" and key in _REFERENCES:
            return (Name(_REFERENCES[key], key),)
        return (_NAMED[column](self.params, key),)
