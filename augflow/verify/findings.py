"""What a check found: how much was compared, what is not as recorded, what is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from yaml import YAMLError

from augflow.core.errors import AugflowError
from augflow.core.hardware import out_of_memory

State = Literal["holds", "does not hold", "cannot be checked", "holds within tolerance"]
EXIT_CODES: dict[State, int] = {
    "holds": 0, "does not hold": 1, "cannot be checked": 2, "holds within tolerance": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A place where something is not what the records say."""

    where: str
    expected: str
    got: str

    def __str__(self) -> str:
        """One line for the user."""
        return f"{self.where}: expected {self.expected}, got {self.got}"


@dataclass
class Check:
    """A group of comparisons, filled while they are made.

    Attributes:
        title: what is checked.
        compared: how many comparisons were made.
        violations: those that failed.
        absent: what could not be compared, as it is not there.
        notes: under which conditions the comparisons were made.
        tolerated: how many comparisons found a difference that another machine may make.
    """

    title: str
    compared: int = 0
    violations: list[Finding] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tolerated: int = 0

    @property
    def state(self) -> State:
        """A violation outweighs what is absent, and that what was tolerated."""
        if self.violations:
            return "does not hold"
        if self.absent:
            return "cannot be checked"
        return "holds within tolerance" if self.tolerated else "holds"

    def facts(self) -> dict[str, Any]:
        """The check as plain JSON."""
        return {**vars(self), "state": self.state, "violations": [vars(v) for v in self.violations]}

    def same(self, where: object, expected: object, got: object) -> bool:
        """Compares two values by equality."""
        return self.add(None if expected == got else Finding(str(where), str(expected), str(got)))

    def add(self, found: Finding | None) -> bool:
        """Counts a comparison made elsewhere; whether it found nothing."""
        self.compared += 1
        if found is not None:
            self.violations.append(found)
        return found is None

    def near(self, found: Finding | None, equal: bool) -> bool:
        """As `add`; what is no finding, but not equal either, was tolerated."""
        self.tolerated += found is None and not equal
        return self.add(found)

    def pixels(
        self, where: object, expected: np.ndarray, got: np.ndarray, tolerance: float = 0.0
    ) -> bool:
        """Compares pixels, see `pixel_finding`."""
        found = pixel_finding(where, expected, got, tolerance)
        return self.near(found, found is None and np.array_equal(expected, got))

    def has(self, path: Path) -> bool:
        """Whether a file or folder is there; noted as absent if it is not."""
        if not path.exists():
            self.lacks(path.as_posix())
        return path.exists()

    def lacks(self, what: str) -> None:
        """Notes that something cannot be checked for want of `what`."""
        if what not in self.absent:
            self.absent.append(what)

    def note(self, text: str) -> None:
        """Adds a note once."""
        if text not in self.notes:
            self.notes.append(text)

    def elsewhere(self, text: str) -> None:
        """Notes what only the machine that made it can make again: told from what was checked."""
        self.tolerated += 1
        self.note(text)

    @contextmanager
    def reading(self, where: object) -> Iterator[None]:
        """What cannot be read inside is a violation, one per line of the error.

        A lack of memory says nothing of what is checked: it is absent.
        """
        try:
            yield
        except AugflowError as fault:
            for line in str(fault).splitlines():
                self.add(_unreadable(line, str(where)))
        except (
            ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError, YAMLError
        ) as fault:  # fmt: skip
            reason = f"{type(fault).__name__}: {' '.join(str(fault).split())}"
            self.add(Finding(str(where), "readable content", reason))
        except (MemoryError, RuntimeError) as fault:
            if not out_of_memory(fault):
                raise
            self.lacks(f"memory for {where}")


def state_of(checks: Sequence[Check]) -> State:
    """The state of all checks together: the worst."""
    states = {check.state for check in checks}
    order: tuple[State, ...] = ("does not hold", "cannot be checked", "holds within tolerance")
    return next((worst for worst in order if worst in states), "holds")


def pixel_finding(
    where: object, expected: np.ndarray, got: np.ndarray, tolerance: float = 0.0
) -> Finding | None:
    """The first pixel that differs by more than `tolerance` in a channel, None where none does.

    Shapes:
        expected: (H, W) or (H, W, 3) integers.
        got: the same shape.
    """
    if expected.shape != got.shape:
        return Finding(str(where), f"shape {expected.shape}", f"shape {got.shape}")
    apart = np.abs(expected.astype(np.int64) - got.astype(np.int64))
    wrong = np.argwhere(apart.reshape(*apart.shape[:2], -1).max(axis=2) > tolerance)
    if not len(wrong):
        return None
    row, column = (int(place) for place in wrong[0])
    place = f"{where}: row {row}, column {column}"
    count = f" ({len(wrong)} pixels differ)" if len(wrong) > 1 else ""
    values = [str(pixels[row, column].tolist()) for pixels in (expected, got)]
    return Finding(place, values[0], values[1] + count)


def compare_json(check: Check, where: object, expected: Any, got: Any, most: int = 20) -> None:
    """Compares two contents of JSON files value by value; names the first that differ."""
    ours, theirs = (dict(_values(_as_read(content))) for content in (expected, got))
    check.compared += len(ours)
    differing = [place for place in {**ours, **theirs}
                 if ours.get(place, _NONE) != theirs.get(place, _NONE)]  # fmt: skip
    for place in differing[:most]:
        texts = (json.dumps(side[place]) if place in side else _NONE for side in (ours, theirs))
        check.add(Finding(f"{where}: {place}", *texts))


_NONE = "nothing"


def _as_read(content: Any) -> Any:
    return json.loads(json.dumps(content))


def _values(content: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value below a content, under its dotted place."""
    parts = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in parts:
        name = f"{place}.{key}" if place else str(key)
        if isinstance(value, dict | list) and value:
            yield from _values(value, name)
        else:
            yield name, value


def around(expected: str, got: str, width: int = 40) -> tuple[str, str]:
    """Two lines, cut to what stands around the first character that differs."""
    same = 0
    while same < min(len(expected), len(got)) and expected[same] == got[same]:
        same += 1
    start = max(0, same - width // 2)
    return repr(expected[start : same + width]), repr(got[start : same + width])


def _unreadable(line: str, where: str) -> Finding:
    """An error's line, `WHERE: WHAT; REMEDY`, as a finding."""
    place, parted, rest = line.partition(": ")
    if not parted or " " in place:
        place, rest = where, line
    return Finding(place, "what was recorded", rest.partition("; ")[0])
