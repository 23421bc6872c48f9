"""Numbers in sentences: each is a cell of a table, and stays tied to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from augflow.report.table import Claim, Piece, Row, Said, Table

_MARK = "\x1f"


class Citations:
    """Cites cells of tables in sentences, and keeps a claim for each."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        """Cites cells of these tables."""
        self.tables = tables
        self.claims: dict[str, Claim] = {}

    def cell(self, table: str, row: Row, column: str) -> str:
        """A mark that stands for a cell until `said` resolves it."""
        claim = self.tables[table].claim(row, column)
        if claim is None:
            return self.tables[table].piece(row, column).text
        name = f"verdict.{claim.id}"
        self.claims[name] = replace(claim, id=name, file="report.html", how="verdict")
        return f"{_MARK}{name}{_MARK}"

    def said(self, text: str) -> Said:
        """A text with marks as pieces."""
        parts = text.split(_MARK)
        pieces = [Piece(self.claims[part].text, part) if index % 2 else Piece(part)
                  for index, part in enumerate(parts)]  # fmt: skip
        return tuple(piece for piece in pieces if piece.text)


def listed(words: Sequence[str]) -> str:
    """Words joined by commas and a last `and`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
