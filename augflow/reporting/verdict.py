"""What a study found, in plain words drawn from its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from augflow.params import Params
from augflow.reporting.citations import Citations, listed
from augflow.reporting.evidence import Evidence
from augflow.reporting.measures import best, points, rounds_at
from augflow.reporting.order import order_sentences
from augflow.reporting.retrained import kind
from augflow.reporting.spread import GAIN, NO_GAIN, UNKNOWN, WORSE, difference
from augflow.reporting.table import Claim, Row, Said, Table

TONES = {GAIN: "good", NO_GAIN: "plain", WORSE: "bad", UNKNOWN: "plain"}


@dataclass(frozen=True)
class Tile:
    """One number of the verdict, shown large."""

    number: Said
    label: str
    tone: str = "plain"


@dataclass(frozen=True)
class Verdict:
    """A headline, a few large numbers, the sentences, and a claim for each number in them."""

    headline: str
    tone: str
    tiles: tuple[Tile, ...]
    sentences: tuple[Said, ...]
    claims: tuple[Claim, ...]


def verdict(evidence: Evidence, tables: Mapping[str, Table]) -> Verdict:
    """Draws the verdict from the tables of a study."""
    cite = Citations(tables)
    sentences: list[str] = []
    tiles: list[Tile] = []
    if "temperature" in tables:
        sentences += _temperature(evidence, tables, cite, tiles)
        sentences += order_sentences(evidence, tables, cite)
    outcomes: dict[str, list[str]] = {}
    if "comparisons" in tables:
        sentences += _comparisons(tables, cite, tiles, outcomes, evidence.params)
    headline, tone = _headline(outcomes, tables)
    sentences.append(_boundaries(evidence))
    return Verdict(
        headline,
        tone,
        tuple(tiles),
        tuple(cite.said(sentence) for sentence in sentences),
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
    tiles.append(Tile(cite.said(degree), "best temperature, by the judge's class IoU"))
    tiles.append(Tile(cite.said(share), "of the judge's class IoU on real photos"))
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


def _comparisons(
    tables: Mapping[str, Table],
    cite: Citations,
    tiles: list[Tile],
    outcomes: dict[str, list[str]],
    params: Params,
) -> list[str]:
    rows = tables["comparisons"].rows
    arms = dict.fromkeys(str(row.cells["arm"]) for row in rows)
    sentences = []
    for arm in sorted(arms, key=lambda name: kind(params.arms[name]) != "mixed"):
        found = [row for row in rows if row.cells["arm"] == arm]
        told = [_against(row, cite) for row in found]
        seeds = cite.cell("comparisons", found[0], "seeds")
        sentences.append(
            f"On real validation photos {arm} (trainings: {seeds}) differs in mean class IoU, in "
            f"points ± 95 % margin, by {listed(told)}."
        )
        if kind(params.arms[arm]) == "mixed":
            outcomes[arm] = [str(row.cells["outcome"]) for row in found]
            tiles += [_tile(row, cite) for row in found]
    return sentences


def _against(row: Row, cite: Citations) -> str:
    """The difference to one arm, with its margin and outcome."""
    points = cite.cell("comparisons", row, "difference")
    if row.cells["margin"] is not None:
        points += f" ± {cite.cell('comparisons', row, 'margin')}"
    return f"{points} from {row.cells['against']} ({row.cells['outcome']})"


def _tile(row: Row, cite: Citations) -> Tile:
    arm, against, outcome = (str(row.cells[key]) for key in ("arm", "against", "outcome"))
    label = f"points of class IoU, {arm} against {against}: {outcome}"
    return Tile(cite.said(cite.cell("comparisons", row, "difference")), label, TONES[outcome])


def _headline(
    outcomes: Mapping[str, Sequence[str]], tables: Mapping[str, Table]
) -> tuple[str, str]:
    open_question = "Whether synthetic photos help training cannot be told: "
    if "arms" not in tables:
        return open_question + "no network was retrained.", "plain"
    if not outcomes:
        return open_question + "no arm joins real and synthetic photos.", "plain"
    if len({row.cells["steps"] for row in tables["runs"].rows}) > 1:
        return open_question + "the arms trained for different numbers of steps.", "plain"
    winners = [arm for arm, found in outcomes.items() if set(found) == {GAIN}]
    if winners:
        verb = "beats" if len(winners) == 1 else "beat"
        names = " and ".join(winners)
        return f"Synthetic photos help: {names} {verb} every arm of real photos.", "good"
    return _without_winner({outcome for found in outcomes.values() for outcome in found})


def _without_winner(found: set[str]) -> tuple[str, str]:
    if GAIN in found:
        return "No gain shown: synthetic photos beat some arms of real photos, not all.", "plain"
    if found == {UNKNOWN}:
        return "Whether synthetic photos help cannot be told from these trainings.", "plain"
    if found == {WORSE}:
        return "Synthetic photos harm here: real photos alone train better networks.", "bad"
    if UNKNOWN in found:
        return "No gain shown: no difference is large enough to tell from chance.", "plain"
    return "No gain: networks that also saw synthetic photos are not better.", "plain"


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
