"""What a report claims: every number with its source, every file with its digest; and the check."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

from augflow.core import io
from augflow.core.errors import AugflowError, DataError
from augflow.report import evidence as evidences
from augflow.report.evidence import Evidence
from augflow.report.table import Claim, Table
from augflow.report.tables import compute_tables, main_metrics
from augflow.report.verdict import verdict

_TOLERANCE = 1e-9
"""Relative difference below which two values are one: sums differ in the last bits elsewhere."""

_NONE = "nothing"

_OURS = re.compile(
    r"report\.(html|md)|metrics\.json|tables/[^/]+\.csv|figures/[^/]+\.png|pictures/.+\.webp"
    r"|scores/.+\.json\.gz|evidence/.+\.(csv|json|yaml)"
)
"""What a report has besides its claims: no further page, of which nobody checks the words."""


@dataclass(frozen=True)
class Mismatch:
    """A place where a report is not what its evidence says."""

    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        """One line for the user."""
        return f"{self.where}: expected {self.expected}, found {self.found}"


def all_claims(evidence: Evidence, tables: Mapping[str, Table]) -> list[Claim]:
    """The claims of every table and of the verdict."""
    found = [claim for table in tables.values() for claim in table.claims()]
    return [*found, *verdict(evidence, tables).claims]


def write(folder: Path, claims: list[Claim]) -> None:
    """Writes `claims.json.gz` over a finished report folder."""
    io.write_json(
        folder / "claims.json.gz",
        {"claims": [claim.facts() for claim in claims], "files": digests(folder)},
    )


def digests(folder: Path) -> dict[str, str]:
    """Content digests of all files of a report but `claims.json.gz` and hidden ones."""
    return {name: io.digest_file(path) for name, path in _contents(folder).items()}


def _contents(folder: Path) -> dict[str, Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in found if path.name[0] != "."}
    return {name: path for name, path in names.items() if name != "claims.json.gz"}


def recompute(report_dir: Path) -> list[Mismatch]:
    """Computes every number of a report again from its evidence alone and compares.

    Compared are the claims, the tables, the main numbers, those in the page and the digest of every
    file.

    Raises:
        DataError: there is no report to check, or its claims cannot be read.
    """
    stored = _read_claims(report_dir / "claims.json.gz")
    found = _files(report_dir, stored["files"])
    try:
        evidence = evidences.load(report_dir)
        tables = compute_tables(evidence)
        fresh = all_claims(evidence, tables)
    except (AugflowError, KeyError, TypeError, ValueError) as fault:
        return [*found, Mismatch("evidence", "numbers to compute from", f"a fault: {fault}")]
    found += _claims(stored["claims"], fresh)
    found += _tables(report_dir, tables)
    found += _numbers(report_dir / "report.html", fresh)
    return found


def _read_claims(path: Path) -> dict[str, Any]:
    content = io.read_json(path)
    whole = (
        isinstance(content, dict)
        and isinstance(content.get("files"), dict)
        and isinstance(content.get("claims"), list)
        and all(isinstance(claim, dict) for claim in content["claims"])
    )
    if not whole:
        raise DataError(f"{path}: not the claims of a report; make the report again")
    return content


def _files(folder: Path, recorded: Mapping[str, str]) -> list[Mismatch]:
    there: dict[str, str] = {}
    found = [
        Mismatch(path.relative_to(folder).as_posix(), "a folder", "a link to one")
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() and path.is_dir()
    ]
    for name, path in _contents(folder).items():
        if name in recorded and not _OURS.fullmatch(name):
            found.append(Mismatch(name, "no such file in a report", "a file"))
        try:
            there[name] = io.digest_file(path)
        except DataError as fault:
            there[name] = f"an unreadable file ({fault})"
    for name in sorted({*there, *recorded}):
        expected, got = recorded.get(name, "no such file"), there.get(name, "no such file")
        if expected != got:
            found.append(Mismatch(name, f"content {expected}", got))
    return found


def _claims(stored: list[dict[str, Any]], fresh: list[Claim]) -> list[Mismatch]:
    known = {str(claim.get("id")): claim for claim in stored}
    made = {claim.id: claim.facts() for claim in fresh}
    times = Counter(str(claim.get("id")) for claim in stored)
    found = [
        Mismatch(f"claims.json.gz: {name}", "no such claim", "one")
        for name in sorted(set(known) - set(made))
    ]
    found += [
        Mismatch(f"claims.json.gz: {name}", "one such claim", str(count))
        for name, count in sorted(times.items())
        if count > 1
    ]
    for name, claim in made.items():
        if name not in known:
            found.append(Mismatch(f"claims.json.gz: {name}", str(claim["value"]), "no such claim"))
            continue
        for key in dict.fromkeys([*claim, *known[name]]):
            value, got = (one.get(key, _NONE) for one in (claim, known[name]))
            if not _same(value, got):
                found.append(Mismatch(f"claims.json.gz: {name}: {key}", str(value), str(got)))
    return found


def _same(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float | int):
        return math.isclose(ours, theirs, rel_tol=_TOLERANCE, abs_tol=1e-12)
    return ours == theirs


def _tables(folder: Path, tables: Mapping[str, Table]) -> list[Mismatch]:
    """Files of tables, and that of the main numbers, that are not what the tables say."""
    found = []
    for name, table in tables.items():
        found += _cells(folder / "tables" / f"{name}.csv", table)
    for path in sorted((folder / "tables").glob("*.csv")):
        if path.stem not in tables:
            found.append(Mismatch(f"tables/{path.name}", "no such table", "a file"))
    metrics = folder / "metrics.json"
    if metrics.exists():
        made, there = io.json_bytes(main_metrics(tables)), metrics.read_bytes()
        found += _bytes(metrics.name, made, there)
    return found


def _bytes(where: str, made: bytes, there: bytes) -> list[Mismatch]:
    ours, theirs = made.split(b"\n"), there.split(b"\n")
    for number, (one, other) in enumerate(zip_longest(ours, theirs, fillvalue=b""), 1):
        if one != other:
            return [Mismatch(f"{where}: line {number}", repr(one.decode()), repr(other)[1:])]
    return []


def _cells(path: Path, table: Table) -> list[Mismatch]:
    where = table.file
    try:
        rows = io.read_csv(path)
    except DataError as fault:
        return [Mismatch(where, "a table", str(fault))]
    made = list(csv.DictReader(StringIO(table.csv().decode())))
    if len(rows) != len(made):
        return [Mismatch(where, f"{len(made)} rows", f"{len(rows)} rows")]
    found = []
    for row, ours, theirs in zip(table.rows, made, rows, strict=True):
        for column in dict.fromkeys([*ours, *theirs]):
            expected, got = ours.get(column, "no cell"), theirs.get(column, "no cell")
            if expected != got:
                place = f"{where}: row {row.key}, column {column}"
                found.append(Mismatch(place, expected, got))
    return found or _bytes(where, table.csv(), path.read_bytes())


def _numbers(path: Path, fresh: list[Claim]) -> list[Mismatch]:
    """Numbers of the page that are not what was claimed, and those of the verdict that are gone."""
    if not path.exists():
        return [Mismatch(path.name, "a page", "no such file")]
    page = _Page()
    page.feed(path.read_text(encoding="utf-8", errors="replace"))
    texts = {claim.id: claim.text for claim in fresh}
    found = [
        Mismatch(f"{path.name}: {name}", texts.get(name, "no such number"), text)
        for name, text in page.numbers
        if texts.get(name) != text
    ]
    gone = {claim.id for claim in fresh if claim.how == "verdict"} - {n for n, _ in page.numbers}
    return found + [
        Mismatch(f"{path.name}: {name}", texts[name], "nothing") for name in sorted(gone)
    ]


class _Page(HTMLParser):
    """Collects what stands in `<data value=CLAIM>`."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[tuple[str, str]] = []
        self._claim: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "data":
            self._claim = dict(attrs).get("value") or ""
            self.numbers.append((self._claim, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "data":
            self._claim = None

    def handle_data(self, data: str) -> None:
        if self._claim is not None:
            name, text = self.numbers[-1]
            self.numbers[-1] = (name, text + data)
