"""Tables of attributes: whether they come out as asked for, and whether the others stay."""

from __future__ import annotations

from augflow.report.attribute_file import AttributeScores, Read
from augflow.report.evidence import Evidence
from augflow.report.table import Cell, Column, Row, Table

REAL = "real photographs"
SOURCES = ("scores/attributes.json",)


def attributes(evidence: Evidence) -> Table:
    """Accuracy of attributes in photographs and the variance of their mean over layouts.

    `light` is how often dark and bright photographs came out so, where a system can be asked for
    them; `layout` is how often photographs have much of the classes that their layout has much of.

    References:
        CAGlow (Liu et al. 2019), table 2.
    """
    scores: AttributeScores | None = evidence.attributes
    rows = []
    if scores is not None:
        for name, read in {REAL: scores.real, **scores.generators}.items():
            rows.append(Row(name, {"photographs": name, **_cells(scores, read)}, SOURCES))
    columns = (
        Column("photographs"), Column("accuracy", "percent"), Column("light", "percent"),
        Column("layout", "percent"), Column("variance", "tiny"),
    )  # fmt: skip
    return Table("attributes", columns, tuple(rows))


def attribute_changes(evidence: Evidence) -> Table:
    """How far the mean probability of attributes that were left alone moves at each change.

    References:
        CAGlow (Liu et al. 2019), table 3.
    """
    scores: AttributeScores | None = evidence.attributes
    made = scores.generators if scores is not None else {}
    count = max((len(one.changes) for one in made.values()), default=0)
    rows = []
    for number in range(count):
        cells: dict[str, Cell] = {"change": number + 1}
        cells.update({name: one.changes[number] for name, one in made.items()})
        rows.append(Row(str(number + 1), cells, SOURCES))
    columns = (Column("change", "count"), *(Column(name, "ratio") for name in made))
    return Table("attribute_changes", columns, tuple(rows))


def _cells(scores: AttributeScores, read: Read) -> dict[str, Cell]:
    light = [
        value
        for name, value in zip(scores.names, read.accuracy_each, strict=True)
        if name in ("dark", "bright") and value is not None
    ]
    return {
        "accuracy": read.accuracy,
        "light": sum(light) / len(light) if light else None,
        "layout": read.accuracy_layout,
        "variance": read.variance,
    }
