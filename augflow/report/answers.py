"""The answer to whether synthetic images help, per fraction of the training scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augflow.metrics.holm import holm
from augflow.report.statistics import GAIN, HELPS, HURTS, NO_GAIN, UNKNOWN, WORSE
from augflow.report.table import Citations, Row, Table, join_words
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

    def classes(self, tables: Mapping[str, Table]) -> list[Row]:
        """The comparison of the row, class by class."""
        pair = [self.row.cells[key] for key in ("arm", "against")]
        rows = tables["comparisons_per_class"].rows
        return [row for row in rows if [row.cells["arm"], row.cells["against"]] == pair]

    @property
    def word(self) -> str:
        """The answer in a few words."""
        but = f", but not shown beyond {join_words(self.unbeaten)}" if self.unbeaten else ""
        return _WORDS[self.outcome] + but


def answers(arms: Mapping[str, ArmParams], table: Table) -> list[Answer]:
    """An answer per fraction at which arms join both and can be compared, largest first."""
    fractions = sorted({row.number("fraction") for row in table.rows}, reverse=True)
    found = []
    for fraction in fractions:
        rows = [
            row
            for row in table.rows
            if row.cells["fraction"] == fraction and row.cells["difference"] is not None
        ]
        joined = [row for row in alike(arms, rows) if arms[row.text("arm")].is_mixed]
        if joined:
            found.append(_answer(arms, rows, joined))
    return found


MANY = 8
"""More arms than these are not shown one beside the other, but for those of the answers."""


def arms_to_show(arms: Mapping[str, ArmParams], tables: Mapping[str, Table]) -> list[str]:
    """The arms to show one beside the other: all, or those that the answers are drawn from."""
    names = list(dict.fromkeys(row.text("arm") for row in tables["arms"].rows))
    if len(names) <= MANY or "comparisons" not in tables:
        return names
    wanted = set()
    for answer in answers(arms, tables["comparisons"]):
        rows = [answer.row] if answer.classic is None else [answer.row, answer.classic]
        wanted |= {row.text(side) for row in rows for side in ("arm", "against")}
    return [name for name in names if name in wanted] or names[:MANY]


def alike(arms: Mapping[str, ArmParams], rows: Sequence[Row]) -> list[Row]:
    """Of each arm the comparison with the base that is augmented alike, or else the plainest."""
    chosen: dict[str, Row] = {}
    for row in rows:
        best = chosen.setdefault(row.text("arm"), row)
        if _distance(arms, row) < _distance(arms, best):
            chosen[row.text("arm")] = row
    return list(chosen.values())


def _distance(arms: Mapping[str, ArmParams], row: Row) -> int:
    ours, theirs = arms[row.text("arm")].augment, arms[row.text("against")].augment
    return 0 if ours == theirs else 1 if theirs == "none" else 2


def _answer(arms: Mapping[str, ArmParams], rows: Sequence[Row], joined: Sequence[Row]) -> Answer:
    survive = holm([_p(row) for row in joined])
    winners = [
        row
        for row, kept in zip(joined, survive, strict=True)
        if kept and row.cells["outcome"] == GAIN
    ]
    row = max(winners or joined, key=lambda r: r.number("difference"))
    others = [
        r
        for r in rows
        if winners and r.text("arm") == row.text("arm") and r.cells["outcome"] != GAIN
    ]
    unbeaten = tuple(r.text("against") for r in others)
    classic = next((r for r in rows if _is_classic_alone(arms, r)), None)
    outcomes = {r.text("outcome") for r in joined}
    return Answer(row, GAIN if winners else _without_winner(outcomes), unbeaten, classic)


def _without_winner(outcomes: set[str]) -> str:
    if outcomes == {WORSE}:
        return WORSE
    return NO_GAIN if outcomes <= {NO_GAIN, WORSE} else UNKNOWN


def _is_classic_alone(arms: Mapping[str, ArmParams], row: Row) -> bool:
    ours, theirs = arms[row.text("arm")], arms[row.text("against")]
    return ours.synthetic_source is None and (ours.augment, theirs.augment) == ("classic", "none")


def headline(found: Sequence[Answer], cite: Citations) -> str:
    """One sentence: with numbers for a single fraction, else the words of each fraction."""
    if len(found) == 1:
        answer = answer_sentence(found[0], cite)
        return f"Do synthetic images help? {_capital(found[0].word)}: {answer}"
    texts = []
    for word in dict.fromkeys(answer.word for answer in found):
        same = [answer.row for answer in found if answer.word == word]
        shares = [cite.cell("comparisons", row, "fraction") for row in same]
        texts.append(f"{word} with {join_words(shares)} of the training scenes")
    return f"Do synthetic images help? {_capital('; '.join(texts))}."


def lines(found: Sequence[Answer], cite: Citations) -> list[str]:
    """A sentence per fraction where there are several."""
    if len(found) < 2:
        return []
    return [
        f"With {fraction(answer.row, cite)}: {answer.word}: {answer_sentence(answer, cite)}"
        for answer in found
    ]


def answer_sentence(answer: Answer, cite: Citations) -> str:
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


def class_sentence(answer: Answer, tables: Mapping[str, Table], cite: Citations) -> str:
    """Which classes an arm helps and hurts."""
    pair, texts = [answer.row.text(key) for key in ("arm", "against")], []
    for word in (HELPS, HURTS):
        named = [
            f"{row.cells['class']} {cite.cell('comparisons_per_class', row, 'difference')}"
            for row in answer.classes(tables)
            if row.cells["outcome"] == word
        ]
        texts += [f"{word} {join_words(named)}"] if named else []
    if not texts:
        return f"Of no single class it can be told what {pair[0]} does to it against {pair[1]}."
    return (
        f"Class by class, {pair[0]} against {pair[1]} {' and '.join(texts)} (points of IoU, after "
        "Holm's correction); of the other classes it cannot be told."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _p(row: Row) -> float | None:
    value = row.cells["p"]
    return float(value) if isinstance(value, int | float) else None
