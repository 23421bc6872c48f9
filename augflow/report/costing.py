"""What arms cost in arithmetic: the table, and a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from augflow.report.answers import Answer
from augflow.report.citations import Citations
from augflow.report.cost_file import FILE, PARTS, Costs
from augflow.report.table import Cell, Column, Row, Table


def costs(found: Costs | None, arms: Iterable[str]) -> Table:
    """The operations behind one network of each arm, and how many times its own training's.

    Args:
        found: what was counted, if anything.
        arms: the arms in the order of the table.
    """
    counted = {arm: found.arms[arm] for arm in arms} if found else {}
    rows = []
    for arm, cost in counted.items():
        parts: Mapping[str, Cell] = {part: getattr(cost, part) for part in PARTS}
        cells = {"arm": arm, **parts, "total": cost.total, "times": cost.total / cost.training}
        rows.append(Row(arm, cells, (f"scores/{FILE}",)))
    columns = (Column("arm"), *(Column(part, "tera") for part in (*PARTS, "total")),
               Column("times", "times"))  # fmt: skip
    return Table("costs", columns, tuple(rows))


def cost_sentence(answer: Answer, table: Table, cite: Citations) -> str:
    """What a network of the arm that an answer names costs beside one without photographs."""
    arm, against = (str(answer.row.cells[key]) for key in ("arm", "against"))
    row = table.row(arm)
    total, times = (cite.cell(table.name, row, key) for key in ("total", "times"))
    spent = max(PARTS, key=lambda part: int(str(row.cells[part])))
    words = {
        "training": "its own training", "generator": "training the generator",
        "photographs": "making the photographs", "judge": "the judge",
        "choice": "choosing the temperature",
    }  # fmt: skip
    most = cite.cell(table.name, row, spent)
    return (
        f"One network of {arm} takes {total} million million operations, {times} times those of "
        f"one of {against}; most of them, {most}, go into {words[spent]}."
    )
