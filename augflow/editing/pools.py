"""Layouts of prepared scenes as pools that new ones are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from augflow.data import boundaries
from augflow.data.scenes import SceneFolder, evenly
from augflow.editing.objects import ObjectMap, guessed

SAMPLE = 16
"""So many layouts say how strong the edges of boundary maps are."""


class ScenePool(Mapping[str, ObjectMap]):
    """Some scenes of a split by name; their objects are connected components of things."""

    def __init__(self, folder: SceneFolder, rows: Sequence[int]) -> None:
        """Takes the scenes of some rows."""
        self._folder, self._rows = folder, {folder.names[row]: row for row in rows}

    def __getitem__(self, name: str) -> ObjectMap:
        """The objects of a scene."""
        layout = self._folder.scenes([self._rows[name]]).layout
        return guessed(layout.classes[0].numpy(), self._folder.table)

    def __iter__(self) -> Iterator[str]:
        """The names, in the order of their rows."""
        return iter(self._rows)

    def __len__(self) -> int:
        """The number of scenes."""
        return len(self._rows)

    def strength(self) -> float:
        """How strong edges of the boundary maps are: the median over some of the scenes."""
        names = list(self)
        found = []
        for place in evenly(len(names), SAMPLE):
            edges = self._folder.scenes([self._rows[names[place]]]).layout.boundary[0].numpy()
            found.append(boundaries.strength(edges, self[names[place]].ids))
        return float(np.median(found))
