"""Tables of what the judge saw: the sweep of temperatures, ceiling and floors, single classes."""

from __future__ import annotations

from augflow.metrics.confusion import Scores
from augflow.reporting.evidence import Evidence
from augflow.reporting.measures import (
    ABSENT_ZERO,
    MEASURES,
    best,
    by_round,
    class_mean,
    mean,
    means,
    pooled,
    ratio,
    spread_columns,
    spreads,
)
from augflow.reporting.score_files import ReferenceRows
from augflow.reporting.table import Cell, Column, Row, Table


def temperature(evidence: Evidence) -> Table:
    """Scores of the judge per set of the sweep, mean and spread over rounds.

    References:
        Full-Glow, table 2.
    """
    real = pooled(compared(evidence).real)
    rows = []
    for name in dict.fromkeys(evidence.params.report.sweep):
        judged = evidence.sets[name]
        rounds = by_round(judged.items)
        cells: dict[str, Cell] = {
            "set": name,
            "generator": evidence.params.sets[name].generator,
            "temperature": evidence.params.sets[name].temperature,
            "rounds": len(rounds),
            "photos": len(judged.items),
            **spreads(rounds, MEASURES),
            "class_iou.of_real": ratio(mean(rounds, "class_iou"), real.class_iou),
            **{f"{kind}.mean": mean(rounds, kind) for kind in ABSENT_ZERO},
        }
        sources = (f"scores/{name}.json", "scores/references.json", "evidence/params.yaml")
        rows.append(Row(name, cells, sources))
    columns = (
        Column("set"), Column("generator"), Column("temperature", "degree"),
        Column("rounds", "count"), Column("photos", "count"), *spread_columns(MEASURES),
        Column("class_iou.of_real", "ratio"),
        *(Column(f"{kind}.mean", "percent") for kind in ABSENT_ZERO),
    )  # fmt: skip
    return Table("temperature", columns, tuple(rows))


def references(evidence: Evidence) -> Table:
    """Ceiling, floors and the best set of the sweep, each with its share of the ceiling's IoU."""
    kept = compared(evidence)
    real = pooled(kept.real)
    rows = [
        _reference_row(name, name, pooled(items), real, ("scores/references.json",))
        for name, items in (("real", kept.real), ("flat", kept.flat), ("wrong", kept.wrong))
    ]
    if evidence.params.report.sweep:
        name = best(evidence)
        found = means(by_round(evidence.sets[name].items))
        sources = (f"scores/{name}.json", "scores/references.json", "evidence/params.yaml")
        rows.insert(1, _reference_row("best", name, found, real, sources))
    columns = (
        Column("row"), Column("set"),
        *(Column(kind, "percent") for kind in (*MEASURES, *ABSENT_ZERO)),
        Column("class_iou.of_real", "ratio"),
    )  # fmt: skip
    return Table("references", columns, tuple(rows))


def compared(evidence: Evidence) -> ReferenceRows:
    """Ceiling and floors on the layouts that the sweep was made for, so that like meets like.

    A sweep that is limited to some of the held-out layouts has them scored on no others; without a
    sweep all of them count.
    """
    swept = {
        item.layout for name in evidence.params.report.sweep for item in evidence.sets[name].items
    }
    rows = evidence.references.rows
    picked = {
        kind: [item for item in getattr(rows, kind) if item.layout in swept]
        for kind in ("real", "flat", "wrong")
    }
    return rows.model_copy(update=picked) if all(picked.values()) else rows


def _reference_row(
    key: str, name: str, found: Scores, real: Scores, sources: tuple[str, ...]
) -> Row:
    cells: dict[str, Cell] = {"row": key, "set": name if key == "best" else None}
    cells |= {measure: getattr(found, measure) for measure in (*MEASURES, *ABSENT_ZERO)}
    cells["class_iou.of_real"] = ratio(found.class_iou, real.class_iou)
    return Row(key, cells, sources)


def judge_per_class(evidence: Evidence) -> Table:
    """The judge's IoU and accuracy per class: real photos, the best set, and the floors."""
    kept = compared(evidence)
    groups: dict[str, list[Scores]] = {"real": [pooled(kept.real)]}
    sources = ["scores/references.json", "evidence/params.yaml"]
    if evidence.params.report.sweep:
        name = best(evidence)
        groups["best"] = by_round(evidence.sets[name].items)
        sources.append(f"scores/{name}.json")
    groups |= {"flat": [pooled(kept.flat)], "wrong": [pooled(kept.wrong)]}
    rows = []
    for index, name in enumerate(evidence.classes.names):
        cells: dict[str, Cell] = {"class": name}
        for group, found in groups.items():
            cells[f"{group}.iou"] = class_mean(found, "per_class_iou", index)
            cells[f"{group}.accuracy"] = class_mean(found, "per_class_accuracy", index)
        rows.append(Row(name, cells, tuple(sources)))
    columns = [Column("class")]
    columns += [Column(f"{g}.{kind}", "percent") for g in groups for kind in ("iou", "accuracy")]
    return Table("judge_per_class", tuple(columns), tuple(rows))
