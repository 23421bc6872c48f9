"""Tables of what differs within a system: depth, boundary maps, and repairs of released code."""

from __future__ import annotations

from collections.abc import Sequence

from augflow.metrics.confusion import Scores
from augflow.report.evidence import Evidence
from augflow.report.measures import (
    MEASURES,
    Point,
    best,
    mean,
    points,
    rounds_at,
    spread_columns,
    spreads,
)
from augflow.report.table import Cell, Column, Row, Table
from augflow.report.trained import final


def configurations(evidence: Evidence) -> Table:
    """Depths and boundary maps of one system, at temperature 1 or the one nearest to it.

    References:
        Full-Glow, table 3.
    """
    rows = [_configuration(evidence, name) for name in evidence.params.report.configurations]
    columns = (
        Column("generator"), Column("boundary maps"), Column("steps per level"),
        Column("steps", "count"), Column("parameters", "count"), Column("val_bpd", "bits"),
        Column("temperature", "degree"), Column("rounds", "count"), *spread_columns(MEASURES),
    )  # fmt: skip
    return Table("configurations", columns, tuple(rows))


def _configuration(evidence: Evidence, generator: str) -> Row:
    trained = evidence.generators[generator]
    levels = trained.levels or []
    temperature, rounds, sources = _near_one(evidence, generator)
    cells: dict[str, Cell] = {
        "generator": generator,
        "boundary maps": trained.boundary or "none",
        "steps per level": " ".join(map(str, levels)),
        "steps": sum(levels),
        "parameters": trained.parameters,
        "val_bpd": final(trained, "val_bpd", f"evidence/generators/{generator}.csv"),
        "temperature": temperature,
        "rounds": len(rounds),
        **spreads(rounds, MEASURES),
    }
    return Row(generator, cells, sources)


def released(evidence: Evidence) -> Table:
    """What released code costs its own system: each such row beside its repaired one."""
    rows = [
        _pair(evidence, crippled, repaired)
        for crippled, repaired in evidence.params.report.released.items()
    ]
    columns = (
        Column("released"), Column("repaired"), Column("released.val_bpd", "bits"),
        Column("repaired.val_bpd", "bits"), Column("released.class_iou", "percent"),
        Column("repaired.class_iou", "percent"), Column("gain", "points"),
    )  # fmt: skip
    return Table("released", columns, tuple(rows))


def _pair(evidence: Evidence, crippled: str, repaired: str) -> Row:
    cells: dict[str, Cell] = {"released": crippled, "repaired": repaired}
    sources: list[str] = []
    ious = {}
    for kind, generator in (("released", crippled), ("repaired", repaired)):
        where = f"evidence/generators/{generator}.csv"
        cells[f"{kind}.val_bpd"] = final(evidence.generators[generator], "val_bpd", where)
        found = _best_rounds(evidence, generator)
        ious[kind] = mean(found, "class_iou")
        cells[f"{kind}.class_iou"] = ious[kind]
        sources += _sources(evidence, generator)
    cells["gain"] = ious["repaired"] - ious["released"]
    return Row(crippled, cells, tuple(dict.fromkeys(sources)))


def chosen(evidence: Evidence) -> Table:
    """Sets of the likeliest of many photographs beside the same system's plain photographs.

    References:
        CAFLOW, section 4.4.
    """
    sets, sweep = evidence.params.sets, evidence.params.report.sweep
    rows = []
    for name, section in sets.items():
        plain = [n for n in sweep if sets[n].generator == section.generator and n != name]
        if section.best_of is None or not plain or name not in evidence.sets:
            continue
        rows += [
            _chosen_row(evidence, point, plain[0])
            for point in points(evidence, name)
            if point.temperature in sets[plain[0]].temperatures
        ]
    columns = (
        Column("set"), Column("generator"), Column("temperature", "degree"),
        Column("drawn", "count"), Column("kept", "count"), *spread_columns(("class_iou",)),
        *spread_columns(("plain",)), Column("gain", "points"),
    )  # fmt: skip
    return Table("chosen", columns, tuple(rows))


def _chosen_row(evidence: Evidence, point: Point, plain: str) -> Row:
    section = evidence.params.sets[point.name]
    other = next(p for p in points(evidence, plain) if p.temperature == point.temperature)
    ours, theirs = rounds_at(evidence, point), rounds_at(evidence, other)
    usual = spreads(theirs, ["class_iou"])
    cells: dict[str, Cell] = {
        "set": point.name,
        "generator": section.generator,
        "temperature": point.temperature,
        "drawn": section.best_of,
        "kept": section.rounds,
        **spreads(ours, ["class_iou"]),
        "plain.mean": usual["class_iou.mean"],
        "plain.std": usual["class_iou.std"],
        "gain": mean(ours, "class_iou") - mean(theirs, "class_iou"),
    }
    sources = (f"scores/{point.name}.json", f"scores/{plain}.json", "evidence/params.yaml")
    return Row(point.key, cells, sources)


def _best_rounds(evidence: Evidence, generator: str) -> Sequence[Scores]:
    return rounds_at(evidence, best(evidence, set_of(evidence, generator)))


def _near_one(
    evidence: Evidence, generator: str
) -> tuple[float, Sequence[Scores], tuple[str, ...]]:
    name = set_of(evidence, generator)
    point = min(points(evidence, name), key=lambda p: abs(p.temperature - 1))
    return point.temperature, rounds_at(evidence, point), _sources(evidence, generator)


def _sources(evidence: Evidence, generator: str) -> tuple[str, ...]:
    where = f"evidence/generators/{generator}"
    name = set_of(evidence, generator)
    return (f"scores/{name}.json", f"{where}.json", f"{where}.csv", "evidence/params.yaml")


def set_of(evidence: Evidence, generator: str) -> str:
    """The set of the sweep that a generator has made."""
    sets = evidence.params.sets
    return next(n for n in evidence.params.report.sweep if sets[n].generator == generator)
