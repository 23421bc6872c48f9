"""The table of predictors: class maps that a flow predicts from held-out photographs."""

from __future__ import annotations

from augflow.metrics import Scores
from augflow.report.evidence import Evidence
from augflow.report.score_files import pooled
from augflow.report.table import Cell, Column, Row, Table

JUDGE = "judge"
"""The row of the segmentation network that looks at the same photographs."""


def predictions(evidence: Evidence) -> Table:
    """Scores on real held-out photographs per predictor and number of samples; then the judge's.

    References:
        C-Glow (Lu and Huang 2020), section 4.3 and tables 1 and 2.
    """
    rows = [
        Row(
            f"{name}@{part.samples}",
            _cells(name, len(part.items), part.samples, part.scores),
            (f"scores/predictors/{name}.json",),
        )
        for name, found in evidence.predictors.items()
        for part in found.samples
    ]
    if rows:
        real = evidence.references.rows.real
        cells = _cells(JUDGE, len(real), None, pooled(real))
        rows.append(Row(JUDGE, cells, ("scores/references.json",)))
    columns = (
        Column("predictor"), Column("photographs", "count"), Column("samples", "count"),
        Column("pixel_accuracy", "percent"), Column("class_accuracy", "percent"),
        Column("class_iou", "percent"), Column("class_iou_absent_zero", "percent"),
    )  # fmt: skip
    return Table("predictions", columns, tuple(rows))


def _cells(name: str, photographs: int, samples: int | None, found: Scores) -> dict[str, Cell]:
    return {
        "predictor": name,
        "photographs": photographs,
        "samples": samples,
        "pixel_accuracy": found.pixel_accuracy,
        "class_accuracy": found.class_accuracy,
        "class_iou": found.class_iou,
        "class_iou_absent_zero": found.class_iou_absent_zero,
    }
