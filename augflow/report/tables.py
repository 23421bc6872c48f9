"""The numbers of a report: every table is a pure function of the stored evidence."""

from __future__ import annotations

from collections.abc import Mapping

from augflow.core import io
from augflow.report import tables_arms, tables_judged, tables_probed, tables_study
from augflow.report.evidence import Evidence
from augflow.report.table import Table

TABLES = (
    tables_judged.systems,
    tables_judged.temperature,
    tables_judged.configurations,
    tables_judged.released_code,
    tables_judged.best_of,
    tables_judged.references,
    tables_judged.judge_per_class,
    tables_probed.diversity,
    tables_probed.diversity_spread,
    tables_probed.attributes,
    tables_probed.attribute_changes,
    tables_probed.predictions,
    tables_arms.arms,
    tables_arms.runs,
    tables_arms.comparisons,
    tables_arms.comparisons_per_class,
    tables_arms.more_real,
    tables_arms.arms_per_class,
    tables_arms.costs,
    tables_study.selections,
    tables_study.choices,
    tables_study.nearest,
    tables_study.generators,
    tables_study.bpd_curve,
    tables_study.data,
    tables_study.classes,
)


_METRICS = {
    "systems": {"class_iou": "class_iou.mean", "val_bpd": "val_bpd", "frechet": "frechet"},
    "arms": {"class_iou": "class_iou.mean"},
    "comparisons": {"difference": "difference", "low": "low", "high": "high"},
}
"""Tables that `dvc metrics` shows numbers of: name -> column."""


def main_metrics(tables: Mapping[str, Table]) -> dict[str, dict[str, dict[str, float]]]:
    """The main numbers of a study by table, row and name, to the digits of the tables."""
    return {
        name: {
            row.key: {
                key: float(io.cell(row.cells[column]))
                for key, column in wanted.items()
                if column in tables[name].columns and row.cells[column] is not None
            }
            for row in tables[name].rows
        }
        for name, wanted in _METRICS.items()
        if name in tables
    }


def compute_tables(evidence: Evidence) -> dict[str, Table]:
    """All tables that have rows, by name."""
    found = [compute(evidence) for compute in TABLES]
    return {table.name: table for table in found if table.rows}
