"""What a selection decided about every photograph of a set, beside the set that is left.

A selected set is a synthetic set of the photographs that are kept, whose label files hold no class
where a pixel is not trusted. `selection.csv` has a line for each candidate, `selection.json` what
the decisions follow from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from augflow.core import io
from augflow.core.errors import DataError
from augflow.data.synthetic.reader import SyntheticSet

DECISIONS, SELECTION = "selection.csv", "selection.json"

REASONS = ("temperature", "agreement", "typicality", "likelihood", "hardness")
"""Why a photograph may be dropped, in the order in which it is looked at."""


@dataclass(frozen=True)
class Decision:
    """One line of `selection.csv`, the columns in their order.

    Attributes:
        name, layout, round, temperature: as in the source set's manifest.
        kept: whether the photograph is in the selected set.
        reason: why not, one of `REASONS`; empty where it is kept.
        weight: how often it is drawn relative to the others; None where it is dropped.
        agreement: the share of labelled pixels that the judge reads as the layout says.
        trusted: the share of labelled pixels whose label is kept.
        log_p_bpd: bits per dimension under the generator, None where nothing is known.
    """

    name: str
    layout: str
    round: int
    temperature: float
    kept: bool
    reason: str
    weight: float | None
    agreement: float
    trusted: float
    log_p_bpd: float | None


DECISION_COLUMNS = tuple(field.name for field in fields(Decision))


def write_decisions(folder: Path, decisions: Sequence[Decision], facts: Mapping[str, Any]) -> None:
    """Writes both files into a set's folder."""
    rows = [{**vars(one), "kept": "true" if one.kept else "false"} for one in decisions]
    io.write_csv(folder / DECISIONS, rows, DECISION_COLUMNS)
    io.write_json(folder / SELECTION, facts)


def read_decisions(folder: Path) -> list[Decision]:
    """What was decided, in the order of the source set.

    Raises:
        DataError: the file is missing, or a line is not what `write_decisions` writes.
    """
    path = folder / DECISIONS
    decisions = []
    for number, row in enumerate(io.read_csv(path), start=2):
        try:
            decisions.append(_decision(row))
        except (KeyError, ValueError) as fault:
            raise DataError(
                f"{path}: line {number}: not a decision ({fault}); run select again"
            ) from fault
    return decisions


def read_weights(folder: Path, synthetic: SyntheticSet) -> tuple[float, ...]:
    """How often each photograph of a set is drawn; equally often in a set that is not selected.

    Raises:
        DataError: the decisions are not about the set's photographs.
    """
    if not (folder / DECISIONS).exists():
        return (1.0,) * len(synthetic)
    kept = {one.name: one.weight for one in read_decisions(folder) if one.kept}
    if list(kept) != [row.name for row in synthetic.rows]:
        raise DataError(
            f"{folder / DECISIONS}: keeps {len(kept)} photographs, the manifest has "
            f"{len(synthetic)} or others; run select again"
        )
    return tuple(1.0 if weight is None else weight for weight in kept.values())


def _decision(row: Mapping[str, str]) -> Decision:
    if row["kept"] not in ("true", "false"):
        raise ValueError(f"kept is {row['kept']!r}, expected true or false")
    texts: dict[str, Any] = {column: row[column] for column in DECISION_COLUMNS}
    numbers = {key: float(row[key]) for key in ("temperature", "agreement", "trusted")}
    optional = {key: float(row[key]) if row[key] else None for key in ("weight", "log_p_bpd")}
    texts |= numbers | optional | {"round": int(row["round"]), "kept": row["kept"] == "true"}
    return Decision(**texts)
