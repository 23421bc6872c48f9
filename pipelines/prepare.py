"""Stage prepare: raw photographs and ids become scenes of one size."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from augflow.errors import AugflowError
from augflow.params import load
from augflow.stages.prepare import prepare


def main() -> int:
    """Reads the section `data` and writes the prepared folder; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the prepared folder")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    arguments = parser.parse_args()
    try:
        prepare(load(arguments.params).data, arguments.out)
    except AugflowError as fault:
        sys.stderr.write(f"{fault}\n")
        return fault.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
