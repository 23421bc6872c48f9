"""Which numbers of a text in Markdown are claims of reports?

A number is looked at where it reads as a result: with a decimal fraction, a sign, a percent sign or
the unit of a claim. It is supported where a claim, rounded to as many digits, is that number.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from augflow.core import io
from augflow.core.errors import DataError

LEFT_OUT, TAKEN_UP = "<!-- no claims -->", "<!-- claims -->"
"""What stands between these in a text, or behind the former up to its end, is left out."""

_UNIT = (
    r"(?:[%×]|(?:per cent|percent(?:age points?)?|points?|pp|bits?|times|x|M"
    r"|million(?! million))\b)"
)

_BLANK = (
    re.compile(rf"{LEFT_OUT}.*?(?:{TAKEN_UP}|\Z)", re.DOTALL),
    re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1[`~]*\s*$|\Z)", re.DOTALL | re.MULTILINE),
    re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL),
    re.compile(
        r"</?(?!(?:a|b|big|em|font|i|mark|s|small|span|strong|u)\b)[A-Za-z][^>]*>", re.DOTALL
    ),
    re.compile(r"(?<=\])\([^)\s]*\)|\bhttps?://\S+"),
    re.compile(r"^\s*(?:#+\s+\d+(?:\.\d+)*|\d+)[.)]\s", re.MULTILINE),
    re.compile(r"\b\d{4}-\d\d(?:-\d\d)?\b|\b\d{1,2}\.\d{1,2}\.\d{2,4}\b|\b\d+(?:\.\d+){2,}\b"),
    re.compile(
        r"\b(?:v\.?|version|python|torch|pytorch|cuda|augflow)\s*\d+\.\d+"
        rf"(?:\s*(?:to|and|-|–)\s*\d+\.\d+)?(?!\d|\s?{_UNIT})",
        re.IGNORECASE,
    ),
    re.compile(r"\b9[059] ?%(?=\W+(?:interval|confidence))"),
)
"""No results: code, tags that part words, addresses, marks of lists, dates, versions, levels."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_UNSEEN = re.compile(r"</?[A-Za-z][^>]*>|\*|\\(?=[^\w\s])")
"""Tags inside a line, emphasis: what stands around them, or a comment, is one word for a reader."""

_NUMBER = re.compile(
    rf"(?<![^\W_])(?<!\.)(?P<sign>[+−-])?"
    rf"(?P<digits>\d+(?:,\d{{3}})*(?:\.\d+)?(?![.,]?\d)|\d+,\d+(?=\s?{_UNIT}))"
    rf"(?:\s?(?P<unit>{_UNIT}))?"
)
_THOUSANDS = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")

_SCALES = (1, 100, 1e-12)
"""What a report may multiply a value by to print it: nothing, per cent, millions of millions."""

_BY_CLASS = ("arms_per_class", "comparisons_per_class", "judge_per_class", "diversity", "classes")
"""Tables with so many numbers that one is meant only where its class is named."""


@dataclass(frozen=True)
class Quoted:
    """A number of a text, its line from 1 on, and the claim that supports it, None where none."""

    line: int
    text: str
    claim: str | None


@dataclass(frozen=True)
class _Claim:
    """A number of a report in the measure that it is printed in, and as a share if in per cent."""

    id: str
    table: str
    words: tuple[str, ...]
    value: float
    share: float | None
    signed: bool


Reports = Mapping[str, Sequence[_Claim]]
"""The claims of reports by the names of their studies."""


def quoted_numbers(path: Path, root: Path) -> list[Quoted]:
    """Every number of a Markdown file that reads as a result, in order.

    Claims are those of the reports of the project at `root` that the paragraph, or the last one
    before it under the same heading, links; in a text that links none, of all reports.

    Raises:
        DataError: the file cannot be read, or there is no report.
    """
    reports = {
        place.parent.name: list(_claims(place))
        for place in sorted((root / "reports").glob("*/claims.json.gz"))
    }
    if not reports:
        raise DataError(
            f"{root / 'reports'}: no report with a claims.json.gz; run dvc repro report"
        )
    paragraphs = list(_paragraphs(_read(path)))
    every = {} if any(linked & reports.keys() for _, _, linked in paragraphs) else reports
    found, meant = [], every
    for line, paragraph, linked in paragraphs:
        if linked & reports.keys():
            meant = {name: reports[name] for name in sorted(linked & reports.keys())}
        elif paragraph.startswith("#"):
            meant = every
        for match in _NUMBER.finditer(paragraph):
            if match["sign"] or match["unit"] or "." in match["digits"]:
                at = line + paragraph.count("\n", 0, match.start())
                found.append(Quoted(at, match[0], _support(match, paragraph, meant)))
    return found


def _read(path: Path) -> str:
    if not path.exists():
        raise DataError(f"{path}: no such file; give a Markdown file")
    io.require_file(path, io.MOST_BYTES)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or "no UTF-8"
        raise DataError(
            f"{path}: cannot be read as text ({reason}); give a Markdown file"
        ) from fault


def left_out(path: Path) -> list[tuple[int, int]]:
    """The first and last lines of what a text asks not to look at, which no reader of it sees."""
    text = _read(path)
    return [
        (text.count("\n", 0, found.start()) + 1, text.count("\n", 0, found.end()) + 1)
        for found in _BLANK[0].finditer(text)
    ]


def _paragraphs(text: str) -> Iterator[tuple[int, str, set[str]]]:
    """Line, text without what is no result, and the reports that are linked, of each paragraph."""
    plain = text
    for pattern in _BLANK:
        plain = pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), plain)
    plain = _COMMENT.sub(lambda found: re.sub(r"[^\n]", "\u2060", found[0]), plain)
    for block in re.finditer(r"(?:.*\S.*(?:\n|\Z))+", text):
        linked = set(re.findall(r"\]\([^)\s]*?reports/([^/)\s]+)/", block[0]))
        yield text.count("\n", 0, block.start()) + 1, _seen(plain[slice(*block.span())]), linked


def _seen(text: str) -> str:
    """What a reader sees of a text: characters for their names in HTML, none without a width."""
    shown = html.unescape(_UNSEEN.sub("", text))
    return "".join(one for one in shown if unicodedata.category(one) != "Cf")


def _claims(path: Path) -> Iterator[_Claim]:
    """The claims of a report that are printed as numbers: not `all` or `1/4`."""
    for claim in io.read_json(path)["claims"]:
        text, value = str(claim["text"]).replace("−", "-").replace(",", ""), float(claim["value"])
        if not re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
            continue
        for scale in _SCALES:
            if _rounds_to(value * scale, text):
                words = tuple(str(claim["id"]).lower().split(".")[1:])
                share = value if scale == 100 else None
                signed = text[0] in "+-"
                yield _Claim(claim["id"], claim["how"], words, value * scale, share, signed)
                break


def _rounds_to(value: float, text: str) -> bool:
    half = 0.5 * 10.0 ** -len(text.partition(".")[2])
    return abs(value - float(text)) <= half * (1 + 1e-9)


def _support(number: re.Match[str], paragraph: str, reports: Reports) -> str | None:
    """The claim that is a number; of several that of which most words stand in the paragraph."""
    text = paragraph.lower()
    found = [
        (sum(word in text for word in claim.words), f"{name}: {claim.id}")
        for name, claims in reports.items()
        for claim in claims
        if _is_number(claim, number) and _is_meant(claim, text)
    ]
    return max(found, key=lambda one: one[0])[1] if found else None


def _is_number(claim: _Claim, number: re.Match[str]) -> bool:
    """Whether a claim, in the measure of the text and to its digits, is a number of it."""
    unit, digits = number["unit"], number["digits"]
    # a comma is one of thousands or, before a unit, that of a fraction
    digits = digits.replace(",", "" if _THOUSANDS.fullmatch(digits) else ".")
    if unit is not None and (claim.share is not None) != unit.startswith(("%", "p")):
        return False
    values = [claim.value / 1e6 if unit in ("M", "million") else claim.value]
    if unit is None and claim.share is not None and len(digits.partition(".")[2]) >= 3:
        values.append(claim.share)
    if number["sign"]:
        side = 1 if number["sign"] == "+" else -1
        return claim.signed and any(_rounds_to(side * value, digits) for value in values)
    return any(_rounds_to(abs(value), digits) for value in values)


def _is_meant(claim: _Claim, text: str) -> bool:
    if claim.table in _BY_CLASS:
        return any(word in text for word in claim.words[:-1])
    return claim.table != "runs" or "seed" in text
