"""Stage check: all other stages wait for it, so that no name of `params.yaml` does harm.

DVC puts names of `params.yaml` into commands that a shell runs and into paths whose content it
removes, before any code of a stage is reached.
"""

from __future__ import annotations

from pathlib import Path

from augflow.core import io
from augflow.study.params import load


def check(params: Path, out: Path) -> None:
    """Reads the parameters, and writes a file that is the same for all that are sound."""
    load(params)
    io.write_json(out, {"params.yaml": "sound"})
