"""What arms cost in arithmetic, as stage costs counted it, checked as it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from augflow.core.errors import DataError
from augflow.report.records import Record, read
from augflow.study.params import Params

FILE = "costs.json"

PARTS = ("training", "generator", "photographs", "judge", "choice")
"""Where the operations behind an arm go, in the order in which tables have them."""

Count = Annotated[int, Field(ge=0)]


class ArmCost(Record):
    """Operations behind one network of an arm, see `stages.costs.Cost`."""

    training: Annotated[int, Field(gt=0)]
    generator: Count
    photographs: Count
    judge: Count
    choice: Count

    @property
    def total(self) -> int:
        """All of them."""
        return self.training + self.generator + self.photographs + self.judge + self.choice


class Costs(Record):
    """What stage costs counted, by arm."""

    steps: Count
    arms: dict[str, ArmCost]


def load(path: Path, params: Params) -> Costs | None:
    """The file, None where there is none.

    Raises:
        DataError: it is damaged, or about other arms.
    """
    if not path.exists():
        return None
    found = read(Costs, path, "run stage costs again")
    if found.arms.keys() != params.arms.keys() or found.steps != params.retrain.segmenter.steps:
        raise DataError(
            f"{path}: counts {len(found.arms)} arms of {found.steps} steps, which are not those of "
            "params.yaml; run stage costs again"
        )
    return found
