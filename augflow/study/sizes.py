"""How many bytes files will take on a disk, told from what goes into them: in whole blocks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from augflow.core import io
from augflow.core.disk import Need, block

if TYPE_CHECKING:
    from torch import Tensor

NUMBER = 1 / 3
"""Takes as many digits as most numbers of a table."""


@dataclass(frozen=True)
class Amount:
    """What a stage writes.

    Attributes:
        size: bytes on disk.
        distinct: bytes of files of different content, of which DVC keeps one each.
        largest: bytes of the largest file.
        files: how many there are.
    """

    size: int = 0
    distinct: int = 0
    largest: int = 0
    files: int = 0

    def __add__(self, other: Amount) -> Amount:
        """Both of them."""
        return Amount(
            self.size + other.size, self.distinct + other.distinct,
            max(self.largest, other.largest), self.files + other.files,
        )  # fmt: skip

    def times(self, count: int, distinct: int | None = None) -> Amount:
        """So many of it, of which `distinct` differ; all by default."""
        kinds = count if distinct is None else min(count, distinct)
        return Amount(
            self.size * count, self.distinct * kinds, self.largest if count else 0,
            self.files * count,
        )  # fmt: skip

    @property
    def need(self) -> Need:
        """What has to be free for it."""
        return Need(self.size, self.largest)


NOTHING = Amount()


def one_file(size: float, where: Path) -> Amount:
    """A file of so many bytes, on the disk of a folder."""
    unit = block(where)
    taken = -(-max(int(size), 1) // unit) * unit
    return Amount(taken, taken, taken, 1)


def tree(folder: Path) -> Amount:
    """The files that are in a folder; of none, nothing."""
    total = Amount()
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file():
            total += one_file(path.stat().st_size, folder)
    return total


def table_file(columns: Sequence[str], rows: int, where: Path) -> Amount:
    """A CSV file of numbers."""
    line = len(io.csv_bytes([dict.fromkeys(columns, NUMBER)], columns)) - len(
        io.csv_bytes([], columns)
    )
    return one_file(len(io.csv_bytes([], columns)) + rows * line, where)


def tensors(state: Iterable[Tensor]) -> int:
    """Bytes of the numbers of some tensors, on whatever device they are."""
    return sum(one.numel() * one.element_size() for one in state)


def weights_file(state: Mapping[str, Tensor], where: Path) -> Amount:
    """The safetensors file of a state: its numbers, and their names and places before them."""
    head = sum(len(_head(name, one)) for name, one in state.items())
    return one_file(tensors(state.values()) + head, where)


def state_file(state: Mapping[str, Tensor], learned: Iterable[Tensor], where: Path) -> Amount:
    """The resume state of a training that has begun.

    Args:
        state: of the learner, as it is; moments come with the first step if they are not there.
        learned: the weights that have two moments each.
        where: a folder on the disk in question.
    """
    from math import prod

    known = {name: one for name, one in state.items() if "exp_avg" not in name}
    head = sum(len(_head(name, one)) for name, one in known.items())
    weights = list(learned)
    moments = sum(2 * prod(one.shape) * one.element_size() for one in weights)
    names = 2 * len(weights) * (head // max(len(known), 1))
    return one_file(tensors(known.values()) + moments + head + names, where)


def resumed(state: Amount, *runs: Path) -> Need:
    """What the states of networks still take that learn one after the other, each in its folder.

    Of each network two states are kept, and a third is written beside them; those that are there
    already are replaced.
    """
    kept = 2 * state.size
    there = [sum(path.stat().st_size for path in run.glob("*.safetensors")) for run in runs]
    return Need(sum(kept - min(one, kept) for one in there) + state.size, state.largest)


def _head(name: str, tensor: Tensor) -> str:
    """What the head of a safetensors file says of a tensor."""
    places = [0, 10**9]
    facts = {name: {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": places}}
    return json.dumps(facts, separators=(",", ":"))
