"""The user's faults become one line on stderr and an exit code."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from augflow.errors import AugflowError


@contextmanager
def reported() -> Iterator[None]:
    """Runs a command: progress goes to stderr, an `AugflowError` ends it with its exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("augflow").setLevel(logging.INFO)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about metadata that nobody asked for
    try:
        yield
    except AugflowError as fault:
        print(f"augflow: {fault}", file=sys.stderr)
        raise SystemExit(fault.exit_code) from None
    except KeyboardInterrupt:
        print("augflow: stopped; start again to go on", file=sys.stderr)
        raise SystemExit(130) from None
