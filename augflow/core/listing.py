"""Image files of folders, with what is wrong with them before they are opened: names and links."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from augflow.core.errors import DataError, on_one_line

LONGEST_NAME = 180
"""Bytes of a core name: file systems take 255, of which endings and names of parts need some."""

_BREAKS = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories of line breaks, other controls, and bytes of names that are no text."""


def images_below(folder: Path, suffixes: Collection[str]) -> tuple[list[Path], list[str]]:
    """All files of some suffixes below a folder, sorted, and the faults of those left out.

    Hidden files and folders are no part of it. Whatever else carries such a suffix is, pipes and
    broken links too: whoever reads it says what it is.

    Args:
        folder: where to look.
        suffixes: in lower case; those of files may be in upper case.

    Raises:
        DataError: no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{on_one_line(folder)}: no such folder; give a folder of images")
    found: list[Path] = []
    faults = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        here = Path(place)
        linked = [here / name for name in folders if (here / name).is_symlink()]
        files = [here / name for name in names if not name.startswith(".")]
        files = [path for path in files if path.suffix.lower() in suffixes]
        found += [path for path in files if not leads_out(path, folder)]
        faults += [
            f"{on_one_line(path)}: {outside(path)}"
            for path in (*linked, *files)
            if leads_out(path, folder)
        ]
    return sorted(found), sorted(faults)


def named(
    folder: Path, paths: Sequence[Path], core: Callable[[Path], str]
) -> tuple[dict[str, Path], list[str]]:
    """Core name -> file, sorted by name, and the faults of names that cannot be written again.

    Args:
        folder: below which the files lie.
        paths: the files.
        core: the core name of a file.
    """
    groups: dict[str, list[Path]] = defaultdict(list)
    faults = []
    for path in paths:
        wrong = unfit(core(path))
        if wrong:
            faults.append(f"{on_one_line(path)}: {wrong}")
        else:
            groups[folded(core(path))].append(path)
    doubled = [group for group in groups.values() if len(group) > 1]
    if doubled:
        shown = "; ".join(f"{core(group[0])} ({', '.join(map(str, group))})" for group in doubled)
        faults.append(
            f"{folder}: names that come twice: {shown}; rename the files or give a folder that "
            "holds each once"
        )
    single: Mapping[str, Path] = {
        core(group[0]): group[0] for group in groups.values() if len(group) == 1
    }
    return dict(sorted(single.items())), faults


def unfit(name: str) -> str | None:
    """Why files cannot be written under a name, with what to do; None where they can."""
    if name in ("", ".", ".."):
        return f"nothing but {name or 'an ending'} is left as its name; rename it"
    if any(unicodedata.category(character) in _BREAKS for character in name):
        return "has a line break or bytes that are no text in its name; rename it"
    if "/" in name or "\\" in name:
        return "has a slash in its name; rename it"
    if len(name.encode()) > LONGEST_NAME:
        return (
            f"has a name of {len(name.encode())} bytes, expected {LONGEST_NAME} at most; rename it"
        )
    return None


def folded(name: str) -> str:
    """What names have in common that some file systems hold to be one."""
    return unicodedata.normalize("NFC", name).casefold()


def leads_out(path: Path, root: Path) -> bool:
    """Whether a file below a folder is really elsewhere, by links."""
    real, base = os.path.realpath(path), os.path.realpath(root)
    return not Path(real).is_relative_to(base)


def outside(path: Path) -> str:
    """What is wrong with a file that `leads_out`, and what to do."""
    return (
        f"is a link out of the folder, to {on_one_line(os.path.realpath(path))}; "
        "put what it leads to there, or give the folder that holds it"
    )
