"""Tables of the retrained networks on real validation photographs."""

from __future__ import annotations

from augflow.report.evidence import Evidence
from augflow.report.measures import (
    ABSENT_ZERO,
    MEASURES,
    class_values,
    mean,
    spread_columns,
    spreads,
)
from augflow.report.score_files import Run, pooled
from augflow.report.spread import spread
from augflow.report.table import Cell, Column, Row, Table


def runs(evidence: Evidence) -> Table:
    """Each retrained network on the real validation photographs."""
    rows = [
        Row(
            f"{arm}-{run.seed}",
            {"arm": arm, "seed": run.seed, "steps": run.steps, "photos": len(run.items),
             **{kind: getattr(pooled(run.items), kind) for kind in (*MEASURES, *ABSENT_ZERO)}},
            ("scores/arms.json",),
        )
        for arm, members in runs_by_arm(evidence).items()
        for run in members
    ]  # fmt: skip
    columns = (
        Column("arm"), Column("seed", "step"), Column("steps", "count"), Column("photos", "count"),
        *(Column(kind, "percent") for kind in (*MEASURES, *ABSENT_ZERO)),
    )  # fmt: skip
    return Table("runs", columns, tuple(rows))


def arms(evidence: Evidence) -> Table:
    """Mean and spread over seeds of what networks trained on each arm score on real photographs."""
    rows = []
    for arm, members in runs_by_arm(evidence).items():
        found = [pooled(run.items) for run in members]
        section = evidence.params.arms.get(arm)
        cells: dict[str, Cell] = {
            "arm": arm,
            "trained_on": " + ".join(section.train_on) if section else None,
            "augmentation": section.augment if section else None,
            "seeds": len(members),
            "steps": max(run.steps for run in members),
            **spreads(found, MEASURES),
            **{f"{kind}.mean": mean(found, kind) for kind in ABSENT_ZERO},
        }
        rows.append(Row(arm, cells, ("scores/arms.json", "evidence/params.yaml")))
    columns = (
        Column("arm"), Column("trained_on"), Column("augmentation"), Column("seeds", "count"),
        Column("steps", "count"), *spread_columns(MEASURES),
        *(Column(f"{kind}.mean", "percent") for kind in ABSENT_ZERO),
    )  # fmt: skip
    return Table("arms", columns, tuple(rows))


def arms_per_class(evidence: Evidence) -> Table:
    """The same per class: IoU and accuracy, mean and spread over seeds."""
    rows = []
    for arm, members in runs_by_arm(evidence).items():
        found = [pooled(run.items) for run in members]
        for index, name in enumerate(evidence.classes.names):
            cells: dict[str, Cell] = {"arm": arm, "class": name}
            for kind in ("iou", "accuracy"):
                values = class_values(found, f"per_class_{kind}", index)
                measured = spread(values) if values else None
                cells[f"{kind}.mean"] = measured.mean if measured else None
                cells[f"{kind}.std"] = measured.std if measured else None
            rows.append(Row(f"{arm}.{name}", cells, ("scores/arms.json",)))
    columns = (Column("arm"), Column("class"), *spread_columns(("iou", "accuracy")))
    return Table("arms_per_class", columns, tuple(rows))


def runs_by_arm(evidence: Evidence) -> dict[str, list[Run]]:
    """The runs by arm: arms in the order of params, runs by seed."""
    found = list(evidence.arms.runs.values()) if evidence.arms else []
    known = list(evidence.params.arms)
    rest = sorted({run.arm for run in found} - set(known))
    grouped = {
        arm: sorted((run for run in found if run.arm == arm), key=lambda run: run.seed)
        for arm in (*known, *rest)
    }
    return {arm: members for arm, members in grouped.items() if members}
