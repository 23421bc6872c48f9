"""What a study found, in plain words drawn from its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augflow.report.answers import TONES, Answer, answers, fraction, headline
from augflow.report.citations import Citations, listed
from augflow.report.differences import arm_sentences
from augflow.report.evidence import Evidence
from augflow.report.measures import best, points, rounds_at
from augflow.report.order import order_sentences
from augflow.report.spread import ARMS_RULE, GAIN, ROUNDS_RULE, difference
from augflow.report.table import Claim, Row, Said, Table


@dataclass(frozen=True)
class Tile:
    """One number of the verdict, shown large."""

    number: Said
    label: Said
    tone: str = "plain"


@dataclass(frozen=True)
class Verdict:
    """A headline, a few large numbers, the sentences, and a claim for each number in them."""

    headline: Said
    tone: str
    tiles: tuple[Tile, ...]
    sentences: tuple[Said, ...]
    rules: tuple[str, ...]
    claims: tuple[Claim, ...]


def verdict(evidence: Evidence, tables: Mapping[str, Table]) -> Verdict:
    """Draws the verdict from the tables of a study."""
    cite = Citations(tables)
    sentences: list[str] = []
    tiles: list[Tile] = []
    rules: list[str] = []
    found: list[Answer] = []
    if "comparisons" in tables:
        found = answers(evidence.params.arms, tables["comparisons"])
        sentences += arm_sentences(evidence, tables, found, cite)
        tiles += [_tile(r, cite) for one in found for r in (one.row, one.classic) if r is not None]
        rules.append(ARMS_RULE)
    if "temperature" in tables:
        sentences += _temperature(evidence, tables, cite, tiles)
        sentences += order_sentences(evidence, tables, cite)
        rules.append(ROUNDS_RULE)
    opening, tone = _headline(found, tables, cite)
    sentences.append(_boundaries(evidence))
    return Verdict(
        cite.said(opening),
        tone,
        tuple(tiles),
        tuple(cite.said(sentence) for sentence in sentences),
        tuple(rules),
        tuple(cite.claims.values()),
    )


def _temperature(
    evidence: Evidence, tables: Mapping[str, Table], cite: Citations, tiles: list[Tile]
) -> list[str]:
    rows = {row.key: row for row in tables["references"].rows}
    top, real = rows["best"], rows["real"]
    main = evidence.params.report.sweep[0]
    row = tables["temperature"].row(best(evidence, main).key)
    degree = cite.cell("temperature", row, "temperature")
    share = cite.cell("references", top, "class_iou.of_real")
    iou = cite.cell("references", top, "class_iou")
    ceiling = cite.cell("references", real, "class_iou")
    label = "best temperature, by the judge's class IoU"
    tiles.append(Tile(cite.said(degree), cite.said(label)))
    tiles.append(Tile(cite.said(share), cite.said("of the judge's class IoU on real photos")))
    maker = evidence.params.sets[main].generator
    sentences = [
        f"The judge reads the photos of {maker} best at temperature {degree}: class IoU {iou} %, "
        f"which is {share} of the {ceiling} % that it reaches on real photos of the same scenes.",
        _ties(evidence, tables["temperature"], row, cite),
    ]
    floors = [("flat paint", rows["flat"]), ("a photo of another layout", rows["wrong"])]
    texts = [f"{cite.cell('references', floor, 'class_iou')} % for {what}"
             for what, floor in floors]  # fmt: skip
    beaten = all(_number(top, "class_iou") > _number(floor, "class_iou") for _, floor in floors)
    judged = "lie above both floors" if beaten else "do not rise above every floor"
    sentences.append(f"At that temperature the photos {judged}: {' and '.join(texts)}.")
    return sentences


def _ties(evidence: Evidence, table: Table, top: Row, cite: Citations) -> str:
    """Which temperatures of the same system cannot be told from the best one."""
    swept = points(evidence, str(top.cells["set"]))
    if len(swept) == 1:
        return "It was sampled at this temperature alone."
    values = {p.key: [s.class_iou for s in rounds_at(evidence, p)] for p in swept}
    tied = []
    for row in (table.row(point.key) for point in swept):
        found = difference(values[top.key], values[row.key])
        if row.key != top.key and found.margin is not None and found.outcome != GAIN:
            tied.append(cite.cell("temperature", row, "temperature"))
    if len(values[top.key]) < 2:
        return "With one round there is no spread: close temperatures cannot be told apart."
    rounds = cite.cell("temperature", top, "rounds")
    if not tied:
        return f"Over {rounds} rounds of sampling every other temperature is clearly lower."
    word = "temperature" if len(tied) == 1 else "temperatures"
    return f"Over {rounds} rounds of sampling it cannot be told from {word} {listed(tied)}."


def _tile(row: Row, cite: Citations) -> Tile:
    arm, against, told = (str(row.cells[key]) for key in ("arm", "against", "outcome"))
    label = f"points of class IoU, {arm} against {against}, {fraction(row, cite)}: {told}"
    return Tile(cite.said(cite.cell("comparisons", row, "difference")), cite.said(label),
                TONES[told])  # fmt: skip


def _headline(
    found: Sequence[Answer], tables: Mapping[str, Table], cite: Citations
) -> tuple[str, str]:
    open_question = "Whether synthetic photos help training cannot be told: "
    if "arms" not in tables:
        return open_question + "no network was retrained.", "plain"
    if not found:
        return open_question + (
            "no arm joins real and synthetic photos beside one of as many real photos alone, "
            "trained with the same seeds."
        ), "plain"
    if len({row.cells["steps"] for row in tables["runs"].rows}) > 1:
        return open_question + "the arms trained for different numbers of steps.", "plain"
    outcomes = {answer.outcome for answer in found}
    return headline(found, cite), TONES[outcomes.pop()] if len(outcomes) == 1 else "plain"


def _boundaries(evidence: Evidence) -> str:
    if evidence.facts["boundary_source"] == "instances":
        return "Boundary maps come from instance ids."
    return (
        "Boundary maps come from class edges and connected components, not from instance ids: "
        "touching objects of one class are merged."
    )


def _number(row: Row, column: str) -> float:
    value = row.cells[column]
    return float(value) if isinstance(value, int | float) else 0.0
