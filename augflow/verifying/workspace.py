"""What several checks look at, opened once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augflow import files, seeds
from augflow.classes import IGNORE
from augflow.synthesizer import Generator
from augflow.synthetic import SetRow, read_rows
from augflow.tracing.remaking import Splits
from augflow.verifying.environment import Machines
from augflow.verifying.findings import Check

if TYPE_CHECKING:
    from augflow.project import Project
    from augflow.segmenters import MmsegSegmenter


class Workspace:
    """The artefacts of a project's study.

    Everything raises DataError or ModelError where it cannot be read.
    """

    def __init__(self, project: Project) -> None:
        """Opens nothing yet."""
        self.project = project
        self.splits = Splits(project.prepared)
        self.split, self.row_of = self.splits.split, self.splits.row_of
        self.generator = cache(self._generator)
        self.segmenter = cache(self._segmenter)
        self.labelled = cache(self._labelled)

    @property
    def set_names(self) -> list[str]:
        """Synthetic and transferred sets."""
        return [*self.project.params.sets, *self.project.params.transfers]

    def rows(self, name: str) -> list[SetRow]:
        """The manifest of a set."""
        return read_rows(self.project.synthetic(name))

    def chosen(self, count: int, *names: str) -> list[int]:
        """The items of a stage that are made again, by the seed in section `verify` of params."""
        params = self.project.params.verify
        order = seeds.generator(params.seed, "verify", *names).permutation(count)
        return sorted(int(row) for row in order[: params.items])

    def tolerance(self, check: Check, machines: Machines, artefact: Path) -> float:
        """Grey values by which a remade artefact may differ: 0 on the machine that made it."""
        if machines.here(artefact):
            return 0.0
        allowed = self.project.params.verify.tolerance
        check.note(f"within {allowed:g} grey values where made on another or an unknown machine")
        return allowed

    def _labelled(self, split: str) -> dict[str, np.ndarray]:
        """How many pixels of each class a scene's class map holds, (K,) int64."""
        folder = self.split(split)
        maps = folder.scenes().layout.classes.numpy()
        count = folder.table.count
        return {
            name: np.bincount(classes[classes != IGNORE], minlength=count)
            for name, classes in zip(folder.names, maps, strict=True)
        }

    def _generator(self, name: str) -> Generator:
        from augflow import generators

        return generators.load(self.project.generator(name))

    def _segmenter(self, folder: Path) -> MmsegSegmenter:
        import torch

        from augflow import segmenters

        return segmenters.load(folder).to("cuda" if torch.cuda.is_available() else "cpu")


def recorded_digest(folder: Path) -> str:
    """The digest of the weights of a saved generator or segmenter, as its `config.json` has it.

    Raises:
        DataError: missing or not JSON.
        KeyError: it records none.
    """
    record = files.read_json(folder / "config.json")
    return record["weights"] if "weights" in record else record["digest"]
