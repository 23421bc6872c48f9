"""Tables of what the judge saw: systems and temperatures, ceiling and floors, single classes."""

from __future__ import annotations

from augflow.metrics.confusion import Scores
from augflow.report.evidence import Evidence
from augflow.report.measures import (
    ABSENT_ZERO,
    MEASURES,
    Point,
    best,
    class_mean,
    mean,
    means,
    points,
    ratio,
    rounds_at,
    spread_columns,
    spreads,
)
from augflow.report.score_files import ReferenceRows, pooled
from augflow.report.table import Cell, Column, Row, Table
from augflow.report.trained import bits_are, final, last_step


def temperature(evidence: Evidence) -> Table:
    """Scores of the judge per system of the sweep and temperature, mean and spread over rounds.

    References:
        Full-Glow, table 2.
    """
    real = pooled(compared(evidence).real)
    swept = [p for name in evidence.params.report.sweep for p in points(evidence, name)]
    rows = [Row(p.key, _cells_at(evidence, p, real), _sources(p.name)) for p in swept]
    columns = (
        Column("set"), Column("generator"), Column("temperature", "degree"),
        Column("rounds", "count"), Column("photos", "count"), *spread_columns(MEASURES),
        Column("class_iou.of_real", "ratio"),
        *(Column(f"{kind}.mean", "percent") for kind in ABSENT_ZERO),
    )  # fmt: skip
    return Table("temperature", columns, tuple(rows))


def _cells_at(evidence: Evidence, point: Point, real: Scores) -> dict[str, Cell]:
    rounds = rounds_at(evidence, point)
    judged = evidence.sets[point.name].groups[point.temperature]
    return {
        "set": point.name,
        "generator": evidence.params.sets[point.name].generator,
        "temperature": point.temperature,
        "rounds": len(rounds),
        "photos": sum(map(len, judged.values())),
        **spreads(rounds, MEASURES),
        "class_iou.of_real": ratio(mean(rounds, "class_iou"), real.class_iou),
        **{f"{kind}.mean": mean(rounds, kind) for kind in ABSENT_ZERO},
    }


def _sources(name: str) -> tuple[str, ...]:
    return (f"scores/{name}.json", "scores/references.json", "evidence/params.yaml")


def systems(evidence: Evidence) -> Table:
    """Each system of the sweep at its best temperature, its likelihood, then ceiling and floors.

    References:
        Full-Glow, table 1.
    """
    kept = compared(evidence)
    real = pooled(kept.real)
    rows = [_system_row(evidence, name, real) for name in evidence.params.report.sweep]
    columns = (
        Column("row"), Column("generator"), Column("system"), Column("preset"),
        Column("parameters", "count"), Column("steps", "count"), Column("likelihood"),
        Column("bits_are"), Column("val_bpd", "bits"), Column("set"),
        Column("temperature", "degree"), Column("rounds", "count"), *spread_columns(MEASURES),
        *spread_columns(("class_iou_at_1",)), Column("class_iou.of_real", "ratio"),
    )  # fmt: skip
    empty: dict[str, Cell] = dict.fromkeys(column.name for column in columns)
    for key in ("real", "flat", "wrong") if rows else ():
        found = pooled(getattr(kept, key))
        cells: dict[str, Cell] = {f"{kind}.mean": getattr(found, kind) for kind in MEASURES}
        cells |= {"row": key, "class_iou.of_real": ratio(found.class_iou, real.class_iou)}
        sources = ("scores/references.json", "evidence/params.yaml")
        rows.append(Row(f"reference.{key}", {**empty, **cells}, sources))
    return Table("systems", columns, tuple(rows))


def _system_row(evidence: Evidence, name: str, real: Scores) -> Row:
    generator, top = evidence.params.sets[name].generator, best(evidence, name)
    trained, rounds = evidence.generators[generator], rounds_at(evidence, top)
    where = f"evidence/generators/{generator}"
    whole = next((p for p in points(evidence, name) if p.temperature == 1), None)
    full = spreads(rounds_at(evidence, whole), ["class_iou"]) if whole else {}
    cells: dict[str, Cell] = {
        "row": generator,
        "generator": generator,
        "system": trained.system,
        "preset": trained.preset,
        "parameters": trained.parameters,
        "steps": last_step(trained, f"{where}.csv"),
        "likelihood": trained.likelihood,
        "bits_are": bits_are(trained),
        "val_bpd": final(trained, "val_bpd", f"{where}.csv"),
        "set": name,
        "temperature": top.temperature,
        "rounds": len(rounds),
        **spreads(rounds, MEASURES),
        **{f"class_iou_at_1.{part}": full.get(f"class_iou.{part}") for part in ("mean", "std")},
        "class_iou.of_real": ratio(mean(rounds, "class_iou"), real.class_iou),
    }
    return Row(generator, cells, (*_sources(name), f"{where}.json", f"{where}.csv"))


def references(evidence: Evidence) -> Table:
    """Ceiling, floors and the main system at its best, each with its share of the ceiling's IoU."""
    kept = compared(evidence)
    real = pooled(kept.real)
    rows = [
        _reference_row(name, None, pooled(items), real, ("scores/references.json",))
        for name, items in (("real", kept.real), ("flat", kept.flat), ("wrong", kept.wrong))
    ]
    if evidence.params.report.sweep:
        top = best(evidence, evidence.params.report.sweep[0])
        found = means(rounds_at(evidence, top))
        rows.insert(1, _reference_row("best", top, found, real, _sources(top.name)))
    columns = (
        Column("row"), Column("set"), Column("temperature", "degree"),
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
    key: str, point: Point | None, found: Scores, real: Scores, sources: tuple[str, ...]
) -> Row:
    cells: dict[str, Cell] = {
        "row": key,
        "set": point.name if point else None,
        "temperature": point.temperature if point else None,
    }
    cells |= {measure: getattr(found, measure) for measure in (*MEASURES, *ABSENT_ZERO)}
    cells["class_iou.of_real"] = ratio(found.class_iou, real.class_iou)
    return Row(key, cells, sources)


def judge_per_class(evidence: Evidence) -> Table:
    """The judge's IoU and accuracy per class: ceiling, main system's best, floors, all systems."""
    kept = compared(evidence)
    groups: dict[str, list[Scores]] = {"real": [pooled(kept.real)]}
    sources = ["scores/references.json", "evidence/params.yaml"]
    bests = {
        system_column(evidence, name): rounds_at(evidence, best(evidence, name))
        for name in evidence.params.report.sweep
    }
    if bests:
        groups["best"] = next(iter(bests.values()))
        sources += [f"scores/{name}.json" for name in evidence.params.report.sweep]
    groups |= {"flat": [pooled(kept.flat)], "wrong": [pooled(kept.wrong)]}
    rows = []
    for index, name in enumerate(evidence.classes.names):
        cells: dict[str, Cell] = {"class": name}
        for group, found in groups.items():
            cells[f"{group}.iou"] = class_mean(found, "per_class_iou", index)
            cells[f"{group}.accuracy"] = class_mean(found, "per_class_accuracy", index)
        for column, found in bests.items():
            cells[column] = class_mean(found, "per_class_iou", index)
        rows.append(Row(name, cells, tuple(sources)))
    columns = [Column("class")]
    columns += [Column(f"{g}.{kind}", "percent") for g in groups for kind in ("iou", "accuracy")]
    columns += [Column(column, "percent") for column in bests]
    return Table("judge_per_class", tuple(columns), tuple(rows))


def system_column(evidence: Evidence, name: str) -> str:
    """The column of `judge_per_class` with the IoU of a system at its best, by its set's name."""
    return f"system.{evidence.params.sets[name].generator}.iou"
