"""Sentences on what arms differ by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from augflow.report.answers import MANY, Answer, class_sentence, fraction, gap, lines
from augflow.report.citations import Citations, listed
from augflow.report.comparing import DRIVES
from augflow.report.costing import cost_sentence
from augflow.report.evidence import Evidence
from augflow.report.spread import GAIN, UNKNOWN
from augflow.report.table import Row, Table


def arm_sentences(
    evidence: Evidence, tables: Mapping[str, Table], found: Sequence[Answer], cite: Citations
) -> list[str]:
    """A line per fraction and its classes, then every comparison, then what was drawn again."""
    sentences = lines(found, cite)
    for answer in found:
        sentences.append(class_sentence(answer, tables["comparisons_per_class"], cite))
        if "costs" in tables:
            sentences.append(cost_sentence(answer, tables["costs"], cite))
    if "more_real" in tables:
        sentences += [_ceiling(row, cite) for row in tables["more_real"].rows]
    rows = tables["comparisons"].rows
    arms = list(dict.fromkeys(row.cells["arm"] for row in rows))
    for arm in arms if len(arms) <= MANY else ():
        sentences.append(_differences([row for row in rows if row.cells["arm"] == arm], cite))
    if found:
        sentences.append(_drawn(evidence, tables, found[0].row, cite))
    return sentences


def _ceiling(row: Row, cite: Citations) -> str:
    """What more real photographs bring to a share of the scenes."""
    value, low, high = (
        cite.cell("more_real", row, key) if row.cells[key] is not None else "–"
        for key in ("difference", "low", "high")
    )
    text = (
        f"{row.cells['arm']} instead of {row.cells['against']}, more real photos than "
        f"{cite.cell('more_real', row, 'fraction')} of the training scenes, differs by {value} "
        f"points ({low} to {high})"
    )
    if row.cells["outcome"] == GAIN:
        return f"{text}: so much is there to be won at that share."
    return (
        f"{text}, which shows no gain: trainings of so few steps do not tell what more photos, "
        "real or synthetic, bring to that share."
    )


def _differences(rows: Sequence[Row], cite: Citations) -> str:
    """Everything that one arm was compared with."""
    told = [
        f"{gap(row, cite)} against {row.cells['against']} ({row.cells['outcome']}"
        f"{_detectable(row, cite)})"
        for row in rows
    ]
    return (
        f"On real validation photos {rows[0].cells['arm']}, with {fraction(rows[0], cite)} and "
        f"{cite.cell('comparisons', rows[0], 'seeds')} training seeds, differs in mean class "
        f"IoU, in points with 95 % intervals, by {listed(told)}."
    )


def _detectable(row: Row, cite: Citations) -> str:
    """From which difference on the study would have told, where it tells nothing."""
    if row.cells["outcome"] != UNKNOWN or row.cells["detectable"] is None:
        return ""
    least = cite.cell("comparisons", row, "detectable")
    return f": a true difference below {least} would often be missed"


def _drawn(evidence: Evidence, tables: Mapping[str, Table], row: Row, cite: Citations) -> str:
    """What was drawn again to tell differences from chance."""
    scenes = cite.cell("comparisons", row, "scenes")
    alone = ""
    if row.cells["seeds"] == 1:
        alone = " Of one training seed nothing can be drawn: chance in training is left out."
    if row.cells["groups"] != row.cells["scenes"]:
        groups = cite.cell("comparisons", row, "groups")
        return f"The {scenes} validation scenes were drawn again by their {groups} drives.{alone}"
    few = ""
    if len({r["drive"] for r in evidence.pixels if r["split"] == "val"}) < DRIVES:
        count = cite.cell("data", tables["data"].row("val"), "drives")
        few = f", not by drive, of which there are {count}: the interval is for drives like these"
    return f"The {scenes} validation scenes were drawn again one by one{few}.{alone}"
