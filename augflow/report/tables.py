"""The numbers of a report: every table is a pure function of the stored evidence."""

from __future__ import annotations

from collections.abc import Callable

from augflow.report import costing, leak_file
from augflow.report.ablations import chosen, configurations, released
from augflow.report.attributed import attribute_changes, attributes
from augflow.report.comparing import comparisons, comparisons_per_class, more_real
from augflow.report.diverse import diversity, diversity_spread
from augflow.report.evidence import Evidence
from augflow.report.judged import judge_per_class, references, systems, temperature
from augflow.report.predicted import predictions
from augflow.report.retrained import arms, arms_per_class, runs
from augflow.report.selecting import choices, selections
from augflow.report.table import Table
from augflow.report.trained import bpd_curve, classes, data, generators

TABLES: dict[str, Callable[[Evidence], Table]] = {
    "systems": systems,
    "temperature": temperature,
    "configurations": configurations,
    "released": released,
    "chosen": chosen,
    "references": references,
    "judge_per_class": judge_per_class,
    "diversity": diversity,
    "diversity_spread": diversity_spread,
    "attributes": attributes,
    "attribute_changes": attribute_changes,
    "predictions": predictions,
    "arms": arms,
    "runs": runs,
    "comparisons": comparisons,
    "comparisons_per_class": comparisons_per_class,
    "more_real": more_real,
    "arms_per_class": arms_per_class,
    "costs": lambda evidence: costing.costs(evidence.costs, evidence.params.arms),
    "selections": selections,
    "choices": choices,
    "nearest": lambda evidence: leak_file.nearest(evidence.leaks),
    "generators": generators,
    "bpd_curve": bpd_curve,
    "data": data,
    "classes": classes,
}


def computed(evidence: Evidence) -> dict[str, Table]:
    """All tables that have rows, by name."""
    found = {name: make(evidence) for name, make in TABLES.items()}
    return {name: table for name, table in found.items() if table.rows}
