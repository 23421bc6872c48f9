"""How the judge read the photographs of a set, class by class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from augflow.core.errors import DataError
from augflow.report.records import read
from augflow.report.score_files import SetScores
from augflow.tools.provenance.home import Home


@dataclass(frozen=True)
class Judged:
    """The confusion matrices of a set.

    Attributes:
        file: where they were read.
        judge: the digest of the judge.
        matrices: (K, K) int64 by the photograph's name, rows ground truth.
    """

    file: Path
    judge: str
    classes: tuple[str, ...]
    matrices: dict[str, np.ndarray]

    def pooled(self, names: Iterable[str]) -> np.ndarray | None:
        """The sum of the matrices of some photographs, None where none of them was scored."""
        found = [self.matrices[name] for name in names if name in self.matrices]
        return np.sum(found, axis=0) if found else None


def judged(home: Home, name: str) -> Judged | None:
    """The scores of a set, None where it was not scored.

    Raises:
        DataError: the file is damaged.
    """
    path = home.scores(name)
    if path is None:
        return None
    found = read(SetScores, path, "score it again")
    count = len(found.classes)
    matrices = {item.name: np.array(item.confusion, np.int64) for item in found.items}
    wrong = [one for one, matrix in matrices.items() if matrix.shape != (count, count)]
    if wrong:
        raise DataError(
            f"{path}: confusion of {wrong[0]}: expected {count} rows of {count} counts; "
            "score it again"
        )
    return Judged(path, found.judge, tuple(found.classes), matrices)
