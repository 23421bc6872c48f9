"""The numbers of a report: every table is a pure function of the stored evidence."""

from __future__ import annotations

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


def compute_tables(evidence: Evidence) -> dict[str, Table]:
    """All tables that have rows, by name."""
    found = [compute(evidence) for compute in TABLES]
    return {table.name: table for table in found if table.rows}
