"""What a verification found, as files: JSON for programs, Markdown for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from augflow.core import io
from augflow.verify.findings import Check, state_of

LEVELS = {
    0: "all is as recorded", 1: "a little is made again", 2: "all of it is made again",
    3: "what the report says is counted again",
}  # fmt: skip
"""Level -> what it asks."""


def facts(level: int, checks: Sequence[Check]) -> dict[str, Any]:
    """All findings as plain JSON."""
    listed = [check.facts() for check in checks]
    return {"level": level, "asked": LEVELS[level], "state": state_of(checks), "checks": listed}


def markdown(level: int, checks: Sequence[Check]) -> str:
    """The same as a page: a table of the checks, then every finding."""
    lines = [
        f"# Level {level}: {state_of(checks)}", "", f"Asked: {LEVELS[level]}.", "",
        "| check | state | compared | not as recorded | within tolerance | absent |",
        "| :-- | :-- | --: | --: | --: | --: |",
    ]  # fmt: skip
    for check in checks:
        numbers = (check.compared, len(check.violations), check.tolerated, len(check.absent))
        cells = (_escaped(check.title), check.state, *map(str, numbers))
        lines.append(f"| {' | '.join(cells)} |")
    for check in checks:
        found = [
            *(f"- {_escaped(str(violation))}" for violation in check.violations),
            *(f"- absent: {_escaped(what)}" for what in check.absent),
            *(f"- note: {_escaped(note)}" for note in check.notes),
        ]
        if found:
            lines += ["", f"## {_escaped(check.title)}", "", *found]
    return "\n".join(lines) + "\n"


def write(folder: Path, level: int, checks: Sequence[Check]) -> tuple[Path, Path]:
    """Writes `level_N.json` and `level_N.md` into a folder; returns both."""
    paths = folder / f"level_{level}.json", folder / f"level_{level}.md"
    io.write_json(paths[0], facts(level, checks))
    io.atomic_write(paths[1], markdown(level, checks).encode())
    return paths


def _escaped(text: str) -> str:
    """A text that stays one in Markdown, whatever names it holds."""
    for mark in "\\`*_[]<>|#":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
