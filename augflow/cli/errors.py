"""The user's faults, and the machine's, become one line on stderr and an exit code."""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from augflow.core import signals
from augflow.core.errors import AugflowError, on_one_line
from augflow.core.signals import Stopped

_FULL = "free some space, or write elsewhere, and start again"
_RIGHTS = "give yourself the right to it, or name another place"
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "allow larger files (ulimit -f), or write elsewhere, and start again",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: "name a place that can be written to",
    errno.ENOENT: "make it, restore it, or correct the path",
    errno.ENOTDIR: "a folder is expected where there is a file; name another place",
    errno.EISDIR: "a file is expected where there is a folder; name another place",
    errno.EEXIST: "move it away, or name another place",
    errno.ENAMETOOLONG: "name a shorter path",
    errno.EMFILE: "allow more open files (ulimit -n) and start again",
    errno.EIO: "the disk does not do its work: look after it, then start again",
}
_ASIDE = re.compile(r"(?<![^/])\.([^/]+)\.(?:\d+\.part|lock|unfinished/\1)(?![^/])")
"""What is written first and renamed last, and the lock of it."""


@contextmanager
def report_faults() -> Iterator[None]:
    """Runs a command: progress goes to stderr; what is no fault of ours ends it in one line.

    That is an `AugflowError`, with its exit code; files that cannot be read or written (OSError)
    and a lack of memory, with exit code 2. Everything else keeps its traceback.
    SIGTERM, SIGINT, and the death of the DVC that runs it, end it as `signals.Stopped`.
    """
    # read when torch is loaded: threads that spin while they wait cost more than they do
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("augflow").setLevel(logging.INFO)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about metadata that nobody asked for
    try:
        with signals.raise_on_signal(), signals.exit_with_parent():
            yield
    except AugflowError as fault:
        print(f"augflow: {fault}", file=sys.stderr)
        raise SystemExit(fault.exit_code) from None
    except KeyboardInterrupt as asked:
        stopped = asked if isinstance(asked, Stopped) else Stopped(signal.SIGINT)
        print(f"augflow: {stopped}", file=sys.stderr)
        raise SystemExit(stopped.exit_code) from None
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left to say is said to nobody
        raise SystemExit(128 + signal.SIGPIPE) from None
    except (OSError, MemoryError, RuntimeError) as fault:
        line = _line(fault)
        if line is None:
            raise
        print(f"augflow: {line}", file=sys.stderr)
        raise SystemExit(2) from None


def _line(fault: Exception) -> str | None:
    """Where, what, and what to do; None for a fault of ours."""
    if _is_lack_of_memory(fault):
        reason = on_one_line(str(fault).split("\n")[0], 200)
        return (
            f"out of memory{': ' if reason else ''}{reason}; close other programs, or ask for less "
            "(a smaller batch_size, size or number of samples)"
        )
    told = _cause(fault)
    if told is None:
        return None
    names = [_display_name(name) for name in (told.filename, told.filename2) if name is not None]
    where = " and ".join(dict.fromkeys(names))
    what = on_one_line(told.strerror or told, 200) or type(told).__name__
    advice = _ADVICE.get(told.errno or 0, "put that right, then start again")
    if told.errno is not None and told.errno in _ADVICE and not where:
        where = "a file that was written or read"
    return f"{where}{': ' if where else ''}{what}; {advice}"


def _is_lack_of_memory(fault: Exception) -> bool:
    if isinstance(fault, MemoryError) or getattr(fault, "errno", None) == errno.ENOMEM:
        return True
    if "torch" not in sys.modules:  # which is where it could come from, and takes seconds to import
        return False
    from augflow.core.hardware import out_of_memory

    return out_of_memory(fault)


def _cause(fault: BaseException) -> OSError | None:
    """The OSError that a fault is, or that a writer of another library made something else of."""
    if isinstance(fault, OSError):
        return fault
    inner = fault.__cause__ or fault.__context__
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return inner if isinstance(inner, OSError) and inner.errno in full else None


def _display_name(name: object) -> str:
    """A file's name on one line, with the names that what is written aside will have."""
    path = os.fsdecode(name) if isinstance(name, bytes) else str(name)
    return on_one_line(_ASIDE.sub(r"\1", path), 300)
