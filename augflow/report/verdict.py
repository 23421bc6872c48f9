"""What a study found, in plain words drawn from its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augflow.report.answers import (
    MANY,
    TONES,
    Answer,
    answers,
    class_sentence,
    fraction,
    gap,
    headline,
    lines,
)
from augflow.report.evidence import Evidence
from augflow.report.order import order_sentences
from augflow.report.statistics import (
    ARMS_RULE,
    GAIN,
    ROUNDS_RULE,
    UNKNOWN,
    best,
    difference,
    point_key,
)
from augflow.report.table import Citations, Claim, RichText, Row, Table, join_words
from augflow.report.tables_arms import DRIVES, PARTS


@dataclass(frozen=True)
class Tile:
    """One number of the verdict, shown large."""

    number: RichText
    label: RichText
    tone: str = "plain"


@dataclass(frozen=True)
class Verdict:
    """A headline, a few large numbers, the sentences, and a claim for each number in them."""

    headline: RichText
    tone: str
    tiles: tuple[Tile, ...]
    sentences: tuple[RichText, ...]
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
        cite.resolve(opening),
        tone,
        tuple(tiles),
        tuple(cite.resolve(sentence) for sentence in sentences),
        tuple(rules),
        tuple(cite.claims.values()),
    )


def _temperature(
    evidence: Evidence, tables: Mapping[str, Table], cite: Citations, tiles: list[Tile]
) -> list[str]:
    rows = {row.key: row for row in tables["references"].rows}
    top, real = rows["best"], rows["real"]
    main = evidence.params.report.sweep[0]
    row = tables["temperature"].row(point_key(evidence, main, best(evidence, main)))
    degree = cite.cell("temperature", row, "temperature")
    share = cite.cell("references", top, "class_iou.of_real")
    iou = cite.cell("references", top, "class_iou")
    ceiling = cite.cell("references", real, "class_iou")
    label = "best temperature, by the judge's class IoU"
    tiles.append(Tile(cite.resolve(degree), cite.resolve(label)))
    tiles.append(Tile(cite.resolve(share), cite.resolve("of the judge's class IoU on real photos")))
    maker = evidence.params.sets[main].generator
    sentences = [
        f"The judge reads the images of {maker} best at temperature {degree}: class IoU {iou} %, "
        f"which is {share} of the {ceiling} % that it reaches on real photos of the same scenes.",
        _ties(evidence, tables["temperature"], row, cite),
    ]
    floors = [("flat paint", rows["flat"]), ("a photo of another layout", rows["wrong"])]
    texts = [f"{cite.cell('references', row, 'class_iou')} % for {what}" for what, row in floors]
    beaten = all(top.number("class_iou") > floor.number("class_iou") for _, floor in floors)
    judged = "lie above both floors" if beaten else "do not rise above every floor"
    sentences.append(f"At that temperature the images {judged}: {' and '.join(texts)}.")
    return sentences


def _ties(evidence: Evidence, table: Table, top: Row, cite: Citations) -> str:
    """Which temperatures of the same system cannot be told from the best one."""
    name = top.text("set")
    swept = evidence.params.sets[name].temperatures
    if len(swept) == 1:
        return "It was sampled at this temperature alone."
    values = {
        point_key(evidence, name, t): [s.class_iou for s in evidence.rounds[name][t]] for t in swept
    }
    if len(values[top.key]) < 2:
        return "With one round there is no spread: close temperatures cannot be told apart."
    tied = []
    for row in map(table.row, values):
        found = difference(values[top.key], values[row.key])
        if row.key != top.key and found.margin is not None and found.outcome != GAIN:
            tied.append(cite.cell("temperature", row, "temperature"))
    rounds = cite.cell("temperature", top, "rounds")
    if not tied:
        return f"Over {rounds} rounds of sampling every other temperature is clearly lower."
    word = "temperature" if len(tied) == 1 else "temperatures"
    return f"Over {rounds} rounds of sampling it cannot be told from {word} {join_words(tied)}."


def _tile(row: Row, cite: Citations) -> Tile:
    arm, against, told = map(row.text, ("arm", "against", "outcome"))
    label = f"points of class IoU, {arm} against {against}, {fraction(row, cite)}: {told}"
    number = cite.cell("comparisons", row, "difference")
    return Tile(cite.resolve(number), cite.resolve(label), TONES[told])


def _headline(
    found: Sequence[Answer], tables: Mapping[str, Table], cite: Citations
) -> tuple[str, str]:
    open_question = "Whether synthetic images help training cannot be told: "
    if "arms" not in tables:
        return open_question + "no network was retrained.", "plain"
    if not found:
        return open_question + (
            "no arm joins real photos and synthetic images beside one of as many real photos "
            "alone, trained with the same seeds."
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


def arm_sentences(
    evidence: Evidence, tables: Mapping[str, Table], found: Sequence[Answer], cite: Citations
) -> list[str]:
    """A line per fraction and its classes, then every comparison, then what was drawn again."""
    sentences = lines(found, cite)
    for answer in found:
        sentences.append(class_sentence(answer, tables, cite))
        if "costs" in tables:
            sentences.append(cost_sentence(answer, tables["costs"], cite))
    if "more_real" in tables:
        sentences += [_ceiling(row, cite) for row in tables["more_real"].rows]
    rows = tables["comparisons"].rows
    arms = list(dict.fromkeys(row.cells["arm"] for row in rows))
    for arm in arms if len(arms) <= MANY else ():
        sentences.append(_differences([row for row in rows if row.cells["arm"] == arm], cite))
    if found:
        sentences.append(_resampling_sentence(evidence, tables, found[0].row, cite))
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
        f"IoU, in points with 95 % intervals, by {join_words(told)}."
    )


def _detectable(row: Row, cite: Citations) -> str:
    """From which difference on the study would have told, where it tells nothing."""
    if row.cells["outcome"] != UNKNOWN or row.cells["detectable"] is None:
        return ""
    least = cite.cell("comparisons", row, "detectable")
    return f": a true difference below {least} would often be missed"


def _resampling_sentence(
    evidence: Evidence, tables: Mapping[str, Table], row: Row, cite: Citations
) -> str:
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


def cost_sentence(answer: Answer, table: Table, cite: Citations) -> str:
    """What a network of the arm that an answer names costs beside one without images."""
    arm, against = map(answer.row.text, ("arm", "against"))
    row = table.row(arm)
    total, times = (cite.cell(table.name, row, key) for key in ("total", "times"))
    spent = max(PARTS, key=row.number)
    words = {
        "training": "its own training",
        "generator": "training the generator",
        "photographs": "making the images",
        "judge": "the judge",
        "choice": "choosing the temperature",
    }
    most = cite.cell(table.name, row, spent)
    return (
        f"One network of {arm} takes {total} million million operations, {times} times those of "
        f"one of {against}; most of them, {most}, go into {words[spent]}."
    )
