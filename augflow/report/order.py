"""In which order systems come out, and whether it is the order of the paper's table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

from augflow.report.evidence import Evidence
from augflow.report.statistics import GAIN, best_rounds, difference
from augflow.report.table import Citations, Row, Table, join_words


@dataclass(frozen=True)
class Published:
    """A system's line in the paper's table; `preset` is how the names of its presets begin."""

    system: str
    preset: str
    class_iou: float
    bits: float | None


TABLE_1 = (
    Published("full_glow", "", 0.2386, 2.345),
    Published("dual_glow", "", 0.1896, 2.585),
    Published("pix2pix", "", 0.1642, None),
    Published("c_glow", "v2", 0.1231, 2.363),
    Published("c_glow", "v1", 0.0733, 2.568),
)
"""Class IoU and conditional bits per dimension in Full-Glow's table 1, Cityscapes at 256x256."""

Pair = tuple[Row, Published]


def order_sentences(evidence: Evidence, tables: Mapping[str, Table], cite: Citations) -> list[str]:
    """How the systems of the sweep rank among each other; nothing where there is one alone."""
    rows = [row for row in tables["systems"].rows if row.cells["generator"] is not None]
    if len(rows) < 2:
        return []
    found = [_by_iou(rows, cite), *_by_bits(rows, cite)]
    known = published_pairs(rows)
    if len(known) < 2:
        return found
    return [*found, _against_paper_iou(evidence, known, cite), *_against_paper_bits(known, cite)]


def published_pairs(rows: list[Row]) -> list[Pair]:
    """The rows whose systems the paper compares; of several of one line the first."""
    pairs = []
    for line in TABLE_1:
        fits = [
            row
            for row in rows
            if row.cells["system"] == line.system and row.text("preset").startswith(line.preset)
        ]
        pairs += [(row, line) for row in fits[:1]]
    return pairs


def reversed_pairs(
    known: list[Pair], ours: Callable[[Row], float], theirs: Callable[[Published], float]
) -> list[tuple[Pair, Pair]]:
    """Pairs, the paper's higher first, of which ours does not have the first above the second."""
    ranked = sorted(known, key=lambda pair: theirs(pair[1]), reverse=True)
    return [(high, low) for high, low in combinations(ranked, 2) if ours(high[0]) <= ours(low[0])]


def _by_iou(rows: list[Row], cite: Citations) -> str:
    ranked = sorted(rows, key=_iou, reverse=True)
    texts = [f"{row.key} {cite.cell('systems', row, 'class_iou.mean')} %" for row in ranked]
    return (
        "By the judge's class IoU, each system at its best temperature, the order is "
        f"{join_words(texts)}."
    )


def _by_bits(rows: list[Row], cite: Citations) -> list[str]:
    sentences = []
    for kind, of in (("conditional", "given the layout"), ("unconditional", "of the image alone")):
        fits = sorted(
            (row for row in _rows_with_bpd(rows) if row.cells["likelihood"] == kind), key=_bits
        )
        if fits:
            texts = [
                f"{row.key} {cite.cell('systems', row, 'val_bpd')}"
                + (" (a bound)" if row.cells["bits_are"] == "bound" else "")
                for row in fits
            ]
            verb = "the order is" if len(fits) > 1 else "there is"
            sentences.append(
                f"By held-out bits per dimension {of}, fewest first, {verb} {join_words(texts)}."
            )
    return sentences


def _against_paper_iou(evidence: Evidence, known: list[Pair], cite: Citations) -> str:
    pairs = reversed_pairs(known, _iou, lambda line: line.class_iou)
    told = []
    for (high, above), (low, below) in pairs:
        values = [cite.cell("systems", row, "class_iou.mean") for row in (high, low)]
        told.append(
            f"{high.key} {values[0]} % does not lie above {low.key} {values[1]} % "
            f"(paper: {100 * above.class_iou:.2f} above {100 * below.class_iou:.2f}"
            f"{_chance(evidence, high, low)})"
        )
    return _order_sentence("class IoU", known, told)


def _chance(evidence: Evidence, high: Row, low: Row) -> str:
    """Words for a difference that rounds of sampling cannot tell from none."""
    values = [
        [scored.class_iou for scored in best_rounds(evidence, row.text("set"))]
        for row in (low, high)
    ]
    told = difference(*values).outcome == GAIN
    return "" if told else "; the rounds cannot tell the two apart"


def _against_paper_bits(known: list[Pair], cite: Citations) -> list[str]:
    """The same for bits, where fewer are better."""
    measured = [
        (row, line)
        for row, line in known
        if line.bits is not None
        and row.cells["likelihood"] == "conditional"
        and _rows_with_bpd([row])
    ]
    if len(measured) < 2:
        return []
    told = []
    for (few, less), (many, more) in reversed_pairs(
        measured, lambda row: -_bits(row), lambda line: -(line.bits or 0.0)
    ):
        values = [cite.cell("systems", row, "val_bpd") for row in (few, many)]
        told.append(
            f"{few.key} {values[0]} does not lie below {many.key} {values[1]} "
            f"(paper: {less.bits:.3f} below {more.bits:.3f})"
        )
    return [_order_sentence("bits per dimension", measured, told)]


def _order_sentence(measure: str, known: list[Pair], told: list[str]) -> str:
    names = join_words([row.key for row, _ in known])
    if not told:
        return f"By {measure} the order of {names} is that of Full-Glow's table 1."
    return (
        f"By {measure} the order of {names} is not that of Full-Glow's table 1: {'; '.join(told)}."
    )


def _rows_with_bpd(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.cells["val_bpd"] is not None]


def _iou(row: Row) -> float:
    return row.number("class_iou.mean")


def _bits(row: Row) -> float:
    return row.number("val_bpd")
