"""The user's faults become one line on stderr and an exit code."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from augflow import stopping
from augflow.errors import AugflowError
from augflow.stopping import Stopped


@contextmanager
def reported() -> Iterator[None]:
    """Runs a command: progress goes to stderr, an `AugflowError` ends it with its exit code.

    SIGTERM, SIGINT, and the death of the DVC that runs it, end it as `stopping.Stopped`.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("augflow").setLevel(logging.INFO)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about metadata that nobody asked for
    try:
        with stopping.heeded(), stopping.with_parent():
            yield
    except AugflowError as fault:
        print(f"augflow: {fault}", file=sys.stderr)
        raise SystemExit(fault.exit_code) from None
    except KeyboardInterrupt as asked:
        stopped = asked if isinstance(asked, Stopped) else Stopped(signal.SIGINT)
        print(f"augflow: {stopped}", file=sys.stderr)
        raise SystemExit(stopped.exit_code) from None
