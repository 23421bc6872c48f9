"""The predictor files of a report, checked as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from augflow.core.errors import DataError
from augflow.data.classes import ClassTable
from augflow.metrics import Scores, scores
from augflow.report.records import Record, read
from augflow.study.params import Params

Count = Annotated[int, Field(ge=0)]


class Item(Record):
    """One held-out photograph: truth in the rows, prediction in the columns."""

    name: str
    confusion: list[list[Count]]


class Sampled(Record):
    """The predictions from the mean of so many samples."""

    samples: int
    items: Annotated[list[Item], Field(min_length=1)]

    @property
    def scores(self) -> Scores:
        """Scores of all photographs, their matrices summed first."""
        return scores(np.sum([np.array(item.confusion, np.int64) for item in self.items], axis=0))


class PredictorScores(Record):
    """What stage predict found of one predictor."""

    predictor: str
    classes: list[str]
    samples: Annotated[list[Sampled], Field(min_length=1)]


def load(folder: Path, params: Params, table: ClassTable) -> Mapping[str, PredictorScores]:
    """The files of a folder by predictor, as `params` lists them and as far as they are there.

    Raises:
        DataError: a file is damaged, of other classes, or of another predictor.
    """
    paths = {name: folder / f"{name}.json" for name in params.predictors}
    return {name: _read(path, name, table) for name, path in paths.items() if path.exists()}


def _read(path: Path, name: str, table: ClassTable) -> PredictorScores:
    found = read(PredictorScores, path, "run stage predict again")
    matrices = [item.confusion for part in found.samples for item in part.items]
    expected = {
        "predictor": (name, found.predictor),
        "classes": (list(table.names), found.classes),
        "rows of a matrix": ({table.count}, {len(matrix) for matrix in matrices}),
        "counts of a row": ({table.count}, {len(row) for matrix in matrices for row in matrix}),
    }
    for what, (wanted, got) in expected.items():
        if wanted != got:
            raise DataError(
                f"{path}: {what}: expected {wanted}, got {got}; run stage predict again"
            )
    return found
