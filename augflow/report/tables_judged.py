"""Tables of what the judge saw: systems, temperatures, floors, classes, and ablations."""

from __future__ import annotations

from augflow.metrics.confusion import Scores
from augflow.report.evidence import Evidence, bits_are, final, last_step, pool_scores
from augflow.report.statistics import (
    ABSENT_ZERO,
    MEASURES,
    best,
    best_rounds,
    class_spread,
    mean,
    point_key,
    ratio,
    spread_columns,
    spreads,
    system_column,
)
from augflow.report.table import Cell, Row, Table, columns
from augflow.study.results import ReferenceRows

_ABSENT = {f"{kind}.mean": "percent" for kind in ABSENT_ZERO}
_FRECHET = {"frechet": "ratio"}
_OF_REAL = {"class_iou.of_real": "ratio"}


def temperature(evidence: Evidence) -> Table:
    """Scores of the judge per system of the sweep and temperature, mean and spread over rounds.

    References:
        Full-Glow, table 2.
    """
    real = pool_scores(comparable_references(evidence).real)
    rows = [
        Row(point_key(evidence, name, t), _cells_at(evidence, name, t, real), _sources(name))
        for name in evidence.params.report.sweep
        for t in evidence.params.sets[name].temperatures
    ]
    head = columns("set | generator | temperature: degree | rounds: count | photos: count")
    head |= spread_columns(MEASURES) | _OF_REAL | _ABSENT | _frechet(evidence)
    return Table("temperature", head, rows)


def _frechet(evidence: Evidence) -> dict[str, str]:
    """The column of distances, of a study that has measured them."""
    return _FRECHET if evidence.references.frechet else {}


def _cells_at(evidence: Evidence, name: str, degree: float, real: Scores) -> dict[str, Cell]:
    rounds = evidence.rounds[name][degree]
    return {
        "set": name,
        "generator": evidence.params.sets[name].generator,
        "temperature": degree,
        "rounds": len(rounds),
        "photos": sum(map(len, evidence.sets[name].groups[degree].values())),
        **spreads(rounds, MEASURES),
        "class_iou.of_real": ratio(mean(rounds, "class_iou"), real.class_iou),
        **{f"{kind}.mean": mean(rounds, kind) for kind in ABSENT_ZERO},
        "frechet": evidence.sets[name].distances.get(degree),
    }


def _sources(name: str) -> tuple[str, ...]:
    return (f"scores/{name}.json.gz", "scores/references.json.gz", "evidence/params.yaml")


def systems(evidence: Evidence) -> Table:
    """Each system of the sweep at its best temperature, its likelihood, then ceiling and floors.

    References:
        Full-Glow, table 1.
    """
    kept = comparable_references(evidence)
    real = pool_scores(kept.real)
    rows = [_system_row(evidence, name, real) for name in evidence.params.report.sweep]
    head = columns(
        "row | generator | system | preset | parameters: count | steps: count | likelihood | "
        "bits_are | val_bpd: bits | set | temperature: degree | rounds: count"
    )
    head |= spread_columns((*MEASURES, "class_iou_at_1")) | _OF_REAL | _frechet(evidence)
    for key in ("real", "flat", "wrong") if rows else ():
        found = pool_scores(getattr(kept, key))
        cells: dict[str, Cell] = dict.fromkeys(head)
        cells |= {f"{kind}.mean": getattr(found, kind) for kind in MEASURES}
        cells |= {"row": key, "class_iou.of_real": ratio(found.class_iou, real.class_iou)}
        cells["frechet"] = evidence.references.frechet.get(key)
        sources = ("scores/references.json.gz", "evidence/params.yaml")
        rows.append(Row(f"reference.{key}", cells, sources))
    return Table("systems", head, rows)


def _system_row(evidence: Evidence, name: str, real: Scores) -> Row:
    section, rounds = evidence.params.sets[name], best_rounds(evidence, name)
    generator = section.generator
    trained, where = evidence.generators[generator], f"evidence/generators/{generator}"
    whole = next((t for t in section.temperatures if t == 1), None)
    full = {} if whole is None else spreads(evidence.rounds[name][whole], ["class_iou"])
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
        "temperature": best(evidence, name),
        "rounds": len(rounds),
        **spreads(rounds, MEASURES),
        **{f"class_iou_at_1.{part}": full.get(f"class_iou.{part}") for part in ("mean", "std")},
        "class_iou.of_real": ratio(mean(rounds, "class_iou"), real.class_iou),
        "frechet": evidence.sets[name].distances.get(best(evidence, name)),
    }
    return Row(generator, cells, (*_sources(name), f"{where}.json", f"{where}.csv"))


def references(evidence: Evidence) -> Table:
    """Ceiling, floors and the main system at its best, each with its share of the ceiling's IoU."""
    kept, kinds = comparable_references(evidence), (*MEASURES, *ABSENT_ZERO)
    found = {key: pool_scores(getattr(kept, key)) for key in ("real", "flat", "wrong")}

    def row(key: str, values: dict[str, float], sources: tuple[str, ...], **place: Cell) -> Row:
        share = ratio(values["class_iou"], found["real"].class_iou)
        head: dict[str, Cell] = {"row": key, "set": None, "temperature": None}
        return Row(key, {**head, **place, **values, "class_iou.of_real": share}, sources)

    rows = [
        row(key, {kind: getattr(scored, kind) for kind in kinds}, ("scores/references.json.gz",))
        for key, scored in found.items()
    ]
    name = evidence.params.report.sweep[0]
    values = {kind: mean(best_rounds(evidence, name), kind) for kind in kinds}
    place: dict[str, Cell] = {"set": name, "temperature": best(evidence, name)}
    rows.insert(1, row("best", values, _sources(name), **place))
    head = columns("row | set | temperature: degree") | dict.fromkeys(kinds, "percent")
    return Table("references", head | _OF_REAL, rows)


def comparable_references(evidence: Evidence) -> ReferenceRows:
    """Ceiling and floors on the layouts that the sweep was made for, so that like meets like.

    A sweep that is limited to some of the held-out layouts has them scored on no others.
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


def judge_per_class(evidence: Evidence) -> Table:
    """The judge's IoU and accuracy per class: ceiling, main system's best, floors, all systems."""
    kept, sweep = comparable_references(evidence), evidence.params.report.sweep
    sources = ["scores/references.json.gz", "evidence/params.yaml"]
    sources += [f"scores/{name}.json.gz" for name in sweep]
    bests = {system_column(evidence, name): best_rounds(evidence, name) for name in sweep}
    groups: dict[str, list[Scores]] = {"real": [pool_scores(kept.real)]}
    groups["best"] = next(iter(bests.values()))
    groups |= {"flat": [pool_scores(kept.flat)], "wrong": [pool_scores(kept.wrong)]}
    rows = []
    for index, name in enumerate(evidence.classes.names):
        cells: dict[str, Cell] = {"class": name}
        for group, found in groups.items():
            for kind in ("iou", "accuracy"):
                cells[f"{group}.{kind}"] = class_spread(found, f"per_class_{kind}", index)[0]
        for column, found in bests.items():
            cells[column] = class_spread(found, "per_class_iou", index)[0]
        rows.append(Row(name, cells, tuple(sources)))
    named = [f"{group}.{kind}" for group in groups for kind in ("iou", "accuracy")]
    return Table(
        "judge_per_class", {"class": "text"} | dict.fromkeys([*named, *bests], "percent"), rows
    )


def configurations(evidence: Evidence) -> Table:
    """Depths and boundary maps of one system, at temperature 1 or the one nearest to it.

    References:
        Full-Glow, table 3.
    """
    rows = []
    for generator in evidence.params.report.configurations:
        trained, name = evidence.generators[generator], _set_of(evidence, generator)
        degree = min(evidence.params.sets[name].temperatures, key=lambda t: abs(t - 1))
        rounds = evidence.rounds[name][degree]
        cells: dict[str, Cell] = {
            "generator": generator,
            "boundary maps": trained.boundary or "none",
            "steps per level": " ".join(map(str, trained.levels or [])),
            "steps": sum(trained.levels or []),
            "parameters": trained.parameters,
            "val_bpd": final(trained, "val_bpd", f"evidence/generators/{generator}.csv"),
            "temperature": degree,
            "rounds": len(rounds),
            **spreads(rounds, MEASURES),
        }
        rows.append(Row(generator, cells, _generator_sources(evidence, generator)))
    head = columns(
        "generator | boundary maps | steps per level | steps: count | parameters: count | "
        "val_bpd: bits | temperature: degree | rounds: count"
    )
    return Table("configurations", head | spread_columns(MEASURES), rows)


def released_code(evidence: Evidence) -> Table:
    """What released code costs its own system: each such row beside its repaired one."""
    rows = []
    for pair in evidence.params.report.released.items():
        cells: dict[str, Cell] = dict(zip(("released", "repaired"), pair, strict=True))
        sources: list[str] = []
        ious = []
        for kind, generator in zip(("released", "repaired"), pair, strict=True):
            where = f"evidence/generators/{generator}.csv"
            cells[f"{kind}.val_bpd"] = final(evidence.generators[generator], "val_bpd", where)
            ious.append(mean(best_rounds(evidence, _set_of(evidence, generator)), "class_iou"))
            cells[f"{kind}.class_iou"] = ious[-1]
            sources += _generator_sources(evidence, generator)
        cells["gain"] = ious[1] - ious[0]
        rows.append(Row(pair[0], cells, tuple(dict.fromkeys(sources))))
    head = columns(
        "released | repaired | released.val_bpd: bits | repaired.val_bpd: bits | "
        "released.class_iou: percent | repaired.class_iou: percent | gain: points"
    )
    return Table("released", head, rows)


def best_of(evidence: Evidence) -> Table:
    """Sets of the likeliest of many images beside the same system's plain images.

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
            _chosen_row(evidence, name, plain[0], degree)
            for degree in section.temperatures
            if degree in sets[plain[0]].temperatures
        ]
    head = columns("set | generator | temperature: degree | drawn: count | kept: count")
    head |= spread_columns(("class_iou", "plain")) | {"gain": "points"}
    return Table("chosen", head, rows)


def _chosen_row(evidence: Evidence, name: str, plain: str, degree: float) -> Row:
    section = evidence.params.sets[name]
    ours, theirs = evidence.rounds[name][degree], evidence.rounds[plain][degree]
    usual = spreads(theirs, ["class_iou"])
    cells: dict[str, Cell] = {
        "set": name,
        "generator": section.generator,
        "temperature": degree,
        "drawn": section.best_of,
        "kept": section.rounds,
        **spreads(ours, ["class_iou"]),
        "plain.mean": usual["class_iou.mean"],
        "plain.std": usual["class_iou.std"],
        "gain": mean(ours, "class_iou") - mean(theirs, "class_iou"),
    }
    sources = (f"scores/{name}.json.gz", f"scores/{plain}.json.gz", "evidence/params.yaml")
    return Row(point_key(evidence, name, degree), cells, sources)


def _generator_sources(evidence: Evidence, generator: str) -> tuple[str, ...]:
    where = f"evidence/generators/{generator}"
    name = _set_of(evidence, generator)
    return (f"scores/{name}.json.gz", f"{where}.json", f"{where}.csv", "evidence/params.yaml")


def _set_of(evidence: Evidence, generator: str) -> str:
    """The set of the sweep that a generator has made."""
    sets = evidence.params.sets
    return next(n for n in evidence.params.report.sweep if sets[n].generator == generator)
