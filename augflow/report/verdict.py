"""What a study found, in plain words drawn from its tables: the first screen of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augflow.report import names
from augflow.report.answers import TONES, Answer, answers, headline
from augflow.report.effects import Effects, effects
from augflow.report.evidence import Evidence
from augflow.report.statistics import GAIN, best, difference, point_key
from augflow.report.table import Citations, Claim, RichText, Row, Table, join_words
from augflow.report.tables_arms import DRIVES

QUESTION = "Do synthetic images help to train a segmentation network?"


@dataclass(frozen=True)
class Verdict:
    """The answer in a sentence, its figure, warnings, what else is said; a claim for each number.

    `notes` are sentences by the section that they stand in: `arms`, `temperature`.
    """

    answer: RichText
    tone: str
    warnings: tuple[str, ...]
    effects: Effects | None
    notes: Mapping[str, tuple[RichText, ...]]
    claims: tuple[Claim, ...]


def verdict(evidence: Evidence, tables: Mapping[str, Table]) -> Verdict:
    """Draws the verdict from the tables of a study."""
    cite = Citations(tables)
    found: list[Answer] = []
    drawn: Effects | None = None
    notes: dict[str, list[str]] = {}
    if "comparisons" in tables:
        found = answers(evidence.params.arms, tables["comparisons"])
        drawn = effects(evidence.params, tables["comparisons"], found, cite)
    if found:
        notes["arms"] = [_resampling_sentence(evidence, tables, found[0].row, cite)]
    if "temperature" in tables:
        notes["temperature"] = _temperature(evidence, tables, cite)
    answer, tone = _answer(evidence, found, tables, cite)
    return Verdict(
        cite.resolve(answer),
        tone,
        tuple(_warnings(tables)),
        drawn,
        {name: tuple(map(cite.resolve, sentences)) for name, sentences in notes.items()},
        tuple(cite.claims.values()),
    )


def _answer(
    evidence: Evidence, found: Sequence[Answer], tables: Mapping[str, Table], cite: Citations
) -> tuple[str, str]:
    open_question = "This study cannot tell: "
    if "arms" not in tables:
        return open_question + "no network was retrained.", "plain"
    if not found:
        return open_question + (
            "no arm joins real photos and synthetic images beside one of as many real photos "
            "alone, trained with the same seeds."
        ), "plain"
    if len({row.cells["steps"] for row in tables["runs"].rows}) > 1:
        return open_question + "the arms trained for different numbers of steps.", "plain"
    tones = {TONES[answer.outcome] for answer in found}
    return headline(evidence.params, found, cite), tones.pop() if len(tones) == 1 else "plain"


def _warnings(tables: Mapping[str, Table]) -> list[str]:
    """Classes that no network finds: a mean over classes says little where they are many."""
    rows = tables["arms_per_class"].rows if "arms_per_class" in tables else ()
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.cells["iou.mean"] is not None:
            found.setdefault(row.text("class"), []).append(row.number("iou.mean"))
    never = [name for name, values in found.items() if max(values) == 0]
    if not never:
        return []
    are = "class is" if len(found) == 1 else "classes is" if len(never) == 1 else "classes are"
    return [
        f"{len(never)} of {len(found)} {are} never found by any network, whatever it was trained "
        f"on: {join_words(never)}. The mean over classes counts 0 there: train longer, on larger "
        "images, or on photos that show more of it."
    ]


def _temperature(evidence: Evidence, tables: Mapping[str, Table], cite: Citations) -> list[str]:
    rows = {row.key: row for row in tables["references"].rows}
    top, real = rows["best"], rows["real"]
    main = evidence.params.report.sweep[0]
    row = tables["temperature"].row(point_key(evidence, main, best(evidence, main)))
    degree = cite.cell("temperature", row, "temperature")
    iou = cite.cell("references", top, "class_iou")
    ceiling = cite.cell("references", real, "class_iou")
    maker = names.generator(evidence.params, evidence.params.sets[main].generator).words
    floors = [("flat paint", rows["flat"]), ("photos of other layouts", rows["wrong"])]
    texts = [f"{cite.cell('references', row, 'class_iou')} % for {what}" for what, row in floors]
    return [
        f"The judge reads the images of {maker} best at temperature {degree}: class IoU {iou} %, "
        f"beside {ceiling} % for real photos of the same scenes, {' and '.join(texts)}.",
        _ties(evidence, tables["temperature"], row, cite),
    ]


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
