"""The folder that a command writes: refused where something would be lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from augflow.core.errors import DataError


def require_output_folder(
    out: Path,
    inputs: Iterable[Path],
    sign: str,
    own: Callable[[str], bool],
    *,
    overwrite: bool,
    instead: str = "",
) -> None:
    """Goes on where a folder may be written.

    The file `sign` says that a folder is of this kind, `own` whether it may hold a name. With
    `overwrite` there may be an older output of the same kind. What else can be done with one is
    said by `instead`.

    Raises:
        DataError: `out` is, holds or lies in an input, is or holds the current folder, or holds
            files of another kind, or an older output that is not to be replaced.
    """
    here, current = out.resolve(), Path.cwd()
    for given in inputs:
        there = given.resolve()
        if here == there or here in there.parents or there in here.parents:
            raise DataError(f"{out}: is, holds or lies in {given}; give another folder with --out")
    if here == current or here in current.parents:
        raise DataError(f"{out}: is or holds the current folder; give one of its own with --out")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: is a file; give a folder with --out")
    names = sorted(path.name for path in out.iterdir()) if out.exists() else []
    strange = [name for name in names if sign not in names or not own(name)]
    if strange:
        raise DataError(f"{out}: holds {', '.join(strange[:5])}; give a new folder with --out")
    if names and not overwrite:
        raise DataError(
            f"{out}: holds what an earlier run wrote ({', '.join(names[:5])}); give "
            f"--overwrite to replace it{instead}, or another folder with --out"
        )
