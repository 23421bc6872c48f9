"""What a check found: how much was compared, what is not as recorded, what is not there."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ruamel.yaml.error import YAMLError

from augflow.core import io
from augflow.core.errors import AugflowError, on_one_line
from augflow.core.hardware import out_of_memory

if TYPE_CHECKING:
    from augflow.study.project import Project

State = Literal["holds", "does not hold", "cannot be checked", "holds within tolerance"]
EXIT_CODES: dict[State, int] = {
    "holds": 0,
    "does not hold": 1,
    "cannot be checked": 2,
    "holds within tolerance": 3,
}
LEVELS = {
    0: "all is as recorded",
    1: "a little is made again",
    2: "all of it is made again",
    3: "what the report says is counted again",
}
"""Level -> what it asks."""

GREY = 2
"""Grey values by which a channel of an image that another machine made may differ.

Under AVX2 and SSE4.1 in place of AVX-512 no channel of 116 images of smoke studies moved by more
than 1.
"""

GREY_PIXELS = 0.01
"""Share of the pixels of such an image that may differ at all; it was 0.0007 at most."""

_NONE = "nothing"


@dataclass(frozen=True)
class Sample:
    """What level 1 makes again, which is for who verifies to say, not for the study.

    Attributes:
        items: so many of each stage; None are all.
        trainings: so many networks are trained again, which takes as long as their training did.
        seed: draws them. By default each run takes another, from the system: one that the author of
            a study could know, or compute from it, would be one for which a lie is not drawn.
    """

    items: int | None = 2
    trainings: int = 0
    seed: int = field(default_factory=lambda: secrets.randbelow(2**32))

    def __str__(self) -> str:
        """The options that draw it again."""
        items = "all" if self.items is None else self.items
        return f"--items {items} --trainings {self.trainings} --seed {self.seed}"


@dataclass(frozen=True)
class Finding:
    """A place where something is not what the records say."""

    where: str
    expected: str
    got: str

    def __str__(self) -> str:
        """One line for the user."""
        return on_one_line(f"{self.where}: expected {self.expected}, got {self.got}")


@dataclass
class Check:
    """A group of comparisons, filled while they are made.

    Attributes:
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

    def add(self, found: Finding | None, equal: bool = True) -> bool:
        """Counts a comparison made elsewhere; whether it found nothing.

        What is no finding, but not equal either, was tolerated.
        """
        self.compared += 1
        self.tolerated += found is None and not equal
        if found is not None:
            self.violations.append(found)
        return found is None

    def each(
        self,
        where: object,
        expected: Mapping[str, object],
        got: Mapping[str, object],
        missing: str = _NONE,
    ) -> None:
        """Compares the values of two mappings; `where` and a key say which."""
        for name in sorted(expected.keys() | got.keys()):
            self.same(f"{where}{name}", expected.get(name, missing), got.get(name, missing))

    def known(self, where: object, expected: Mapping[str, object], got: object) -> None:
        """Compares what is expected of a mapping or an object by name; the rest of it is free."""
        if isinstance(got, Mapping):
            self.each(where, expected, {name: got.get(name) for name in expected})
        else:
            self.each(where, expected, {name: getattr(got, name) for name in expected})

    def json(self, where: object, expected: Any, got: Any) -> None:
        """Compares two contents of JSON files value by value."""
        ours, theirs = (
            {place: json.dumps(value) for place, value in _values(json.loads(json.dumps(content)))}
            for content in (expected, got)
        )
        self.each(f"{where}: ", ours, theirs)

    def files(self, folder: Path, again: Path) -> None:
        """Compares all files of a folder, by content, with those that were made again."""
        self.each(f"{folder}/", contents(again), contents(folder), "no such file")

    def pixels(
        self, where: object, expected: np.ndarray, got: np.ndarray, elsewhere: bool = False
    ) -> bool:
        """Compares pixels, those of an image that another machine made within tolerances."""
        found = pixel_finding(where, expected, got, GREY if elsewhere else 0)
        if found is None and elsewhere:
            found = _share_finding(where, expected, got)
        return self.add(found, found is None and np.array_equal(expected, got))

    def has(self, *paths: Path) -> bool:
        """Whether files and folders are all there; those that are not are noted as absent."""
        missing = [path for path in paths if not path.exists()]
        for path in missing:
            self.lacks(path.as_posix())
        return not missing

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
    def reading(self, where: object, inside: str = "") -> Iterator[None]:
        """What cannot be read inside is a violation, one per line of the error.

        A lack of memory or rights says nothing of what is checked: it is absent. Errors are told
        without the folder `inside`, which stands for the project's.
        """
        try:
            yield
        except AugflowError as fault:
            for line in str(fault).replace(inside, "").splitlines():
                self.add(_unreadable(line, str(where)))
        except (
            ArithmeticError,
            AttributeError,
            IndexError,
            IsADirectoryError,
            KeyError,
            NotADirectoryError,
            TypeError,
            ValueError,
            YAMLError,
        ) as fault:
            reason = f"{type(fault).__name__}: {' '.join(str(fault).split())}"
            self.add(Finding(str(where), "readable content", reason))
        except PermissionError as fault:
            self.lacks(f"the right to read {fault.filename}")
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
    where: object, expected: np.ndarray, got: np.ndarray, tolerance: int = 0
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
    count = f" ({len(wrong)} pixels differ)" if len(wrong) > 1 else ""
    values = [str(pixels[row, column].tolist()) for pixels in (expected, got)]
    return Finding(f"{where}: row {row}, column {column}", values[0], values[1] + count)


def _share_finding(where: object, expected: np.ndarray, got: np.ndarray) -> Finding | None:
    """Where a larger share of the pixels of an image differ, by however little, than may."""
    share = float((expected != got).reshape(*expected.shape[:2], -1).any(axis=2).mean())
    if share <= GREY_PIXELS:
        return None
    return Finding(f"{where}: pixels that differ", f"at most {GREY_PIXELS:.2%}", f"{share:.2%}")


def files_below(folder: Path) -> Iterator[Path]:
    """Files in a folder, and in those that links in it lead to, each folder once."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(place, name) for name in files)


def check_kinds(project: Project) -> Check:
    """Pipes, sockets and devices among a project's files: who opens one may wait for ever."""
    check, root = Check("files"), project.root
    folders = (".dvc", "augflow", "pipelines", "reports", "streetscenes", project.params.data.root)
    below = (path for name in (*folders, project.data) for path in files_below(root / name))
    for path in (*root.iterdir(), *(root / "data").glob("*"), *below):
        if path.exists() and not (path.is_file() or path.is_dir()):
            check.same(path.as_posix(), "a file", "a pipe, a socket or a device")
    return check


def contents(root: Path, out: Path = Path()) -> dict[str, str]:
    """Path below `root` -> digest of content, of all files but hidden ones of a file or folder."""
    place = root / out
    found = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    return {
        path.relative_to(root).as_posix(): f"content {_digest(path)}"
        for path in found
        if not path.name.startswith(".")
    }


def _digest(path: Path) -> str:
    try:
        return io.digest_file(path)
    except AugflowError as fault:
        return f"unreadable ({fault})"


def line_finding(where: str, expected: str, got: str) -> Finding | None:
    """The first line of two texts that differs, cut to what stands around the difference."""
    ours, theirs = expected.split("\n"), got.split("\n")
    for number in range(max(len(ours), len(theirs))):
        one, other = ("".join(lines[number : number + 1]) for lines in (ours, theirs))
        if one != other or number >= min(len(ours), len(theirs)):
            return Finding(f"{where}: line {number + 1}", *around(one, other))
    return None


def around(expected: str, got: str, width: int = 40) -> tuple[str, str]:
    """Two lines, cut to what stands around the first character that differs."""
    same = 0
    while same < min(len(expected), len(got)) and expected[same] == got[same]:
        same += 1
    start = max(0, same - width // 2)
    return repr(expected[start : same + width]), repr(got[start : same + width])


def facts(level: int, checks: Sequence[Check], sample: Sample | None = None) -> dict[str, Any]:
    """All findings of a level, and the sample that it looked at, as plain JSON."""
    listed = [check.facts() for check in checks]
    drawn = {"sample": vars(sample)} if sample else {}
    asked = {"level": level, "asked": LEVELS[level], **drawn}
    return {**asked, "state": state_of(checks), "checks": listed}


def markdown(level: int, checks: Sequence[Check], sample: Sample | None = None) -> str:
    """The same as a page: a table of the checks, then every finding."""
    lines = [
        f"# Level {level}: {state_of(checks)}",
        "",
        f"Asked: {LEVELS[level]}{f' ({sample})' if sample else ''}.",
        "",
        "| check | state | compared | not as recorded | within tolerance | absent |",
        "| :-- | :-- | --: | --: | --: | --: |",
    ]
    for check in checks:
        numbers = (check.compared, len(check.violations), check.tolerated, len(check.absent))
        cells = (_escape_markdown(check.title), check.state, *map(str, numbers))
        lines.append(f"| {' | '.join(cells)} |")
    for check in checks:
        found = [
            *map(str, check.violations),
            *(f"absent: {what}" for what in check.absent),
            *(f"note: {note}" for note in check.notes),
        ]
        if found:
            lines += ["", f"## {_escape_markdown(check.title)}", ""]
            lines += [f"- {_escape_markdown(line)}" for line in found]
    return "\n".join(lines) + "\n"


def write(
    folder: Path, level: int, checks: Sequence[Check], sample: Sample | None = None
) -> tuple[Path, Path]:
    """Writes `level_N.json` and `level_N.md` into a folder; returns both."""
    paths = folder / f"level_{level}.json", folder / f"level_{level}.md"
    io.write_json(paths[0], facts(level, checks, sample))
    io.atomic_write(paths[1], markdown(level, checks, sample).encode())
    return paths


def _values(content: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value below a content, under its dotted place."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        name = f"{place}.{key}" if place else str(key)
        if isinstance(value, dict | list) and value:
            yield from _values(value, name)
        else:
            yield name, value


def _unreadable(line: str, where: str) -> Finding:
    """An error's line, `WHERE: WHAT; REMEDY`, as a finding."""
    place, parted, rest = line.partition(": ")
    if not parted or " " in place:
        place, rest = where, line
    return Finding(place, "what was recorded", rest.partition("; ")[0])


def _escape_markdown(text: str) -> str:
    """A text that stays one in Markdown, whatever names it holds."""
    for mark in "\\`*_[]<>|#":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
