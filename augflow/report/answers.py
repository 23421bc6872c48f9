"""The answer to whether synthetic images help, per fraction of the training scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augflow.metrics.holm import holm
from augflow.report import names
from augflow.report.statistics import GAIN, NO_GAIN, UNKNOWN, WORSE
from augflow.report.table import Citations, Row, Table, join_words
from augflow.study.params import ArmParams, Params

TONES = {GAIN: "good", NO_GAIN: "plain", WORSE: "bad", UNKNOWN: "plain"}


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


def headline(params: Params, found: Sequence[Answer], cite: Citations) -> str:
    """One sentence: whether synthetic images help, by how much, with which share of the photos."""
    if len(found) == 1:
        return _capital(_sentence(params, found[0], cite))
    texts = []
    for outcome in (GAIN, WORSE, NO_GAIN, UNKNOWN):
        same = [answer for answer in found if answer.outcome == outcome]
        shares = join_words([_share(answer.row) for answer in same])
        if same and outcome == UNKNOWN:
            texts.append(f"with {shares} of the photos this study cannot tell")
        elif same and outcome == NO_GAIN:
            texts.append(f"no gain was found with {shares} of the photos")
        elif same:
            yes = "yes" if outcome == GAIN else "no, they do harm"
            texts.append(f"{yes} {join_words([_with_share(params, one, cite) for one in same])}")
    return _capital("; ".join(texts)) + "."


def _with_share(params: Params, answer: Answer, cite: Citations) -> str:
    value = cite.cell("comparisons", answer.row, "difference")
    text = f"{value} points of IoU{_unbeaten(params, answer)}"
    return f"with {_share(answer.row)} of the photos ({text})"


_SENTENCES = {
    GAIN: ("yes:", "better"),
    NO_GAIN: ("no gain was found:", "no better"),
    WORSE: ("no, they do harm:", "worse"),
    UNKNOWN: ("this study cannot tell whether", "better"),
}


def _sentence(params: Params, answer: Answer, cite: Citations) -> str:
    """The answer of a study whose arms all have the same share of the photographs."""
    arm, against = (names.arm(params, answer.row.text(side)).words for side in ("arm", "against"))
    opening, compared = _SENTENCES[answer.outcome]
    text = (
        f"{opening} networks trained on {arm} read new photos {compared} than those trained on "
        f"{against} ({_gap(answer.row, cite)}{_unbeaten(params, answer)})"
    )
    if answer.classic is not None:
        alone = cite.cell("comparisons", answer.classic, "difference")
        text += f"; classic augmentation alone brings {alone}"
    return f"{text}."


def _unbeaten(params: Params, answer: Answer) -> str:
    """What a gain is not shown to exceed."""
    if not answer.unbeaten:
        return ""
    known = [params.arms[name].augment == "classic" for name in answer.unbeaten]
    if all(known):
        return ", not shown to be more than classic augmentation brings"
    others = join_words([names.arm(params, name).words for name in answer.unbeaten])
    return f", not shown to be more than {others} bring"


def _share(row: Row) -> str:
    return names.share(round(1 / row.number("fraction")))


def _gap(row: Row, cite: Citations) -> str:
    """The difference of a comparison, and its interval as far as there is one."""
    value, low, high = (cite.cell("comparisons", row, key) for key in ("difference", "low", "high"))
    interval = f", 95 % interval {low} to {high}" if row.cells["low"] is not None else ""
    return f"{value} points of IoU{interval}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _p(row: Row) -> float | None:
    value = row.cells["p"]
    return float(value) if isinstance(value, int | float) else None
