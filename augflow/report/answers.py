"""The answer to whether synthetic photographs help, per fraction of the training scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augflow.metrics.holm import holm
from augflow.report.citations import Citations, listed
from augflow.report.spread import GAIN, HELPS, HURTS, NO_GAIN, UNKNOWN, WORSE
from augflow.report.table import Row, Table
from augflow.study.params import ArmParams

TONES = {GAIN: "good", NO_GAIN: "plain", WORSE: "bad", UNKNOWN: "plain"}
_WORDS = {GAIN: "yes", NO_GAIN: "no gain shown", WORSE: "no, they harm", UNKNOWN: UNKNOWN}


@dataclass(frozen=True)
class Answer:
    """What one fraction of the training scenes says.

    `row` of the table `comparisons` is what it is drawn from: of the arms that join real and
    synthetic photographs the one of largest difference, one with a gain before any other.
    `outcome` is that of all these arms together, `unbeaten` are the arms without synthetic
    photographs that a winner is not shown to beat, `classic` is classic augmentation alone.
    """

    row: Row
    outcome: str
    unbeaten: tuple[str, ...]
    classic: Row | None

    @property
    def word(self) -> str:
        """The answer in a few words."""
        but = f", but not shown beyond {listed(self.unbeaten)}" if self.unbeaten else ""
        return _WORDS[self.outcome] + but


def answers(arms: Mapping[str, ArmParams], table: Table) -> list[Answer]:
    """An answer per fraction at which arms join both and can be compared, largest first."""
    fractions = sorted({float(str(row.cells["fraction"])) for row in table.rows}, reverse=True)
    found = []
    for fraction in fractions:
        rows = [row for row in table.rows if row.cells["fraction"] == fraction
                and row.cells["difference"] is not None]  # fmt: skip
        joined = [row for row in alike(arms, rows) if arms[_arm(row)].mixed]
        if joined:
            found.append(_answer(arms, rows, joined))
    return found


MANY = 8
"""More arms than these are not shown one beside the other, but for those of the answers."""


def shown(arms: Mapping[str, ArmParams], tables: Mapping[str, Table]) -> list[str]:
    """The arms to show one beside the other: all, or those that the answers are drawn from."""
    names = list(dict.fromkeys(str(row.cells["arm"]) for row in tables["arms"].rows))
    if len(names) <= MANY or "comparisons" not in tables:
        return names
    wanted = set()
    for answer in answers(arms, tables["comparisons"]):
        rows = [answer.row] if answer.classic is None else [answer.row, answer.classic]
        wanted |= {str(row.cells[side]) for row in rows for side in ("arm", "against")}
    return [name for name in names if name in wanted] or names[:MANY]


def alike(arms: Mapping[str, ArmParams], rows: Sequence[Row]) -> list[Row]:
    """Of each arm the comparison with the base that is augmented alike, or else the plainest."""
    chosen: dict[str, Row] = {}
    for row in rows:
        best = chosen.setdefault(_arm(row), row)
        if _distance(arms, row) < _distance(arms, best):
            chosen[_arm(row)] = row
    return list(chosen.values())


def _distance(arms: Mapping[str, ArmParams], row: Row) -> int:
    ours, theirs = arms[_arm(row)].augment, arms[str(row.cells["against"])].augment
    return 0 if ours == theirs else 1 if theirs == "none" else 2


def _answer(arms: Mapping[str, ArmParams], rows: Sequence[Row], joined: Sequence[Row]) -> Answer:
    survive = holm([_value(row, "p") for row in joined])
    winners = [row for row, kept in zip(joined, survive, strict=True)
               if kept and row.cells["outcome"] == GAIN]  # fmt: skip
    row = max(winners or joined, key=lambda r: float(str(r.cells["difference"])))
    others = [r for r in rows if winners and _arm(r) == _arm(row) and r.cells["outcome"] != GAIN]
    unbeaten = tuple(str(r.cells["against"]) for r in others)
    classic = next((r for r in rows if _is_classic_alone(arms, r)), None)
    outcomes = {str(r.cells["outcome"]) for r in joined}
    return Answer(row, GAIN if winners else _without_winner(outcomes), unbeaten, classic)


def _without_winner(outcomes: set[str]) -> str:
    if outcomes == {WORSE}:
        return WORSE
    return NO_GAIN if outcomes <= {NO_GAIN, WORSE} else UNKNOWN


def _is_classic_alone(arms: Mapping[str, ArmParams], row: Row) -> bool:
    ours, theirs = arms[_arm(row)], arms[str(row.cells["against"])]
    return ours.made is None and (ours.augment, theirs.augment) == ("classic", "none")


def headline(found: Sequence[Answer], cite: Citations) -> str:
    """One sentence: with numbers for a single fraction, else the words of each fraction."""
    if len(found) == 1:
        return f"Do synthetic photos help? {_capital(found[0].word)}: {told(found[0], cite)}"
    texts = []
    for word in dict.fromkeys(answer.word for answer in found):
        shares = [cite.cell("comparisons", answer.row, "fraction")
                  for answer in found if answer.word == word]  # fmt: skip
        texts.append(f"{word} with {listed(shares)} of the training scenes")
    return f"Do synthetic photos help? {_capital('; '.join(texts))}."


def lines(found: Sequence[Answer], cite: Citations) -> list[str]:
    """A sentence per fraction where there are several."""
    if len(found) < 2:
        return []
    return [
        f"With {fraction(answer.row, cite)}: {answer.word}: {told(answer, cite)}"
        for answer in found
    ]


def told(answer: Answer, cite: Citations) -> str:
    """By how much, with the interval, beside what classic augmentation alone does."""
    text = (
        f"{answer.row.cells['arm']} differs from {answer.row.cells['against']} by "
        f"{gap(answer.row, cite, 'points of class IoU')}"
    )
    if answer.classic is None:
        return f"{text}."
    return (
        f"{text}; classic augmentation alone ({answer.classic.cells['arm']}) differs by "
        f"{gap(answer.classic, cite)}."
    )


def fraction(row: Row, cite: Citations) -> str:
    """Words for how many of the training scenes an arm has."""
    return f"{cite.cell('comparisons', row, 'fraction')} of the training scenes"


def gap(row: Row, cite: Citations, unit: str = "") -> str:
    """The difference of a comparison and its interval, as far as there is one."""
    value, low, high = (
        cite.cell("comparisons", row, key) if row.cells[key] is not None else ""
        for key in ("difference", "low", "high")
    )
    named = "95 % interval " if unit else ""
    words = [value or "–", unit, f"({named}{low} to {high})" if low else ""]
    return " ".join(word for word in words if word)


def class_sentence(answer: Answer, table: Table, cite: Citations) -> str:
    """Which classes an arm helps and hurts."""
    pair = [answer.row.cells[key] for key in ("arm", "against")]
    rows = [r for r in table.rows if [r.cells["arm"], r.cells["against"]] == pair]
    texts = []
    for word in (HELPS, HURTS):
        named = [
            f"{row.cells['class']} {cite.cell(table.name, row, 'difference')}"
            for row in rows if row.cells["outcome"] == word
        ]  # fmt: skip
        texts += [f"{word} {listed(named)}"] if named else []
    if not texts:
        return f"Of no single class it can be told what {pair[0]} does to it against {pair[1]}."
    return (
        f"Class by class, {pair[0]} against {pair[1]} {' and '.join(texts)} (points of IoU, after "
        "Holm's correction); of the other classes it cannot be told."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _arm(row: Row) -> str:
    return str(row.cells["arm"])


def _value(row: Row, column: str) -> float | None:
    value = row.cells[column]
    return float(value) if isinstance(value, int | float) else None
